//! The end of a zip: its end record, which locates the central directory.
//!
//! Input: seekable bytes. Output: the range of the directory. No entry is read.

use super::bytes::{Bytes, fill};
use std::io::{self, SeekFrom};

/// Length of the end record without a comment.
pub(super) const END_LEN: usize = 22;
/// Maximum length of the end record with its comment, whose length field has two bytes.
pub(super) const END_REACH: usize = END_LEN + 0xffff;
/// The signature of the end record.
pub(super) const END: &[u8] = b"PK\x05\x06";

/// The range of the central directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Directory {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The end of the end record with its comment.
    pub(super) after: u64,
    /// The amount to add to offsets, for a zip that follows other content.
    pub(super) base: u64,
}

/// Returns `true` if the bytes end with a zip that is not empty.
pub(super) fn has_end(bytes: &mut dyn Bytes) -> io::Result<bool> {
    Ok(find_directory(bytes)?.is_some_and(|it| it.start < it.end))
}

/// Returns `true` if content of `len` bytes seems to end with a zip that is not empty; `tail` are
/// its last bytes.
pub(super) fn ends_with_record(tail: &[u8], len: u64) -> bool {
    let from = len.saturating_sub(tail.len() as u64);
    memchr::memmem::rfind_iter(tail, END).any(|at| {
        let Some(record) = tail.get(at..at + END_LEN) else { return false };
        let end = from + at as u64;
        let (size, offset) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
        // A zip64 record has the actual values.
        let is_zip64 = size == u64::from(u32::MAX) || offset == u64::from(u32::MAX);
        if at + END_LEN + usize::from(u16_at(record, 20)) > tail.len() || size == 0 {
            return false;
        }
        let first = || at.checked_sub(usize::try_from(size).unwrap_or(usize::MAX));
        let is_directory = |first: usize| tail[first..].starts_with(b"PK\x01\x02");
        is_zip64 || size + offset <= end && first().is_none_or(is_directory)
    })
}

/// Finds the last consistent end record.
pub(super) fn find_directory(bytes: &mut dyn Bytes) -> io::Result<Option<Directory>> {
    let len = bytes.seek(SeekFrom::End(0))?;
    let from = len.saturating_sub(END_REACH as u64);
    bytes.seek(SeekFrom::Start(from))?;
    let mut tail = vec![0; usize::try_from(len - from).unwrap_or_default()];
    let filled = fill(bytes, &mut tail)?;
    tail.truncate(filled);
    for at in memchr::memmem::rfind_iter(&tail, END) {
        let Some(record) = tail.get(at..at + END_LEN) else { continue };
        let comment = usize::from(u16_at(record, 20));
        if at + END_LEN + comment > tail.len() {
            continue;
        }
        let end = from + at as u64;
        let (size, offset) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
        // Some programs write a zip64 record without need, so it is always searched.
        let record = zip64_record(bytes, end)?.unwrap_or(Record { at: end, size, offset });
        let Record { at: end, size, offset } = record;
        // Bytes before the zip shift the directory from the offset in the record.
        let Some(start) = end.checked_sub(size) else { continue };
        let Some(base) = start.checked_sub(offset) else { continue };
        // Programs that read zips contain the signature too.
        let mut first = [0; 4];
        bytes.seek(SeekFrom::Start(start))?;
        if start < end && (fill(bytes, &mut first)? < 4 || first != *b"PK\x01\x02") {
            continue;
        }
        let after = from + (at + END_LEN + comment) as u64;
        return Ok(Some(Directory { start, end, after, base }));
    }
    Ok(None)
}

/// An end record: its own offset, and the recorded size and offset of the directory.
struct Record {
    at: u64,
    size: u64,
    offset: u64,
}

/// Reads the zip64 end record, whose locator ends at `end`.
fn zip64_record(bytes: &mut dyn Bytes, end: u64) -> io::Result<Option<Record>> {
    let Some(locator) = end.checked_sub(20) else { return Ok(None) };
    let mut record = [0; 56];
    bytes.seek(SeekFrom::Start(locator))?;
    if fill(bytes, &mut record[..20])? < 20 || !record.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    // After other content the offset is too small; without extensions the record ends at the locator.
    for at in [u64_at(&record, 8), locator.saturating_sub(56)] {
        let is_there = bytes.seek(SeekFrom::Start(at)).is_ok();
        if is_there && fill(bytes, &mut record)? == 56 && record.starts_with(b"PK\x06\x06") {
            let (size, offset) = (u64_at(&record, 40), u64_at(&record, 48));
            return Ok(Some(Record { at, size, offset }));
        }
    }
    Ok(None)
}

/// Reads a little-endian number of two bytes.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// Reads a little-endian number of four bytes.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// Reads a little-endian number of eight bytes.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
