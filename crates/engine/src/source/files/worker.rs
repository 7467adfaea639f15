//! Worker of a walk over files.
//!
//! Input: the entries of the walk. Output: those that are neither ignored nor excluded, to its
//! sink. Links are not followed.

use super::entries::EntrySink;
use super::exclusion::Exclusion;
use super::folders::is_git_folder;
use super::ignored::{Ignored, PathEntry, Rules};
use super::ignored_count::IgnoredCount;
use super::options::FilesOptions;
use super::reader::EntryScope;
use super::tracked::Tracked;
use crate::PathKind;
use crate::source::{Issue, Run, add};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::path::lexical;
use ddpatrol_scan::regular;
use ignore::{DirEntry, WalkState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One worker of the walk.
pub(super) struct WalkWorker<'a> {
    pub(super) options: &'a FilesOptions,
    pub(super) exclusion: Exclusion<'a>,
    pub(super) sink: EntrySink<'a>,
    pub(super) run: &'a Run,
    pub(super) ignored: Option<&'a Ignored>,
    /// The folder of the last query, and its ignore rules.
    pub(super) rules: Option<(PathBuf, Option<Arc<Rules>>)>,
    pub(super) ignored_count: &'a IgnoredCount,
    pub(super) tracked: Option<&'a Tracked>,
    /// The keys of the paths that the worker has visited, for [`Tracked`].
    pub(super) visited: Vec<u64>,
}

impl Drop for WalkWorker<'_> {
    fn drop(&mut self) {
        if let Some(tracked) = self.tracked {
            tracked.mark_visited(&self.visited);
        }
    }
}

impl WalkWorker<'_> {
    pub(super) fn enter(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        if self.run.is_interrupted() {
            return WalkState::Quit;
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let is_gone = error.io_error().is_some_and(|it| self.options.is_removed_by_git(it));
                if !is_gone {
                    let (path, issue) = walk_issue(error);
                    self.run.report(issue, path);
                }
                return WalkState::Continue;
            }
        };
        if is_git_folder(&entry) {
            let is_inner = entry.file_name() == ".git";
            if let Some(tracked) = self.tracked {
                tracked.skip(entry.path());
            }
            match &self.options.repositories {
                // The folder that contains it has reported the repository.
                Some(_) if is_inner => {}
                Some(discovered) => lock(discovered).push(entry.into_path()),
                None => add(&self.run.tally.git_folders, 1),
            }
            return WalkState::Skip;
        }
        if self.is_ignored(&entry) {
            return WalkState::Skip;
        }
        if let Some(tracked) = self.tracked {
            self.visited.push(tracked.key(entry.path()));
        }
        if self.exclusion.has(&entry, entry.depth()) {
            add(&self.run.tally.excluded, 1);
            return WalkState::Skip;
        }
        if self.exclusion.is_own(entry.path()) {
            return WalkState::Continue;
        }
        if PathKind::of(&entry).is_folder() {
            self.folder(entry.path(), entry.depth());
        }
        let kind = entry.file_type();
        let is_named_file = || entry.depth() == 0 && entry.path().is_file();
        let is_file = kind.is_some_and(|it| it.is_file() || it.is_symlink() && is_named_file());
        self.sink.push(entry.path(), if is_file { EntryScope::File } else { EntryScope::Name });
        let Some(kind) = kind.filter(|_| !is_file) else {
            return WalkState::Continue;
        };
        if kind.is_symlink() {
            add(&self.run.tally.symlinks, 1);
        } else if !kind.is_dir() {
            add(&self.run.tally.special, 1);
            let issue = Issue::SpecialFile { kind: regular::special_kind(kind) };
            self.run.report(issue, Some(entry.into_path()));
        }
        WalkState::Continue
    }

    /// Returns `true` if git ignores an entry, and counts it. Paths that the user named are never ignored.
    fn is_ignored(&mut self, entry: &DirEntry) -> bool {
        let Some(folder) = entry.path().parent().filter(|_| entry.depth() > 0) else {
            return false;
        };
        let Some(rules) = self.rules_in(folder) else { return false };
        let kind = PathKind::of(entry);
        if !rules.ignore(PathEntry { path: entry.path(), kind }) {
            return false;
        }
        let file_type = entry.file_type();
        if kind.is_folder() {
            self.ignored_count.add_folder(entry.path(), entry.depth());
        } else if self.exclusion.has(entry, entry.depth()) {
            add(&self.run.tally.excluded, 1);
        } else if file_type.is_some_and(|it| it.is_file()) && !self.exclusion.is_own(entry.path()) {
            add(&self.ignored_count.files, 1);
        }
        true
    }

    /// Returns the ignore rules that apply to the contents of a folder.
    fn rules_in(&mut self, folder: &Path) -> Option<Arc<Rules>> {
        let ignored = self.ignored?;
        match &self.rules {
            Some((known, rules)) if known == folder => rules.clone(),
            _ => {
                let rules = ignored.rules(folder);
                self.rules = Some((folder.to_owned(), rules.clone()));
                rules
            }
        }
    }

    /// Reads the ignore rules of a folder that the walk enters, and records its repository if it is a work
    /// tree.
    fn folder(&mut self, path: &Path, depth: usize) {
        let git = path.join(".git");
        let is_top = git.symlink_metadata().is_ok();
        if let Some(ignored) = self.ignored.filter(|_| depth > 0) {
            if is_top {
                ignored.enter_top(path, self.run);
            } else if let Some(above) = path.parent().and_then(|above| self.rules_in(above)) {
                ignored.enter(path, &above, self.run);
            }
        }
        if !is_top {
            return;
        }
        let FilesOptions { configured, here, .. } = self.options;
        configured.reach(|| lexical(&here.join(path)));
        if let Some(tracked) = self.tracked.filter(|_| depth > 0) {
            tracked.add(path, depth);
        }
        if let Some(discovered) = &self.options.repositories {
            lock(discovered).push(git);
        }
    }

    /// Scans an ignored file that git tracks; for a folder above one, only its name.
    pub(super) fn tracked(&mut self, path: &Path) {
        // A removed file stays tracked until the removal is staged.
        let Ok(metadata) = path.symlink_metadata() else { return };
        let is_file = metadata.is_file();
        self.sink.push(path, if is_file { EntryScope::File } else { EntryScope::Name });
        if is_file {
            add(&self.ignored_count.read, 1);
        } else if metadata.is_symlink() {
            add(&self.run.tally.symlinks, 1);
        }
    }
}

/// Converts an error of the walk to its path and issue.
fn walk_issue(error: ignore::Error) -> (Option<PathBuf>, Issue) {
    match error {
        ignore::Error::WithPath { path, err } => (Some(path), walk_issue(*err).1),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            walk_issue(*err)
        }
        ignore::Error::Io(source) => (None, Issue::FileUnreadable { source }),
        other => (None, Issue::WalkFailed { source: other.into() }),
    }
}
