//! The files of a commit, read like a folder: the policy of the base of a change.
//!
//! Input: a commit and paths. Output: files and lists of names. Nothing is interpreted here.

use super::super::commits;
use super::super::repo::Repository;
use super::super::store::{ReadError, Store};
use super::diff::Trees;
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::Run;
use std::path::{Component, Path};

/// A commit's files.
#[derive(Debug)]
pub struct Snapshot {
    store: Store,
    commit: ObjectId,
    tree: ObjectId,
}

impl Snapshot {
    /// Opens the files of a commit.
    ///
    /// # Errors
    /// [`ReadError`] if the commit cannot be read.
    pub fn new(repository: &Repository, commit: ObjectId, run: &Run) -> Result<Self, ReadError> {
        let store = Store::reporting(repository, run, &repository.reported_path());
        let (_, bytes) = store.read(&commit, &mut Reader::default())?;
        let nameless =
            || ReadError::Broken { id: commit, cause: "the commit names no tree".into() };
        let tree = commits::links(&bytes).ok_or_else(nameless)?.tree;
        Ok(Self { store, commit, tree })
    }

    /// Returns the commit.
    #[must_use]
    pub fn commit(&self) -> ObjectId {
        self.commit
    }

    /// Returns the id of a file or folder. Snapshots with the same content at the path return the same id.
    ///
    /// # Errors
    /// [`ReadError`] if a folder cannot be read.
    pub fn id(&self, path: &Path) -> Result<Option<ObjectId>, ReadError> {
        Trees::new(&self.store).id_at(&self.tree, &tree_path(path))
    }

    /// Reads a file; `None` if there is none at this path.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
        let blob = Trees::new(&self.store).blob_at(&self.tree, &tree_path(path))?;
        let Some(blob) = blob else { return Ok(None) };
        match self.store.read(&blob, &mut Reader::default())? {
            (Kind::Blob, bytes) => Ok(Some(bytes)),
            (kind, _) => {
                let cause = format!("it is a {}, not a file", kind.name()).into();
                Err(ReadError::Broken { id: blob, cause })
            }
        }
    }

    /// Lists the names of a folder's files, sorted; `None` if there is no folder at this path.
    ///
    /// # Errors
    /// [`ReadError`] if a folder cannot be read.
    pub fn list(&self, path: &Path) -> Result<Option<Vec<Vec<u8>>>, ReadError> {
        Trees::new(&self.store).names_at(&self.tree, &tree_path(path))
    }
}

/// Converts a path to the form of trees: names separated by `/`, with `.` and `..` resolved.
fn tree_path(path: &Path) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name.as_encoded_bytes()),
            Component::ParentDir => drop(names.pop()),
            _ => {}
        }
    }
    names.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_form_that_trees_use() {
        assert_eq!(tree_path(Path::new("./a/../b//c")), b"b/c");
        assert_eq!(tree_path(Path::new("../x")), b"x");
        assert_eq!(tree_path(Path::new("")), b"");
    }
}
