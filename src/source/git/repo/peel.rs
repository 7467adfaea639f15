//! Which commits objects stand for: tags are followed to what they tag.

use super::program::{self, ProgramError};
use super::range::{object_id, oid};
use super::{RepoError, Repository, id, open};
use ddpatrol_pack::ObjectId;
use std::collections::{BTreeMap, BTreeSet};

/// For each id the commit it stands for, nothing if that is no commit, or why it cannot be read.
pub(super) type Peeled = BTreeMap<ObjectId, Result<Option<ObjectId>, String>>;

/// Finds out what ids stand for: libgit2 first, and `git cat-file` for what it cannot read.
pub(super) fn peel(repository: &Repository, ids: &BTreeSet<ObjectId>) -> Result<Peeled, RepoError> {
    let (mut peeled, library) = match open::library(repository) {
        Ok(library) => {
            let one = |id: &ObjectId| (*id, peel_one(&library, id).map_err(|e| e.to_string()));
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
        // What libgit2 says of each stands.
        (Err(_), None) => {}
        (Err(program), Some(library)) => {
            let git_dir = repository.git_dir.clone();
            let task = "read what the refs point to";
            return Err(RepoError::Neither { task, git_dir, program, library });
        }
    }
    Ok(peeled)
}

fn peel_one(library: &git2::Repository, id: &ObjectId) -> Result<Option<ObjectId>, git2::Error> {
    let odb = library.odb()?;
    let mut oid = oid(id)?;
    loop {
        match odb.read_header(oid)?.1 {
            git2::ObjectType::Commit => return Ok(Some(object_id(oid))),
            git2::ObjectType::Tag => oid = library.find_tag(oid)?.target_id(),
            _ => return Ok(None),
        }
    }
}

/// Asks for all at once, and for ever fewer where one of them makes git stop.
fn cat_files(repository: &Repository, ids: &[ObjectId]) -> Result<Peeled, ProgramError> {
    let failed = match cat_file(repository, ids) {
        Err(ProgramError::Failed { words, .. }) => words,
        other => return other,
    };
    // Asked for nothing, git stops only if it cannot open the repository.
    cat_file(repository, &[])?;
    let mut peeled = Peeled::new();
    match ids {
        [id] => {
            peeled.insert(*id, Err(failed));
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
    let output = program::run(repository, &arguments, input.as_bytes())?;
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
                    "git has no such object".to_owned()
                } else {
                    words.into()
                })
            }
            _ => return Err(malformed()),
        };
        peeled.insert(*asked, answer);
    }
    Ok(peeled)
}
