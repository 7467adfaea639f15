//! The LZW filter of PDF.
//!
//! Input: a stream. Output: its content, up to the code that marks the end. Predictors are not reversed.

use super::decode_error::DecodeError;
use std::io::{self, Read};
use weezl::decode::Decoder;
use weezl::{BitOrder, LzwStatus};

/// When the length of the codes grows: `/EarlyChange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeChange {
    /// One code early, which is the default.
    Early,
    /// With the first longer code.
    Exact,
}

impl CodeChange {
    /// Returns the value in the dictionary of a stream.
    pub(super) fn of(dictionary: &[u8]) -> Self {
        const KEY: &[u8] = b"/EarlyChange";
        let value = memchr::memmem::find(dictionary, KEY).map(|at| &dictionary[at + KEY.len()..]);
        match value.and_then(|it| it.trim_ascii_start().first()) {
            Some(b'0') => Self::Exact,
            _ => Self::Early,
        }
    }
}

/// Decodes a stream.
pub(super) struct Lzw<R> {
    inner: R,
    decoder: Decoder,
    /// The byte that was read and not yet consumed.
    input: Option<u8>,
    has_ended: bool,
}

impl<R: Read> Lzw<R> {
    pub(super) fn new(inner: R, change: CodeChange) -> Self {
        let decoder = match change {
            CodeChange::Early => Decoder::with_tiff_size_switch(BitOrder::Msb, 8),
            CodeChange::Exact => Decoder::new(BitOrder::Msb, 8),
        };
        Self { inner, decoder, input: None, has_ended: false }
    }
}

impl<R: Read> Read for Lzw<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.has_ended && !buffer.is_empty() {
            // One byte at a time, so that nothing after the end of the stream is consumed.
            let mut byte = [0];
            if self.input.is_none() && self.inner.read(&mut byte)? > 0 {
                self.input = Some(byte[0]);
            }
            let input = self.input.as_slice();
            let result = self.decoder.decode_bytes(input, buffer);
            let is_over = input.is_empty() && result.consumed_out == 0;
            if result.consumed_in > 0 {
                self.input = None;
            }
            match result.status {
                Ok(LzwStatus::Done) => self.has_ended = true,
                Ok(LzwStatus::Ok | LzwStatus::NoProgress) => self.has_ended = is_over,
                Err(_) => return Err(DecodeError::Code.into()),
            }
            if result.consumed_out > 0 {
                return Ok(result.consumed_out);
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(packed: &[u8], change: CodeChange) -> Vec<u8> {
        let mut content = Vec::new();
        Lzw::new(packed, change).read_to_end(&mut content).expect("a valid stream");
        content
    }

    #[test]
    fn the_example_of_the_pdf_reference_is_decoded() {
        let packed = [0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01];
        assert_eq!(decode(&packed, CodeChange::Early), b"-----A---B");
    }

    #[test]
    fn streams_with_codes_of_every_length_are_decoded() {
        let text: Vec<u8> = (0..40_000_u32).map(|at| (at * at % 251) as u8).collect();
        let early = weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8).encode(&text);
        assert_eq!(decode(&early.expect("room"), CodeChange::Early), text);
        let exact = weezl::encode::Encoder::new(BitOrder::Msb, 8).encode(&text);
        assert_eq!(decode(&exact.expect("room"), CodeChange::Exact), text);
    }
}
