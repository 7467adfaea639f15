//! Decodes from a position, as many bytes as a token needs.
//!
//! Input: text, a position and a scheme. Output: the decoded bytes, each with the offset of its end in the
//! text. It does not decide whether they are a token.

use super::breaks;
use super::class::is_run;
use super::digit::{base64_digit, hex_digit};
use super::escape::{Unescaped, escape, escaped_digit};
use super::fold::Fold;
use super::gap::skip_join;
use super::line_prefix::Gap;
use crate::encoding::Layer;

/// Maximum distance from the start of a match to the literal that finds it: the escaped form of the
/// longest head.
pub(crate) const LOOKBEHIND: usize = 160;

/// Maximum length of an encoded character, in bytes.
pub(crate) const MAX_ENCODED_LEN: usize = 10;

/// Number of bytes read after a decoded token, to check that the encoded text ends there.
pub(crate) const DECODE_LOOKAHEAD: usize = 96;

/// Maximum length of a broken token, gaps included, in bytes.
pub(crate) const MAX_BROKEN: usize = 3 << 10;

/// Decoded bytes and, for each, the end offset of its encoded form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<usize>,
    /// Whether the encoded text may continue after the end of the input.
    pub(crate) is_open: bool,
}

impl Decoded {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.is_open = false;
    }

    fn push(&mut self, byte: u8, end: usize) {
        self.bytes.push(byte);
        self.ends.push(end);
    }

    /// Removes the zero bytes of UTF-16 that was encoded again.
    fn halve(&mut self) {
        let units = self.bytes.chunks_exact(2).take_while(|unit| unit[1] == 0).count();
        for at in 0..units {
            self.bytes[at] = self.bytes[2 * at];
            self.ends[at] = self.ends[2 * at];
        }
        self.bytes.truncate(units);
        self.ends.truncate(units);
    }
}

/// A way to decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Base64 whose first character has `skip` bits (0, 2 or 4) of the preceding text.
    Base64 { skip: u8 },
    /// Base64 of little-endian UTF-16.
    Base64Utf16 { skip: u8 },
    /// Hexadecimal digits.
    Hex,
    /// Characters that may be escaped in this way.
    Text(Layer),
    /// Characters with gaps between them, the first one of this kind.
    Broken(Layer),
}

impl Scheme {
    /// Lists the layers that the scheme decodes.
    pub(crate) fn layers(self) -> impl Iterator<Item = Layer> {
        let (first, second) = match self {
            Self::Base64 { .. } => (Layer::Base64, None),
            Self::Base64Utf16 { .. } => (Layer::Base64, Some(Layer::Utf16Le)),
            Self::Hex => (Layer::Hex, None),
            Self::Text(layer) | Self::Broken(layer) => (layer, None),
        };
        [Some(first), second].into_iter().flatten()
    }

    /// Decodes at most `limit` bytes from `start` into `out`.
    pub(crate) fn decode(self, bytes: &[u8], start: usize, limit: usize, out: &mut Decoded) {
        self.decode_folded(Pieces { bytes, start, fold: Fold::Plain }, limit, out);
    }

    /// Decodes at most `limit` bytes of folded text into `out`.
    pub(crate) fn decode_folded(self, pieces: Pieces<'_>, limit: usize, out: &mut Decoded) {
        out.clear();
        match self {
            Self::Base64 { skip } => base64(pieces, skip, limit, out),
            Self::Base64Utf16 { skip } => {
                base64(pieces, skip, 2 * limit, out);
                out.halve();
            }
            Self::Hex => hex(pieces, limit, out),
            Self::Text(layer) => text(pieces.bytes, pieces.start, layer, limit, out),
            Self::Broken(_) => broken(pieces.bytes, pieces.start, limit, out),
        }
    }
}

/// Encoded text that may be folded into several pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pieces<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) start: usize,
    pub(crate) fold: Fold,
}

/// Decodes base64 whose first character has `skip` bits of the preceding text.
fn base64(pieces: Pieces<'_>, skip: u8, limit: usize, out: &mut Decoded) {
    let Pieces { bytes, start, mut fold } = pieces;
    let (mut held, mut bits) = (0_u32, 0_u32);
    let mut at = start;
    let mut is_first = true;
    while out.bytes.len() < limit {
        let plain = bytes.get(at).and_then(|&byte| Some((base64_digit(byte)?, 1)));
        let Some((digit, len)) = plain.or_else(|| escaped_digit(&bytes[at.min(bytes.len())..]))
        else {
            match fold.next(bytes, at) {
                Gap::Next(next) if !is_first => at = next,
                gap => {
                    out.is_open = gap == Gap::Open;
                    return;
                }
            }
            continue;
        };
        at += len;
        let fresh = if is_first { 6 - u32::from(skip) } else { 6 };
        is_first = false;
        held = held << fresh | u32::from(digit) & ((1 << fresh) - 1);
        bits += fresh;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8, at);
            held &= (1 << bits) - 1;
        }
    }
}

