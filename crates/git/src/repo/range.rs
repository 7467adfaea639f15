//! Resolves revisions, and lists the commits of ranges.
//!
//! Input: names or ids. Output: ids of commits. Commits are not parsed here.

use super::error::{LibraryError, ProgramError, RepoError};
use super::ids::{id, object_id, oid};
use super::repository::Repository;
use super::{git_cli, libgit2, peel};
use ddpatrol_pack::ObjectId;
use git2::Sort;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

// libgit2 is used only if there is no `git` program: libgit2 1.9 never returns from a truncated loose
// object.

/// Maximum number of commits that are passed as arguments.
const MOST_NAMED: usize = 1000;

impl Repository {
    /// Returns the commit that a revision names, by git's rules.
    ///
    /// # Errors
    /// Fails if it names none.
    pub fn resolve(&self, revision: &OsStr) -> Result<ObjectId, RepoError> {
        self.commit(revision, self.object(revision)?)
    }

    /// Returns the commit of a revision whose object is known.
    ///
    /// # Errors
    /// Fails if the object is neither a commit nor a tag of one.
    pub fn commit(&self, revision: &OsStr, object: ObjectId) -> Result<ObjectId, RepoError> {
        let words = match peel::peel(self, &BTreeSet::from([object]))?.remove(&object) {
            Some(Ok(Some(commit))) => return Ok(commit),
            Some(Err(error)) => error.to_string(),
            Some(Ok(None)) | None => "it names something else".to_owned(),
        };
        Err(unknown(self, revision, words))
    }

    /// Returns the object that a revision names, which may be a tag.
    ///
    /// # Errors
    /// Fails if it names none.
    pub fn object(&self, revision: &OsStr) -> Result<ObjectId, RepoError> {
        let words = match rev_parse(self, revision) {
            Ok(id) => return Ok(id),
            Err(ProgramError::Failed { words, .. }) => words,
            Err(ProgramError::Start(error)) => match revparse(self, revision) {
                Some(id) => return Ok(id),
                None => format!("git {}", ProgramError::Start(error)),
            },
            Err(error) => error.to_string(),
        };
        Err(unknown(self, revision, words))
    }

    /// Returns the commits that are reachable from `wanted` and not from `not`, children before their
    /// parents. Tags are peeled. In a shallow clone, history ends at the boundary.
    ///
    /// # Errors
    /// Fails if a commit is missing, or an id is not that of a commit.
    pub fn commits(
        &self,
        wanted: &[ObjectId],
        not: &[ObjectId],
    ) -> Result<Vec<ObjectId>, RepoError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let program = match rev_list(self, wanted, not) {
            Ok(commits) => return Ok(commits),
            Err(error) => error,
        };
        if !matches!(program, ProgramError::Start(_)) {
            let git_dir = self.git_dir.clone();
            return Err(RepoError::Program {
                task: "list the commits of a range",
                git_dir,
                program,
            });
        }
        walk(self, wanted, not).map_err(|library| RepoError::Neither {
            task: "list the commits of a range",
            git_dir: self.git_dir.clone(),
            program,
            library,
        })
    }

    /// As [`Repository::commits`], in no particular order, and with the parents of each commit.
    ///
    /// # Errors
    /// Fails if a commit is missing, or an id is not that of a commit.
    pub fn commits_with_parents(
        &self,
        wanted: &[ObjectId],
        not: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Vec<ObjectId>)>, RepoError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let task = "list the commits between branches";
        let git_dir = || self.git_dir.clone();
        let program = match list(self, ["rev-list", "--parents", "--stdin"], wanted, not) {
            Ok(lines) => {
                let split = |line: Vec<ObjectId>| Some((*line.first()?, line[1..].to_vec()));
                return Ok(lines.into_iter().filter_map(split).collect());
            }
            Err(error) if !matches!(error, ProgramError::Start(_)) => {
                return Err(RepoError::Program { task, git_dir: git_dir(), program: error });
            }
            Err(error) => error,
        };
        let walked = walk(self, wanted, not).and_then(|commits| {
            let library = libgit2::open(self)?;
            let parents = |id: ObjectId| -> Result<_, LibraryError> {
                let commit = library.find_commit(oid(&id)?)?;
                Ok((id, commit.parent_ids().map(object_id).collect()))
            };
            commits.into_iter().map(parents).collect()
        });
        walked.map_err(|library| RepoError::Neither { task, git_dir: git_dir(), program, library })
    }

    /// Returns the best common ancestors of all these commits; an empty list if there are none, or they
    /// cannot be found.
    #[must_use]
    pub fn common_ancestors(&self, commits: &[ObjectId]) -> Vec<ObjectId> {
        if commits.len() > MOST_NAMED {
            return Vec::new();
        }
        let mut arguments: Vec<String> =
            ["merge-base", "--octopus", "--all"].map(str::to_owned).into();
        arguments.extend(commits.iter().map(ToString::to_string));
        match git_cli::run(self, &arguments, b"") {
            Ok(output) => output.stdout.split(|&byte| byte == b'\n').filter_map(id).collect(),
            // It also fails if there is no common ancestor.
            Err(_) => Vec::new(),
        }
    }
}

