//! Decides by the first characters of a long run of base64 whether it is worth decoding.
//!
//! Input: a run. Output: the kind of its content (text, gzip or zlib), if any. It decodes only the
//! beginning.

use super::class::{MIN_RUN, looks_like_base64};
use super::digit::base64_digit;
use super::gap::{MAX_GAP, skip_fold};
use crate::encoding::Layer;
use std::ops::Range;

/// The minimum length of a run that is decoded as nested content, in characters: Ruby and `uuencode -m` write lines of
/// 60.
pub(super) const SHORTEST: usize = 60;

/// Number of characters at the beginning of a run of which some are letters of both cases and digits.
pub(super) const MIXED: usize = 64;

/// Returns `true` if the beginning of a run mixes characters as base64 does.
pub(super) fn is_mixed(run: &[u8]) -> bool {
    looks_like_base64(&run[..run.len().min(MIXED)])
}

/// The content of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text,
    Packed(Layer),
    /// An archive or compressed file in another format.
    Archive,
}

/// The first bytes of archives and compressed files that are unpacked if they are in base64.
const ARCHIVES: [&[u8]; 13] = [
    b"PK\x03\x04",
    b"PK\x07\x08PK\x03\x04",
    b"7z\xbc\xaf\x27\x1c",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"!<arch>\n",
    b"\xed\xab\xee\xdb",
    b"07070",
    b"SQLite format 3\0",
    b"%PDF-",
    b"PACK\0\0\0\x02",
    b"# v2 git bundle\n",
];

/// Returns `true` if bytes begin like an archive or a compressed file.
pub(super) fn is_archive(first: &[u8]) -> bool {
    let is_bzip2 = first.starts_with(b"BZh") && first.get(4..7) == Some(b"1AY");
    let is_tar = first.get(257..262) == Some(b"ustar");
    is_bzip2 || is_tar || ARCHIVES.iter().any(|magic| first.starts_with(magic))
}

/// Returns the content of a run of base64, if it is worth decoding.
fn content(run: &[u8]) -> Option<Content> {
    let mut first = [0; 48];
    for (group, out) in run.chunks_exact(4).zip(first.chunks_exact_mut(3)) {
        let mut bits = 0;
        for &byte in group {
            bits = bits << 6 | u32::from(base64_digit(byte)?);
        }
        out.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    let first = &first[..first.len().min(run.len() / 4 * 3)];
    if first.starts_with(&[0x1f, 0x8b, 8]) {
        return Some(Content::Packed(Layer::Gzip));
    }
    if is_archive(first) {
        return Some(Content::Archive);
    }
    // Deflate with a window of 32 KiB, and a header that is a multiple of 31.
    if first[0] == 0x78 && (u32::from(first[0]) << 8 | u32::from(first[1])).is_multiple_of(31) {
        return Some(Content::Packed(Layer::Zlib));
    }
    // The last character may be cut off.
    let valid = match std::str::from_utf8(first) {
        Ok(text) => text.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => 0,
    };
    let is_control = |byte: &&u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let is_plain = valid + 3 >= first.len() && first.iter().filter(is_control).count() <= 2;
    // UTF-16, as PowerShell encodes it.
    let is_wide = first.chunks_exact(2).filter(|unit| unit[1] == 0 && unit[0] != 0).count() + 2
        >= first.len() / 2;
    (is_plain || is_wide).then_some(Content::Text)
}

/// Maximum length of lines of folded base64.
const LONG_LINE: usize = 256;

/// Number of lines before a run that are inspected. One of as many begins with a whole group of four characters.
const LINES: usize = 4;

/// Number of bytes before a run that decide whether it belongs to the base64 of the lines before.
pub(crate) const LINES_LOOKBEHIND: usize = LINES * (LONG_LINE + MAX_GAP);

/// Returns the content of base64 whose first line is `run`, if it is worth decoding. Returns `None` if the run
/// belongs to the base64 of the lines before: if one of them has such content, and the run begins with one of its
/// groups of four characters.
pub(super) fn content_from(bytes: &[u8], run: Range<usize>) -> Option<Content> {
    let content = content(&bytes[run.clone()])?;
    // Among other base64, the two bytes that zlib begins with are no evidence.
    let is_weak = content == Content::Packed(Layer::Zlib);
    let mut line = run;
    let mut between = 0;
    for _ in 0..LINES {
        let Some(before) = line_before(bytes, line.start) else { break };
        // Lines of folded base64 are not longer than the first.
        if !(line.len().max(MIN_RUN)..=LONG_LINE).contains(&before.len()) {
            break;
        }
        between += before.len();
        if is_weak || between.is_multiple_of(4) && self::content(&bytes[before.clone()]).is_some() {
            return None;
        }
        line = before;
    }
    Some(content)
}

/// Returns the characters of base64 at the end of the line before the one that begins at `start`: at most one more than
/// lines of folded base64 have.
fn line_before(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let least = start.saturating_sub(MIN_RUN);
    let end = memchr::memrchr(b'\n', &bytes[least..start]).map(|at| least + at)?;
    let end = if end > 0 && bytes[end - 1] == b'\r' { end - 1 } else { end };
    let line = bytes[..end].iter().rev().take(LONG_LINE + 1);
    let len = line.take_while(|&&byte| base64_digit(byte).is_some()).count();
    (skip_fold(bytes, end) == Some(start)).then_some(end - len..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_characters_determine_the_content() {
        let text =
            "eyJhcGlWZXJzaW9uIjoidjEiLCJkYXRhIjp7InRva2VuIjoiWkdSd1lYUmZNVEl6TkRVMk56ZzVNREV5";
        assert_eq!(content(text.as_bytes()), Some(Content::Text));
        let gzip = "H4sIAAAAAAAAA8tIzcnJVyjPL8pJUQQALa4dWwwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(content(gzip.as_bytes()), Some(Content::Packed(Layer::Gzip)));
        for other in [
            "src/main/java/com/Example1/service/implementation/of/something/that/is/Long1",
            "a_long_identifier_that_goes_on_and_on_and_on_and_on_and_on_and_on_and_on_and",
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9aw",
        ] {
            assert_eq!(content(other.as_bytes()), None, "{other}");
        }
    }
}