fn hex(pieces: Pieces<'_>, limit: usize, out: &mut Decoded) {
    let Pieces { bytes, start, mut fold } = pieces;
    let (mut at, mut high) = (start, None);
    while out.bytes.len() < limit {
        let Some(digit) = bytes.get(at).and_then(|&byte| hex_digit(byte)) else {
            match fold.next(bytes, at) {
                Gap::Next(next) if at > start => at = next,
                gap => {
                    out.is_open = gap == Gap::Open;
                    return;
                }
            }
            // Only digits follow a fold.
            if bytes.get(at).is_none_or(|&byte| hex_digit(byte).is_none()) {
                return;
            }
            continue;
        };
        at += 1;
        match high.take() {
            Some(high) => out.push(high << 4 | digit, at),
            None => high = Some(digit),
        }
    }
}

/// Appends the characters of UTF-16 up to the first one that is not ASCII.
pub(super) fn utf16(bytes: &[u8], first: usize, out: &mut Vec<u8>) {
    let mut at = first;
    while let Some(&byte) = bytes.get(at).filter(|&&byte| byte != 0) {
        out.push(byte);
        if bytes.get(at + 1) != Some(&0) {
            return;
        }
        at += 2;
    }
}

fn text(bytes: &[u8], start: usize, layer: Layer, limit: usize, out: &mut Decoded) {
    let mut at = start;
    while out.bytes.len() < limit {
        if let Some(Unescaped { byte, len }) = escape(layer, &bytes[at.min(bytes.len())..]) {
            at += len;
            match byte {
                Some(byte) => out.push(byte, at),
                None => continue,
            }
            continue;
        }
        if layer == Layer::Split
            && let Some(next) = skip_join(bytes, at)
        {
            at = next;
            continue;
        }
        match bytes.get(at) {
            Some(&byte) if is_run(byte) || byte == b'.' => {
                at += 1;
                out.push(byte, at);
            }
            _ => return,
        }
    }
}

/// Joins the pieces of a broken token.
fn broken(bytes: &[u8], start: usize, limit: usize, out: &mut Decoded) {
    let mut at = start;
    while out.bytes.len() < limit && at < start + MAX_BROKEN {
        match bytes.get(at) {
            Some(&byte) if breaks::is_piece(byte) => {
                at += 1;
                out.push(byte, at);
            }
            Some(_) => match breaks::skip(bytes, at) {
                Some(gap) => at = gap.end,
                None => return,
            },
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(scheme: Scheme, text: &str) -> String {
        let mut out = Decoded::default();
        scheme.decode(text.as_bytes(), 0, 100, &mut out);
        assert_eq!(out.bytes.len(), out.ends.len());
        assert!(out.ends.is_sorted() && out.ends.iter().all(|&end| end <= text.len()));
        String::from_utf8(out.bytes).expect("ASCII")
    }

    #[test]
    fn text_is_decoded_to_its_end() {
        for (scheme, text, plain) in [
            (Scheme::Base64 { skip: 0 }, "aGVsbG8gd29ybGQ= x", "hello world"),
            (Scheme::Base64 { skip: 0 }, "aGVs\n  # bG8gd2\\n9ybGQ", "hello world"),
            (Scheme::Base64 { skip: 0 }, "aGVs\" +\n\"bG8", "hello"),
            (Scheme::Base64Utf16 { skip: 0 }, "aABlAGwAbABvAA==", "hello"),
            (Scheme::Hex, "68656c6C6Fzz", "hello"),
            (Scheme::Text(Layer::Percent), "h%65llo%5f%2D %", "hello_-"),
            (Scheme::Text(Layer::Unicode), "h\\u0065l\\u{6c}o\\u12", "hello"),
            (Scheme::Text(Layer::HexEscape), "\\x68ello\\x5F\"", "hello_"),
            (Scheme::Text(Layer::Html), "h&#101;l&#x6C;o&lowbar;&#0095;&amp;", "hello__"),
            (Scheme::Text(Layer::QuotedPrintable), "he=\r\nllo=5F=\n!", "hello_"),
            (Scheme::Text(Layer::Split), "he\" + \"l\"\n   'lo\\\n  _\" + x", "hello_"),
        ] {
            assert_eq!(decoded(scheme, text), plain, "{text}");
        }
    }

    #[test]
    fn literals_are_joined_as_in_common_languages() {
        for joined in [
            "a\" + \"b",
            "a' 'b",
            "a\"\n    \"b",
            "a\" .\n \"b",
            "a\" .. \"b",
            "a\\\nb",
            "a\" \\\n \"b",
            "a\" + b\"b",
            "a\" & _\n \"b",
            "a\" || 'b",
            "a\\\" + \\\"b",
            "a\" <> \"b",
        ] {
            assert_eq!(decoded(Scheme::Text(Layer::Split), joined), "ab", "{joined}");
        }
        for apart in ["a\", \"b", "a\" x \"b", "a\";\n\"b", "a\nb", "a\" - \"b", "a\" + foo + \"b"]
        {
            assert_eq!(decoded(Scheme::Text(Layer::Split), apart), "a", "{apart}");
        }
    }
}
