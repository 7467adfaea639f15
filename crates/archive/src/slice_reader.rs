//! Slices of an archive's bytes: the ranges that a directory covers, the gaps between them, and a reader
//! over one range.

use super::bytes::Bytes;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// Shorter gaps between entries are data descriptors, in bytes.
const MIN_GAP: u64 = 30;

/// The ranges of the entries of a directory.
#[derive(Debug, Default)]
pub(super) struct CoveredRanges(Vec<Range<u64>>);

impl CoveredRanges {
    pub(super) fn add(&mut self, range: Range<u64>) {
        match self.0.last_mut() {
            // Most entries follow each other, some with a descriptor between them.
            Some(last)
                if last.start <= range.start && range.start <= last.end.saturating_add(MIN_GAP) =>
            {
                last.end = last.end.max(range.end);
            }
            _ => self.0.push(range),
        }
    }

    /// Lists the gaps before `end` that are long enough to hold an entry.
    pub(super) fn gaps(mut self, end: u64) -> Vec<Range<u64>> {
        self.0.sort_unstable_by_key(|range| range.start);
        self.0.push(end..end);
        let (mut gaps, mut at) = (Vec::new(), 0_u64);
        for range in self.0 {
            if range.start.min(end) > at.saturating_add(MIN_GAP) {
                gaps.push(at..range.start.min(end));
            }
            at = at.max(range.end);
        }
        gaps
    }
}

/// A seekable reader over one range of other bytes.
pub(super) struct SliceReader<'a> {
    bytes: &'a mut dyn Bytes,
    range: Range<u64>,
    at: u64,
}

impl<'a> SliceReader<'a> {
    pub(super) fn new(bytes: &'a mut dyn Bytes, range: Range<u64>) -> io::Result<Self> {
        bytes.seek(SeekFrom::Start(range.start))?;
        Ok(Self { bytes, at: range.start, range })
    }
}

impl Read for SliceReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.range.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let len = self.bytes.read(&mut buffer[..most])?;
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for SliceReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => self.range.start.checked_add(at),
            SeekFrom::End(by) => self.range.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let at = at.filter(|at| *at >= self.range.start).ok_or(io::ErrorKind::InvalidInput)?;
        self.at = self.bytes.seek(SeekFrom::Start(at))?;
        Ok(self.at - self.range.start)
    }
}
