//! Entries of a walk: read as the walk reaches them, or listed and read in the order of their
//! paths.
//!
//! Input: the entries that a walk does not skip. Output: the entries, to a reader. Nothing is
//! skipped here.

use super::reader::{EntryScope, FileReader};
use crate::source::{Run, Sinks, Turn};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::workers::Workers;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Maximum number of entries for which no thread is started.
const FEW: usize = 1;

/// A listed entry.
#[derive(Debug)]
struct ListedEntry {
    path: PathBuf,
    scope: EntryScope,
}

impl ListedEntry {
    /// Returns the path as reports show it: a walk of `.` puts `./` before every path.
    fn shown(&self) -> &Path {
        self.path.strip_prefix(".").unwrap_or(&self.path)
    }
}

/// The entries of a walk that are read after it.
#[derive(Debug, Default)]
pub(super) struct EntryList(Mutex<Vec<ListedEntry>>);

/// Receives the entries of one worker of a walk.
pub(super) enum EntrySink<'a> {
    /// Reads them at once.
    Read(FileReader<'a>),
    /// Lists them.
    List(Listing<'a>),
}

/// The entries that one worker has listed.
pub(super) struct Listing<'a> {
    entries: Vec<ListedEntry>,
    all: &'a EntryList,
}

impl<'a> EntrySink<'a> {
    /// Creates a sink that adds entries to a list.
    pub(super) fn list(all: &'a EntryList) -> Self {
        Self::List(Listing { entries: Vec::new(), all })
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, path: &Path, scope: EntryScope) {
        match self {
            Self::Read(reader) => reader.entry(path, scope),
            Self::List(listing) if scope == EntryScope::File || FileReader::has_long_name(path) => {
                listing.entries.push(ListedEntry { path: path.to_owned(), scope });
            }
            Self::List(_) => {}
        }
    }
}

impl Drop for Listing<'_> {
    fn drop(&mut self) {
        lock(&self.all.0).append(&mut self.entries);
    }
}

/// An entry and its place in the order of output.
struct OrderedEntry {
    entry: ListedEntry,
    turn: Turn,
}

impl EntryList {
    /// Reads the entries in the order of their paths, each in its turn. If the run is interrupted,
    /// the remaining turns are begun and ended, but not read.
    pub(super) fn read<'a>(
        self,
        workers: &Workers,
        sinks: &dyn Sinks,
        run: &Run,
        make: &(dyn Fn() -> FileReader<'a> + Sync),
    ) {
        let mut entries = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        entries.sort_unstable_by(|a, b| (a.shown(), a.scope).cmp(&(b.shown(), b.scope)));
        let Turn(first) = sinks.reserve_turns(entries.len());
        let ordered = |(entry, turn)| OrderedEntry { entry, turn: Turn(turn) };
        let entries: Vec<OrderedEntry> = entries.into_iter().zip(first..).map(ordered).collect();
        workers.fold(&entries, FEW, make, |reader, OrderedEntry { entry, turn }| {
            reader.sink.begin(*turn);
            if !run.is_interrupted() {
                reader.entry(&entry.path, entry.scope);
            }
            reader.sink.end();
        });
    }
}
