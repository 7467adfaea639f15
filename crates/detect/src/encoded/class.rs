//! Byte classes of encoded text, and the minimum length of a run.
//!
//! Input: a byte. Output: whether a run of base64, hex, escaped text or UTF-16 can contain it. It finds no
//! runs.

/// The minimum length of a run, in characters. The base64 of the shortest token, which has 36 characters,
/// has 48; folded base64 must have lines at least this long.
pub(crate) const MIN_RUN: usize = 40;

/// The minimum length of a stretch of UTF-16, in characters: below the length of the shortest token. Its
/// bytes are a run of at least [`MIN_RUN`].
pub(super) const MIN_UTF16: usize = 32;

/// The characters of base64, in both alphabets, and of hex.
const RUN: u8 = 1;
/// The characters of [`RUN`] and those of escape sequences.
pub(super) const TEXT: u8 = 2;
/// The characters that begin an escape sequence.
pub(super) const MARK: u8 = 4;
const NUL: u8 = 8;

/// The classes of each byte.
pub(super) static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        class[at] = if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_') {
            RUN | TEXT
        } else {
            match byte {
                b'=' => RUN | TEXT | MARK,
                b'%' | b'\\' | b'&' => TEXT | MARK,
                b'#' | b';' | b'{' | b'}' | b'.' => TEXT,
                0 => NUL,
                _ => 0,
            }
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
pub(crate) fn is_run(byte: u8) -> bool {
    CLASS[usize::from(byte)] & RUN != 0
}

/// Returns `true` if an escaped token can contain a byte.
#[inline]
pub(crate) fn is_text(byte: u8) -> bool {
    CLASS[usize::from(byte)] & TEXT != 0
}
