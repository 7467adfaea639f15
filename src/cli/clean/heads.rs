//! Commits that only a detached HEAD reaches, which a clone does not contain.
//!
//! Input: a repository with all its work trees. Output: an error that names the HEADs with such commits and
//! the commands that keep them. Changes nothing.

use super::repository::{CompleteRepository, Kind, ask};
use crate::report::shell::quote;
use anyhow::{Context, bail};
use ddpatrol_scan::quantity::count;
use std::path::PathBuf;

/// References that git makes for work in progress. Their commits are not pushed.
const TEMPORARY: [&str; 4] = ["refs/stash", "refs/bisect/*", "refs/rewritten/*", "refs/worktree/*"];

/// The HEAD of a work tree or of a bare repository that names a commit instead of a branch.
struct DetachedHead {
    folder: PathBuf,
    commit: String,
}

/// Returns an error if a detached HEAD has commits that are on no branch: they would be lost.
pub(super) fn check(repository: &CompleteRepository) -> anyhow::Result<()> {
    let mut lost = Vec::new();
    for head in detached(repository)? {
        let number = unpublished_commits(repository, &head)
            .with_context(|| format!("cannot read the HEAD of {}", head.folder.display()))?;
        if number > 0 {
            // The folder of a linked work tree can be missing.
            let known = if head.folder.exists() { &head.folder } else { &repository.store };
            let command = format!(
                "git -C {} branch NAME {}",
                quote(&known.to_string_lossy()),
                head.commit.get(..12).unwrap_or(&head.commit)
            );
            lost.push(format!(
                "the detached HEAD of {} has {} outside any branch, which would be lost: make a branch \
                 with `{command}`",
                head.folder.display(),
                count(number, "commit"),
            ));
        }
    }
    if !lost.is_empty() {
        bail!("{}", lost.join("; "));
    }
    Ok(())
}

/// Returns the detached HEADs of the repository and its linked work trees.
fn detached(repository: &CompleteRepository) -> anyhow::Result<Vec<DetachedHead>> {
    let store = &repository.store;
    let listed = ask(store, &["worktree", "list", "--porcelain"]);
    let listed = listed.context("cannot list the work trees")?;
    let mut found = Vec::new();
    for entry in listed.split("\n\n") {
        let value = |key: &str| entry.lines().find_map(|line| line.strip_prefix(key));
        // A folder whose name contains an empty line is in another entry.
        let folder = value("worktree ").map_or_else(|| store.clone(), PathBuf::from);
        let commit = if value("detached").is_some() {
            value("HEAD ").map(str::to_owned)
        } else if value("bare").is_some() && ask(store, &["symbolic-ref", "-q", "HEAD"]).is_err() {
            // The HEAD of a bare repository is not listed.
            Some(ask(store, &["rev-parse", "--verify", "HEAD"])?)
        } else {
            None
        };
        found.extend(commit.map(|commit| DetachedHead { folder, commit }));
    }
    Ok(found)
}

/// Returns the number of commits of a HEAD that neither the clone nor a remote has.
fn unpublished_commits(
    repository: &CompleteRepository,
    head: &DetachedHead,
) -> anyhow::Result<u64> {
    let mut args = vec!["rev-list".to_owned(), "--count".to_owned(), head.commit.clone()];
    args.push("--not".to_owned());
    args.extend(TEMPORARY.map(|pattern| format!("--exclude={pattern}")));
    let mut remotes = Vec::new();
    if repository.kind == Kind::WorkTree {
        // Tracking branches are not in the clone; those without a remote are nowhere else.
        args.push("--exclude=refs/remotes/*".to_owned());
        remotes.extend(repository.remote.iter().map(|it| &it.name));
        remotes.extend(&repository.other_remotes);
    }
    args.push("--glob=refs/*".to_owned());
    args.extend(remotes.into_iter().map(|name| format!("--glob=refs/remotes/{name}/*")));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Ok(ask(&repository.store, &args)?.parse()?)
}
