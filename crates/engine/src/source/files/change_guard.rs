//! Reader that recognizes archives and detects changes of a file during the read.
//!
//! Input: an open file. Output: its bytes, the archive format, and the metadata from before the read. This file
//! reports nothing.

use crate::source::archive::{self, Format};
use crate::source::git::lfs::Pointer;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// Result of archive detection in the first bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArchiveHint {
    /// Not an archive.
    None,
    /// An archive of this format.
    Format(Format),
    /// Does not start as an archive, but may contain one.
    MaybeElsewhere,
}

/// A reader of a file that saves the metadata if the file needs more than one read.
///
/// A single read is consistent; only a file that needs several can change in between.
pub(super) struct ChangeGuard<'a> {
    file: &'a mut File,
    path: &'a Path,
    reads: u32,
    pub(super) before: Option<Metadata>,
    pub(super) hint: ArchiveHint,
    /// The Git LFS pointer, if the file is one.
    pub(super) pointer: Option<Pointer>,
}

/// Whether bytes are a whole file or its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    Beginning,
}

impl<'a> ChangeGuard<'a> {
    pub(super) fn new(file: &'a mut File, path: &'a Path) -> Self {
        Self { file, path, reads: 0, before: None, hint: ArchiveHint::None, pointer: None }
    }

    /// Detects archives and Git LFS pointers.
    fn recognize(&mut self, bytes: &[u8], extent: Extent) {
        let is_whole = extent == Extent::Whole;
        if is_whole {
            self.pointer = Pointer::parse(bytes);
        }
        let is_possible = || !is_whole || archive::may_be_elsewhere(&mut archive::Memory(bytes));
        self.hint = match archive::detect(bytes, self.path) {
            Some(format) => ArchiveHint::Format(format),
            None if is_possible() => ArchiveHint::MaybeElsewhere,
            None => ArchiveHint::None,
        };
    }
}

impl io::Read for ChangeGuard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read(buffer)?;
        self.reads += 1;
        if self.reads == 1 && len == buffer.len() {
            self.before = self.file.metadata().ok();
        }
        if self.reads == 1 && len > 0 {
            let extent = if len < buffer.len() { Extent::Whole } else { Extent::Beginning };
            self.recognize(&buffer[..len], extent);
        }
        Ok(len)
    }
}

/// Returns `true` if a file of which `read` bytes were read has changed since `before`.
pub(super) fn has_changed(before: &Metadata, file: &File, read: u64) -> bool {
    let Ok(after) = file.metadata() else {
        return true;
    };
    after.len() != read
        || after.len() != before.len()
        || after.modified().ok() != before.modified().ok()
}
