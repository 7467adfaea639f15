//! Escapes untrusted text for terminals, Markdown, workflow commands and URIs.
//!
//! Input: text or bytes. Output: text that is inert in its context. Secrets are masked elsewhere (`redact`).

use std::borrow::Cow;
use std::fmt::Write as _;

/// Marks a command of the old form for the GitHub runner, anywhere in a line (`ActionCommand.cs`).
const RUNNER: &str = "##[";

/// Escapes text for a terminal: characters that control the terminal or reorder text become visible.
///
/// Control characters, the separators U+2028 and U+2029, and marks that change direction or have no width
/// are written as `\u{1b}`, and so are commands of a GitHub runner.
#[must_use]
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) && !text.contains(RUNNER) {
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
    Cow::Owned(safe.replace(RUNNER, "##\\u{5b}"))
}

/// Returns `true` for a character that [`terminal`] replaces.
pub(crate) fn is_unsafe(c: char) -> bool {
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

/// Escapes text at the start of a terminal line, which may be the log of a GitHub workflow: the runner
/// executes lines that start with `::` as commands.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    let text = terminal(text);
    match text.trim_start().strip_prefix("::") {
        Some(rest) => Cow::Owned(format!("\\u{{3a}}:{rest}")),
        None => text,
    }
}

/// Formats text as code in Markdown, also in table cells: it contains no markup, links or mentions.
///
/// Text with a backtick, backslash or bar becomes HTML, because a bar after a backslash cannot be written in
/// the code span of a cell.
#[must_use]
pub fn markdown_code(text: &str) -> String {
    let text = terminal(text);
    let is_trimmed = text.trim() == text && !text.is_empty();
    if is_trimmed && !text.contains(['`', '|', '\\']) {
        return format!("`{text}`");
    }
    let mut safe = String::from("<code>");
    for c in text.chars() {
        let is_inert = "-/,=%+?;'\"()".contains(c);
        if c.is_ascii_punctuation() && !is_inert || c == ' ' && !is_trimmed {
            let _ = write!(safe, "&#{};", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe.push_str("</code>");
    safe
}

/// Escapes prose in Markdown, after the start of a line: markup becomes text, and words that GitHub would
/// turn into links or mentions become code.
#[must_use]
pub fn markdown(text: &str) -> String {
    let text = terminal(text);
    let mut words: Vec<String> = text.split(' ').map(markdown_word).collect();
    // Markers of lists and headings have an effect only at the start.
    if let Some(first) = words.first_mut()
        && (first.starts_with(['-', '+', '=']) || is_ordinal(first))
    {
        let rest = first.split_off(1);
        *first = first.bytes().map(|byte| format!("&#{byte};")).collect::<String>() + &rest;
    }
    words.join(" ")
}

/// Escapes prose in Markdown as [`markdown`] does; text between backticks becomes code.
#[must_use]
pub fn markdown_prose(text: &str) -> String {
    let mut safe = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = if at % 2 == 0 { markdown(part) } else { markdown_code(part) };
        // Two backticks in a row would be another delimiter.
        if safe.ends_with('`') && part.starts_with('`') {
            return markdown(text);
        }
        safe.push_str(&part);
    }
    safe
}

/// Returns `true` if a word starts an item of a numbered list.
fn is_ordinal(word: &str) -> bool {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < word.len() && rest.starts_with(['.', ')'])
}

fn markdown_word(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    let links = ["@", "#", "$", "://", "www.", "gh-"].iter().any(|it| lower.contains(it));
    if links || word.matches(':').count() > 1 {
        let code = word.trim_end_matches([',', '.', ';', ':']);
        return markdown_code(code) + &word[code.len()..];
    }
    let mut safe = String::with_capacity(word.len() + 4);
    for c in word.chars() {
        if "\\`*_[]<>&~|".contains(c) {
            let _ = write!(safe, "&#{};", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Escapes the message of a workflow command, as the Actions toolkit does.
#[must_use]
pub fn command_data(text: &str) -> String {
    terminal(text).replace('%', "%25")
}

/// Escapes a property value of a workflow command, as the Actions toolkit does.
#[must_use]
pub fn command_property(text: &str) -> String {
    command_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Returns `true` if a URL is a web page. Formats make no link of any other.
#[must_use]
pub fn is_web_page(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// Encodes bytes as the path of a URI (RFC 3986); unreserved characters and `/` are not encoded.
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
    fn terminal_control_characters_are_escaped() {
        assert_eq!(terminal("plain é日本 😀"), "plain é日本 😀");
        assert_eq!(terminal("a\x1b[31mb\r\nc\td"), "a\\u{1b}[31mb\\u{d}\\u{a}c d");
        assert_eq!(terminal("x\u{202e}y\u{9b}z"), "x\\u{202e}y\\u{9b}z");
    }

    #[test]
    fn text_never_becomes_a_workflow_command() {
        assert_eq!(terminal("a ##[add-mask]b"), "a ##\\u{5b}add-mask]b");
        assert_eq!(line(" ::error::x"), "\\u{3a}:error::x");
        assert_eq!(line("a::b"), "a::b");
        assert_eq!(command_data("50%\r\n::error::x"), "50%25\\u{d}\\u{a}::error::x");
        assert_eq!(command_property("a:b,c=d%\n"), "a%3Ab%2Cc=d%25\\u%7ba}".replace("%7b", "{"));
    }

    #[test]
    fn text_cannot_end_its_code_span_in_markdown() {
        assert_eq!(markdown_code("a_b*c<@x>#1"), "`a_b*c<@x>#1`");
        assert_eq!(markdown_code("a`|"), "<code>a&#96;&#124;</code>");
        assert_eq!(markdown_code("\\|"), "<code>&#92;&#124;</code>");
        assert_eq!(markdown_code(" a"), "<code>&#32;a</code>");
        assert_eq!(markdown_code("a\n|"), "<code>a&#92;u&#123;a&#125;&#124;</code>");
    }

    #[test]
    fn prose_in_markdown_has_no_markup_links_or_mentions() {
        assert_eq!(markdown("by hand, in one."), "by hand, in one.");
        assert_eq!(
            markdown("see https://x.org/a_b, @me: #1"),
            "see `https://x.org/a_b`, `@me`: `#1`"
        );
        assert_eq!(markdown("[x](javascript:y)"), "&#91;x&#93;(javascript:y)");
        assert_eq!(markdown("<!-- *a* |"), "&#60;!-- &#42;a&#42; &#124;");
        assert_eq!(markdown("1. - x :+1:"), "&#49;. - x `:+1`:");
    }

    #[test]
    fn commands_in_prose_become_code_in_markdown() {
        assert_eq!(markdown_prose("run `a *b*`, then _c_"), "run `a *b*`, then &#95;c&#95;");
        assert_eq!(markdown_prose("`a``b` *c*"), markdown("`a``b` *c*"));
        assert_eq!(markdown_prose("@me`a` *c*"), markdown("@me`a` *c*"));
        assert_eq!(markdown_prose("a ` <b>"), "a <code>&#32;&#60;b&#62;</code>");
    }

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri_path("a b/é#%?:x".as_bytes()), "a%20b/%C3%A9%23%25%3F%3Ax");
        assert_eq!(uri_path(b"\xff~_-."), "%FF~_-.");
    }

    #[test]
    fn every_character_that_controls_or_hides_text_is_escaped() {
        for (first, last) in [
            ('\u{0}', '\u{8}'),
            ('\u{a}', '\u{1f}'),
            ('\u{7f}', '\u{9f}'),
            ('\u{ad}', '\u{ad}'),
            ('\u{61c}', '\u{61c}'),
            ('\u{180e}', '\u{180e}'),
            ('\u{200b}', '\u{200f}'),
            ('\u{2028}', '\u{202e}'),
            ('\u{2060}', '\u{206f}'),
            ('\u{feff}', '\u{feff}'),
            ('\u{fff9}', '\u{fffb}'),
            ('\u{e0000}', '\u{e007f}'),
        ] {
            for c in first..=last {
                assert_eq!(terminal(&c.to_string()), format!("\\u{{{:x}}}", u32::from(c)));
            }
            for c in [u32::from(first).wrapping_sub(1), u32::from(last) + 1] {
                let c = char::from_u32(c).filter(|c| !"\t\u{7f}".contains(*c));
                let text = c.filter(|&c| !is_unsafe(c)).map(String::from).unwrap_or_default();
                assert_eq!(terminal(&text), text);
            }
        }
        assert_eq!(
            terminal(" ~\u{a0}\u{200a}\u{2010}\u{202f}\u{2070}"),
            " ~\u{a0}\u{200a}\u{2010}\u{202f}\u{2070}"
        );
    }

    #[test]
    fn runner_commands_are_escaped_anywhere_in_a_line() {
        assert_eq!(terminal("##[a]##[b]"), "##\\u{5b}a]##\\u{5b}b]");
        assert_eq!(terminal("# #[a]"), "# #[a]");
        assert_eq!(line("::a"), "\\u{3a}:a");
        assert_eq!(line(":a::"), ":a::");
        // Terminal escapes are applied first, so that none of them creates a command.
        assert_eq!(line("\u{200b}::a"), "\\u{200b}::a");
    }

    #[test]
    fn code_in_markdown_keeps_spaces_at_its_ends() {
        assert_eq!(markdown_code(""), "<code></code>");
        assert_eq!(markdown_code("a "), "<code>a&#32;</code>");
        assert_eq!(markdown_code("a b|"), "<code>a b&#124;</code>");
        assert_eq!(markdown_code("-/,=%+?;'\"()\\"), "<code>-/,=%+?;'\"()&#92;</code>");
    }

    #[test]
    fn words_that_github_links_become_code() {
        for word in ["$x", "gh-12", "GH-12", "WWW.x.org", "a@b", "x://y", "a:b:c"] {
            assert_eq!(markdown(word), format!("`{word}`"));
        }
        assert_eq!(markdown("(see #1)."), "(see `#1)`.");
        assert_eq!(markdown("a:b"), "a:b");
    }

    #[test]
    fn text_never_starts_a_list_or_a_heading() {
        for (text, expected) in [
            ("- a", "&#45; a"),
            ("+ a", "&#43; a"),
            ("=== a", "&#61;== a"),
            ("12. a", "&#49;2. a"),
            ("1) a", "&#49;) a"),
            ("1st a", "1st a"),
            (".5", ".5"),
            ("a - b", "a - b"),
        ] {
            assert_eq!(markdown(text), expected);
        }
        assert_eq!(markdown(""), "");
    }
}
