//! Finds base64 at the end of bytes that may continue in further lines or string literals.
//!
//! Input: the beginning of a stream. Output: the offset of the first run of base64 whose lines or
//! literals extend to the end. It follows the lines as the decoder does, whatever their length, but
//! decodes nothing: every run that looks like base64 counts.

use super::base64_run::{self, looks_like_base64};
use super::class::MIN_RUN;
use super::digit::base64_digit;
use super::gap::{MAX_GAP, skip_fold, skip_join};
use super::runs::{self, EncodedRun};

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

/// Returns `true` if `bytes` end in base64 that may continue, and whose content is searched for encoded tokens.
#[must_use]
pub fn ends_in_nested_base64(bytes: &[u8]) -> bool {
    let Some(start) = start(bytes, None) else { return false };
    let digits = bytes[start..].iter().take_while(|&&byte| base64_digit(byte).is_some()).count();
    base64_run::content(&bytes[start..start + digits]).is_some()
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
}
