//! The paths in the index.
//!
//! Input: a repository. Output: paths, ids, and whether each is a submodule. The index is not compared with HEAD.

use super::error::ProgramError;
use super::git_cli;
use super::ids::{id, object_id};
use super::repository::Repository;
use ddpatrol_pack::ObjectId;

impl Repository {
    /// Lists the entries of the index; an empty list if there is no index.
    ///
    /// # Errors
    /// [`ProgramError`] if the index has a form that only `git` reads (split, sparse, SHA-256), and `git`
    /// fails.
    pub fn tracked(&self) -> Result<Vec<TrackedPath>, ProgramError> {
        let index = self.index_file();
        if !index.exists() {
            return Ok(Vec::new());
        }
        self.check()?;
        if let Ok(index) = git2::Index::open(&index) {
            let entries = index.iter();
            return Ok(entries
                .map(|entry| TrackedPath {
                    kind: TrackedKind::of(entry.mode),
                    id: object_id(entry.id),
                    path: entry.path,
                })
                .collect());
        }
        // MODE ID STAGE TAB PATH
        let output = git_cli::run(self, &["ls-files", "-z", "--stage"], b"")?;
        let lines = output.stdout.split(|&byte| byte == 0).filter(|line| !line.is_empty());
        let entries = lines.map(|line| {
            let malformed = || ProgramError::malformed("ls-files", line);
            let tab = memchr::memchr(b'\t', line).ok_or_else(malformed)?;
            let mut words = line[..tab].split(|&byte| byte == b' ');
            let mode = std::str::from_utf8(words.next().unwrap_or_default()).ok();
            let mode = mode.and_then(|it| u32::from_str_radix(it, 8).ok());
            let kind = TrackedKind::of(mode.ok_or_else(malformed)?);
            let id = words.next().and_then(id).ok_or_else(malformed)?;
            Ok(TrackedPath { kind, id, path: line[tab + 1..].to_owned() })
        });
        entries.collect()
    }
}

/// An entry of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedPath {
    /// The path, relative to the top of the work tree.
    pub path: Vec<u8>,
    /// The id of the blob, or of the commit of a submodule.
    pub id: ObjectId,
    /// The kind of entry.
    pub kind: TrackedKind,
}

/// The kind of an entry in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackedKind {
    /// A file or a symbolic link.
    File,
    /// A submodule: a commit of another repository.
    Submodule,
}

impl TrackedKind {
    fn of(mode: u32) -> Self {
        if mode & 0o170_000 == 0o160_000 { Self::Submodule } else { Self::File }
    }
}
