//! Sources: where blobs are from. A source pushes blobs to visitors, one visitor per worker.
//!
//! Sources read and count; they neither search nor print. What could not be read becomes a
//! [`Diagnostic`], never a silent gap.

pub mod files;
pub mod stdin;
pub mod window;

use crate::blob::Blob;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Takes the blobs of one worker.
pub trait Visitor: Send {
    /// Looks at one blob or window.
    fn visit(&mut self, blob: &Blob<'_>);
}

/// Makes a visitor for each worker, so that each owns its scratch without locks.
pub trait Visitors: Sync {
    /// Makes one.
    fn make(&self) -> Box<dyn Visitor + '_>;
}

/// Where blobs are from.
pub trait Source: Sync {
    /// Pushes all blobs to visitors; returns when all were looked at or `run` was interrupted.
    fn visit(&self, visitors: &dyn Visitors, run: &Run);
}

/// What all workers of a scan share: the wish to stop, the counts, the diagnostics.
#[derive(Debug, Default)]
pub struct Run {
    interrupted: AtomicBool,
    /// What was looked at and left out.
    pub tally: Tally,
    diagnostics: Mutex<Vec<Diagnostic>>,
}

impl Run {
    /// Asks all workers to stop after at most one buffer's work.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Tells whether the workers were asked to stop.
    #[must_use]
    #[inline]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Notes that something was not looked at.
    pub fn report(&self, kind: Gap, path: Option<PathBuf>, message: impl Into<String>) {
        let diagnostic = Diagnostic { kind, path, message: message.into() };
        self.diagnostics.lock().unwrap_or_else(|poison| poison.into_inner()).push(diagnostic);
    }

    /// Takes the diagnostics, sorted by path.
    #[must_use]
    pub fn take_diagnostics(&self) -> Vec<Diagnostic> {
        let mut list = self.diagnostics.lock().unwrap_or_else(|poison| poison.into_inner());
        let mut diagnostics = std::mem::take(&mut *list);
        diagnostics.sort();
        diagnostics
    }
}

/// Why something was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// Something that was not looked at, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Where, if it has a path.
    pub path: Option<PathBuf>,
    /// How much it matters.
    pub kind: Gap,
    /// What happened, in words.
    pub message: String,
}

/// Counts that all workers add to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Files read, standard input included.
    pub files: AtomicU64,
    /// Bytes read.
    pub bytes: AtomicU64,
    /// Files left out because `.gitignore` and its kin name them.
    pub ignored: AtomicU64,
    /// Files and folders left out by `--exclude`.
    pub excluded: AtomicU64,
    /// Files left out by `--max-file-size`.
    pub too_large: AtomicU64,
    /// Symbolic links, which are not followed.
    pub symlinks: AtomicU64,
    /// Devices, sockets and pipes, which are not read.
    pub special: AtomicU64,
    /// `.git` folders, whose objects no file walk reads.
    pub git_folders: AtomicU64,
    /// Matches that are shaped only.
    pub shaped: AtomicU64,
}

/// Adds to a count of the tally.
pub(crate) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}
