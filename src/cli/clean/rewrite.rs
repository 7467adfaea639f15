//! The rewrite: a mirror clone, git-filter-repo on it, and a scan of the result.
//!
//! Input: a repository and the targets. Output: a clone without them, or none at all: a clone that still
//! contains tokens is removed. Changes nothing in the repository.

use super::notes;
use super::repository::{CompleteRepository, Kind, Reference, git, output, references};
use super::search::Search;
use crate::clean::{CALLBACKS, Cleaner, PREAMBLE, Targets};
use anyhow::{Context, bail};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

/// The file of the targets in the clone; it contains no secret.
const TARGETS: &str = "ddpatrol-targets.json";

/// A clone that is removed unless it is kept.
struct Clone {
    folder: PathBuf,
    is_kept: bool,
}

impl Drop for Clone {
    fn drop(&mut self) {
        if !self.is_kept {
            // An error that is already reported caused this.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Returns an error if git-filter-repo is not installed.
pub(super) fn check_filter_repo(repository: &CompleteRepository) -> anyhow::Result<()> {
    let version = output(git(&repository.store).args(["filter-repo", "--version"]));
    version.map(drop).map_err(|_| {
        anyhow::anyhow!(
            "git-filter-repo is not installed: install it, for example with \
             `pipx install git-filter-repo`"
        )
    })
}

/// Returns the folder of the clone: beside the repository, and not in use.
pub(super) fn clone_folder(repository: &CompleteRepository) -> anyhow::Result<PathBuf> {
    let folder = &repository.folder;
    let name = folder.file_name().context("the repository has no folder name")?;
    let name = name.to_string_lossy();
    let name = name.strip_suffix(".git").unwrap_or(&name);
    let parent = folder.parent().context("the repository has no parent folder")?;
    let mut names = std::iter::once(String::new()).chain((2..1000).map(|n| format!("-{n}")));
    let folder = names.find_map(|number| {
        let folder = parent.join(format!("{name}-cleaned{number}.git"));
        (!folder.exists()).then_some(folder)
    });
    folder.with_context(|| format!("too many cleaned clones in {}", parent.display()))
}

/// Rewrites a fresh clone in `folder`. Calls `check` between the steps, which returns an error to stop.
pub(super) fn rewrite(
    repository: &CompleteRepository,
    search: &Search,
    targets: &Targets,
    check: &dyn Fn() -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let folder = clone_folder(repository)?;
    let mut clone = Clone { folder: folder.clone(), is_kept: false };
    let mut command = git(&repository.folder);
    command.args(["clone", "--quiet", "--mirror", "--no-local", "--template="]);
    output(command.arg(&repository.store).arg(&folder)).context("cannot clone the repository")?;
    check()?;
    arrange(repository, &folder)?;
    std::fs::write(folder.join(TARGETS), serde_json::to_vec(targets)?)?;
    filter(search, &folder)?;
    check()?;
    rename_head(search, targets, &folder)?;
    notes::rewrite(&folder)?;
    std::fs::remove_file(folder.join(TARGETS))?;
    // Its files list the old names of references, which can contain tokens.
    std::fs::remove_dir_all(folder.join("filter-repo"))?;
    let left = search.run(&folder)?;
    check()?;
    if !left.unread.is_empty() {
        bail!("cannot verify the rewritten history: {}", left.unread.join("; "));
    }
    if !left.records.is_empty() {
        let places = left.records.iter().flat_map(|it| &it.locations);
        let mut places: Vec<_> =
            places.filter_map(|it| Some(it.path.as_ref()?.text().into_owned())).collect();
        places.dedup();
        places.truncate(5);
        bail!("the rewritten history still contains tokens: {}", places.join(", "));
    }
    clone.is_kept = true;
    Ok(folder)
}

/// Makes a branch of each branch of the remote, as a clone of the remote has them, and removes what is not
/// pushed and would keep old objects.
fn arrange(repository: &CompleteRepository, clone: &Path) -> anyhow::Result<()> {
    let mut commands = Vec::new();
    if repository.kind == Kind::WorkTree {
        let local: Vec<&[u8]> = repository.branches().collect();
        let missing = repository.remote_branches().filter(|(name, _)| !local.contains(name));
        for (branch, Reference { object, .. }) in missing {
            commands
                .extend([b"create refs/heads/", branch, b" ", object.as_bytes(), b"\n"].concat());
        }
        let tracking = references(clone)?;
        let tracking = tracking.iter().filter(|it| it.name.starts_with(b"refs/remotes/"));
        for Reference { name, .. } in tracking {
            commands.extend([b"option no-deref\ndelete ", &name[..], b"\n"].concat());
        }
    }
    let mut command = git(clone);
    command.args(["update-ref", "--stdin"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    child.stdin.take().context("no pipe")?.write_all(&commands)?;
    let ran = child.wait_with_output()?;
    if !ran.status.success() {
        bail!("cannot arrange the clone: {}", String::from_utf8_lossy(&ran.stderr).trim());
    }
    // A detached HEAD would keep its commit.
    if output(git(clone).args(["symbolic-ref", "--quiet", "HEAD"])).is_err() {
        let branch = default_branch(&references(clone)?);
        output(git(clone).args(["symbolic-ref", "HEAD", &branch]))?;
    }
    Ok(())
}

/// Returns the branch that a clone of a detached HEAD checks out: a usual name, or the first branch.
fn default_branch(references: &[Reference]) -> String {
    let names = references.iter().filter_map(|it| std::str::from_utf8(&it.name).ok());
    let branches: Vec<&str> = names.filter(|name| name.starts_with("refs/heads/")).collect();
    let mut usual = ["refs/heads/main", "refs/heads/master"].into_iter();
    let found = usual.find(|name| branches.contains(name)).or(branches.first().copied());
    found.unwrap_or("refs/heads/main").to_owned()
}

/// Runs git-filter-repo on the clone.
fn filter(search: &Search, clone: &Path) -> anyhow::Result<()> {
    let preamble = preamble(search, clone)?;
    let mut command = git(clone);
    command.args(["filter-repo", "--force", "--preserve-commit-encoding"]);
    command.args(["--prune-empty", "never", "--prune-degenerate", "never"]);
    for (option, code) in CALLBACKS {
        command.arg(option).arg(format!("{preamble}{code}\n"));
    }
    output(&mut command).map(drop).context("git-filter-repo failed")
}

/// Cleans the name of the branch in HEAD, which git-filter-repo does not rename.
fn rename_head(search: &Search, targets: &Targets, clone: &Path) -> anyhow::Result<()> {
    let head = output(git(clone).args(["symbolic-ref", "HEAD"]))?;
    let mut cleaner = Cleaner::new(Arc::clone(&search.rules), targets.clone())?;
    if let Some(name) = cleaner.name(head.trim_ascii_end()) {
        let name =
            String::from_utf8(name).context("the name of the branch in HEAD is not UTF-8")?;
        output(git(clone).args(["symbolic-ref", "HEAD", &name]))?;
    }
    Ok(())
}

/// Returns the Python code that begins each callback.
fn preamble(search: &Search, clone: &Path) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("cannot find the program itself")?;
    let targets = clone.join(TARGETS);
    let mut words = vec![
        program.as_os_str(),
        "clean-filter".as_ref(),
        "--targets".as_ref(),
        targets.as_os_str(),
    ];
    for file in &search.rule_files {
        words.extend(["--rules".as_ref(), file.as_os_str()]);
    }
    let mut code = "COMMAND = [".to_owned();
    for word in words {
        code.push_str("bytes.fromhex('");
        code.push_str(&hex::encode(word.as_encoded_bytes()));
        code.push_str("'), ");
    }
    Ok(format!("{code}]\n{PREAMBLE}"))
}
