//! Worker of a walk over files.
//!
//! Input: the entries of the walk. Output: blobs, to its sink. It reads regular files that are neither ignored
//! nor excluded, and does not follow links.

use super::change_guard::{ArchiveHint, ChangeGuard, has_changed};
use super::exclusion::Exclusion;
use super::folders::is_git_folder;
use super::ignored::{Ignored, PathEntry, Rules};
use super::ignored_count::IgnoredCount;
use super::options::FilesOptions;
use super::tracked::Tracked;
use crate::config::PathKind;
use crate::source::archive::{self, ArchiveFile, Input, RunSink, image};
use crate::source::git::lfs::Pointer;
use crate::source::window::{End, Windows};
use crate::source::{Issue, Run, Sink, add};
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::finding::baseline::lexical;
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::regular;
use ignore::{DirEntry, WalkState};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Size limit for a repository's own text files, such as logs and hooks, in bytes. A sparse file of
/// many terabytes takes no room in an archive.
const MAX_STORE_FILE: u64 = 256 << 20;

/// One worker of the walk.
pub(super) struct WalkWorker<'a> {
    pub(super) options: &'a FilesOptions,
    pub(super) exclusion: Exclusion<'a>,
    pub(super) sink: Box<dyn Sink + 'a>,
    pub(super) windows: Windows,
    pub(super) run: &'a Run,
    pub(super) ignored: Option<&'a Ignored>,
    /// The folder of the last query, and its ignore rules.
    pub(super) rules: Option<(PathBuf, Option<Arc<Rules>>)>,
    pub(super) ignored_count: &'a IgnoredCount,
    /// The files that are Git LFS pointers.
    pub(super) pointers: &'a Mutex<Vec<(PathBuf, Pointer)>>,
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
                let is_gone = error.io_error().is_some_and(|it| self.is_removed_by_git(it));
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
        self.name(entry.path());
        let Some(kind) = entry.file_type() else {
            return WalkState::Continue;
        };
        if kind.is_file() || (entry.depth() == 0 && kind.is_symlink() && entry.path().is_file()) {
            self.file(entry.path());
        } else if kind.is_symlink() {
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
        self.name(path);
        if metadata.is_file() {
            add(&self.ignored_count.read, 1);
            self.file(path);
        } else if metadata.is_symlink() {
            add(&self.run.tally.symlinks, 1);
        }
    }

    /// Scans the last component of a path.
    fn name(&mut self, path: &Path) {
        let Some(name) = path.file_name() else { return };
        let name = name.as_encoded_bytes();
        // The shortest head has three bytes; shorter names cannot contain a token.
        if name.len() > 8 {
            self.sink.blob(&Blob::whole(Origin::Name(path.into()), name));
        }
    }

    /// Returns `true` if git has removed one of its administrative files, which can happen at any time.
    fn is_removed_by_git(&self, error: &io::Error) -> bool {
        self.options.is_store && error.kind() == io::ErrorKind::NotFound
    }

    fn file(&mut self, path: &Path) {
        if let Err(source) = self.read(path)
            && !self.is_removed_by_git(&source)
        {
            self.run.report(Issue::FileUnreadable { source }, Some(path.to_owned()));
        }
    }

    fn read(&mut self, path: &Path) -> io::Result<()> {
        // Opening a FIFO that replaced a file must not block.
        let mut file = regular::nonblocking().open(path)?;
        if self.options.is_store && !path.components().any(|part| part.as_os_str() == "lfs") {
            let size = file.metadata()?.len();
            if size > MAX_STORE_FILE {
                self.run.report(Issue::StoreFileSize { size }, Some(path.to_owned()));
                return Ok(());
            }
        }
        if let Some(limit) = self.options.max_file_size {
            let size = file.metadata()?.len();
            if size > limit {
                add(&self.run.tally.too_large, 1);
                self.run.report(Issue::FileSize { size }, Some(path.to_owned()));
                return Ok(());
            }
        }
        let mut guard = ChangeGuard::new(&mut file, path);
        let origin = Origin::File(path.into());
        let end = self.windows.push_all(origin, &mut guard, &mut *self.sink, self.run);
        let (before, hint, pointer) = (guard.before, guard.hint, guard.pointer);
        match end {
            End::Whole(len) => {
                let tally = &self.run.tally;
                let is_store = self.options.is_store;
                add(if is_store { &tally.git_files } else { &tally.files }, 1);
                if before.is_some_and(|before| has_changed(&before, &file, len)) {
                    self.run.report(Issue::FileChanged, Some(path.to_owned()));
                }
                if let Some(pointer) = pointer.filter(|_| !is_store) {
                    lock(self.pointers).push((path.to_owned(), pointer));
                }
                self.unpack(path, &mut file, hint)
            }
            End::Interrupted => Ok(()),
            End::Failed(error) => Err(error),
        }
    }
}

impl WalkWorker<'_> {
    /// Unpacks a file that may be an archive.
    fn unpack(&mut self, path: &Path, file: &mut File, hint: ArchiveHint) -> io::Result<()> {
        let Some(archives) = &self.options.archives else { return Ok(()) };
        let format = match hint {
            ArchiveHint::None => None,
            ArchiveHint::Format(format) => Some(format),
            ArchiveHint::MaybeElsewhere => archive::detect_whole(file, path)?,
        };
        let Some(format) = format else { return Ok(()) };
        let found = ArchiveFile { place: path.into(), format, layer: image::of_folder(path) };
        let repositories = archives.repositories.as_ref();
        let mut sink = RunSink { sink: &mut *self.sink, run: self.run, repositories };
        archive::walk(Input::Whole(file), &found, &archives.options, &mut sink)
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
