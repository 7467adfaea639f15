//! Inflates the data of one entry into a reused buffer.
//!
//! Input: compressed data and the length that the header states. Output: exactly that many bytes, or an
//! error. It reads no headers of entries.

use crate::Fault;
use flate2::bufread::ZlibDecoder;
use libdeflater::{DecompressionError, Decompressor};
use std::io::Read;

/// Above this length, data are inflated step by step, so that memory grows with the actual length, not with
/// the length that a header states.
pub(crate) const LARGE: u64 = 64 << 20;

/// Maximum compression ratio of deflate (zlib's technical notes: 1032 to 1).
const MOST_RATIO: u64 = 1032;

/// Spare room after the data: libdeflate leaves its fast loop if fewer than 299 bytes are free, which would
/// be most of a short entry.
const SPARE: usize = 320;

/// Bytes in a buffer that is never shrunk, and never cleared before it is written.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    room: Vec<u8>,
    len: usize,
}

impl Buffer {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.room[..self.len]
    }

    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.room.truncate(self.len);
        self.room
    }

    pub(crate) fn room(&self) -> usize {
        self.room.capacity()
    }

    /// Returns the room and the length, to rewrite both.
    pub(crate) fn parts(&mut self) -> (&mut [u8], &mut usize) {
        (&mut self.room, &mut self.len)
    }

    /// Resizes the buffer to `len` bytes of unspecified content.
    pub(crate) fn take(&mut self, len: usize) -> Result<&mut [u8], Fault> {
        if self.room.len() < len {
            let more = len - self.room.len();
            self.room.try_reserve_exact(more).map_err(|_| Fault::TooLarge(len as u64))?;
            self.room.resize(len, 0);
        }
        self.len = len;
        Ok(&mut self.room[..len])
    }
}

/// Inflates entries; each worker has its own.
pub(crate) struct Inflater {
    /// For data that begin with a block of fixed codes, as short entries do. It need not rebuild the fixed
    /// codes after an entry with dynamic codes.
    fixed: Decompressor,
    other: Decompressor,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { fixed: Decompressor::new(), other: Decompressor::new() }
    }
}

impl Inflater {
    /// Inflates exactly `size` bytes from the beginning of `data`, and ignores further data.
    pub(crate) fn inflate(
        &mut self,
        data: &[u8],
        size: u64,
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        if size / MOST_RATIO > data.len() as u64 {
            return Err(Fault::Length);
        }
        if size > LARGE {
            return grow(data, size, buffer);
        }
        let len = usize::try_from(size).map_err(|_| Fault::TooLarge(size))?;
        let room = buffer.take(len + SPARE)?;
        // The type of the first block follows the two bytes of the header and one bit.
        let is_fixed = data.get(2).is_some_and(|byte| byte >> 1 & 3 == 1);
        let decompressor = if is_fixed { &mut self.fixed } else { &mut self.other };
        match decompressor.zlib_decompress(data, room) {
            Ok(made) if made == len => {
                buffer.len = len;
                Ok(())
            }
            Ok(_) => Err(Fault::Length),
            Err(DecompressionError::InsufficientSpace) => Err(Fault::Length),
            Err(DecompressionError::BadData) => Err(Fault::Deflate),
        }
    }
}

fn grow(data: &[u8], size: u64, buffer: &mut Buffer) -> Result<(), Fault> {
    let mut reader = ZlibDecoder::new(data);
    let (room, len) = (&mut buffer.room, &mut buffer.len);
    *len = 0;
    loop {
        if *len == room.len() {
            let more = room.len().clamp(1 << 20, 256 << 20);
            room.try_reserve_exact(more).map_err(|_| Fault::TooLarge(size))?;
            room.resize(room.len() + more, 0);
        }
        match reader.read(&mut room[*len..]) {
            Ok(0) => break,
            Ok(read) => *len += read,
            Err(_) => return Err(Fault::Deflate),
        }
        if *len as u64 > size {
            return Err(Fault::Length);
        }
    }
    if *len as u64 == size { Ok(()) } else { Err(Fault::Length) }
}
