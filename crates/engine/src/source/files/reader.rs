//! Reader of the files of a walk: one reused buffer per worker.
//!
//! Input: paths. Output: names and contents as blobs, to its sink. A file that is an archive is
//! scanned as a file first, then unpacked.

use super::change_guard::{ArchiveHint, ChangeGuard, has_changed};
use super::options::FilesOptions;
use crate::source::archive::{self, ArchiveFile, Input, RunSink, image};
use crate::source::git::lfs::Pointer;
use crate::source::window::{End, Windows};
use crate::source::{Issue, Run, Sink, add};
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::regular;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Size limit for a repository's own text files, such as logs and hooks, in bytes. A sparse file of
/// many terabytes takes no room in an archive.
const MAX_STORE_FILE: u64 = 256 << 20;

/// The length of the longest name that is not scanned, in bytes. The shortest prefix of a token has
/// three bytes, so such a name cannot contain a token.
const SHORT_NAME: usize = 8;

/// The parts of an entry to scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EntryScope {
    /// Its name.
    Name,
    /// Its name and its content.
    File,
}

/// A file that is a Git LFS pointer.
#[derive(Debug)]
pub(super) struct PointerFile {
    pub(super) path: PathBuf,
    pub(super) pointer: Pointer,
}

/// Reads the files of one worker.
pub(super) struct FileReader<'a> {
    pub(super) options: &'a FilesOptions,
    pub(super) sink: Box<dyn Sink + 'a>,
    pub(super) windows: Windows,
    pub(super) run: &'a Run,
    /// The files that are Git LFS pointers.
    pub(super) pointers: &'a Mutex<Vec<PointerFile>>,
}

impl FileReader<'_> {
    /// Scans an entry.
    pub(super) fn entry(&mut self, path: &Path, scope: EntryScope) {
        self.name(path);
        if scope == EntryScope::File {
            self.file(path);
        }
    }

    /// Returns `true` if a name is long enough to contain a token.
    pub(super) fn has_long_name(path: &Path) -> bool {
        path.file_name().is_some_and(|name| name.len() > SHORT_NAME)
    }

    /// Scans the last component of a path.
    fn name(&mut self, path: &Path) {
        if let Some(name) = path.file_name().filter(|_| Self::has_long_name(path)) {
            let name = name.as_encoded_bytes();
            self.sink.blob(&Blob::whole(Origin::Name(path.into()), name));
        }
    }

    fn file(&mut self, path: &Path) {
        if let Err(source) = self.read(path)
            && !self.options.is_removed_by_git(&source)
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
                    lock(self.pointers).push(PointerFile { path: path.to_owned(), pointer });
                }
                self.unpack(path, &mut file, hint)
            }
            End::Interrupted => Ok(()),
            End::Failed(error) => Err(error),
        }
    }
}

impl FileReader<'_> {
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
