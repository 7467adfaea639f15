//! The receiver of a walk: windows of members, counts, what was not read, and repositories.

use ddpatrol_scan::blob::Blob;
use ddpatrol_scan::issue::ArchiveIssue;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// An event of the walk that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkCount {
    /// An archive that was opened.
    Archive,
    /// A member that was scanned.
    Member,
    /// So many bytes of standard input.
    Input(u64),
    /// So many bytes that were unpacked.
    Unpacked(u64),
}

/// The treatment of git's packs and repositories in archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitHandling {
    /// They are scanned as raw bytes, and packs are reported.
    Skipped,
    /// Their objects are scanned as members.
    Objects,
    /// They are unpacked and handed on, to be read with their histories.
    Repositories,
}

/// Takes what a walk brings.
pub trait MemberSink {
    /// Looks at a window of a member, or at a name.
    fn blob(&mut self, blob: &Blob<'_>);
    /// Reports something below or in the archive that was not read.
    fn issue(&mut self, issue: ArchiveIssue, path: &Path);
    /// Counts.
    fn count(&mut self, counted: WalkCount);
    /// Returns `true` if the walk shall end.
    fn is_interrupted(&self) -> bool;
    /// Returns the treatment of git's packs and repositories in archives.
    fn git_handling(&self) -> GitHandling {
        GitHandling::Skipped
    }
    /// Takes a repository that lay in an archive.
    fn repository(&mut self, _: ExtractedRepo) {}
}

/// A repository that lay in an archive.
#[derive(Clone, Debug)]
pub struct ExtractedRepo {
    /// Where it lies now; the folder goes with the last of these.
    pub folder: Arc<TempDir>,
    /// The path by which reports name its git directory.
    pub git_dir: PathBuf,
    /// The prefix of the paths of its files.
    pub root: PathBuf,
}

/// The repositories that walks have met in archives.
pub type ExtractedRepos = Arc<Mutex<Vec<ExtractedRepo>>>;
