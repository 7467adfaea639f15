//! compress (`.Z`): LZW with codes of 9 to 16 bits.
//!
//! Input: a stream. Output: its content. Codes are stored in groups of eight, and the rest of a group is
//! unused when the length of the codes changes, so decoders for other formats cannot read it.

use super::bytes::fill;
use super::decode_error::DecodeError;
use std::io::{self, Read};

/// The code that resets the table, in block mode.
const CLEAR: u16 = 256;
const MIN_BITS: u32 = 9;

/// Decodes a stream.
pub(super) struct Uncompress<R> {
    inner: R,
    max_bits: u32,
    is_block_mode: bool,
    group: CodeGroup,
    /// For each code, the code of all bytes but the last, and the last byte.
    prefixes: Vec<u16>,
    suffixes: Vec<u8>,
    /// The code before, with its first byte.
    last: Option<(u16, u8)>,
    /// Decoded bytes, in reverse.
    ready: Vec<u8>,
}

/// Codes of one length.
struct CodeGroup {
    bytes: [u8; 18],
    bits: u32,
    /// The position of the next code, and the number of bits that were read.
    at: u32,
    end: u32,
}

impl<R: Read> Uncompress<R> {
    /// Reads the header.
    pub(super) fn new(mut inner: R) -> io::Result<Self> {
        let mut head = [0; 3];
        inner.read_exact(&mut head)?;
        let max_bits = u32::from(head[2] & 0x1f);
        if !(MIN_BITS..=16).contains(&max_bits) {
            return Err(DecodeError::CodeLength.into());
        }
        let is_block_mode = head[2] & 0x80 != 0;
        let group = CodeGroup { bytes: [0; 18], bits: MIN_BITS, at: 0, end: 0 };
        let first = if is_block_mode { 257 } else { 256 };
        let (prefixes, suffixes) = (vec![0; first], vec![0; first]);
        let (last, ready) = (None, Vec::new());
        Ok(Self { inner, max_bits, is_block_mode, group, prefixes, suffixes, last, ready })
    }

    /// Reads the next code; `None` at the end.
    fn code(&mut self) -> io::Result<Option<u16>> {
        let Self { inner, group, prefixes, max_bits, .. } = self;
        if prefixes.len() >= 1 << group.bits && group.bits < *max_bits {
            (group.bits, group.end) = (group.bits + 1, 0);
        }
        if group.at + group.bits > group.end {
            let len = fill(inner, &mut group.bytes[..group.bits as usize])?;
            (group.at, group.end) = (0, 8 * len as u32);
            if group.end < group.bits {
                return Ok(None);
            }
        }
        let from = (group.at / 8) as usize;
        let [a, b, c] = [from, from + 1, from + 2].map(|at| u32::from(group.bytes[at]));
        let code = (a | b << 8 | c << 16) >> (group.at % 8) & ((1 << group.bits) - 1);
        group.at += group.bits;
        Ok(u16::try_from(code).ok())
    }

    /// Decodes the next code; returns `false` at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(code) = self.code()? else { return Ok(false) };
        if code == CLEAR && self.is_block_mode {
            self.prefixes.truncate(usize::from(CLEAR));
            self.suffixes.truncate(usize::from(CLEAR));
            (self.group.bits, self.group.end) = (MIN_BITS, 0);
            return Ok(true);
        }
        let next = self.prefixes.len();
        let Some((last, first)) = self.last else {
            let byte = u8::try_from(code).map_err(|_| DecodeError::Code)?;
            (self.last, self.ready) = (Some((code, byte)), vec![byte]);
            return Ok(true);
        };
        let mut at = code;
        if usize::from(code) >= next {
            if usize::from(code) > next {
                return Err(DecodeError::Code.into());
            }
            self.ready.push(first);
            at = last;
        }
        // A code follows only from smaller ones, so this ends.
        while at >= CLEAR {
            self.ready.push(self.suffixes[usize::from(at)]);
            at = self.prefixes[usize::from(at)];
        }
        let first = at as u8;
        self.ready.push(first);
        if next < 1 << self.max_bits {
            self.prefixes.push(last);
            self.suffixes.push(first);
        }
        self.last = Some((code, first));
        Ok(true)
    }
}

impl<R: Read> Read for Uncompress<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut len = 0;
        while len < buffer.len() {
            match self.ready.pop() {
                Some(byte) => {
                    buffer[len] = byte;
                    len += 1;
                }
                None if len > 0 => break,
                None if !self.advance()? => break,
                None => {}
            }
        }
        Ok(len)
    }
}
