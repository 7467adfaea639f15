//! Decodes text files that users and their editors write: baselines, saved reports, rules, lists of
//! revisions, tokens to check.
//!
//! Input: the bytes of a whole file, in UTF-8 or, as Windows PowerShell and Notepad write it, UTF-16.
//! Output: its text without a byte order mark. Scanned content is not decoded here: the detector searches
//! bytes in any encoding.

use std::io;
use std::path::Path;

/// A file that is not text in a supported encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A byte sequence is not valid UTF-8.
    #[error("not UTF-8 text: byte {0} is invalid; save the file as UTF-8")]
    Utf8(usize),
    /// An unpaired surrogate, or an incomplete code unit at the end.
    #[error("not UTF-16 text: byte {0} is invalid; save the file as UTF-8")]
    Utf16(usize),
    /// The byte order mark is that of UTF-32.
    #[error("the text is UTF-32, which is not supported; save the file as UTF-8")]
    Utf32,
}

impl From<DecodeError> for io::Error {
    fn from(error: DecodeError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// The order of the two bytes of a UTF-16 code unit.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

/// Decodes the bytes of a text file and drops a byte order mark.
///
/// Text without a byte order mark is UTF-8, unless one of its first two bytes is zero: then it is
/// UTF-16 that begins with an ASCII character.
///
/// # Errors
/// [`DecodeError`] with the offset of the first invalid byte.
///
/// # Examples
/// ```
/// assert_eq!(ddpatrol::decode::text(b"\xef\xbb\xbfa".to_vec()), Ok("a".to_owned()));
/// assert_eq!(ddpatrol::decode::text(b"\xff\xfea\0".to_vec()), Ok("a".to_owned()));
/// ```
pub fn text(mut bytes: Vec<u8>) -> Result<String, DecodeError> {
    const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
    match bytes[..] {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err(DecodeError::Utf32),
        [0xff, 0xfe, ..] => utf16(&bytes, 2, Order::Little),
        [0xfe, 0xff, ..] => utf16(&bytes, 2, Order::Big),
        [1..=0xff, 0, ..] => utf16(&bytes, 0, Order::Little),
        [0, 1..=0xff, ..] => utf16(&bytes, 0, Order::Big),
        _ => {
            let start = if bytes.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 };
            bytes.drain(..start);
            String::from_utf8(bytes)
                .map_err(|error| DecodeError::Utf8(start + error.utf8_error().valid_up_to()))
        }
    }
}

/// Reads a text file.
///
/// # Errors
/// The file cannot be read, or [`DecodeError`] as `InvalidData`.
pub fn read_file(path: &Path) -> io::Result<String> {
    Ok(text(std::fs::read(path)?)?)
}

/// Decodes UTF-16 from an offset on.
fn utf16(bytes: &[u8], start: usize, order: Order) -> Result<String, DecodeError> {
    let units = bytes[start..].chunks_exact(2);
    if !units.remainder().is_empty() {
        return Err(DecodeError::Utf16(bytes.len() - 1));
    }
    let units = units.map(|unit| match order {
        Order::Little => u16::from_le_bytes([unit[0], unit[1]]),
        Order::Big => u16::from_be_bytes([unit[0], unit[1]]),
    });
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut offset = start;
    for unit in char::decode_utf16(units) {
        let unit = unit.map_err(|_| DecodeError::Utf16(offset))?;
        offset += 2 * unit.len_utf16();
        text.push(unit);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, order: Order) -> Vec<u8> {
        let bytes = |unit: u16| match order {
            Order::Little => unit.to_le_bytes(),
            Order::Big => unit.to_be_bytes(),
        };
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf8_and_utf16_are_decoded_with_and_without_mark() {
        let wanted = "{\"é\": \"🔑\"}\r\n";
        let marked = format!("\u{feff}{wanted}");
        for bytes in [
            wanted.into(),
            marked.clone().into_bytes(),
            encoded(&marked, Order::Little),
            encoded(&marked, Order::Big),
            encoded(wanted, Order::Little),
            encoded(wanted, Order::Big),
        ] {
            assert_eq!(text(bytes).as_deref(), Ok(wanted));
        }
        for empty in [&b""[..], b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"] {
            assert_eq!(text(empty.to_vec()).as_deref(), Ok(""));
        }
    }

    #[test]
    fn invalid_text_is_rejected_with_its_offset() {
        let error = |bytes: &[u8]| text(bytes.to_vec()).expect_err("it is invalid");
        assert_eq!(error(b"ab\xff"), DecodeError::Utf8(2));
        assert_eq!(error(b"\xef\xbb\xbfab\xff"), DecodeError::Utf8(5));
        assert_eq!(error(b"\xff\xfea\0b"), DecodeError::Utf16(4));
        assert_eq!(error(b"\xff\xfea\0\0\xd8b\0"), DecodeError::Utf16(4));
        assert_eq!(error(b"\xfe\xff\xdc\0\0a"), DecodeError::Utf16(2));
        assert_eq!(error(b"\xff\xfe\0\0a\0\0\0"), DecodeError::Utf32);
        assert_eq!(error(b"\0\0\xfe\xff"), DecodeError::Utf32);
    }
}
