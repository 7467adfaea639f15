//! Escapes untrusted text for where it goes.

use std::borrow::Cow;
use std::fmt::Write as _;

/// By this the GitHub runner knows a command of the old form, anywhere in a line (`ActionCommand.cs`).
const RUNNER: &str = "##[";

/// Spells text for a terminal: what controls the terminal or reorders text becomes visible.
///
/// Control characters, the separators U+2028 and U+2029, and the marks that change direction or
/// have no width appear as `\u{1b}`, and so does what a GitHub runner would obey.
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

/// Spells text for the beginning of a line on a terminal that may be the log of a GitHub workflow: the
/// runner takes a line that begins with `::` for a command.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    let text = terminal(text);
    match text.trim_start().strip_prefix("::") {
        Some(rest) => Cow::Owned(format!("\\u{{3a}}:{rest}")),
        None => text,
    }
}

/// Spells text as code in Markdown, in table cells too: nothing in it is markup, a link or a mention.
///
/// A backtick, a backslash or a bar takes the form of HTML, as a bar behind a backslash cannot be
/// written into a cell's code span.
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

/// Spells prose in Markdown, behind the beginning of a line: what would be markup is text, and words
/// that GitHub makes links or mentions of are code.
#[must_use]
pub fn markdown(text: &str) -> String {
    let text = terminal(text);
    let mut words: Vec<String> = text.split(' ').map(markdown_word).collect();
    // What makes a list or a heading of what follows it does so at the beginning only.
    if let Some(first) = words.first_mut()
        && (first.starts_with(['-', '+', '=']) || is_ordinal(first))
    {
        let rest = first.split_off(1);
        *first = first.bytes().map(|byte| format!("&#{byte};")).collect::<String>() + &rest;
    }
    words.join(" ")
}

/// Tells whether a word is the beginning of an entry of a numbered list.
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

/// Spells the message of a workflow command, as the Actions toolkit does.
#[must_use]
pub fn command_data(text: &str) -> String {
    terminal(text).replace('%', "%25")
}

/// Spells the value of a workflow command's property, as the Actions toolkit does.
#[must_use]
pub fn command_property(text: &str) -> String {
    command_data(text).replace(':', "%3A").replace(',', "%2C")
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
    fn no_text_becomes_a_command_of_a_workflow() {
        assert_eq!(terminal("a ##[add-mask]b"), "a ##\\u{5b}add-mask]b");
        assert_eq!(line(" ::error::x"), "\\u{3a}:error::x");
        assert_eq!(line("a::b"), "a::b");
        assert_eq!(command_data("50%\r\n::error::x"), "50%25\\u{d}\\u{a}::error::x");
        assert_eq!(command_property("a:b,c=d%\n"), "a%3Ab%2Cc=d%25\\u%7ba}".replace("%7b", "{"));
    }

    #[test]
    fn code_in_markdown_ends_where_it_is_to_end() {
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
    fn paths_become_uris() {
        assert_eq!(uri_path("a b/é#%?:x".as_bytes()), "a%20b/%C3%A9%23%25%3F%3Ax");
        assert_eq!(uri_path(b"\xff~_-."), "%FF~_-.");
    }
    #[test]
    fn every_character_that_steers_or_hides_text_is_escaped() {
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
    fn what_a_runner_would_obey_is_broken_wherever_it_is() {
        assert_eq!(terminal("##[a]##[b]"), "##\\u{5b}a]##\\u{5b}b]");
        assert_eq!(terminal("# #[a]"), "# #[a]");
        assert_eq!(line("::a"), "\\u{3a}:a");
        assert_eq!(line(":a::"), ":a::");
        // The terminal's escapes come first, so that none of them makes a command.
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
    fn words_that_github_makes_links_of_are_code() {
        for word in ["$x", "gh-12", "GH-12", "WWW.x.org", "a@b", "x://y", "a:b:c"] {
            assert_eq!(markdown(word), format!("`{word}`"));
        }
        assert_eq!(markdown("(see #1)."), "(see `#1)`.");
        assert_eq!(markdown("a:b"), "a:b");
    }

    #[test]
    fn nothing_begins_a_list_or_a_heading() {
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
