//! Decides by the first characters of a long run of base64 whether it is worth decoding.
//!
//! Input: a run. Output: the kind of its content (text, gzip or zlib), if any. It decodes only the
//! beginning.

use super::class::{MIN_RUN, is_run};
use super::digit::base64_digit;
use super::gap::skip_fold;
use crate::encoding::Layer;

/// The minimum length of a run that is decoded as nested content, in characters.
pub(super) const SHORTEST: usize = 64;

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

/// Returns `true` if a run mixes lower case, upper case and digits as base64 does. Most names, paths and
/// hexadecimal numbers do not.
pub(crate) fn looks_like_base64(run: &[u8]) -> bool {
    let mut kinds = 0;
    run.iter().any(|byte| {
        kinds |= match byte {
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 2,
            b'0'..=b'9' => 4,
            _ => 0,
        };
        kinds == 7
    })
}

/// Returns `true` if base64 with nested content may continue after the end of `bytes`.
pub fn may_continue_base64(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(256)..];
    let belongs = |byte: &&u8| is_run(**byte) || byte.is_ascii_whitespace();
    let len = tail.iter().rev().take_while(belongs).count();
    let tail = &tail[tail.len() - len..];
    let longest = tail.split(u8::is_ascii_whitespace).map(<[u8]>::len).max();
    len >= SHORTEST && longest >= Some(MIN_RUN) && looks_like_base64(tail)
}

/// Returns the content of a run of base64, if it is worth decoding.
pub(super) fn content(run: &[u8]) -> Option<Content> {
    let mut first = [0; 48];
    for (group, out) in run.chunks_exact(4).zip(first.chunks_exact_mut(3)) {
        let mut bits = 0;
        for &byte in group {
            bits = bits << 6 | u32::from(base64_digit(byte)?);
        }
        out.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    if first.starts_with(&[0x1f, 0x8b, 8]) {
        return Some(Content::Packed(Layer::Gzip));
    }
    if is_archive(&first) {
        return Some(Content::Archive);
    }
    // Deflate with a window of 32 KiB, and a header that is a multiple of 31.
    if first[0] == 0x78 && (u32::from(first[0]) << 8 | u32::from(first[1])).is_multiple_of(31) {
        return Some(Content::Packed(Layer::Zlib));
    }
    // The last character may be cut off.
    let valid = match std::str::from_utf8(&first) {
        Ok(text) => text.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => 0,
    };
    let is_control = |byte: &&u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let is_plain = valid > 44 && first.iter().filter(is_control).count() <= 2;
    // UTF-16, as PowerShell encodes it.
    let is_wide = first.chunks_exact(2).filter(|unit| unit[1] == 0 && unit[0] != 0).count() >= 22;
    (is_plain || is_wide).then_some(Content::Text)
}

/// Returns `true` if the run that begins at `start` continues the line before.
pub(super) fn continues(bytes: &[u8], start: usize) -> bool {
    let least = start.saturating_sub(MIN_RUN);
    let Some(end) = memchr::memrchr(b'\n', &bytes[least..start]).map(|at| least + at) else {
        return false;
    };
    let end = if end > 0 && bytes[end - 1] == b'\r' { end - 1 } else { end };
    let line =
        bytes[..end].iter().rev().take(MIN_RUN).take_while(|&&byte| base64_digit(byte).is_some());
    line.count() == MIN_RUN && skip_fold(bytes, end) == Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_base64_is_distinguished_from_other_text() {
        let base64 =
            "eyJhcGlWZXJzaW9uIjoidjEiLCJkYXRhIjp7InRva2VuIjoiWkdSd1lYUmZNVEl6TkRVMk56ZzVNREV5";
        for open in
            [base64.to_owned(), format!("{base64}\n  {base64}\n  eyJ"), format!("k: {base64}\n")]
        {
            assert!(may_continue_base64(open.as_bytes()), "{open}");
        }
        for closed in [
            "just Some words and Others 1 2 3 without any punctuation that go on and on and on",
            "d41d8cd98f00b204e9800998ecf8427ed41d8cd98f00b204e9800998ecf8427ed41d8cd98f00b204e",
            "eyJhcGlWZXJzaW9uIjoidjEi",
            "",
        ] {
            assert!(!may_continue_base64(closed.as_bytes()), "{closed}");
        }
        assert!(!may_continue_base64(format!("{base64}\", \"x\"").as_bytes()));
    }

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
