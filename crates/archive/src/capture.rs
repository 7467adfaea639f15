//! Keeps the part of a stream that may be an archive behind other content, so that it can be opened after
//! the stream was read.
//!
//! Input: a stream that does not begin as an archive. Output: the same bytes, and at the end the archive.
//! Programs, scripts and disk images are kept whole; other content is kept from the first signature of a
//! zip entry, so that nothing is copied of almost every member. Long content is kept in an unnamed
//! temporary file.

use super::elsewhere::{TRAILER, detect_trailer, detect_whole};
use super::format::{Format, is_program};
use super::header::{ISO_DESCRIPTOR, is_iso_descriptor};
use super::zip_directory::{END_REACH, ends_with_record};
use memchr::memmem;
use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::LazyLock;
use tempfile::SpooledTempFile;

/// Bytes that are kept in memory before they spill into a temporary file.
const IN_MEMORY: usize = 4 << 20;
/// The signature of a zip entry.
const ENTRY: &[u8; 4] = b"PK\x03\x04";
/// Searches for [`ENTRY`].
static FIND_ENTRY: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(ENTRY));

/// A reader that keeps what may be an archive.
pub struct Capture<'r> {
    inner: &'r mut dyn Read,
    state: CaptureState,
    /// The number of bytes that were read.
    len: u64,
    /// The last bytes that were read: those of a trailer, or of the end record of a zip if the
    /// content is not kept.
    tail: VecDeque<u8>,
    room: u64,
    kind: CaptureKind,
}

/// The bytes that are kept.
enum CaptureState {
    /// None: nothing yet looks like an archive.
    Waiting,
    /// The bytes from an offset on.
    Keeping(CapturedBytes),
    /// None: there are more than the limit.
    Cut(CutContent),
    /// None: they could not be written to a temporary file.
    Failed(io::Error),
}

/// Content of which more bytes would have been kept than the limit.
struct CutContent {
    has_iso_descriptor: bool,
}

/// The archive that follows the content of a stream.
pub enum Captured {
    /// No archive.
    Nothing,
    /// An archive.
    Archive(CapturedArchive),
    /// An archive that exceeds the limit, or a program that may contain one.
    TooLong,
}

/// An archive that follows other content.
pub struct CapturedArchive {
    /// Its format.
    pub format: Format,
    /// The content. The bytes that were not kept are zeros.
    pub bytes: CapturedBytes,
}

/// The kind of content, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureKind {
    /// A program or script.
    Program,
    /// A disk image.
    Disk,
    /// Other content.
    Other,
}

impl CaptureKind {
    /// Returns the kind of content that begins with `head`.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        if is_program(head) {
            Self::Program
        } else if is_disk(head) {
            Self::Disk
        } else {
            Self::Other
        }
    }
}

/// The bytes of a stream from an offset on.
pub struct CapturedBytes {
    spool: SpooledTempFile,
    start: u64,
    at: u64,
}

/// The position of the signature of a zip entry in a read.
struct EntryStart<'a> {
    offset: u64,
    /// The part of the signature in the read before.
    before: &'static [u8],
    bytes: &'a [u8],
}

impl<'r> Capture<'r> {
    /// Wraps a stream, of which at most `limit` bytes are kept.
    pub fn new(inner: &'r mut dyn Read, kind: CaptureKind, limit: u64) -> Self {
        let state = match kind {
            CaptureKind::Program | CaptureKind::Disk => {
                CaptureState::Keeping(CapturedBytes::new(0))
            }
            CaptureKind::Other => CaptureState::Waiting,
        };
        let tail = VecDeque::with_capacity(TRAILER);
        Self { inner, state, len: 0, tail, room: limit, kind }
    }

    /// Returns the archive, after the stream was read.
    ///
    /// # Errors
    /// Errors of the temporary file.
    pub fn finish(mut self) -> io::Result<Captured> {
        let tail = self.tail.make_contiguous();
        let trailer = &tail[tail.len().saturating_sub(TRAILER)..];
        let cut = match self.state {
            CaptureState::Failed(error) => return Err(error),
            CaptureState::Keeping(mut bytes) => {
                let format = detect_whole(&mut bytes, Path::new(""))?;
                bytes.seek(SeekFrom::Start(0))?;
                let archive = format.map(|format| CapturedArchive { format, bytes });
                return Ok(archive.map_or(Captured::Nothing, Captured::Archive));
            }
            CaptureState::Cut(_) if self.kind == CaptureKind::Program => {
                return Ok(Captured::TooLong);
            }
            CaptureState::Cut(cut) => Some(cut),
            CaptureState::Waiting => None,
        };
        if let Some(format) = detect_trailer(trailer).map(Format::Unopened) {
            let bytes = CapturedBytes::new(self.len);
            return Ok(Captured::Archive(CapturedArchive { format, bytes }));
        }
        let is_archive =
            |cut: CutContent| cut.has_iso_descriptor || ends_with_record(tail, self.len);
        Ok(if cut.is_some_and(is_archive) { Captured::TooLong } else { Captured::Nothing })
    }

