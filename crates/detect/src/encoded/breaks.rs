//! Skips gaps: characters between the pieces of a token that a line width, a document format or a
//! terminal has broken.
//!
//! Input: bytes and an offset. Output: the offset of the next piece, and the kind of gap. It decodes
//! nothing and does not decide whether the pieces are a token.
//!
//! A gap consists of any number of these, with at most one line end:
//! - a line end with blanks, quotation marks or a comment mark around it, as mail headers, iCalendar,
//!   LDIF, manifests and terminals fold lines; a backslash before it; or a line end written as `\n`;
//! - tags of HTML and XML, with blanks between tags; also if `<` and `>` are escaped for JSON or HTML;
//! - ANSI control sequences and hyperlinks, also with the escape character written as `\x1b` or similar;
//! - characters without a width, such as the zero-width space and the soft hyphen, also as character
//!   references or `\u` escapes.
//!
//! The columns of a hex dump before the characters of its next line are a gap on their own ([`dump`]).

use super::class::is_run;
use super::dump;
use crate::encoding::Layer;

/// Maximum length of a gap, in bytes: the properties of a run in a document have a few hundred.
pub(crate) const MAX_BREAK: usize = 1024;

/// Maximum length of a tag or a hyperlink, in bytes.
const MAX_TAG: usize = 512;

/// One part of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    layer: Layer,
    len: usize,
}

/// A gap in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Break {
    /// The kind of its first part.
    pub(super) layer: Layer,
    /// The offset after it.
    pub(super) end: usize,
}

/// Returns `true` if a piece of a token can contain a byte.
#[inline]
pub(crate) fn is_piece(byte: u8) -> bool {
    is_run(byte) || byte == b'.'
}

/// Reads the gap at an offset. It ends at the next piece.
pub(super) fn skip(bytes: &[u8], at: usize) -> Option<Break> {
    read(bytes, at).filter(|gap| bytes.get(gap.end).is_some_and(|&byte| is_piece(byte)))
}

/// Returns the offset after the bytes that decide that there is no gap at an offset.
pub(super) fn reach(bytes: &[u8], at: usize) -> usize {
    let end = read(bytes, at).map_or(at, |gap| gap.end);
    if bytes.get(end).is_none_or(|byte| b" \t\r\n\\<&^|\x1b\xc2\xe2\xef".contains(byte)) {
        at + MAX_BREAK
    } else {
        end + 1
    }
}

/// Returns `true` if the bytes end in a gap that begins at an offset and may continue.
pub(super) fn is_open(bytes: &[u8], at: usize) -> bool {
    let end = read(bytes, at).map_or(at, |gap| gap.end);
    let rest = &bytes[end..];
    end - at < MAX_BREAK && (dump::is_open(rest) || rest.len() < MAX_TAG && may_be_cut(rest))
}

/// Returns `true` if a gap may begin with these bytes.
#[inline]
pub(super) fn may_begin(rest: &[u8]) -> bool {
    let after = &rest[blanks(rest)..];
    let is_blank = after.len() < rest.len();
    after.first().is_some_and(|byte| match byte {
        b'\r' | b'\n' | b'\\' => true,
        byte => !is_blank && b"<&^|\x1b\xc2\xe2\xef".contains(byte),
    })
}

/// Reads the longest gap at an offset, whatever follows.
fn read(bytes: &[u8], at: usize) -> Option<Break> {
    let last = bytes.len().min(at + MAX_BREAK);
    if let Some(len) = dump::skip(&bytes[at..last]) {
        return Some(Break { layer: Layer::Folded, end: at + len });
    }
    let mut first = None;
    let (mut end, mut is_folded) = (at, false);
    while end < last {
        let rest = &bytes[end..last];
        let fold = || line_end(rest).filter(|_| !is_folded);
        let Some(part) =
            fold().or_else(|| control(rest)).or_else(|| invisible(rest)).or_else(|| tag(rest))
        else {
            break;
        };
        is_folded |= matches!(part.layer, Layer::Folded | Layer::Split);
        first = first.or(Some(part.layer));
        end += part.len;
    }
    first.map(|layer| Break { layer, end })
}

/// Maximum length of a part of a gap that ends with a letter or digit, in bytes: a control sequence.
const MAX_WORD_END: usize = 40;

