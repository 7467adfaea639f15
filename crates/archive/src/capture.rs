//! Keeps the part of a stream that may be an archive behind other content, so that it can be opened after
//! the stream was read.
//!
//! Input: a stream that does not begin as an archive. Output: the same bytes, and at the end the archive.
//! Programs, scripts and disk images are kept whole; other content is kept from the first signature of a
//! zip entry, so that nothing is copied of almost every member. Long content is kept in an unnamed
//! temporary file.

use super::elsewhere::{TRAILER, detect_trailer, detect_whole};
use super::format::{Format, is_program};
use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::SpooledTempFile;

/// Bytes that are kept in memory before they spill into a temporary file.
const IN_MEMORY: usize = 4 << 20;
/// The signature of a zip entry.
const ENTRY: &[u8] = b"PK\x03\x04";

/// A reader that keeps what may be an archive.
pub struct Capture<'r> {
    inner: &'r mut dyn Read,
    kept: Option<Kept>,
    /// The number of bytes that were read.
    len: u64,
    /// The last bytes that were read.
    tail: VecDeque<u8>,
    room: u64,
    kind: CaptureKind,
    is_cut: bool,
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

/// The bytes of a stream from an offset.
struct Kept {
    spool: SpooledTempFile,
    start: u64,
    at: u64,
}

impl<'r> Capture<'r> {
    /// Wraps a stream, of which at most `limit` bytes are kept.
    pub fn new(inner: &'r mut dyn Read, kind: CaptureKind, limit: u64) -> Self {
        let kept = (kind != CaptureKind::Other).then(|| Kept::new(0));
        let tail = VecDeque::with_capacity(TRAILER);
        Self { inner, kept, len: 0, tail, room: limit, kind, is_cut: false }
    }

    /// Returns `true` if a program is longer than the limit, so that its end was not kept.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut && self.kind == CaptureKind::Program
    }

    /// Returns the archive and its format, after the stream was read.
    ///
    /// # Errors
    /// Errors of the temporary file.
    pub fn finish(mut self) -> io::Result<Option<(Format, impl Read + Seek)>> {
        let Some(mut kept) = self.kept.take().filter(|_| !self.is_cut) else {
            let format = detect_trailer(self.tail.make_contiguous()).map(Format::Unopened);
            return Ok(format.map(|format| (format, Kept::new(self.len))));
        };
        let format = detect_whole(&mut kept, Path::new(""))?;
        kept.seek(SeekFrom::Start(0))?;
        Ok(format.map(|format| (format, kept)))
    }

    /// Keeps bytes that were read.
    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.kept.is_none() && !self.is_cut {
            self.begin(bytes);
        } else if let Some(kept) = &mut self.kept {
            if self.room < bytes.len() as u64 {
                (self.kept, self.is_cut) = (None, true);
            } else {
                kept.spool.write_all(bytes)?;
                self.room -= bytes.len() as u64;
            }
        }
        self.len += bytes.len() as u64;
        let last = &bytes[bytes.len().saturating_sub(TRAILER)..];
        let surplus = (self.tail.len() + last.len()).saturating_sub(TRAILER);
        self.tail.drain(..surplus);
        self.tail.extend(last);
        Ok(())
    }
}

impl Capture<'_> {
    /// Begins to keep bytes if they contain the signature of a zip entry, or end one that the bytes before
    /// them began.
    fn begin(&mut self, bytes: &[u8]) {
        let before = self.tail.len().min(ENTRY.len() - 1);
        let seam: Vec<u8> = self
            .tail
            .range(self.tail.len() - before..)
            .chain(bytes.iter().take(ENTRY.len() - 1))
            .copied()
            .collect();
        let (start, first, rest) = match memchr::memmem::find(&seam, ENTRY) {
            Some(at) if at < before => (self.len - (before - at) as u64, &seam[at..before], bytes),
            _ => {
                let Some(at) = memchr::memmem::find(bytes, ENTRY) else { return };
                (self.len + at as u64, &[][..], &bytes[at..])
            }
        };
        let mut kept = Kept::new(start);
        let is_written = kept.spool.write_all(first).and_then(|()| kept.spool.write_all(rest));
        if is_written.is_ok() {
            self.kept = Some(kept);
        }
    }
}

impl Read for Capture<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.keep(&buffer[..len])?;
        Ok(len)
    }
}

/// Returns `true` for the first sector of a disk image.
fn is_disk(head: &[u8]) -> bool {
    let is_boot_sector = head.get(510..512) == Some(b"\x55\xaa");
    is_boot_sector || head.len() >= 512 && head.iter().all(|byte| *byte == 0)
}

impl Kept {
    fn new(start: u64) -> Self {
        Self { spool: SpooledTempFile::new(IN_MEMORY), start, at: 0 }
    }
}

/// The bytes before the kept ones read as zeros: offsets in an archive may count from the beginning.
impl Read for Kept {
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

impl Seek for Kept {
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