/// The message of `git rev-parse --verify` for an unknown name.
const NOT_FOUND: &str = "Needed a single revision";

fn unknown(repository: &Repository, revision: &OsStr, words: String) -> RepoError {
    let git_dir = repository.git_dir.clone();
    let words = match words.strip_prefix("fatal: ").unwrap_or(&words) {
        NOT_FOUND if revision == "HEAD" => return RepoError::NoCommits { git_dir },
        NOT_FOUND => String::new(),
        words => words.to_owned(),
    };
    let revision = revision.to_string_lossy().into_owned();
    RepoError::Revision { revision, git_dir, words }
}

/// Resolves a revision with `git rev-parse`.
fn rev_parse(repository: &Repository, revision: &OsStr) -> Result<ObjectId, ProgramError> {
    let mut name = OsString::from(revision);
    name.push("^{object}");
    let arguments =
        [OsStr::new("rev-parse"), "--verify".as_ref(), "--end-of-options".as_ref(), &name];
    let output = git_cli::run(repository, &arguments, b"")?;
    let answer = output.stdout.trim_ascii_end();
    id(answer).ok_or_else(|| ProgramError::malformed("rev-parse", answer))
}

/// Resolves a revision with libgit2.
fn revparse(repository: &Repository, revision: &OsStr) -> Option<ObjectId> {
    let library = libgit2::open(repository).ok()?;
    let object = library.revparse_single(revision.to_str()?).ok()?;
    Some(object_id(object.id()))
}

/// Lists commits with libgit2.
pub(super) fn walk(
    repository: &Repository,
    wanted: &[ObjectId],
    not: &[ObjectId],
) -> Result<Vec<ObjectId>, LibraryError> {
    let library = libgit2::open(repository)?;
    let mut walk = library.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    for id in wanted {
        walk.push(oid(id)?)?;
    }
    for id in not {
        walk.hide(oid(id)?)?;
    }
    let commits: Result<Vec<ObjectId>, git2::Error> = walk.map(|id| id.map(object_id)).collect();
    Ok(commits?)
}

/// Lists commits with `git rev-list`.
pub(super) fn rev_list(
    repository: &Repository,
    wanted: &[ObjectId],
    not: &[ObjectId],
) -> Result<Vec<ObjectId>, ProgramError> {
    let lines = list(repository, ["rev-list", "--topo-order", "--stdin"], wanted, not)?;
    Ok(lines.into_iter().flatten().collect())
}

/// Runs `git rev-list`, and parses lines of ids.
fn list(
    repository: &Repository,
    arguments: [&str; 3],
    wanted: &[ObjectId],
    not: &[ObjectId],
) -> Result<Vec<Vec<ObjectId>>, ProgramError> {
    let wanted = wanted.iter().map(|id| format!("{id}\n"));
    let not = not.iter().map(|id| format!("^{id}\n"));
    let input: String = wanted.chain(not).collect();
    let output = git_cli::run(repository, &arguments, input.as_bytes())?;
    let lines = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let parse = |line: &[u8]| {
        let ids: Option<Vec<ObjectId>> = line.split(|&byte| byte == b' ').map(id).collect();
        ids.ok_or_else(|| ProgramError::malformed("rev-list", line))
    };
    lines.map(parse).collect()
}
