//! Escapes untrusted text for where it goes.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Spells text for a terminal: what controls the terminal or reorders text becomes visible.
///
/// Control characters, the separators U+2028 and U+2029, and the marks that change direction or
/// have no width appear as `\u{1b}`.
#[must_use]
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\t' => safe.push(' '),
            c if is_unsafe(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Spells bytes as the path of a URI (RFC 3986): all but unreserved characters and `/` encoded.
#[must_use]
pub fn uri_path(path: &[u8]) -> String {
    let mut uri = String::with_capacity(path.len());
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(byte as char);
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        assert_eq!(terminal("plain é日本 😀"), "plain é日本 😀");
        assert_eq!(terminal("a\x1b[31mb\r\nc\td"), "a\\u{1b}[31mb\\u{d}\\u{a}c d");
        assert_eq!(terminal("x\u{202e}y\u{9b}z"), "x\\u{202e}y\\u{9b}z");
    }

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri_path("a b/é#%?:x".as_bytes()), "a%20b/%C3%A9%23%25%3F%3Ax");
        assert_eq!(uri_path(b"\xff~_-."), "%FF~_-.");
    }
}
