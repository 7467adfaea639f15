//! Watches a file while it is read: whether it is an archive, and whether it changes meanwhile.

use crate::source::archive::{self, Format};
use crate::source::git::lfs::Pointer;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// What the bytes of a file have shown while they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArchiveHint {
    /// It is no archive.
    None,
    /// It is one of this format.
    Format(Format),
    /// It is not of the kind that begins as an archive; its end may be one.
    MaybeAtEnd,
}

/// A file that takes note of its metadata once it turns out to need more than one read.
///
/// One read of a small file sees one state of it; only what takes several can be torn.
pub(super) struct ChangeGuard<'a> {
    file: &'a mut File,
    path: &'a Path,
    reads: u32,
    pub(super) before: Option<Metadata>,
    pub(super) hint: ArchiveHint,
    /// The pointer that the file is, where Git LFS has not put the content in its place.
    pub(super) pointer: Option<Pointer>,
}

/// The part of a file that bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    Beginning,
}

impl<'a> ChangeGuard<'a> {
    pub(super) fn new(file: &'a mut File, path: &'a Path) -> Self {
        Self { file, path, reads: 0, before: None, hint: ArchiveHint::None, pointer: None }
    }

    /// Recognizes the file by its bytes.
    fn recognize(&mut self, bytes: &[u8], extent: Extent) {
        let is_whole = extent == Extent::Whole;
        if is_whole {
            self.pointer = Pointer::parse(bytes);
        }
        let ends_as_zip = || !is_whole || archive::ends_as_zip(bytes);
        self.hint = match archive::detect(bytes, self.path) {
            Some(format) => ArchiveHint::Format(format),
            None if archive::may_end_as_zip(bytes) && ends_as_zip() => ArchiveHint::MaybeAtEnd,
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

/// Tells whether a file of which so much was read has changed since.
pub(super) fn has_changed(before: &Metadata, file: &File, read: u64) -> bool {
    let Ok(after) = file.metadata() else {
        return true;
    };
    after.len() != read
        || after.len() != before.len()
        || after.modified().ok() != before.modified().ok()
}
