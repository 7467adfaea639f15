//! Counts the files that a walk skips because of ignore rules.
//!
//! Input: the ignored entries of a walk. Output: counts. Ignored folders are not entered by the walk, so a second walk that opens no file counts their
//! files.

use super::exclusion::Exclusion;
use super::folders;
use crate::source::{Run, add};
use ddpatrol_scan::lock::lock;
use ignore::{DirEntry, WalkState};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

/// Counter of ignored files and folders.
#[derive(Debug, Default)]
pub(super) struct IgnoredCount {
    /// Ignored files in folders that are not ignored.
    pub(super) files: AtomicU64,
    /// Ignored folders, with their depth below the named path.
    folders: Mutex<HashMap<PathBuf, usize>>,
    /// Ignored files that git tracks, which are read.
    pub(super) read: AtomicU64,
}

impl IgnoredCount {
    /// Adds an ignored folder with its depth below the path that was named.
    pub(super) fn add_folder(&self, path: &Path, depth: usize) {
        lock(&self.folders).insert(path.to_owned(), depth);
    }

    /// Removes a folder; returns `true` if it was among the ignored ones.
    pub(super) fn remove_folder(&self, path: &Path) -> bool {
        lock(&self.folders).remove(path).is_some()
    }

    /// Adds the ignored files and the `.git` folders in ignored folders to the counts of the run.
    pub(super) fn count(self, exclusion: Exclusion<'_>, run: &Run) {
        let folders = self.folders.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (files, git_folders) = count_in(&folders, exclusion, run);
        let files = files + self.files.into_inner();
        add(&run.tally.ignored, files.saturating_sub(self.read.into_inner()));
        add(&run.tally.git_folders, git_folders);
    }
}

/// Counts the files and `.git` folders in ignored folders, each given with its depth below the path
/// that was named.
fn count_in(ignored: &HashMap<PathBuf, usize>, exclusion: Exclusion<'_>, run: &Run) -> (u64, u64) {
    let (files, git_folders) = (AtomicU64::new(0), AtomicU64::new(0));
    let paths: Vec<PathBuf> = ignored.keys().cloned().collect();
    let Some(builder) = folders::walk(&paths, exclusion.options.threads) else { return (0, 0) };
    let depth = |entry: &DirEntry| {
        let above = entry.path().ancestors().nth(entry.depth());
        entry.depth() + above.and_then(|path| ignored.get(path)).copied().unwrap_or(0)
    };
    builder.build_parallel().run(|| {
        Box::new(|entry| {
            if run.is_interrupted() {
                return WalkState::Quit;
            }
            let Ok(entry) = entry else {
                return WalkState::Continue;
            };
            if folders::is_git_folder(&entry) {
                add(&git_folders, 1);
                return WalkState::Skip;
            }
            if exclusion.has(&entry, depth(&entry)) || exclusion.is_own(entry.path()) {
                return WalkState::Skip;
            }
            add(&files, u64::from(entry.file_type().is_some_and(|kind| kind.is_file())));
            WalkState::Continue
        })
    });
    (files.into_inner(), git_folders.into_inner())
}
