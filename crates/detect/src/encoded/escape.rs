//! Reads single escape sequences.
//!
//! Input: text that may begin with an escape sequence, and the kind of escape. Output: the byte that the
//! sequence encodes, and its length. It does not search for sequences.

use super::digit::{base64_digit, hex_digit};
use crate::encoding::Layer;

/// The kinds of escapes, and the characters with which they begin.
pub(crate) const ESCAPES: [(u8, Layer); 6] = [
    (b'%', Layer::Percent),
    (b'\\', Layer::Unicode),
    (b'\\', Layer::HexEscape),
    (b'\\', Layer::Backslash),
    (b'&', Layer::Html),
    (b'=', Layer::QuotedPrintable),
];

/// One decoded escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unescaped {
    /// The byte that the escape encodes; `None` for a soft line break.
    pub(super) byte: Option<u8>,
    /// The length of the escape.
    pub(super) len: usize,
}

impl Unescaped {
    #[inline]
    fn byte(byte: u8, len: usize) -> Self {
        Self { byte: Some(byte), len }
    }
}

/// Reads the escape at the beginning of `text`.
pub(super) fn escape(layer: Layer, text: &[u8]) -> Option<Unescaped> {
    let pair = |at: usize| {
        let (high, low) = (hex_digit(*text.get(at)?)?, hex_digit(*text.get(at + 1)?)?);
        Some(high << 4 | low)
    };
    match layer {
        Layer::Percent if text.first() == Some(&b'%') => Some(Unescaped::byte(pair(1)?, 3)),
        Layer::HexEscape if text.starts_with(b"\\x") => Some(Unescaped::byte(pair(2)?, 4)),
        Layer::QuotedPrintable if text.first() == Some(&b'=') => {
            for end in [&b"=\r\n"[..], b"=\n"] {
                if text.starts_with(end) {
                    return Some(Unescaped { byte: None, len: end.len() });
                }
            }
            Some(Unescaped::byte(pair(1)?, 3))
        }
        Layer::Unicode if text.starts_with(b"\\u00") => Some(Unescaped::byte(pair(4)?, 6)),
        Layer::Unicode if text.starts_with(b"\\u{") => {
            braced(&text[3..]).map(|it| Unescaped { len: it.len + 3, ..it })
        }
        Layer::Html if text.first() == Some(&b'&') => reference(text),
        Layer::Backslash => backslash(text),
        _ => None,
    }
}

/// Reads `5f}` or `005f}`.
fn braced(text: &[u8]) -> Option<Unescaped> {
    let close = text.iter().take(7).position(|&byte| byte == b'}')?;
    let digits = std::str::from_utf8(&text[..close]).ok()?;
    let value = u32::from_str_radix(digits, 16).ok()?;
    Some(Unescaped::byte(u8::try_from(value).ok()?, close + 1))
}

/// Reads an HTML character reference.
fn reference(text: &[u8]) -> Option<Unescaped> {
    let close = text.iter().take(12).position(|&byte| byte == b';')?;
    let name = std::str::from_utf8(&text[1..close]).ok()?;
    let value = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        },
        None => match name {
            "lowbar" | "UnderBar" => u32::from(b'_'),
            "equals" => u32::from(b'='),
            "period" => u32::from(b'.'),
            "plus" => u32::from(b'+'),
            "sol" => u32::from(b'/'),
            "hyphen" | "dash" => u32::from(b'-'),
            _ => return None,
        },
    };
    Some(Unescaped::byte(u8::try_from(value).ok()?, close + 1))
}

/// Maximum number of backslashes before one escaped character: text may be escaped again as a string.
pub(super) const MAX_BACKSLASHES: usize = 4;

/// Reads one or more backslashes and the punctuation after them.
fn backslash(text: &[u8]) -> Option<Unescaped> {
    let len = text.iter().take(MAX_BACKSLASHES).take_while(|&&byte| byte == b'\\').count();
    let &byte = text.get(len).filter(|_| len > 0)?;
    let is_mark = byte.is_ascii_punctuation() && !b"\"'`\\".contains(&byte);
    is_mark.then_some(Unescaped::byte(byte, len + 1))
}

/// Reads an escaped digit of base64, and returns its value and the length of the escape. Only digits that are
/// neither letters nor numbers are escaped in practice.
pub(super) fn escaped_digit(text: &[u8]) -> Option<(u8, usize)> {
    let layers: &[Layer] = match text.first()? {
        b'%' => &[Layer::Percent],
        b'&' => &[Layer::Html],
        b'=' => &[Layer::QuotedPrintable],
        b'\\' => &[Layer::Backslash, Layer::Unicode, Layer::HexEscape],
        _ => return None,
    };
    let Unescaped { byte, len } = layers.iter().find_map(|&layer| escape(layer, text))?;
    let byte = byte.filter(|byte| b"+/-_".contains(byte))?;
    base64_digit(byte).map(|digit| (digit, len))
}