/// Returns `true` if the letter or digit at `at` ends a control sequence or an escaped character without a
/// width, such as `ESC [ 0 m`.
pub(super) fn ends_at(bytes: &[u8], at: usize) -> bool {
    let least = (at + 1).saturating_sub(MAX_WORD_END);
    (least..at).rev().filter(|&start| matches!(bytes[start], 0x1b | b'\\' | b'^')).any(|start| {
        let rest = &bytes[start..=at];
        let part = control(rest).or_else(|| invisible(rest));
        part.is_some_and(|part| part.len == rest.len())
    })
}

/// Returns the offset of the control sequence that ends with the byte at `at`, if the same byte precedes the
/// sequence: a head that begins at `at` begins before the sequence as well, where it is found.
pub(crate) fn repeated_before(bytes: &[u8], at: usize) -> Option<usize> {
    let byte = *bytes.get(at)?;
    let least = (at + 1).saturating_sub(MAX_WORD_END).max(1);
    let start = (least..at).rev().find(|&start| bytes[start] == 0x1b)?;
    let is_end = control(&bytes[start..=at]).is_some_and(|part| part.len == at + 1 - start);
    (is_end && bytes[start - 1] == byte).then_some(start)
}

/// Returns `true` if these bytes, which are no part of a gap, may be the beginning of one.
fn may_be_cut(rest: &[u8]) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    match rest[0] {
        b' ' | b'\t' | b'\r' => rest.iter().all(is_blank),
        b'<' => !rest.contains(&b'>'),
        0x1b => rest.len() < 2 || rest[1] == b']' || rest.len() < 16,
        b'&' | b'\\' | b'^' => rest.len() < 24,
        0xc2 => rest.len() < 2,
        0xe2 | 0xef => rest.len() < 3,
        _ => false,
    }
}

fn blanks(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// Reads a line end, the blanks before it, and the blanks and marks after it.
fn line_end(rest: &[u8]) -> Option<Part> {
    let before = blanks(rest);
    let at_end = &rest[before..];
    let ends = [&b"\r\n"[..], b"\n", b"\r", b"\\\r\n", b"\\\n", b"\\r\\n", b"\\n"];
    let end = ends.into_iter().find(|end| at_end.starts_with(end))?;
    let is_continued = end.starts_with(b"\\") && end.ends_with(b"\n");
    let layer = if is_continued { Layer::Split } else { Layer::Folded };
    let mut len = before + end.len();
    len += blanks(&rest[len..]);
    // Marks of quotations and comments; base64url and paths begin with some of them, too.
    let marks = [&b"//"[..], b"--", b"#", b"*", b">", b";", b"%", b"|"];
    while let Some(mark) = marks.into_iter().find(|mark| rest[len..].starts_with(mark)) {
        let after = len + mark.len();
        let width = blanks(&rest[after..]);
        if width == 0 && mark != b">" {
            break;
        }
        len = after + width;
    }
    Some(Part { layer, len })
}

/// Reads an ANSI control sequence (`ESC [ 31 m`), a hyperlink or title (`ESC ] … BEL`), or the choice of a
/// character set (`ESC ( B`).
fn control(rest: &[u8]) -> Option<Part> {
    let escapes = [
        &b"\x1b"[..],
        b"\\u001b",
        b"\\u001B",
        b"\\x1b",
        b"\\x1B",
        b"\\033",
        b"\\e",
        b"^[",
        b"\\u{1b}",
    ];
    let escape = escapes.into_iter().find(|escape| rest.starts_with(escape))?;
    let body = &rest[escape.len()..];
    let len = match body.first()? {
        b'[' => {
            let parameters =
                body[1..].iter().take_while(|byte| (0x20..0x40).contains(*byte)).count();
            body.get(1 + parameters).filter(|byte| (0x40..0x7f).contains(*byte))?;
            parameters + 2
        }
        b']' => {
            let text = &body[..body.len().min(MAX_TAG)];
            let terminators = [&b"\x07"[..], b"\x1b\\", b"\\u0007", b"\\x07", b"\\a", b"\\007"];
            let end = |mark: &&[u8]| memchr::memmem::find(text, mark).map(|at| at + mark.len());
            terminators.iter().filter_map(end).min()?
        }
        b'(' | b')' if body.len() > 1 => 2,
        _ => return None,
    };
    Some(Part { layer: Layer::Ansi, len: escape.len() + len })
}

/// Returns `true` if a character has no width and may be within a word.
fn is_invisible(character: u32) -> bool {
    matches!(
        character,
        0xad | 0x34f | 0x61c | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2064
            | 0x2066..=0x206f | 0xfe00..=0xfe0f | 0xfeff
    )
}

/// Returns `true` if a character without a width begins these bytes.
pub(super) fn is_invisible_at(rest: &[u8]) -> bool {
    invisible(rest).is_some()
}

/// Reads a character without a width, also as a character reference or as an escape of JSON.
fn invisible(rest: &[u8]) -> Option<Part> {
    let part = |len| Some(Part { layer: Layer::Invisible, len });
    match rest.first()? {
        0xc2.. => {
            let len = match rest[0] {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => return None,
            };
            let text = std::str::from_utf8(rest.get(..len)?).ok()?;
            text.chars().all(|it| is_invisible(u32::from(it))).then_some(())?;
            part(len)
        }
        b'\\' => {
            let digits = rest.strip_prefix(b"\\u")?.get(..4)?;
            let value = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            is_invisible(value).then_some(())?;
            part(6)
        }
        b'&' => {
            let close = rest.iter().take(20).position(|&byte| byte == b';')?;
            let name = std::str::from_utf8(&rest[1..close]).ok()?;
            let value = match name.strip_prefix('#') {
                Some(number) => match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                },
                None => match name {
                    "shy" => 0xad,
                    "zwnj" | "zwj" | "ZeroWidthSpace" | "NoBreak" | "lrm" | "rlm" => 0x200b,
                    _ => return None,
                },
            };
            is_invisible(value).then_some(())?;
            part(close + 1)
        }
        _ => None,
    }
}

