//! Counts the kinds of characters in short runs: most names and numbers in source code are no lines of base64 or
//! hex.
//!
//! Input: bytes, and rows of them. Output: runs that may be lines of folded text. It decodes nothing.

use super::class::{MIN_LINE, MIN_RUN, is_after_line, is_run, is_text, runs_in};
use std::ops::Range;

/// The number of upper case letters that names rarely have.
const MANY_UPPER: u8 = 6;

/// The number of digits that names rarely have. Hex of ASCII has at least as many as it encodes characters.
const MANY_DIGITS: u8 = 8;

/// The number of bytes that are inspected at once: more than a short run has, and a multiple of a vector of any
/// processor, so that the loop over them is vectorized.
const WIDTH: usize = MIN_RUN.next_multiple_of(16);

/// Zeros, and then as many bytes with all bits, to select the last bytes of [`WIDTH`].
static LAST: [u8; 2 * WIDTH] = {
    let mut last = [0; 2 * WIDTH];
    let mut at = WIDTH;
    while at < last.len() {
        last[at] = u8::MAX;
        at += 1;
    }
    last
};

/// The letters and digits among some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kinds {
    has_lower: bool,
    upper: u8,
    digits: u8,
}

impl Kinds {
    /// Counts the last `len` bytes.
    #[inline(always)]
    fn of_last(bytes: &[u8; WIDTH], len: usize) -> Self {
        let (mut lower, mut upper, mut digits) = (0_u8, 0_u8, 0_u8);
        for (byte, selected) in bytes.iter().zip(&LAST[len..][..WIDTH]) {
            let byte = byte & selected;
            lower += u8::from(byte.is_ascii_lowercase());
            upper += u8::from(byte.is_ascii_uppercase());
            digits += u8::from(byte.is_ascii_digit());
        }
        Self { has_lower: lower != 0, upper, digits }
    }

    /// Returns `true` if the characters may be a line of base64, or of hex of ASCII. Base64 contains lower and upper
    /// case letters, and a digit or several upper case letters.
    #[inline(always)]
    fn is_mixed(self) -> bool {
        let Self { has_lower, upper, digits } = self;
        has_lower && upper > 0 && (digits > 0 || upper >= MANY_UPPER) || digits >= MANY_DIGITS
    }
}

/// Returns `true` if a row of probe bytes may contain a line. It is `false` for most rows, without a look at each
/// byte.
#[inline(always)]
pub(super) fn may_contain_line(bytes: &[u8], row: &Range<usize>) -> bool {
    let text = &bytes[row.clone()];
    // A carriage return is not part of the line.
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let last = bytes[..row.start + text.len()].last_chunk();
    let is_mixed = match last {
        Some(last) => text.len() < MIN_RUN && Kinds::of_last(last, text.len()).is_mixed(),
        None => true,
    };
    is_mixed && may_end_as_line(text)
}

/// Returns `true` if text that precedes a line end or a quotation mark may contain the end of a line: at its own end, or
/// before an escape sequence. Statements end with other characters.
#[inline(always)]
pub(crate) fn may_end_as_line(text: &[u8]) -> bool {
    text.last().is_some_and(|&last| is_run(last) || text.iter().any(|&byte| is_escape(byte)))
}

/// Returns `true` if a byte begins an escape sequence, which may follow a line.
#[inline]
fn is_escape(byte: u8) -> bool {
    matches!(byte, b'\\' | b'&' | b'%')
}

/// Calls `on_line` with every short run that may be a line, in a row of probe bytes that may contain one.
pub(super) fn lines_in_row(bytes: &[u8], row: Range<usize>, mut on_line: impl FnMut(Range<usize>)) {
    let Range { start, end } = row;
    let text = &bytes[start..end];
    for run in runs_in(text, MIN_LINE).filter(|run| may_be_line(text, run)) {
        on_line(start + run.start..start + run.end);
    }
}

/// Returns `true` if a run in a row may be a short line of folded base64 or hex. Only the end of the row, a carriage
/// return or an escape sequence may follow it.
pub(super) fn may_be_line(text: &[u8], run: &Range<usize>) -> bool {
    let mut last = [0; WIDTH];
    (MIN_LINE..MIN_RUN).contains(&run.len())
        && text.get(run.end).is_none_or(|&byte| byte == b'\r' || is_escape(byte))
        && {
            last[WIDTH - run.len()..].copy_from_slice(&text[run.clone()]);
            Kinds::of_last(&last, run.len()).is_mixed()
        }
}

/// Returns `true` if two adjacent pieces of text may contain a line of folded base64 or hex that crosses their border
/// and ends in the second one.
pub(crate) fn may_join_line(first: &[u8], second: &[u8]) -> bool {
    let behind = second.iter().take(MIN_RUN).take_while(|&&byte| is_text(byte)).count();
    if !second.get(behind).is_some_and(|&byte| is_after_line(byte)) {
        return false;
    }
    let before = first.iter().rev().take(MIN_RUN).take_while(|&&byte| is_text(byte)).count();
    let len = before + behind;
    // The line may begin before the first piece.
    if before > 0 && before == first.len() || len >= MIN_RUN {
        return true;
    }
    if len < MIN_LINE {
        return false;
    }
    let mut row = [0; WIDTH];
    row[WIDTH - len..][..before].copy_from_slice(&first[first.len() - before..]);
    row[WIDTH - behind..].copy_from_slice(&second[..behind]);
    Kinds::of_last(&row, len).is_mixed() && may_end_as_line(&row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_base64_and_hex_are_distinguished_from_names() {
        for line in [
            "ZGRwYXRfMDEyMzQ1Njc4",
            "ZGRwYXRfQUJDREVGRkZG",
            "64647061745f30313233",
            "64647061745F30313233",
            "eyJhcGlWZXJzaW9uIjoi",
        ] {
            assert!(may_be_line(line.as_bytes(), &(0..line.len())), "{line}");
            let text = format!("NAME = 1 + {line:>40}");
            let row = text.len() - line.len()..text.len();
            assert!(may_contain_line(text.as_bytes(), &row), "{line}");
        }
        for name in [
            "a_name_of_many_words_in_2_lines",
            "A_NAME_OF_MANY_WORDS_IN_2_LINES",
            "aCamelCaseName_of_words",
            "AbstractHttpClientInstrumentationTest",
            "path/to/another/folder",
            "--------------------",
            "AAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(!may_be_line(name.as_bytes(), &(0..name.len())), "{name}");
            let text = format!("Text1 = 0123456789 + {name:>40}");
            let row = text.len() - name.len()..text.len();
            assert!(!may_contain_line(text.as_bytes(), &row), "{name}");
        }
    }
}
