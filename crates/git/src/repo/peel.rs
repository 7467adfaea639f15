//! Peels ids: follows tags to their commits.
//!
//! Input: ids of any objects. Output: the commit of each, or none. Only tags are read.

use super::error::{ProgramError, RepoError};
use super::ids::{id, oid};
use super::repository::Repository;
use super::{git_cli, libgit2};
use crate::commits::tag_target;
use crate::store::{ReadError, Store};
use ddpatrol_pack::{ObjectId, Reader};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// An object cannot be peeled.
#[derive(Debug, thiserror::Error)]
pub(super) enum PeelError {
    /// libgit2 cannot read the object.
    #[error(transparent)]
    Library(#[from] git2::Error),
    /// Our own store cannot read a tag.
    #[error(transparent)]
    Tag(#[from] ReadError),
    /// The tag names no object.
    #[error("tag {0} names no object")]
    NoTarget(ObjectId),
    /// The object does not exist.
    #[error("git has no such object")]
    Missing,
    /// The message of the `git` program.
    #[error("{0}")]
    Program(String),
}

/// For each id its commit, `None` if it leads to another kind of object, or an error.
pub(super) type Peeled = BTreeMap<ObjectId, Result<Option<ObjectId>, PeelError>>;

/// Peels ids with libgit2, and those that it cannot read with `git cat-file`.
pub(super) fn peel(repository: &Repository, ids: &BTreeSet<ObjectId>) -> Result<Peeled, RepoError> {
    let (mut peeled, library) = match libgit2::open(repository) {
        Ok(library) => {
            let tags = OnceCell::new();
            let tags = || tags.get_or_init(|| store(repository));
            let one = |id: &ObjectId| (*id, peel_one(&library, id, &tags));
            (ids.iter().map(one).collect(), None)
        }
        Err(error) => (Peeled::new(), Some(error)),
    };
    let left = ids.iter().filter(|id| !matches!(peeled.get(id), Some(Ok(_)))).copied();
    let left: Vec<ObjectId> = left.collect();
    if left.is_empty() {
        return Ok(peeled);
    }
    match (cat_files(repository, &left), library) {
        (Ok(more), _) => peeled.extend(more),
        // The errors of libgit2 remain.
        (Err(_), None) => {}
        (Err(program), Some(library)) => {
            let git_dir = repository.git_dir.clone();
            let task = "read what the refs point to";
            return Err(RepoError::Neither { task, git_dir, program, library });
        }
    }
    Ok(peeled)
}

fn store(repository: &Repository) -> Store {
    // The code that reads the objects reports parts that cannot be opened.
    Store::of(repository, &mut |_| ())
}

/// Peels one id. Tags are read by our own store, since libgit2 1.9 never returns from a truncated loose
/// tag.
fn peel_one<'a>(
    library: &git2::Repository,
    id: &ObjectId,
    store: &dyn Fn() -> &'a Store,
) -> Result<Option<ObjectId>, PeelError> {
    let odb = library.odb()?;
    let mut id = *id;
    loop {
        let header = oid(&id).and_then(|oid| odb.read_header(oid));
        match header?.1 {
            git2::ObjectType::Commit => return Ok(Some(id)),
            git2::ObjectType::Tag => {
                let (_, bytes) = store().read(&id, &mut Reader::default())?;
                id = tag_target(&bytes).ok_or(PeelError::NoTarget(id))?;
            }
            _ => return Ok(None),
        }
    }
}

/// Peels all ids with one process. If git fails, the list is halved until the failing id is found.
fn cat_files(repository: &Repository, ids: &[ObjectId]) -> Result<Peeled, ProgramError> {
    let failed = match cat_file(repository, ids) {
        Err(ProgramError::Failed { words, .. }) => words,
        other => return other,
    };
    // With no ids, git fails only if it cannot open the repository.
    cat_file(repository, &[])?;
    let mut peeled = Peeled::new();
    match ids {
        [id] => {
            peeled.insert(*id, Err(PeelError::Program(failed)));
        }
        _ => {
            let (left, right) = ids.split_at(ids.len() / 2);
            peeled.extend(cat_files(repository, left)?);
            peeled.extend(cat_files(repository, right)?);
        }
    }
    Ok(peeled)
}

fn cat_file(repository: &Repository, ids: &[ObjectId]) -> Result<Peeled, ProgramError> {
    let input: String = ids.iter().map(|id| format!("{id}^{{}}\n")).collect();
    let arguments = ["cat-file", "--batch-check=%(objectname) %(objecttype)"];
    let output = git_cli::run(repository, &arguments, input.as_bytes())?;
    let mut lines = output.stdout.split(|&byte| byte == b'\n');
    let mut peeled = Peeled::new();
    for asked in ids {
        let line = lines.next().unwrap_or_default();
        let malformed = || ProgramError::malformed("cat-file", line);
        let space = memchr::memchr(b' ', line).ok_or_else(malformed)?;
        let answer = match (&line[space + 1..], id(&line[..space])) {
            (b"commit", Some(id)) => Ok(Some(id)),
            (b"tree" | b"blob", Some(_)) => Ok(None),
            (b"missing", _) => {
                let words = String::from_utf8_lossy(output.stderr.trim_ascii());
                Err(if words.is_empty() {
                    PeelError::Missing
                } else {
                    PeelError::Program(words.into())
                })
            }
            _ => return Err(malformed()),
        };
        peeled.insert(*asked, answer);
    }
    Ok(peeled)
}
