//! Decodes long base64 step by step.
//!
//! Input: text and the offset of base64 in it. Output: the decoded bytes, as many as requested, and the
//! position of each in the text. Positions are stored per line: one per byte would take nine times the
//! memory. It has no budget.

use super::digit::{BASE64_DIGITS, NO_DIGIT, base64_digit};
use super::gap::{skip_fold, skip_join};
use std::io::{self, BufRead, Read};

/// Consecutive digits in the text, such as a line or a string literal.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// The number of digits before.
    digit: usize,
    /// The offset of the first digit in the text.
    at: usize,
}

/// A decoder of base64.
#[derive(Debug)]
pub(super) struct Base64Stream<'a> {
    text: &'a [u8],
    at: usize,
    held: u32,
    bits: u32,
    digits: usize,
    segments: Vec<Segment>,
    is_over: bool,
}

impl<'a> Base64Stream<'a> {
    pub(super) fn new(text: &'a [u8], start: usize) -> Self {
        let segments = vec![Segment { digit: 0, at: start }];
        Self { text, at: start, held: 0, bits: 0, digits: 0, segments, is_over: false }
    }

    /// Returns `true` if all of it was decoded.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Decodes at least `most` further bytes, if there are as many, and appends them to `out`.
    pub(super) fn read(&mut self, most: usize, out: &mut Vec<u8>) {
        let limit = out.len() + most;
        while out.len() < limit && !self.is_over {
            if self.bits == 0 && self.groups((limit - out.len()).div_ceil(3), out) {
                continue;
            }
            self.digit(out);
        }
    }

    /// Decodes `most` whole groups of four digits. Returns `true` if there were as many.
    fn groups(&mut self, most: usize, out: &mut Vec<u8>) -> bool {
        let (groups, _) = self.text[self.at..].as_chunks::<4>();
        let mut count = 0;
        for group in groups.iter().take(most) {
            let [a, b, c, d] = group.map(|byte| BASE64_DIGITS[usize::from(byte)]);
            if (a | b | c | d) & NO_DIGIT != 0 {
                break;
            }
            let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
            let [_, first, second, third] = bits.to_be_bytes();
            out.extend_from_slice(&[first, second, third]);
            count += 1;
        }
        self.at += 4 * count;
        self.digits += 4 * count;
        count == most
    }

    /// Decodes one digit, or skips the characters between two lines.
    fn digit(&mut self, out: &mut Vec<u8>) {
        if let Some(digit) = self.text.get(self.at).and_then(|&byte| base64_digit(byte)) {
            self.held = self.held << 6 | u32::from(digit);
            self.bits += 6;
            if self.bits >= 8 {
                self.bits -= 8;
                out.push((self.held >> self.bits) as u8);
                self.held &= (1 << self.bits) - 1;
            }
            self.at += 1;
            self.digits += 1;
            return;
        }
        let next = if self.digits == 0 || self.at >= self.text.len() {
            None
        } else {
            skip_fold(self.text, self.at).or_else(|| skip_join(self.text, self.at))
        };
        match next {
            Some(next) => {
                self.at = next;
                self.segments.push(Segment { digit: self.digits, at: next });
            }
            None => self.is_over = true,
        }
    }

    fn offset(&self, digit: usize) -> usize {
        let behind = self.segments.partition_point(|segment| segment.digit <= digit);
        let segment = self.segments[behind.saturating_sub(1)];
        segment.at + (digit - segment.digit)
    }

    /// Returns the offset in the text of the first digit of the decoded byte with this index.
    pub(super) fn start_of(&self, index: usize) -> usize {
        self.offset(8 * index / 6)
    }

    /// Returns the offset in the text after the last digit of the first `len` decoded bytes.
    pub(super) fn end_of(&self, len: usize) -> usize {
        match (8 * len).checked_sub(1) {
            Some(bit) => self.offset(bit / 6) + 1,
            None => self.segments[0].at,
        }
    }

    /// Returns the end of the text decoded so far.
    pub(super) fn end(&self) -> usize {
        self.at
    }

    /// Ends the decoding and returns a record of the decoded lines.
    pub(super) fn into_chain(self) -> Chain {
        Chain { end: self.at, segments: self.segments }
    }
}

/// The lines or literals that were decoded as one, in order.
#[derive(Debug)]
pub(crate) struct Chain {
    segments: Vec<Segment>,
    end: usize,
}

impl Chain {
    /// Returns `true` if a decoded line begins at `at` with a whole group. Then the content of base64 that
    /// begins there was decoded, too.
    pub(super) fn includes(&self, at: usize) -> bool {
        let found = self.segments.binary_search_by_key(&at, |segment| segment.at);
        found.is_ok_and(|index| self.segments[index].digit.is_multiple_of(4))
    }

    pub(super) fn end(&self) -> usize {
        self.end
    }
}

/// Number of bytes decoded at a time for a decompressor.
const STEP: usize = 8 << 10;

/// A reader of base64 for a decompressor.
#[derive(Debug)]
pub(super) struct Base64Reader<'a> {
    stream: Base64Stream<'a>,
    buffer: Vec<u8>,
    at: usize,
    consumed: usize,
}

impl<'a> Base64Reader<'a> {
    pub(super) fn new(stream: Base64Stream<'a>) -> Self {
        Self { stream, buffer: Vec::new(), at: 0, consumed: 0 }
    }

    /// Returns how many bytes were consumed.
    pub(super) fn consumed(&self) -> usize {
        self.consumed
    }

    /// Returns the offset in the text after the consumed bytes.
    pub(super) fn end(&self) -> usize {
        self.stream.end_of(self.consumed)
    }
}

impl BufRead for Base64Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
            self.stream.read(STEP, &mut self.buffer);
        }
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, len: usize) {
        self.at += len;
        self.consumed += len;
    }
}

impl Read for Base64Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(out)?;
        self.consume(len);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::{Decoded, Scheme};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decoding_in_steps_yields_the_same_bytes(
            lines in prop::collection::vec(("[A-Za-z0-9+/_-]{1,40}", 0..6_usize), 1..12),
            step in 1..50_usize,
        ) {
            let mut text = String::from("key: ");
            for (line, between) in lines {
                text += &line;
                // Padding before `2F` would be an escaped digit, which a stream does not read.
                text += ["", "\n", "\n  ", "\" + \"", "=,", "\n# "][between];
            }
            let mut naive = Decoded::default();
            Scheme::Base64 { skip: 0 }.decode(text.as_bytes(), 5, usize::MAX, &mut naive);
            let (mut stream, mut out) = (Base64Stream::new(text.as_bytes(), 5), Vec::new());
            while !stream.is_over() {
                stream.read(step, &mut out);
            }
            prop_assert_eq!(&out, &naive.bytes);
            for (index, &end) in naive.ends.iter().enumerate() {
                prop_assert_eq!(stream.end_of(index + 1), end);
                prop_assert!(stream.start_of(index) < end);
            }
            let mut fed = Vec::new();
            Base64Reader::new(Base64Stream::new(text.as_bytes(), 5)).read_to_end(&mut fed).expect("in memory");
            prop_assert_eq!(fed, naive.bytes);
        }
    }

    #[test]
    fn a_chain_includes_lines_that_begin_with_a_whole_group() {
        let text = b"aGVsbG8g\nd29ybGQ\naGVs";
        let mut stream = Base64Stream::new(text, 0);
        stream.read(100, &mut Vec::new());
        let chain = stream.into_chain();
        let included = (0..text.len()).filter(|&at| chain.includes(at));
        assert_eq!(included.collect::<Vec<_>>(), [0, 9]);
        assert_eq!(chain.end(), text.len());
    }
}
