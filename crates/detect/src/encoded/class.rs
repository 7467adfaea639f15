//! Byte classes of encoded text, and the minimum length of a run.
//!
//! Input: bytes. Output: which of base64, hex, escaped text and UTF-16 can contain a byte, and how far the bytes
//! belong to a class. It finds no runs.

use std::ops::Range;

/// The minimum length of a run, in characters. The base64 of the shortest token, which has 36 characters,
/// has 48.
pub(crate) const MIN_RUN: usize = 40;

/// The minimum length of a line of folded base64 or hex, in characters.
pub(crate) const MIN_LINE: usize = 20;

/// The minimum length of a stretch of UTF-16, in characters: below the length of the shortest token. Its
/// bytes are a run of at least [`MIN_RUN`].
pub(super) const MIN_UTF16: usize = 32;

/// The characters of base64, in both alphabets, and of hex.
pub(super) const RUN: u8 = 1;
/// The characters of [`RUN`] and those of escape sequences.
pub(super) const TEXT: u8 = 2;
/// The characters that begin an escape sequence.
pub(super) const MARK: u8 = 4;
const NUL: u8 = 8;
/// The three kinds of letters and digits that base64 mixes.
const MIXED: u8 = LOWER | UPPER | DIGIT;
const LOWER: u8 = 16;
const UPPER: u8 = 32;
const DIGIT: u8 = 64;

/// The classes of each byte.
pub(super) static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        class[at] = match byte {
            b'a'..=b'z' => RUN | TEXT | LOWER,
            b'A'..=b'Z' => RUN | TEXT | UPPER,
            b'0'..=b'9' => RUN | TEXT | DIGIT,
            b'+' | b'/' | b'-' | b'_' => RUN | TEXT,
            b'=' => RUN | TEXT | MARK,
            b'%' | b'\\' | b'&' => TEXT | MARK,
            b'#' | b';' | b'{' | b'}' | b'.' => TEXT,
            0 => NUL,
            _ => 0,
        };
        at += 1;
    }
    class
};

/// Returns `true` if a byte can be part of a run or a stretch of UTF-16.
#[inline]
pub(super) const fn is_probe(byte: u8) -> bool {
    CLASS[byte as usize] & (TEXT | NUL) != 0
}

/// Returns `true` if base64, in both alphabets, or hex can contain a byte.
#[inline]
pub(crate) const fn is_run(byte: u8) -> bool {
    CLASS[byte as usize] & RUN != 0
}

/// Returns `true` if an escaped token can contain a byte.
#[inline]
pub(crate) fn is_text(byte: u8) -> bool {
    CLASS[usize::from(byte)] & TEXT != 0
}

/// Lists the runs of at least `least` characters in `text`, without a look at most characters of shorter ones.
#[inline]
pub(super) fn runs_in(text: &[u8], least: usize) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        while let Some(first) = text.get(next..next + least) {
            match first.iter().rposition(|&byte| !is_run(byte)) {
                Some(at) => next += at + 1,
                None => {
                    let (start, end) = (next, next + least);
                    let rest = text[end..].iter().take_while(|&&byte| is_run(byte)).count();
                    next = end + rest + 1;
                    return Some(start..end + rest);
                }
            }
        }
        None
    })
}

/// Returns `true` if a byte may follow a line of folded text of fewer than [`MIN_RUN`] characters.
#[inline]
pub(crate) fn is_after_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b'"' | b'\'')
}

/// Bytes at the beginning of others that have a class in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Classified {
    pub(super) len: usize,
    /// The classes of any of the bytes.
    pub(super) any: u8,
    /// The classes of all bytes.
    pub(super) all: u8,
}

impl Classified {
    /// Returns how many of lower case, upper case and digits occur.
    pub(super) fn kinds(self) -> u32 {
        (self.any & MIXED).count_ones()
    }

    /// Reads the characters of escaped text at the beginning of `bytes`.
    #[inline]
    pub(super) fn text(bytes: &[u8]) -> Self {
        let mut read = Self { len: 0, any: 0, all: u8::MAX };
        // Eight bytes at a time, since runs are long.
        for chunk in bytes.as_chunks::<8>().0 {
            let classes = chunk.map(|byte| CLASS[usize::from(byte)]);
            let all = classes.into_iter().fold(u8::MAX, |all, class| all & class);
            if all & TEXT == 0 {
                break;
            }
            read.any |= classes.into_iter().fold(0, |any, class| any | class);
            read.all &= all;
            read.len += chunk.len();
        }
        for &byte in &bytes[read.len..] {
            let class = CLASS[usize::from(byte)];
            if class & TEXT == 0 {
                break;
            }
            read.any |= class;
            read.all &= class;
            read.len += 1;
        }
        read
    }
}

/// Returns `true` if a run mixes lower case, upper case and digits as base64 does. Most names, paths and
/// hexadecimal numbers do not.
pub(crate) fn looks_like_base64(run: &[u8]) -> bool {
    let (chunks, rest) = run.as_chunks::<8>();
    let mut kinds = 0;
    let mut add = |bytes: &[u8]| {
        kinds |= bytes.iter().fold(0, |kinds, &byte| kinds | CLASS[usize::from(byte)]);
        kinds & MIXED == MIXED
    };
    chunks.iter().any(|chunk| add(chunk)) || add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn long_runs_are_listed_without_the_short_ones(text in "[ab;]{0,90}", least in 1_usize..30) {
            let mut expected = Vec::new();
            let mut at = 0;
            for part in text.split(';') {
                if part.len() >= least {
                    expected.push(at..at + part.len());
                }
                at += part.len() + 1;
            }
            prop_assert_eq!(runs_in(text.as_bytes(), least).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn many_bytes_are_classified_as_one_by_one(bytes in "[ab+=%.A7]{0,40}[ \0]{0,1}[ab+=%.A7]{0,9}") {
            let text: Vec<u8> = bytes.bytes().take_while(|&byte| is_text(byte)).collect();
            let classes = || text.iter().map(|&byte| CLASS[usize::from(byte)]);
            let expected = Classified {
                len: text.len(),
                any: classes().fold(0, |any, class| any | class),
                all: classes().fold(u8::MAX, |all, class| all & class),
            };
            prop_assert_eq!(Classified::text(bytes.as_bytes()), expected);
            let has = |kind: fn(&u8) -> bool| text.iter().any(kind);
            let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
            prop_assert_eq!(looks_like_base64(&text), is_mixed);
        }
    }
}
