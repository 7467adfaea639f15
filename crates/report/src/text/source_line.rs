//! The source line of a place, with a caret line under the token.
//!
//! Input: a location and its redacted token. Output: two lines that fit the width of a terminal.

use super::line::{Line, Role, fitting};
use crate::document::LocationRecord;
use crate::escape::terminal;
use ddpatrol_scan::finding::Part;
use ddpatrol_token::secret::MASK;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The token in the text of a snippet.
struct Found<'a> {
    before: &'a str,
    token: &'a str,
    after: &'a str,
    /// Whether the snippet begins after the start of its line.
    is_cut: bool,
}

/// Returns the source line and the caret line; none for names and for locations without a snippet.
pub(super) fn lines(
    place: &LocationRecord,
    redacted: &str,
    indent: usize,
    width: Option<usize>,
) -> Vec<Line> {
    let snippet = place.snippet.text();
    if matches!(place.part, Part::Name | Part::Ref) || snippet.trim().is_empty() {
        return Vec::new();
    }
    let number = place.line.to_string();
    let room = width.map(|width| width.saturating_sub(indent + number.len() + 3).max(8));
    let gutter = |text: &str| {
        let mut line = Line::indented(indent);
        line.push(Role::Dim, &format!("{text} | "));
        line
    };
    let Some(found) = find(&snippet, place, redacted) else {
        let mut line = gutter(&number);
        line.push(Role::Plain, snippet.trim_end());
        return vec![line.cut(width)];
    };
    let (before, token) = (terminal(found.before), terminal(found.token));
    let after = terminal(found.after.trim_end());
    let token = match room {
        Some(room) if token.width() > room - 2 => {
            format!("{}…", &token[..fitting(&token, room - 3)]).into()
        }
        _ => token,
    };
    let ellipsis = if found.is_cut { "…" } else { "" };
    let (ellipsis, before) =
        shorten(&before, token.width(), room).map_or((ellipsis, &*before), |it| ("…", it));
    let mut line = gutter(&number);
    line.push(Role::Dim, ellipsis).push(Role::Plain, before);
    line.push(Role::Token, &token).push(Role::Plain, &after);
    let mut caret = gutter(&" ".repeat(number.len()));
    caret.push(Role::Plain, &" ".repeat(ellipsis.width() + before.width()));
    caret.push(Role::Live, &"^".repeat(token.width().max(1)));
    vec![line.cut(width), caret.cut(width)]
}

/// Drops the start of the text before a token, so that the token fits; `None` if it fits already.
fn shorten(before: &str, token: usize, room: Option<usize>) -> Option<&str> {
    let room = room?;
    if before.width() + token + 2 <= room {
        return None;
    }
    let kept = (room - token - 2) / 2;
    let mut start = before.len();
    let mut used = 0;
    for (at, c) in before.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > kept {
            break;
        }
        start = at;
    }
    Some(&before[start..])
}

/// Finds the token. Several tokens of a line can look the same, so the column decides.
fn find<'a>(text: &'a str, place: &LocationRecord, redacted: &str) -> Option<Found<'a>> {
    let shown = if text.contains(redacted) && !redacted.is_empty() { redacted } else { MASK };
    let units = |text: &str| text.encode_utf16().count() as u64;
    let column = place.column.saturating_sub(1);
    // Each equal token before it is shorter in the snippet than in the file.
    let hidden = place.length.saturating_sub(units(shown));
    let all: Vec<usize> = text.match_indices(shown).map(|(at, _)| at).collect();
    let expected = |index: usize, at: usize| {
        units(&text[..at]).saturating_add(hidden.saturating_mul(index as u64))
    };
    let exact = all.iter().enumerate().find(|&(index, &at)| expected(index, at) == column);
    let (index, &at) = exact.or_else(|| all.iter().enumerate().next())?;
    Some(Found {
        before: &text[..at],
        token: &text[at..at + shown.len()],
        after: &text[at + shown.len()..],
        is_cut: expected(index, at) < column && !text.starts_with('…'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::*;

    fn shown(snippet: &str, column: u64, width: Option<usize>) -> Vec<String> {
        let place = LocationRecord { snippet: clean(snippet), column, length: 40, ..place("a") };
        lines(&place, "t_***", 0, width)
            .iter()
            .map(|line| {
                let mut out = Vec::new();
                let paint = super::super::line::Paint { color: false, links: false };
                line.write(paint, &mut out).expect("a vector");
                String::from_utf8(out).expect("UTF-8").trim_end().to_owned()
            })
            .collect()
    }

    #[test]
    fn the_caret_line_is_under_the_token() {
        assert_eq!(shown("key = t_***;", 7, None), ["3 | key = t_***;", "  |       ^^^^^"]);
        assert_eq!(shown("日本 t_***", 4, None), ["3 | 日本 t_***", "  |      ^^^^^"]);
    }

    #[test]
    fn the_column_selects_one_of_several_equal_tokens() {
        let line = "t_*** t_*** t_***";
        assert_eq!(shown(line, 83, None)[1], "  |             ^^^^^");
        assert_eq!(shown(line, 42, None)[1], "  |       ^^^^^");
        assert_eq!(shown(line, 1, None)[1], "  | ^^^^^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_token() {
        let text = format!("{}t_***{}", "a".repeat(50), "b".repeat(50));
        let lines = shown(&text, 51, Some(30));
        assert_eq!(lines[0], "3 | …aaaaaaaaat_***bbbbbbbbbb…");
        assert_eq!(lines[1], "  |           ^^^^^");
        assert!(lines[0].chars().count() <= 30);
    }

    #[test]
    fn a_line_that_the_snippet_cuts_begins_with_an_ellipsis() {
        assert_eq!(shown("abc t_***", 500, None)[0], "3 | …abc t_***");
    }
}
