//! The repository to clean, asked with `git`.
//!
//! Input: a folder. Output: where the repository is, its remote and its references, or an error if its
//! history cannot be cleaned. Changes nothing.

use anyhow::{Context, bail};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The variables that would make `git` use another repository than the one of its folder.
const REPOSITORY_VARIABLES: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_REPLACE_REF_BASE",
];

/// A repository whose history is complete.
#[derive(Debug)]
pub(super) struct CompleteRepository {
    /// The folder in which `git` finds it: the top of the work tree, or the bare repository.
    pub(super) folder: PathBuf,
    /// The git directory that all its work trees share.
    pub(super) store: PathBuf,
    pub(super) kind: Kind,
    pub(super) remote: Option<PushTarget>,
    /// The names of all other remotes.
    pub(super) other_remotes: Vec<String>,
    pub(super) references: Vec<Reference>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bare,
    WorkTree,
}

/// The remote that the cleaned history is pushed to.
#[derive(Debug)]
pub(super) struct PushTarget {
    pub(super) name: String,
    /// Its URL without credentials, for messages.
    pub(super) shown_url: String,
}

/// A reference. Its name can contain a token.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) object: String,
    pub(super) name: Vec<u8>,
}

/// Returns a `git` command in a folder.
pub(super) fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    for variable in REPOSITORY_VARIABLES {
        command.env_remove(variable);
    }
    command.arg("-C").arg(folder).stdin(Stdio::null());
    command
}

/// Runs a command and returns its output.
pub(super) fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let ran =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().map_err(
            |error| match error.kind() {
                io::ErrorKind::NotFound => {
                    anyhow::anyhow!("git is not installed: `clean` needs it")
                }
                _ => error.into(),
            },
        )?;
    if !ran.status.success() {
        bail!("{}", String::from_utf8_lossy(&ran.stderr).trim());
    }
    Ok(ran.stdout)
}

/// Runs `git` and returns its output without the final newline.
pub(super) fn ask(folder: &Path, args: &[&str]) -> anyhow::Result<String> {
    let bytes = output(git(folder).args(args))?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned())
}

impl CompleteRepository {
    /// Finds the repository of a folder.
    ///
    /// # Errors
    /// Returns an error if there is none, or a part of its history is missing or outdated.
    pub(super) fn find(folder: &Path) -> anyhow::Result<Self> {
        let path = |option: &str| {
            ask(folder, &["rev-parse", "--path-format=absolute", option]).map(PathBuf::from)
        };
        let store = path("--git-common-dir")
            .with_context(|| format!("cannot open repository {}", folder.display()))?;
        let kind = match ask(folder, &["rev-parse", "--is-bare-repository"])?.as_str() {
            "true" => Kind::Bare,
            _ => Kind::WorkTree,
        };
        let folder = match (kind, path("--show-toplevel")) {
            (Kind::Bare, _) => store.clone(),
            (Kind::WorkTree, Ok(top)) => top,
            // The folder is the git directory of a work tree.
            (Kind::WorkTree, Err(_)) => store.parent().unwrap_or(&store).to_owned(),
        };
        let mut remotes: Vec<String> =
            ask(&folder, &["remote"])?.lines().map(str::to_owned).collect();
        let chosen = remotes.iter().position(|name| name == "origin");
        let chosen = chosen.or((remotes.len() == 1).then_some(0));
        let remote = chosen.map(|at| PushTarget::find(&folder, remotes.remove(at))).transpose()?;
        let references = references(&store)?;
        let found = Self { folder, store, kind, remote, other_remotes: remotes, references };
        found.check_completeness()?;
        found.check_branches()?;
        Ok(found)
    }

    /// Returns an error if objects of the history are missing.
    fn check_completeness(&self) -> anyhow::Result<()> {
        let shown = self.folder.display();
        if ask(&self.store, &["rev-parse", "--is-shallow-repository"])? == "true" {
            bail!(
                "{shown} is a shallow clone, so that its history is incomplete: run \
                 `git fetch --unshallow` first"
            );
        }
        // The command fails if there is no such setting.
        let setting = ["config", "--get-regexp", r"^remote\..*\.(promisor|partialclonefilter)$"];
        if ask(&self.store, &setting).is_ok() {
            bail!(
                "{shown} is a partial clone, so that its history is incomplete: clone the repository \
                 again without `--filter`"
            );
        }
        Ok(())
    }

    /// Returns an error if a branch lacks commits that the remote has: a forced push would discard them.
    fn check_branches(&self) -> anyhow::Result<()> {
        let Some(remote) = &self.remote else { return Ok(()) };
        let mut behind = Vec::new();
        for branch in self.branches() {
            let tracking = self.tracking(branch);
            let local = self.references.iter().find(|it| it.branch() == Some(branch));
            let (Some(tracking), Some(local)) = (tracking, local) else { continue };
            let range = format!("{}..{}", local.object, tracking.object);
            if ask(&self.store, &["rev-list", "--count", &range])? != "0" {
                behind.push(String::from_utf8_lossy(branch).into_owned());
            }
        }
        if !behind.is_empty() {
            bail!(
                "local branches lack commits of {}, which a forced push would discard: {}; \
                 run `git pull` on each of them, or delete it",
                remote.name,
                behind.join(", ")
            );
        }
        Ok(())
    }

