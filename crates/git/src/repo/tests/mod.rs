//! Repositories created by the real `git`, read with libgit2 and with the git program.

mod layout;
mod range;
mod refs;
mod staged;

use super::*;
use ddpatrol_pack::ObjectId;
use ddpatrol_test_repo::Repo;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Creates a repository with one commit of a file `old.txt` of ten lines.
fn with_commit(options: &[&str]) -> Repo {
    let repo = Repo::init(options);
    repo.commit_file("old.txt", ten_lines("old"));
    repo
}

fn ten_lines(word: &str) -> String {
    (0..10).map(|number| format!("{word} line {number} of the file\n")).collect()
}

/// A repository of the builder in the types of this crate.
trait Typed {
    /// Returns the id of a revision.
    fn object_id(&self, revision: &str) -> ObjectId;

    /// Commits the whole work tree and returns the id of the commit.
    fn new_commit(&self, message: &str) -> ObjectId;

    /// Opens the repository.
    fn open(&self) -> Repository;
}

impl Typed for Repo {
    #[track_caller]
    fn object_id(&self, revision: &str) -> ObjectId {
        self.id(revision).parse().unwrap()
    }

    #[track_caller]
    fn new_commit(&self, message: &str) -> ObjectId {
        self.commit(message).parse().unwrap()
    }

    #[track_caller]
    fn open(&self) -> Repository {
        Repository::at(self.path()).unwrap().unwrap()
    }
}
