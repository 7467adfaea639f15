//! Finds base64 at the end of bytes that may continue in further lines or string literals.
//!
//! Input: the beginning of a stream. Output: the offset of the first run of base64 whose lines or
//! literals extend to the end. It follows the lines as the decoder does, whatever their length, but
//! decodes nothing: every run that looks like base64 counts.

use super::base64_run;
use super::class::MIN_RUN;
use super::class::looks_like_base64;
use super::digit::base64_digit;
use super::gap::{MAX_GAP, skip_fold, skip_join};
use super::runs::{self, EncodedRun};
use std::ops::Range;

/// Returns the start of the first base64 that may continue after the end of `bytes`.
///
/// A run does not count if it is base64 only because of a plain token that begins at `token`.
pub(super) fn start(bytes: &[u8], token: Option<usize>) -> Option<usize> {
    let (mut first, mut followed) = (None, 0);
    runs::walk(bytes, 0..bytes.len(), |found| {
        let EncodedRun::Base64OrHex(run) = found else { return };
        // Base64 that begins in a line of other base64 ends where that ends.
        if first.is_some() || run.end <= followed {
            return;
        }
        let end = token.filter(|at| run.contains(at)).unwrap_or(run.end);
        let own = &bytes[run.start..end];
        if own.len() < MIN_RUN || !looks_like_base64(own) {
            return;
        }
        // Padding ends base64, and an assigned value begins after the `=`.
        let padding = memchr::memrchr(b'=', &bytes[run.clone()]);
        let value = padding.map_or(run.start, |at| run.start + at + 1);
        if value == run.end {
            return;
        }
        match follow(bytes, value) {
            Continuation::Open => first = Some(run.start),
            Continuation::Closed(end) => followed = end,
        }
    });
    first
}

/// Returns the ranges of base64 whose content would be searched for encoded tokens, with all their lines. The
/// last range extends to the end of `bytes` if the base64 may continue there.
#[must_use]
pub fn nested_base64(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    runs::walk(bytes, 0..bytes.len(), |found| {
        let EncodedRun::Base64OrHex(run) = found else { return };
        let mut next = run.start;
        // Padding ends base64, and an assigned value begins after the `=`.
        for part in bytes[run].split_inclusive(|&byte| byte == b'=') {
            let start = next;
            next += part.len();
            let digits = part.strip_suffix(b"=").unwrap_or(part);
            let is_nested = digits.len() >= MIN_RUN
                && looks_like_base64(digits)
                && base64_run::content_from(bytes, start..start + digits.len()).is_some();
            if is_nested && all.last().is_none_or(|it| it.end <= start) {
                let end = end_of_base64(bytes, start).unwrap_or(bytes.len());
                all.push(start..end);
            }
        }
    });
    all
}

/// Returns the offset after base64 that continues at `start`, and after its padding; `None` if it may continue
/// after the end of `bytes`.
#[must_use]
pub fn end_of_base64(bytes: &[u8], start: usize) -> Option<usize> {
    match follow(bytes, start) {
        Continuation::Open => None,
        Continuation::Closed(end) => {
            let padding = bytes[end..].iter().take(2).take_while(|&&byte| byte == b'=').count();
            Some(end + padding)
        }
    }
}

/// Number of bytes at the end of a window that decide whether base64 may continue after it.
const TAIL: usize = 512;

/// Returns `true` if base64 with nested content may continue after the end of `bytes`. It need not begin in the
/// last bytes, which alone are inspected.
pub fn may_continue_base64(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(TAIL)..];
    if memchr::memchr(0, tail).is_none() {
        return start(tail, None).is_some();
    }
    // Without zeros, UTF-16 and UTF-32 are readable as text.
    let text: Vec<u8> = tail.iter().copied().filter(|&byte| byte != 0).collect();
    start(&text, None).is_some()
}

/// Whether base64 can continue after the end of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continuation {
    Open,
    /// The base64 ends at this offset.
    Closed(usize),
}

/// Follows base64 from line to line, or from literal to literal, to its end.
fn follow(bytes: &[u8], start: usize) -> Continuation {
    let mut at = start;
    loop {
        at += bytes[at..].iter().take_while(|&&byte| base64_digit(byte).is_some()).count();
        if at >= bytes.len() {
            return Continuation::Open;
        }
        match skip_fold(bytes, at).or_else(|| skip_join(bytes, at)) {
            // The gap may become longer.
            Some(next) if next < bytes.len() => at = next,
            Some(_) => return Continuation::Open,
            None if is_gap_beginning(&bytes[at..]) => return Continuation::Open,
            None => return Continuation::Closed(at),
        }
    }
}

