//! Revisions and ranges: names and ids in, ids of commits out.

use super::program::{self, ProgramError};
use super::{LibraryError, RepoError, Repository, id, open, peel};
use ddpatrol_pack::ObjectId;
use git2::{Oid, Sort};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

// The program is asked first, and libgit2 only where there is none: libgit2 1.9 reads on for ever in
// a loose object that was cut off.

/// See [`Repository::object`].
pub(super) fn object(repository: &Repository, revision: &OsStr) -> Result<ObjectId, RepoError> {
    let words = match rev_parse(repository, revision) {
        Ok(id) => return Ok(id),
        Err(ProgramError::Failed { words, .. }) => words,
        Err(ProgramError::Start(error)) => match revparse(repository, revision) {
            Some(id) => return Ok(id),
            None => ProgramError::Start(error).to_string(),
        },
        Err(error) => error.to_string(),
    };
    Err(unknown(repository, revision, words))
}

/// See [`Repository::commit`].
pub(super) fn commit(
    repository: &Repository,
    revision: &OsStr,
    object: ObjectId,
) -> Result<ObjectId, RepoError> {
    let words = match peel::peel(repository, &BTreeSet::from([object]))?.remove(&object) {
        Some(Ok(Some(commit))) => return Ok(commit),
        Some(Err(words)) => words,
        Some(Ok(None)) | None => "it names something else".to_owned(),
    };
    Err(unknown(repository, revision, words))
}

fn unknown(repository: &Repository, revision: &OsStr, words: String) -> RepoError {
    let revision = revision.to_string_lossy().into_owned();
    RepoError::Revision { revision, git_dir: repository.git_dir.clone(), words }
}

/// Asks `git rev-parse`.
fn rev_parse(repository: &Repository, revision: &OsStr) -> Result<ObjectId, ProgramError> {
    let mut name = OsString::from(revision);
    name.push("^{object}");
    let arguments =
        [OsStr::new("rev-parse"), "--verify".as_ref(), "--end-of-options".as_ref(), &name];
    let output = program::run(repository, &arguments, b"")?;
    let answer = output.stdout.trim_ascii_end();
    id(answer).ok_or_else(|| ProgramError::malformed("rev-parse", answer))
}

/// Asks libgit2.
fn revparse(repository: &Repository, revision: &OsStr) -> Option<ObjectId> {
    let library = open::library(repository).ok()?;
    let object = library.revparse_single(revision.to_str()?).ok()?;
    Some(object_id(object.id()))
}

/// See [`Repository::commits`].
pub(super) fn commits(
    repository: &Repository,
    wanted: &[ObjectId],
    not: &[ObjectId],
) -> Result<Vec<ObjectId>, RepoError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let program = match rev_list(repository, wanted, not) {
        Ok(commits) => return Ok(commits),
        Err(error) => error,
    };
    if !matches!(program, ProgramError::Start(_)) {
        let git_dir = repository.git_dir.clone();
        return Err(RepoError::Program { task: "list the commits of a range", git_dir, program });
    }
    walk(repository, wanted, not).map_err(|library| RepoError::Neither {
        task: "list the commits of a range",
        git_dir: repository.git_dir.clone(),
        program,
        library,
    })
}

/// Asks libgit2.
pub(super) fn walk(
    repository: &Repository,
    wanted: &[ObjectId],
    not: &[ObjectId],
) -> Result<Vec<ObjectId>, LibraryError> {
    let library = open::library(repository)?;
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

/// Asks `git rev-list`.
pub(super) fn rev_list(
    repository: &Repository,
    wanted: &[ObjectId],
    not: &[ObjectId],
) -> Result<Vec<ObjectId>, ProgramError> {
    let wanted = wanted.iter().map(|id| format!("{id}\n"));
    let not = not.iter().map(|id| format!("^{id}\n"));
    let input: String = wanted.chain(not).collect();
    let arguments = ["rev-list", "--topo-order", "--stdin"];
    let output = program::run(repository, &arguments, input.as_bytes())?;
    let lines = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| id(line).ok_or_else(|| ProgramError::malformed("rev-list", line))).collect()
}

/// Turns libgit2's id into ours.
pub(super) fn object_id(oid: Oid) -> ObjectId {
    ObjectId::from_bytes(oid.as_bytes()).expect("libgit2's ids have 20 bytes")
}

/// Turns our id into libgit2's.
pub(super) fn oid(id: &ObjectId) -> Result<Oid, git2::Error> {
    Oid::from_bytes(id.as_bytes())
}
