//! Replaces a token in base64 text, so that no bit of it stays and every other bit does.
//!
//! Input: the base64 digits of a match, with line breaks and escapes between them, and the forms in which the
//! token can be encoded. Output: text of as many digits.

use crate::detect::base64_digit;
use ::base64::alphabet::{STANDARD, URL_SAFE};

/// A part of base64 text.
struct Unit<'a> {
    text: &'a [u8],
    /// The six bits of a digit; `None` for text between digits.
    digit: Option<u8>,
}

/// The bits of a token in base64 text, from its first to after its last one.
struct Bits {
    start: usize,
    end: usize,
}

/// Appends `old`, in which the bits of one of the `forms` are replaced by the digits of `filler`, and `A`s. If
/// no form is found, all digits are replaced, because any of them can belong to the token.
pub(super) fn replace(old: &[u8], forms: &[&[u8]], filler: &str, out: &mut Vec<u8>) {
    let units = units(old);
    let digits: Vec<u8> = units.iter().filter_map(|it| it.digit).collect();
    let all = Bits { start: 0, end: 6 * digits.len() };
    let bits = forms.iter().find_map(|form| find(&digits, form)).unwrap_or(all);
    let is_url_safe = old.iter().any(|byte| b"-_".contains(byte));
    let alphabet = if is_url_safe { &URL_SAFE } else { &STANDARD };
    let mut filler = filler.bytes().chain(std::iter::repeat(b'A'));
    let mut at = 0;
    for Unit { text, digit } in units {
        let Some(digit) = digit else {
            out.extend_from_slice(text);
            continue;
        };
        let (start, end) = (at, at + 6);
        at = end;
        if end <= bits.start || start >= bits.end {
            out.extend_from_slice(text);
        } else if bits.start <= start && end <= bits.end {
            out.push(filler.next().unwrap_or(b'A'));
        } else {
            let before = bits.start.saturating_sub(start).min(6);
            let after = end.saturating_sub(bits.end).min(6);
            // The bits before and after the token.
            let kept = (0x3f_u8 & !(0x3f >> before)) | (0x3f & ((1 << after) - 1));
            out.push(alphabet.as_str().as_bytes()[usize::from(digit & kept)]);
        }
    }
}

/// Finds the bits of a form.
fn find(digits: &[u8], form: &[u8]) -> Option<Bits> {
    let bit = |at: usize| digits[at / 6] >> (5 - at % 6) & 1;
    let len = 8 * form.len();
    let last = (6 * digits.len()).checked_sub(len)?;
    let is_at =
        |start: &usize| (0..len).all(|at| bit(start + at) == form[at / 8] >> (7 - at % 8) & 1);
    let start = (0..=last).step_by(2).find(is_at)?;
    Some(Bits { start, end: start + len })
}

/// Splits text into digits, and line breaks and escapes between them.
fn units(text: &[u8]) -> Vec<Unit<'_>> {
    let mut units = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (len, byte) = unit(rest);
        let (text, after) = rest.split_at(len);
        units.push(Unit { text, digit: byte.and_then(base64_digit) });
        rest = after;
    }
    units
}

/// Returns the length of the first unit, and the byte that it stands for, if it is one.
fn unit(text: &[u8]) -> (usize, Option<u8>) {
    let hex = |range: std::ops::Range<usize>| {
        let mut byte = [0];
        hex::decode_to_slice(text.get(range)?, &mut byte).ok()?;
        Some(byte[0])
    };
    match text {
        [b'\\', b'u', b'0', b'0', ..] => hex(4..6).map_or((1, None), |byte| (6, Some(byte))),
        [b'\\', b'x', ..] => hex(2..4).map_or((1, None), |byte| (4, Some(byte))),
        [b'\\', b'n' | b'r' | b't' | b'\\' | b'"' | b'\'', ..] => (2, None),
        [b'\\', byte, ..] => (2, Some(*byte)),
        [b'%', ..] => hex(1..3).map_or((1, None), |byte| (3, Some(byte))),
        [byte, ..] => (1, Some(*byte)),
        [] => (0, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    fn replaced(old: &[u8], form: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        replace(old, &[form], "REMOVED0123", &mut out);
        out
    }

    #[test]
    fn neighbouring_bytes_stay_at_every_alignment_and_no_bit_of_the_token_does() {
        // The bits of the first and last byte of the token are ones.
        let token = b"\xffsecret of a token\xff";
        for before in ["", "x", "xy", "xyz", "\u{7f}\u{7f}"] {
            for after in ["", "z", "zy", "\u{7f}\u{7f}"] {
                let text = [before.as_bytes(), token, after.as_bytes()].concat();
                for engine in [STANDARD, URL_SAFE] {
                    let old = engine.encode(&text);
                    let new = replaced(old.as_bytes(), token);
                    assert_eq!(new.len(), old.len());
                    let decoded = engine.decode(&new).expect("base64");
                    let end = decoded.len() - after.len();
                    assert_eq!(&decoded[..before.len()], before.as_bytes(), "{old}");
                    assert_eq!(&decoded[end..], after.as_bytes(), "{old}");
                    let inner = &decoded[before.len()..end];
                    assert!(inner.first() != Some(&0xff) && inner.last() != Some(&0xff), "{old}");
                }
            }
        }
    }

    #[test]
    fn line_breaks_and_escapes_stay() {
        let encoded = STANDARD.encode(b"xx\xff\xff\xffa token of several lines\xff\xff");
        let token = b"\xff\xff\xffa token of several lines\xff\xff";
        for separator in ["\n", "\r\n", "\\n", "%0A", "\\\n"] {
            let lines: Vec<&str> = encoded
                .as_bytes()
                .chunks(8)
                .map(|it| std::str::from_utf8(it).expect("text"))
                .collect();
            let old = lines.join(separator);
            let new = String::from_utf8(replaced(old.as_bytes(), token)).expect("text");
            assert_eq!(new.matches(separator).count(), lines.len() - 1, "{new}");
            let decoded = STANDARD.decode(new.replace(separator, "")).expect("base64");
            assert!(decoded.starts_with(b"xx") && decoded.len() == token.len() + 2, "{new}");
            assert!(!decoded.windows(6).any(|it| it == b"token "), "{new}");
        }
        // An escaped digit is replaced as a whole.
        for escaped in ["\\/", "\\u002f", "%2F", "\\x2f"] {
            let old = encoded.replace('/', escaped);
            assert!(old != encoded, "{encoded}");
            let new = String::from_utf8(replaced(old.as_bytes(), token)).expect("text");
            assert!(!new.contains(escaped) && new.len() == encoded.len(), "{new}");
        }
    }

    #[test]
    fn a_sign_is_no_digit_of_an_escape() {
        assert_eq!(replaced(b"\\x+f", b"other"), b"\\REM");
    }

    #[test]
    fn all_digits_are_replaced_if_the_token_is_encoded_otherwise() {
        let new = replaced(b"QUJD\nREVG==", b"other");
        assert_eq!(new, b"REMO\nVED0==");
    }
}