/// Returns `true` if all of `rest` may be the beginning of the characters between two lines or
/// string literals.
fn is_gap_beginning(rest: &[u8]) -> bool {
    rest.len() < MAX_GAP && (is_fold_beginning(rest) || is_join_beginning(rest))
}

/// Returns `true` if `rest` may be the beginning of what [`skip_fold`] skips, or of a line that
/// ends in a backslash.
fn is_fold_beginning(rest: &[u8]) -> bool {
    let ends = [&b"\r\n"[..], b"\n", b"\\r\\n", b"\\n", b"\\\r\n", b"\\\n"];
    if ends.iter().any(|end| end.starts_with(rest)) {
        return true;
    }
    let Some(line) = ends.into_iter().find_map(|end| rest.strip_prefix(end)) else { return false };
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mark = line.split(is_blank).filter(|word| !word.is_empty());
    let marks = [&b"//"[..], b"--", b"#", b"*", b">", b";", b"%"];
    mark.clone().count() <= 1 && mark.clone().all(|word| marks.contains(&word))
}

/// Returns `true` if `rest` may be the beginning of what [`skip_join`] skips.
fn is_join_beginning(rest: &[u8]) -> bool {
    let is_join = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`\\+.<>&|~%_".contains(byte);
    // The second literal may have a prefix: b"…", u8"…".
    let others = rest.iter().filter(|byte| !is_join(byte));
    matches!(rest[0], b'\\' | b'"' | b'\'' | b'`')
        && others.clone().count() <= 2
        && others.clone().all(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "eyJhcGlWZXJzaW9uIjoidjEiLCJkYXRhIjp7InRva2VuIjoiWkdSd1lYUmZNVEl6";

    fn open(text: &str) -> Option<usize> {
        start(text.as_bytes(), None)
    }

    #[test]
    fn base64_is_open_at_every_offset_of_what_joins_its_lines() {
        for gap in [
            "\n",
            "\r\n",
            "\\n",
            "\\r\\n",
            "\n    ",
            "\n  # ",
            "\n// ",
            "\n-- ",
            "\n * ",
            "\n> ",
            "\n; ",
            "\" +\n  \"",
            "\" + b\"",
            "\"\n u8\"",
            "\\\" + \\\"",
            "\" & _\n \"",
            "\" || '",
            "\\\n   ",
            "\" <> \"",
            "\\\r\n ",
        ] {
            // The length of a line does not matter, only that of the first.
            for middle in ["", "Zm9v", LINE] {
                let text = format!("k: {LINE}{gap}{middle}");
                let text = if middle.is_empty() { text } else { format!("{text}{gap}Zm9v") };
                for end in 3 + LINE.len()..=text.len() {
                    assert_eq!(open(&text[..end]), Some(3), "{:?}", &text[..end]);
                }
            }
        }
    }

    #[test]
    fn base64_is_closed_by_padding_and_other_text() {
        for end in [
            "=\n",
            "==\n",
            ",\n",
            "\n\n",
            "\nfoo bar\n",
            "\", \"",
            "\";\n",
            "\n# # a",
            ": x",
            " \n",
        ] {
            assert_eq!(open(&format!("k: {LINE}{end}")), None, "{end:?}");
        }
        assert_eq!(open(&format!("k: {LINE},\nk: {LINE}\n")), Some(8 + LINE.len()));
    }

    #[test]
    fn open_base64_is_distinguished_from_other_text() {
        let base64 =
            "eyJhcGlWZXJzaW9uIjoidjEiLCJkYXRhIjp7InRva2VuIjoiWkdSd1lYUmZNVEl6TkRVMk56ZzVNREV5";
        for open in [
            base64.to_owned(),
            format!("{base64}\n  {base64}\n  eyJ"),
            format!("k: {base64}\n"),
            format!("\"{base64}\\n{base64}\\neyJ"),
            format!("\"{base64}\" +\n    \"eyJ"),
        ] {
            assert!(may_continue_base64(open.as_bytes()), "{open}");
            let wide: Vec<u8> = open.bytes().flat_map(|byte| [byte, 0]).collect();
            assert!(may_continue_base64(&wide) || wide.len() > TAIL, "{open}");
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
}
