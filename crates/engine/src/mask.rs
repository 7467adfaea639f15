//! Masks the tokens in a stream while it is copied.
//!
//! Input: chunks of bytes, and pauses between them. Output: the same bytes, with tokens replaced.
//! It does no I/O.
//!
//! Text is held back while a token that begins in it may continue: from a head whose token is
//! incomplete, and from a long run of base64 on, as long as its lines or string literals continue,
//! because nested encodings are decoded from their beginning. In a pause the last word is held back
//! as well. Memory is bounded: no more than `MAX_HELD` bytes are held back. Base64 that is longer, or that
//! takes too much work to decode, may contain encoded tokens that are not found: it is masked as a whole, and
//! [`MaskedStream::undecoded`] returns its length.

use crate::detect::{
    ContentKind, Detector, Evidence, Haystack, Match, Scratch, base64_digit, end_of_base64,
    nested_base64,
};
use ddpatrol_token::secret::MASK;
use std::ops::Range;

/// Maximum number of bytes that are held back, such as lines of base64 whose end is not known.
const MAX_HELD: usize = 8 << 20;
/// Minimum number of undecided bytes that are passed on without the end of a line.
const LONG_LINE: usize = 64 * 1024;
/// Number of bytes that are kept as context after they were passed on.
const CONTEXT: usize = 4096;

/// [`MASK`] in UTF-16 of either byte order, without the zero before or after it.
const WIDE_MASK: &[u8] = b"*\0*\0*";

/// [`MASK`] in UTF-32 of either byte order, without the zeros before or after it.
const WIDEST_MASK: &[u8] = b"*\0\0\0*\0\0\0*";

/// A part of the buffer and its replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Masked {
    start: usize,
    end: usize,
    mask: &'static [u8],
    part: Part,
}

/// The part of a token that is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The whole token, or its first piece.
    First,
    /// A further piece of a folded token.
    Further,
}

impl Masked {
    /// Returns the parts of `bytes` to replace for a match; the public prefix of a plain token remains, and so
    /// do the prefixes of the lines into which an encoded one is folded.
    fn all(bytes: &[u8], found: Match, detector: &Detector) -> Vec<Self> {
        let Match { start, end, encoding, rule, .. } = found;
        let mask = MASK.as_bytes();
        if encoding.is_plain() {
            let public_len = detector.rules()[rule].format.public_len();
            return vec![Self { start: start + public_len, end, mask, part: Part::First }];
        }
        if encoding.is_utf32() {
            return vec![Self::widest(bytes, start..end)];
        }
        if encoding.is_utf16() {
            return vec![Self::wide(bytes, start..end)];
        }
        let pieces = detector.pieces(bytes, &found).into_iter().enumerate();
        pieces
            .map(|(at, Range { start, end })| {
                let part = if at == 0 { Part::First } else { Part::Further };
                Self { start, end, mask, part }
            })
            .collect()
    }

    /// Returns the part of `bytes` to replace for a match in UTF-32.
    fn widest(bytes: &[u8], Range { start, end }: Range<usize>) -> Self {
        let characters = || (start..end).filter(|&at| bytes.get(at).is_some_and(|&it| it != 0));
        let (first, last) = (characters().next(), characters().next_back());
        let (start, end) = (first.unwrap_or(start), last.map_or(end, |last| last + 1));
        Self { start, end, mask: WIDEST_MASK, part: Part::First }
    }

    /// Returns the part of `bytes` to replace for a match in UTF-16.
    fn wide(bytes: &[u8], Range { mut start, mut end }: Range<usize>) -> Self {
        // The byte order is a guess: the characters are every other byte, with zeros between them.
        let is_zero = |at: usize| bytes.get(at) == Some(&0);
        if is_zero(start) || !is_zero(start + 1) {
            start += 1;
        }
        if is_zero(end - 1) || !is_zero(end - 2) {
            end -= 1;
        }
        Self { start, end, mask: WIDE_MASK, part: Part::First }
    }
}

/// A stream whose tokens are masked.
pub struct MaskedStream<'a> {
    detector: &'a Detector,
    /// The least evidence of tokens that are masked.
    least: Evidence,
    scratch: Scratch,
    buffer: Vec<u8>,
    /// The offset of the buffer in the stream.
    offset: u64,
    /// The number of bytes of the buffer that were searched.
    decided: usize,
    /// The number of bytes of the buffer that were passed on or masked.
    released: usize,
    /// The minimum number of undecided bytes that are inspected again.
    recheck: usize,
    /// The maximum number of bytes that are held back.
    max_held: usize,
    masked: u64,
    /// The number of bytes of base64 that were masked because they could not be searched.
    undecoded: u64,
    /// Whether the base64 at the end of the buffer is masked up to its end.
    is_withholding: bool,
}

impl<'a> MaskedStream<'a> {
    /// Starts a stream in which tokens with at least this evidence are masked.
    #[must_use]
    pub fn new(detector: &'a Detector, least: Evidence) -> Self {
        Self {
            detector,
            least,
            scratch: Scratch::default(),
            buffer: Vec::new(),
            offset: 0,
            decided: 0,
            released: 0,
            recheck: 0,
            max_held: MAX_HELD,
            masked: 0,
            undecoded: 0,
            is_withholding: false,
        }
    }

    /// Sets the maximum number of bytes that are held back; by default 8 MiB.
    #[must_use]
    pub fn with_max_held(self, max_held: usize) -> Self {
        Self { max_held, ..self }
    }

    /// Returns the number of masked tokens.
    #[must_use]
    pub fn masked(&self) -> u64 {
        self.masked
    }

    /// Returns the number of bytes of base64 that were masked because they could not be searched for encoded
    /// tokens.
    #[must_use]
    pub fn undecoded(&self) -> u64 {
        self.undecoded
    }

