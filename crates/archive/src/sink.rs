//! The receiver of a walk: windows of members, counts, issues and repositories.

use ddpatrol_scan::blob::Blob;
use ddpatrol_scan::issue::ArchiveIssue;
use ddpatrol_scan::place::Place;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// An event of the walk to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkCount {
    /// An archive that was opened.
    Archive,
    /// A member that was scanned.
    Member,
    /// Bytes of standard input.
    Input(u64),
    /// Bytes that were unpacked.
    Unpacked(u64),
}

/// The treatment of git's packs and repositories in archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitHandling {
    /// They are scanned as raw bytes, and packs are reported.
    Skipped,
    /// Their objects are scanned as members.
    Objects,
    /// They are extracted, to be read with their histories.
    Repositories,
}

/// Receives the results of a walk.
pub trait MemberSink {
    /// Scans a window of a member, or a name.
    fn blob(&mut self, blob: &Blob<'_>);
    /// Reports a part of the archive or of a member that was not read.
    fn issue(&mut self, issue: ArchiveIssue, place: &Place);
    /// Counts an event.
    fn count(&mut self, event: WalkCount);
    /// Returns `true` if the walk must end.
    fn is_interrupted(&self) -> bool;
    /// Returns the treatment of git's packs and repositories in archives.
    fn git_handling(&self) -> GitHandling {
        GitHandling::Skipped
    }
    /// Receives a repository that was extracted from an archive.
    fn repository(&mut self, _: ExtractedRepo) {}
}

/// A repository that was extracted from an archive.
#[derive(Clone, Debug)]
pub struct ExtractedRepo {
    /// The folder that holds it; removed with the last reference to it.
    pub folder: Arc<TempDir>,
    /// The place of its git directory in reports.
    pub git_dir: Place,
    /// The folder of its files in reports.
    pub root: Place,
}

/// The repositories that walks have extracted from archives.
pub type ExtractedRepos = Arc<Mutex<Vec<ExtractedRepo>>>;
