//! Counts the kinds of characters in short runs: most names and numbers in source code are no lines of base64 or
//! hex.
//!
//! Input: bytes, and rows of them. Output: runs that may be lines of folded text. It decodes nothing.

use super::class::{MIN_LINE, MIN_RUN, is_after_line, is_run, is_text, runs_in};
use std::ops::Range;

/// The number of upper case letters that names rarely have.
const MANY_UPPER: u32 = 6;

/// The number of digits that names rarely have. Hex of ASCII has at least as many as it encodes characters.
const MANY_DIGITS: u32 = 8;

/// The words of bytes that are inspected at once: a run of fewer than [`MIN_RUN`] characters.
const WORDS: usize = MIN_RUN / 8;

/// Zeros, and then as many bytes with all bits, to select the last bytes of [`WORDS`].
static LAST: [u8; 2 * MIN_RUN] = {
    let mut last = [0; 2 * MIN_RUN];
    let mut at = MIN_RUN;
    while at < last.len() {
        last[at] = u8::MAX;
        at += 1;
    }
    last
};

/// Eight bytes with this value each.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The letters and digits among some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kinds {
    has_lower: bool,
    upper: u32,
    digits: u32,
}

impl Kinds {
    /// Counts the last `len` bytes. Bytes that are not ASCII may count as letters or digits.
    #[inline(always)]
    fn of_last(bytes: &[u8; MIN_RUN], len: usize) -> Self {
        let (mut lower, mut upper, mut digits) = (0, 0, 0);
        let selected = &LAST[len..];
        for at in 0..WORDS {
            let word = |bytes: &[u8]| u64::from_le_bytes(bytes.as_chunks::<8>().0[at]);
            let word = word(bytes) & word(selected) & each(0x7f);
            // The highest bit of each byte in a range.
            let within = |word: u64, first: u8, last: u8| {
                (word + each(0x80 - first)) & !(word + each(0x7f - last)) & each(0x80)
            };
            let letters = within(word | each(0x20), b'a', b'z');
            // The bit that upper case letters lack, as the highest.
            let is_lower = word << 2;
            lower |= letters & is_lower;
            upper += (letters & !is_lower) >> 7;
            digits += within(word, b'0', b'9') >> 7;
        }
        // The sum of the bytes.
        let count = |each_byte: u64| (each_byte.wrapping_mul(each(1)) >> 56) as u32;
        Self { has_lower: lower != 0, upper: count(upper), digits: count(digits) }
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
    let mut last = [0; MIN_RUN];
    (MIN_LINE..MIN_RUN).contains(&run.len())
        && text.get(run.end).is_none_or(|&byte| byte == b'\r' || is_escape(byte))
        && {
            last[MIN_RUN - run.len()..].copy_from_slice(&text[run.clone()]);
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
    let mut row = [0; MIN_RUN];
    row[MIN_RUN - len..][..before].copy_from_slice(&first[first.len() - before..]);
    row[MIN_RUN - behind..].copy_from_slice(&second[..behind]);
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
