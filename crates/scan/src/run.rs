//! What all workers of a scan share: the request to stop, the counts, and the list of what was not
//! scanned. It reads nothing and prints nothing.

use super::code::Code;
use crate::lock::lock;
use ddpatrol_pack::ObjectId;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The state that all workers of a scan share: the request to stop, counts and diagnostics.
#[derive(Debug, Default)]
pub struct Run {
    interrupted: Arc<AtomicBool>,
    finished: AtomicBool,
    /// Counts of what was scanned and skipped.
    pub tally: Tally,
    diagnostics: Mutex<Vec<Diagnostic>>,
    repositories: Mutex<Vec<Scanned>>,
    notes: Mutex<Vec<String>>,
}

/// A repository whose history was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scanned {
    /// The folder that it was reached by.
    pub root: PathBuf,
    /// The commit that is checked out.
    pub head: Option<ObjectId>,
}

impl Run {
    /// Asks all workers to stop after at most one buffer's work.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Returns the flag that [`Run::interrupt`] sets, for work that outlives a look at it.
    #[must_use]
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    /// Returns `true` if the workers were asked to stop.
    #[must_use]
    #[inline]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Notes that all sources were read, or that reading them was given up.
    pub fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if no source is being read any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Reports that something was not scanned.
    pub fn report(&self, kind: Gap, code: Code, path: Option<PathBuf>, message: impl Into<String>) {
        let diagnostic = Diagnostic { kind, code, path, message: message.into() };
        lock(&self.diagnostics).push(diagnostic);
    }

    /// Notes what the user should know of how the scan was understood.
    pub fn note(&self, note: impl Into<String>) {
        lock(&self.notes).push(note.into());
    }

    /// Takes the notes.
    #[must_use]
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.notes))
    }

    /// Notes a repository whose history was read.
    pub fn scanned(&self, repository: Scanned) {
        lock(&self.repositories).push(repository);
    }

    /// Takes the repositories, in the order in which they were read.
    #[must_use]
    pub fn take_repositories(&self) -> Vec<Scanned> {
        std::mem::take(&mut lock(&self.repositories))
    }

    /// Counts what should have been read and could not be.
    #[must_use]
    pub fn unread(&self) -> usize {
        let list = lock(&self.diagnostics);
        list.iter().filter(|it| it.kind == Gap::Unread).count()
    }

    /// Returns how many diagnostics there are, for [`Run::diagnostics_since`].
    #[must_use]
    pub fn diagnostics_len(&self) -> usize {
        lock(&self.diagnostics).len()
    }

    /// Returns the diagnostics from the one with this index on, in the order of their reports.
    #[must_use]
    pub fn diagnostics_since(&self, index: usize) -> Vec<Diagnostic> {
        let list = lock(&self.diagnostics);
        list.get(index..).unwrap_or_default().to_vec()
    }

    /// Takes the diagnostics, sorted by path, each once.
    #[must_use]
    pub fn take_diagnostics(&self) -> Vec<Diagnostic> {
        let mut list = lock(&self.diagnostics);
        let mut diagnostics = std::mem::take(&mut *list);
        diagnostics.sort();
        diagnostics.dedup();
        diagnostics
    }
}

/// The severity of something that was not scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gap {
    /// It should have been read and could not be: the result is incomplete.
    Unread,
    /// It cannot be read by its nature or was left out by a limit that the user set: the result is
    /// incomplete only under `--strict`.
    Opaque,
}

impl Gap {
    /// Returns the word for it in reports: `unread`, `opaque`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Opaque => "opaque",
        }
    }
}

/// Something that was not scanned, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Where, if it has a path.
    pub path: Option<PathBuf>,
    /// How much it matters.
    pub kind: Gap,
    /// Its stable code.
    pub code: Code,
    /// What happened, in words.
    pub message: String,
}

/// Counts that all workers add to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Files read, standard input included.
    pub files: AtomicU64,
    /// Files of repositories themselves that were read: configuration, hooks and the like.
    pub git_files: AtomicU64,
    /// Bytes read.
    pub bytes: AtomicU64,
    /// Archives opened.
    pub archives: AtomicU64,
    /// Members of archives that were scanned.
    pub members: AtomicU64,
    /// Bytes unpacked from archives.
    pub unpacked: AtomicU64,
    /// Files left out because `.gitignore` and its kin name them.
    pub ignored: AtomicU64,
    /// Files and folders left out by `--exclude` and the configuration.
    pub excluded: AtomicU64,
    /// Files left out by `--max-file-size`.
    pub too_large: AtomicU64,
    /// Symbolic links, which are not followed.
    pub symlinks: AtomicU64,
    /// Devices, sockets and pipes, which are not read.
    pub special: AtomicU64,
    /// `.git` folders whose objects were not read.
    pub git_folders: AtomicU64,
    /// Git objects read.
    pub objects: AtomicU64,
    /// Git objects that there are to be read, as far as is known.
    pub objects_known: AtomicU64,
    /// Matches that are shaped only.
    pub shaped: AtomicU64,
}

/// Adds to a count of the tally.
pub fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}