    /// Keeps bytes that were read, as far as they are needed.
    fn keep(&mut self, bytes: &[u8]) {
        let is_waiting = matches!(self.state, CaptureState::Waiting);
        let entry = if is_waiting { self.find_entry(bytes) } else { None };
        self.len += bytes.len() as u64;
        self.push_tail(bytes);
        match entry {
            Some(EntryStart { offset, before, bytes }) => {
                self.state = CaptureState::Keeping(CapturedBytes::new(offset));
                self.store(&[before, bytes].concat());
            }
            None => self.store(bytes),
        }
    }

    /// Adds bytes to the last bytes that were read.
    fn push_tail(&mut self, bytes: &[u8]) {
        let reach = match self.state {
            CaptureState::Cut(_) => END_REACH,
            _ => TRAILER,
        };
        let last = &bytes[bytes.len().saturating_sub(reach)..];
        let surplus = (self.tail.len() + last.len()).saturating_sub(reach);
        self.tail.drain(..surplus);
        self.tail.extend(last);
    }

    /// Stores bytes that follow those that are kept, if any are.
    fn store(&mut self, bytes: &[u8]) {
        let CaptureState::Keeping(kept) = &mut self.state else { return };
        let most = usize::try_from(self.room).unwrap_or(usize::MAX).min(bytes.len());
        let (bytes, rest) = bytes.split_at(most);
        self.room -= bytes.len() as u64;
        if let Err(error) = kept.spool.write_all(bytes) {
            self.state = CaptureState::Failed(error);
        } else if !rest.is_empty() {
            self.cut(rest);
        }
    }

    /// Drops the bytes that are kept, except for the last ones. `rest` follows them.
    fn cut(&mut self, rest: &[u8]) {
        let state = std::mem::replace(&mut self.state, CaptureState::Waiting);
        let CaptureState::Keeping(kept) = state else { return };
        self.state = match kept.cut() {
            Ok((cut, tail)) => {
                self.tail = tail.into();
                CaptureState::Cut(cut)
            }
            Err(error) => CaptureState::Failed(error),
        };
        self.push_tail(rest);
    }

    /// Finds the signature of a zip entry in bytes, or at the seam to the bytes before them.
    fn find_entry<'b>(&self, bytes: &'b [u8]) -> Option<EntryStart<'b>> {
        for before in (1..ENTRY.len()).rev() {
            let (head, rest) = ENTRY.split_at(before);
            if bytes.starts_with(rest) && self.ends_with(head) {
                let offset = self.len - before as u64;
                return Some(EntryStart { offset, before: head, bytes });
            }
        }
        let at = FIND_ENTRY.find(bytes)?;
        let offset = self.len + at as u64;
        Some(EntryStart { offset, before: &[], bytes: &bytes[at..] })
    }

    /// Returns `true` if the bytes that were read end with `part`.
    fn ends_with(&self, part: &[u8]) -> bool {
        let start = self.tail.len().checked_sub(part.len());
        start.is_some_and(|start| self.tail.range(start..).eq(part))
    }
}

impl Read for Capture<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.keep(&buffer[..len]);
        Ok(len)
    }
}

/// Returns `true` for the first sector of a disk image.
fn is_disk(head: &[u8]) -> bool {
    let is_boot_sector = head.get(510..512) == Some(b"\x55\xaa");
    is_boot_sector || head.len() >= 512 && head.iter().all(|byte| *byte == 0)
}

impl CapturedBytes {
    fn new(start: u64) -> Self {
        Self { spool: SpooledTempFile::new(IN_MEMORY), start, at: 0 }
    }

    /// Returns what is known of the content, and its last bytes.
    fn cut(mut self) -> io::Result<(CutContent, Vec<u8>)> {
        let mut descriptor = Vec::new();
        self.seek(SeekFrom::Start(ISO_DESCRIPTOR))?;
        (&mut self).take(8).read_to_end(&mut descriptor)?;
        let len = self.seek(SeekFrom::End(0))?;
        self.seek(SeekFrom::Start(len.saturating_sub(END_REACH as u64)))?;
        let mut tail = Vec::new();
        self.read_to_end(&mut tail)?;
        Ok((CutContent { has_iso_descriptor: is_iso_descriptor(&descriptor) }, tail))
    }
}

/// The bytes before the kept ones read as zeros: offsets in an archive may count from the beginning.
impl Read for CapturedBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let zeros = self.start.saturating_sub(self.at);
        let len = if zeros > 0 {
            let len = usize::try_from(zeros).unwrap_or(usize::MAX).min(buffer.len());
            buffer[..len].fill(0);
            len
        } else {
            self.spool.seek(SeekFrom::Start(self.at - self.start))?;
            self.spool.read(buffer)?
        };
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for CapturedBytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => {
                let end = self.start + self.spool.seek(SeekFrom::End(0))?;
                end.checked_add_signed(by)
            }
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests;