    /// Adds bytes, and appends to `out` all complete lines that do not contain the beginning of a
    /// token. A carriage return ends a line, too.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.buffer.extend_from_slice(bytes);
        if self.is_withholding && !self.withhold() {
            return;
        }
        if self.held() >= self.recheck {
            self.release_lines(out);
            // Long base64 is inspected again after it has grown, so that the time is linear.
            let held = self.held();
            self.recheck = if held > LONG_LINE { held + held / 8 } else { 0 };
        }
        if self.held() > self.max_held {
            let nested = nested_base64(&self.buffer[self.decided..]).pop();
            match nested.filter(|it| it.end == self.held()) {
                Some(nested) => {
                    self.decide(self.decided + nested.start, out);
                    out.extend_from_slice(MASK.as_bytes());
                    self.is_withholding = true;
                    self.withhold();
                }
                // The rest is searched, but not as the continuation of this base64.
                None => self.decide(self.buffer.len() - self.detector.lookahead(), out),
            }
            self.recheck = 0;
        }
        self.forget();
    }

    /// Drops base64 from the buffer, and returns `true` at its end.
    fn withhold(&mut self) -> bool {
        let end = end_of_base64(&self.buffer, self.decided);
        // The last character is kept, because the base64 continues only after a gap that begins there.
        let is_digit = |byte: &u8| base64_digit(*byte).is_some();
        let last = self.buffer[self.decided..].iter().rposition(is_digit).unwrap_or(0);
        let dropped = end.unwrap_or(self.decided + last);
        self.undecoded += dropped.saturating_sub(self.released) as u64;
        self.decided = dropped;
        self.released = self.released.max(dropped);
        self.is_withholding = end.is_none();
        self.forget();
        !self.is_withholding
    }

    /// Returns the number of bytes that were not searched.
    fn held(&self) -> usize {
        self.buffer.len() - self.decided
    }

    /// Passes on complete lines, and most of a long one.
    fn release_lines(&mut self, out: &mut Vec<u8>) {
        let rest = &self.buffer[self.decided..];
        let lines = memchr::memrchr2(b'\n', b'\r', rest).map_or(0, |at| at + 1);
        if lines > 0 {
            let end = self.decided + lines;
            self.release(end, out);
        }
        let held = self.held();
        if held > LONG_LINE {
            let end = self.buffer.len() - self.detector.lookahead().min(held);
            // A word that is cut could be too short to be recognized as base64.
            let word = self.last_word(end);
            self.release(if word == self.decided { end } else { word }, out);
        }
    }

    /// Appends to `out` the incomplete line, except for a last word and the beginning of a token.
    pub fn pause(&mut self, out: &mut Vec<u8>) {
        if self.is_withholding {
            return;
        }
        let end = self.last_word(self.buffer.len());
        self.release(end, out);
    }

    /// Returns the start of the undecided word that ends at `end`: characters that may belong to a
    /// token, in any encoding.
    fn last_word(&self, end: usize) -> usize {
        let rest = &self.buffer[self.decided..end];
        let is_word =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"\0_+/=.%\\&#;{}-".contains(byte);
        end - rest.iter().rev().take_while(|byte| is_word(byte)).count()
    }

    /// Appends the remaining bytes to `out`.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.is_withholding {
            // The character that was kept belongs to the base64.
            self.decided = self.buffer.len().min(self.decided + 1);
            self.released = self.decided;
            self.undecoded += 1;
        }
        self.decide(self.buffer.len(), out);
    }

    /// Passes on the bytes before `end` that do not depend on further bytes.
    fn release(&mut self, end: usize, out: &mut Vec<u8>) {
        let bytes = &self.buffer[..end];
        let end = self.detector.decided_len(bytes, self.decided, &mut self.scratch);
        self.decide(end, out);
    }

    /// Searches the bytes before `end` and passes them on.
    fn decide(&mut self, end: usize, out: &mut Vec<u8>) {
        if end <= self.decided {
            return;
        }
        let kind = ContentKind::Blob { offset: self.offset };
        let haystack = Haystack { bytes: &self.buffer, kind };
        let (detector, least) = (self.detector, self.least);
        let mut tokens: Vec<Masked> = Vec::new();
        detector.find(haystack, self.decided..end, &mut self.scratch, |found, _| {
            if found.evidence < least {
                return;
            }
            tokens.extend(Masked::all(haystack.bytes, found, detector));
        });
        if self.scratch.take_overrun() {
            let all = nested_base64(&self.buffer[self.decided..]);
            for nested in all.into_iter().take_while(|it| self.decided + it.start < end) {
                let (start, end) = (self.decided + nested.start, self.decided + nested.end);
                self.undecoded += (end - start) as u64;
                tokens.push(Masked { start, end, mask: MASK.as_bytes(), part: Part::Further });
            }
        }
        tokens.sort_unstable();
        for token in tokens {
            if token.end <= self.released {
                continue;
            }
            if token.start >= self.released {
                out.extend_from_slice(&self.buffer[self.released..token.start]);
                out.extend_from_slice(token.mask);
                self.masked += u64::from(token.part == Part::First);
            }
            self.released = token.end;
        }
        if self.released < end {
            out.extend_from_slice(&self.buffer[self.released..end]);
            self.released = end;
        }
        self.decided = end;
    }

    /// Drops bytes that are no longer needed as context.
    fn forget(&mut self) {
        let surplus = self.decided.saturating_sub(CONTEXT.max(self.detector.lookbehind()));
        if surplus > LONG_LINE {
            self.buffer.drain(..surplus);
            self.offset += surplus as u64;
            self.decided -= surplus;
            self.released -= surplus;
        }
    }
}
