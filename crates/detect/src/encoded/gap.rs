//! Skips the characters between two lines of encoded text, or between two string literals.
//!
//! Input: bytes, and the offset where a line or literal ends. Output: the offset where the next one begins.
//! Prefixes that are not comment marks are skipped by [`super::line_prefix`]. It decodes nothing.

use super::class::MIN_RUN;
use super::digit::base64_digit;

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
