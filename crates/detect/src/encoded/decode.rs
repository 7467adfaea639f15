//! Decodes from a position, as many bytes as a token needs.
//!
//! Input: text, a position and a scheme. Output: the decoded bytes, each with the offset of its end in the
//! text. It does not decide whether they are a token.

use super::class::{MIN_RUN, is_run};
use super::gap;
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
}

impl Decoded {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
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
        out.clear();
        match self {
            Self::Base64 { skip } => base64(bytes, start, skip, limit, out),
            Self::Base64Utf16 { skip } => {
                base64(bytes, start, skip, 2 * limit, out);
                out.halve();
            }
            Self::Hex => hex(bytes, start, limit, out),
            Self::Text(layer) => text(bytes, start, layer, limit, out),
            Self::Broken(_) => broken(bytes, start, limit, out),
        }
    }
}

/// Returns the value of a base64 digit, in either alphabet.
pub(super) const fn base64_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Decodes base64 whose first character has `skip` bits of the preceding text.
fn base64(bytes: &[u8], start: usize, skip: u8, limit: usize, out: &mut Decoded) {
    let (mut held, mut bits) = (0_u32, 0_u32);
    let mut at = start;
    let mut is_first = true;
    while out.bytes.len() < limit {
        let Some(&byte) = bytes.get(at) else { return };
        let Some(digit) = base64_digit(byte) else {
            match skip_fold(bytes, at).or_else(|| skip_join(bytes, at)) {
                Some(next) if !is_first => at = next,
                _ => return,
            }
            continue;
        };
        at += 1;
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

fn hex(bytes: &[u8], start: usize, limit: usize, out: &mut Decoded) {
    for (at, pair) in bytes[start..].chunks_exact(2).take(limit).enumerate() {
        let Some((high, low)) = hex_digit(pair[0]).zip(hex_digit(pair[1])) else { return };
        out.push(high << 4 | low, start + 2 * at + 2);
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
            Some(&byte) if gap::is_piece(byte) => {
                at += 1;
                out.push(byte, at);
            }
            Some(_) => match gap::skip(bytes, at) {
                Some(gap) => at = gap.end,
                None => return,
            },
            None => return,
        }
    }
}

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
            _ => return None,
        },
    };
    Some(Unescaped::byte(u8::try_from(value).ok()?, close + 1))
}

/// Maximum number of bytes between the end of one line or literal and the first character of the next.
pub(super) const MAX_GAP: usize = 80;

/// Maximum number of bytes around a line of base64 that decide whether it continues.
pub(super) const FOLD_CONTEXT: usize = MAX_GAP + 2 * MIN_RUN + 2;

/// Skips a line break and the whitespace, comment mark or quotation mark before the text of the next line.
/// The line break may be written as `\n`.
pub(super) fn skip_fold(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..bytes.len().min(at + MAX_GAP)];
    let ends = [&b"\r\n"[..], b"\n", b"\\r\\n", b"\\n"];
    let mut len = ends.into_iter().find(|end| rest.starts_with(end))?.len();
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    len += rest[len..].iter().take_while(|byte| is_blank(byte)).count();
    let marks = [&b"//"[..], b"--", b"#", b"*", b">", b";", b"%"];
    if let Some(mark) = marks.into_iter().find(|mark| rest[len..].starts_with(mark)) {
        let behind = len + mark.len();
        let blanks = rest[behind..].iter().take_while(|byte| is_blank(byte)).count();
        // A mark without a blank may be text: base64 can begin with two slashes.
        if blanks > 0 {
            len = behind + blanks;
        }
    }
    rest.get(len).filter(|&&byte| base64_digit(byte).is_some()).map(|_| at + len)
}

/// Skips the characters that join two string literals: the closing quote, an operator or a line break, and
/// the opening quote; or a backslash at the end of a line.
pub(super) fn skip_join(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..bytes.len().min(at + MAX_GAP)];
    let blanks =
        |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    for end in [&b"\\\r\n"[..], b"\\\n"] {
        if rest.starts_with(end) {
            // The next line may be indented inside the quotes.
            return Some(at + end.len() + blanks(end.len()));
        }
    }
    // Quotes may be escaped in code inside a string.
    let quote = |from: usize| {
        let escaped = rest[from..].iter().take_while(|&&byte| byte == b'\\').count().min(3);
        let mark = *rest.get(from + escaped)?;
        matches!(mark, b'"' | b'\'' | b'`').then_some(from + escaped + 1)
    };
    let mut len = quote(0)?;
    len += blanks(len);
    // `\` continues a line of Python, `_` and `&` one of Basic.
    let operators = [&b"+"[..], b"..", b".", b"<>", b"++", b"&", b"||", b"~", b"\\", b"%"];
    if let Some(operator) = operators.into_iter().find(|it| rest[len..].starts_with(it)) {
        len += operator.len();
        len += blanks(len);
        // `& _` of Basic.
        if rest[len..].starts_with(b"_") && blanks(len + 1) > 0 {
            len += 1 + blanks(len + 1);
        }
    }
    // The second literal may have a prefix: b"…", r"…", f"…", L"…", u8"…".
    let prefix = rest[len..].iter().take(2).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if let Some(opened) = quote(len) {
        return Some(at + opened);
    }
    quote(len + prefix).map(|opened| at + opened)
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

    #[test]
    fn lines_of_base64_are_folded_in_every_kind_of_text() {
        for folded in
            ["A\nb", "A\r\n  b", "A\\nb", "A\\r\\nb", "A\n// b", "A\n * b", "A\n#   b", "A\n> b"]
        {
            assert_eq!(skip_fold(folded.as_bytes(), 1), Some(folded.len() - 1), "{folded}");
        }
        for apart in ["A b", "A\n\nb", "A\n# # b", "A\n:b"] {
            assert_eq!(skip_fold(apart.as_bytes(), 1), None, "{apart}");
        }
    }
}