/// Reads a tag, and the blanks and line ends up to the next one.
fn tag(rest: &[u8]) -> Option<Part> {
    let brackets = [
        (&b"<"[..], &b">"[..]),
        (b"\\u003c", b"\\u003e"),
        (b"\\u003C", b"\\u003E"),
        (b"&lt;", b"&gt;"),
        (b"\\x3c", b"\\x3e"),
    ];
    let (open, close) = brackets.into_iter().find(|(open, _)| rest.starts_with(open))?;
    let body = &rest[open.len()..rest.len().min(open.len() + MAX_TAG)];
    let name = body.iter().find(|&&byte| byte != b'\\')?;
    if !(name.is_ascii_alphabetic() || matches!(name, b'/' | b'!')) {
        return None;
    }
    let end = memchr::memmem::find(body, close)?;
    if memchr::memchr(b'<', &body[..end]).is_some() {
        return None;
    }
    let len = open.len() + end + close.len();
    let spaces = rest[len..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let is_next = rest[len + spaces..].starts_with(open);
    Some(Part { layer: Layer::Markup, len: if is_next { len + spaces } else { len } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_skipped_to_the_next_piece() {
        for (gap, layer) in [
            ("\r\n ", Layer::Folded),
            ("\n", Layer::Folded),
            (" \r\n", Layer::Folded),
            ("\n> > ", Layer::Folded),
            ("\\r\\n ", Layer::Folded),
            ("\\\n   ", Layer::Split),
            ("\x1b[0m", Layer::Ansi),
            ("\x1b[38;2;1;2;3m\x1b[K", Layer::Ansi),
            ("\x1b]8;;http://x/\x1b\\", Layer::Ansi),
            ("\\u001b[31m", Layer::Ansi),
            ("\u{200b}", Layer::Invisible),
            ("\u{ad}\u{feff}\u{2060}", Layer::Invisible),
            ("&shy;", Layer::Invisible),
            ("&#8203;&#x200B;", Layer::Invisible),
            ("</w:t></w:r><w:r w:rsidR=\"0\"><w:rPr><w:b/></w:rPr>\n  <w:t>", Layer::Markup),
            ("<wbr>", Layer::Markup),
            ("\\u003c/b\\u003e", Layer::Markup),
            ("</span>\x1b[0m\u{200b}", Layer::Markup),
        ] {
            let text = format!("a{gap}b");
            let end = 1 + gap.len();
            assert_eq!(skip(text.as_bytes(), 1), Some(Break { layer, end }), "{gap:?}");
            for cut in 2..=end {
                assert!(
                    is_open(&text.as_bytes()[..cut], 1),
                    "{:?}",
                    &text.as_bytes()[..cut].escape_ascii().to_string()
                );
            }
        }
    }

    #[test]
    fn other_text_is_no_gap() {
        for text in [
            "a b", "a\n\nb", "a<3b", "a < b", "a<b", "a\u{e9}b", "a&amp;b", "a\n: b", "a\x1bb",
            "a, b",
        ] {
            assert_eq!(skip(text.as_bytes(), 1), None, "{text:?}");
        }
    }
}