    /// Returns the names of the local branches.
    pub(super) fn branches(&self) -> impl Iterator<Item = &[u8]> {
        self.references.iter().filter_map(Reference::branch)
    }

    /// Returns the reference that tracks a branch of the remote.
    fn tracking(&self, branch: &[u8]) -> Option<&Reference> {
        self.remote_branches().find(|(name, _)| *name == branch).map(|(_, reference)| reference)
    }

    /// Returns the branches of the remote, by name.
    pub(super) fn remote_branches(&self) -> impl Iterator<Item = (&[u8], &Reference)> {
        let name = self.remote.as_ref().map(|it| format!("refs/remotes/{}/", it.name));
        self.references.iter().filter_map(move |it| {
            let branch = it.name.strip_prefix(name.as_deref()?.as_bytes())?;
            (branch != b"HEAD").then_some((branch, it))
        })
    }

    /// Returns the branches that the remote does not have; none if nothing is known about the remote.
    pub(super) fn unpublished(&self) -> Vec<&[u8]> {
        if self.remote_branches().next().is_none() {
            return Vec::new();
        }
        self.branches().filter(|branch| self.tracking(branch).is_none()).collect()
    }

    /// Returns the number of stashes. Only the newest is a reference, the others are in its reflog.
    pub(super) fn stashes(&self) -> usize {
        // The command fails if there is no stash.
        let listed =
            ask(&self.store, &["log", "--walk-reflogs", "--format=%gd", "refs/stash", "--"]);
        listed.map_or(0, |list| list.lines().count())
    }

    /// Returns `true` if the repository has Git LFS objects.
    pub(super) fn has_lfs_objects(&self) -> bool {
        let mut entries = std::fs::read_dir(self.store.join("lfs/objects")).into_iter().flatten();
        entries.next().is_some()
    }

    /// Returns `true` if the references themselves are those of the remote, as in a mirror.
    pub(super) fn mirrors_remote(&self) -> bool {
        self.kind == Kind::Bare && self.remote_branches().next().is_none()
    }

    /// Returns the objects that the references of the remote are known to have, by their names: as of the last
    /// fetch, or as the mirror contains them. `None` if nothing is known.
    pub(super) fn known_remote(&self) -> Option<Vec<(Vec<u8>, &str)>> {
        if !self.mirrors_remote() {
            let tracked = self.remote_branches();
            let tracked: Vec<_> = tracked
                .map(|(branch, it)| ([b"refs/heads/", branch].concat(), it.object.as_str()))
                .collect();
            return (!tracked.is_empty()).then_some(tracked);
        }
        let pushed = ["refs/heads/", "refs/tags/", "refs/notes/"];
        let is_pushed =
            |it: &&Reference| pushed.iter().any(|kind| it.name.starts_with(kind.as_bytes()));
        let known = self.references.iter().filter(is_pushed);
        Some(known.map(|it| (it.name.clone(), it.object.as_str())).collect())
    }

    /// Returns the number of signed commits, whose signatures a rewrite removes.
    pub(super) fn signed_commits(&self) -> anyhow::Result<usize> {
        let log = output(git(&self.store).args(["log", "--all", "--format=raw", "--no-patch"]))?;
        Ok(log.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"gpgsig")).count())
    }
}

impl PushTarget {
    fn find(folder: &Path, name: String) -> anyhow::Result<Self> {
        let url = ask(folder, &["remote", "get-url", "--push", &name])?;
        Ok(Self { name, shown_url: without_credentials(&url) })
    }
}

impl Reference {
    /// Returns the name of a local branch.
    fn branch(&self) -> Option<&[u8]> {
        self.name.strip_prefix(b"refs/heads/")
    }
}

/// Returns all references of a repository.
pub(super) fn references(store: &Path) -> anyhow::Result<Vec<Reference>> {
    let listed = output(git(store).args(["for-each-ref", "--format=%(objectname) %(refname)"]))?;
    let lines = listed.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let parse = |line: &[u8]| {
        let space = line.iter().position(|&byte| byte == b' ').context("no reference")?;
        let object = String::from_utf8_lossy(&line[..space]).into_owned();
        Ok(Reference { object, name: line[space + 1..].to_vec() })
    };
    lines.map(parse).collect()
}

/// Removes the user and the password from a URL.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{}", rest[end..].split(['?', '#']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_a_url_are_removed() {
        let shown = [
            ("https://ann:hunter2@example.com/a.git", "https://example.com/a.git"),
            ("https://a@b@example.com:80/a@b", "https://example.com:80/a@b"),
            ("https://example.com/a.git?token=x", "https://example.com/a.git"),
            ("git@example.com:a.git", "git@example.com:a.git"),
            ("../a.git", "../a.git"),
        ];
        for (url, expected) in shown {
            assert_eq!(without_credentials(url), expected);
        }
    }
}
