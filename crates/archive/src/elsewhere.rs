//! Detects archives that do not begin at the first byte of a file: a zip behind other content, a disk image
//! with a trailer, an archive behind the program or the script that unpacks it.
//!
//! Input: parts of a file. Output: whether it should be opened, or its format. Only the end is read of most
//! binary files, and of text only the last bytes. A well-formed program ends where its headers say, so only
//! what follows that end is searched.

use super::bytes::{Bytes, fill};
use super::format::{Format, detect, is_binary, is_program};
use super::header::{ISO_DESCRIPTOR, is_iso_descriptor};
use super::program;
use super::unopened::{self, Unopened};
use super::zip_directory::{self, END, END_LEN, END_REACH};
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// The length of the trailer of a disk image, in bytes.
pub(super) const TRAILER: usize = 512;
/// Number of first bytes that hold the headers of a program.
const HEADERS: u64 = 4_096;

/// The content of a file, or of an object, of which parts are read.
pub trait Parts {
    /// Returns the size of the content.
    fn size(&mut self) -> u64;
    /// Returns a part, which is shorter if it cannot be read.
    fn part(&mut self, range: Range<u64>) -> &[u8];
}

/// Content in memory.
pub struct Memory<'a>(pub &'a [u8]);

impl Parts for Memory<'_> {
    fn size(&mut self) -> u64 {
        self.0.len() as u64
    }

    fn part(&mut self, range: Range<u64>) -> &[u8] {
        let to = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.0.len());
        self.0.get(to(range.start)..to(range.end)).unwrap_or_default()
    }
}

/// Parts of seekable bytes.
struct Seekable<'a> {
    bytes: &'a mut dyn Bytes,
    len: u64,
    buffer: Vec<u8>,
}

impl Parts for Seekable<'_> {
    fn size(&mut self) -> u64 {
        self.len
    }

    fn part(&mut self, range: Range<u64>) -> &[u8] {
        let end = range.end.min(self.len);
        let len = usize::try_from(end.saturating_sub(range.start)).unwrap_or_default();
        if self.buffer.len() < len {
            self.buffer = vec![0; len];
        }
        let part = &mut self.buffer[..len];
        let is_there = self.bytes.seek(SeekFrom::Start(range.start)).is_ok();
        let filled = if is_there { fill(self.bytes, part).unwrap_or(0) } else { 0 };
        &part[..filled]
    }
}

/// The archive that a file seems to hold elsewhere than at its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elsewhere {
    /// The end record of a zip, which may be a constant of a program.
    PerhapsZip,
    Format(Format),
}

/// Returns `true` if a file that does not begin as an archive should be opened nevertheless.
pub fn may_be_elsewhere(parts: &mut dyn Parts) -> bool {
    find(parts).is_some()
}

/// Detects the format of seekable bytes.
///
/// # Errors
/// Errors of reading.
pub fn detect_whole(bytes: &mut dyn Bytes, name: &Path) -> io::Result<Option<Format>> {
    let len = bytes.seek(SeekFrom::End(0))?;
    let mut parts = Seekable { bytes, len, buffer: Vec::new() };
    if let Some(format) = detect(parts.part(0..super::HEAD as u64), name) {
        return Ok(Some(format));
    }
    match find(&mut parts) {
        Some(Elsewhere::Format(format)) => Ok(Some(format)),
        Some(Elsewhere::PerhapsZip) if zip_directory::has_end(parts.bytes)? => {
            Ok(Some(Format::Zip))
        }
        Some(Elsewhere::PerhapsZip) => Ok(find_payload(&mut parts)),
        None => Ok(None),
    }
}

fn find(parts: &mut dyn Parts) -> Option<Elsewhere> {
    let len = parts.size();
    let head = parts.part(0..super::HEAD as u64);
    let is_binary = is_binary(head);
    // A comment behind text is not expected.
    let reach = if is_binary { END_REACH } else { END_LEN };
    let tail = parts.part(len.saturating_sub(reach as u64)..len);
    if !is_binary {
        return tail.starts_with(END).then_some(Elsewhere::PerhapsZip);
    }
    if memchr::memmem::find(tail, END).is_some() {
        return Some(Elsewhere::PerhapsZip);
    }
    let trailer = &tail[tail.len().saturating_sub(TRAILER)..];
    if let Some(format) = detect_trailer(trailer) {
        return Some(Elsewhere::Format(Format::Unopened(format)));
    }
    if is_iso_descriptor(parts.part(ISO_DESCRIPTOR..ISO_DESCRIPTOR + 8)) {
        return Some(Elsewhere::Format(Format::Iso));
    }
    find_payload(parts).map(Elsewhere::Format)
}

/// Detects a disk image by its last bytes.
pub(super) fn detect_trailer(trailer: &[u8]) -> Option<Unopened> {
    if unopened::is_dmg(trailer) {
        return Some(Unopened::Dmg);
    }
    unopened::is_vhd(trailer).then_some(Unopened::Vhd)
}

/// Detects an archive behind a program or a script.
fn find_payload(parts: &mut dyn Parts) -> Option<Format> {
    let len = parts.size();
    let head = parts.part(0..HEADERS);
    if !is_program(head) {
        return None;
    }
    let range = program::payload_range(head, len)?;
    let found = program::find_payload(parts.part(range.clone()), range.start)?;
    Some(match found.format {
        Format::Unopened(format) => Format::Unopened(format),
        _ => Format::SelfExtractor,
    })
}

/// Returns the format and the offset of an archive behind a program or a script.
pub(super) fn payload(bytes: &mut dyn Bytes) -> io::Result<Option<program::ProgramPayload>> {
    let len = bytes.seek(SeekFrom::End(0))?;
    let mut parts = Seekable { bytes, len, buffer: Vec::new() };
    let range = program::payload_range(parts.part(0..HEADERS), len);
    Ok(range.and_then(|range| program::find_payload(parts.part(range.clone()), range.start)))
}
