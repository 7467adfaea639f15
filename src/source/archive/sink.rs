//! The receiver of a walk: windows of members, counts, what was not read, and repositories.

use crate::blob::Blob;
use crate::source::{Code, Gap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// An archive that was opened.
    Archive,
    /// A member that was looked at.
    Member,
    /// So many bytes of standard input.
    Input(u64),
    /// So many bytes that were unpacked.
    Unpacked(u64),
}

/// What is done with git's packs and repositories in archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Histories {
    /// They are looked at as they lie there, and that is told of packs.
    Skipped,
    /// Their objects are looked at as members.
    Objects,
    /// They are unpacked and handed on, to be read with their histories.
    Repositories,
}

/// Takes what a walk brings.
pub trait Sink {
    /// Looks at a window of a member, or at a name.
    fn visit(&mut self, blob: &Blob<'_>);
    /// Takes note of what was not read.
    fn gap(&mut self, kind: Gap, code: Code, path: &Path, message: String);
    /// Counts.
    fn count(&mut self, counted: Counted);
    /// Tells whether the walk shall end.
    fn is_interrupted(&self) -> bool;
    /// Tells what is to be done with git's packs and repositories in archives.
    fn histories(&self) -> Histories {
        Histories::Skipped
    }
    /// Takes a repository that lay in an archive.
    fn repository(&mut self, _: Packed) {}
}

/// A repository that lay in an archive.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Where it lies now; the folder goes with the last of these.
    pub folder: Arc<TempDir>,
    /// What its git directory is told as.
    pub git_dir: PathBuf,
    /// What the paths of its files begin with.
    pub root: PathBuf,
}

/// The repositories that walks have met in archives.
pub type Packs = Arc<Mutex<Vec<Packed>>>;
