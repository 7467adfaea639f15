//! Shared helpers of the page: visible text, truncated lists, and writing in pieces.
//!
//! Markup comes from `maud`, which escapes every value. A piece is small; the page is never held as
//! a whole.

use crate::escape::{is_web_page, terminal};
use ddpatrol_scan::quantity::number;
use maud::{Markup, PreEscaped, html};
use std::borrow::Cow;
use std::io::{self, Write};

/// Maximum number of entries of a list other than the findings.
pub(super) const MAX_ENTRIES: usize = 1_000;

/// How much of a finding is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DetailLevel {
    /// Everything.
    Whole,
    /// Few places, and no steps.
    Short,
}

/// Marks where a frame takes its content. Escaped text cannot contain it.
pub(super) const CONTENT: PreEscaped<&str> = PreEscaped("<!--content-->");

/// Returns text with its control characters and direction marks made visible.
///
/// `maud` escapes what is special in HTML, but lets these pass.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    terminal(text)
}

/// Returns text as code.
pub(super) fn code(text: &str) -> Markup {
    html! { code { (visible(text)) } }
}

/// Returns a sentence; text between backticks becomes code.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 0 { (visible(part)) } @else { (code(part)) }
        }
    }
}

/// Returns content, as a link if there is a web page for it.
///
/// Documents contain only `http` and `https` links; any other is not made a link here either.
pub(super) fn web_link(url: Option<&str>, content: Markup) -> Markup {
    html! {
        @if let Some(url) = url.filter(|it| is_web_page(it)) {
            a href=(visible(url)) target="_blank" rel="noopener" { (content) }
        } @else {
            (content)
        }
    }
}

/// Returns a paragraph with the number of entries that a list of at most `most` omits.
pub(super) fn omitted(all: usize, most: usize) -> Markup {
    let omitted = all.saturating_sub(most);
    html! {
        @if omitted > 0 {
            p.more {
                "And " (number(omitted)) " more, which " code { "--report json" } " lists."
            }
            "\n"
        }
    }
}

/// Writes a piece of the page.
///
/// # Errors
/// Returns the error of writing to `out`.
pub(super) fn put(piece: &Markup, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(piece.0.as_bytes())
}

/// Writes a frame whose content, at [`CONTENT`], is written piece by piece.
///
/// # Errors
/// Returns the error of writing to `out`.
pub(super) fn put_around(
    frame: &Markup,
    out: &mut dyn Write,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let (before, after) = frame.0.split_once(CONTENT.0).unwrap_or((&frame.0, ""));
    out.write_all(before.as_bytes())?;
    content(out)?;
    out.write_all(after.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\"><script>'&amp;\u{202e}<!--content-->";

    #[test]
    fn text_contains_neither_tags_nor_ends_of_attributes_nor_direction_marks() {
        let escaped = "&quot;&gt;&lt;script&gt;'&amp;amp;\\u{202e}&lt;!--content--&gt;";
        let page = html! { p title=(visible(HOSTILE)) { (visible(HOSTILE)) } };
        assert_eq!(page.0, format!("<p title=\"{escaped}\">{escaped}</p>"));
    }

    #[test]
    fn content_is_written_where_the_frame_takes_it() {
        let mut out = Vec::new();
        let frame = html! { ul title="<!--content-->" { (CONTENT) } };
        put_around(&frame, &mut out, |out| put(&html! { li { "a" } }, out)).expect("written");
        let page = String::from_utf8(out).expect("text");
        assert_eq!(page, "<ul title=\"&lt;!--content--&gt;\"><li>a</li></ul>");
    }

    #[test]
    fn commands_in_sentences_become_code() {
        assert_eq!(prose("run `a <b>`, then c").0, "run <code>a &lt;b&gt;</code>, then c");
        assert_eq!(prose("no command").0, "no command");
        assert_eq!(prose("one ` <b>").0, "one <code> &lt;b&gt;</code>");
    }

    #[test]
    fn only_web_pages_become_links() {
        let of = |url| web_link(Some(url), code("a")).0;
        assert!(of("https://example.org/a\"b").contains("href=\"https://example.org/a&quot;b\""));
        for url in ["javascript:alert(1)", " https://a", "//a", "file:///a", "data:text/html,a"] {
            assert_eq!(of(url), "<code>a</code>");
        }
        assert_eq!(web_link(None, code("a")).0, "<code>a</code>");
    }

    #[test]
    fn only_truncated_lists_count_the_omitted_entries() {
        assert_eq!(omitted(3, 3).0, "");
        assert!(omitted(1_204, 3).0.contains("And 1,201 more, which"));
    }
}
