//! Reads bytes at any offset, until a buffer is full, or up to a known length.

use super::decode_error::DecodeError;
use super::fault::Fault;
use ddpatrol_scan::issue::Damage;
use ddpatrol_scan::read_full;
use std::io::{self, Read, Seek};

/// Bytes that can be read at any offset.
pub trait Bytes: Read + Seek {}

impl<T: Read + Seek + ?Sized> Bytes for T {}

/// Reads until the buffer is full or the input ends; returns the number of bytes read.
pub(super) fn fill(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    read_full(reader, buffer).complete()
}

/// Skips `len` bytes, or fewer at the end of the input; returns the number skipped.
pub(super) fn skip(reader: &mut (impl Read + ?Sized), len: u64) -> io::Result<u64> {
    io::copy(&mut reader.take(len), &mut io::sink())
}

/// A member of known length; reading fails if the input ends early.
pub(super) struct Exact<'a, R: ?Sized> {
    inner: &'a mut R,
    left: u64,
}

impl<'a, R: Read + ?Sized> Exact<'a, R> {
    pub(super) fn new(inner: &'a mut R, len: u64) -> Self {
        Self { inner, left: len }
    }

    /// Skips to the end of the member.
    pub(super) fn rest(self) -> Result<(), Fault> {
        if skip(self.inner, self.left)? < self.left {
            return Err(Damage::MemberCut.into());
        }
        Ok(())
    }

    /// Returns `true` if the whole member was read.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }
}

impl<R: Read + ?Sized> Read for Exact<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let len = self.inner.read(&mut buffer[..most])?;
        if len == 0 {
            return Err(DecodeError::CutOff.into());
        }
        self.left -= len as u64;
        Ok(len)
    }
}
