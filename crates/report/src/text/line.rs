//! Lines of the text report: pieces of text with a role, which is a colour on a terminal, and a link.
//!
//! Input: untrusted text, which is escaped when it is added. Output: lines, their width on a terminal, and
//! their bytes.

use crate::escape;
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The role of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    Path,
    Token,
    Live,
    Warning,
    Strong,
    Dim,
}

impl Role {
    fn style(self) -> Style {
        let plain = Style::new();
        let colored = |color: AnsiColor| plain.fg_color(Some(color.into()));
        match self {
            Self::Plain => plain,
            Self::Path => colored(AnsiColor::Cyan),
            Self::Token => colored(AnsiColor::Red),
            Self::Live => colored(AnsiColor::Red).bold(),
            Self::Warning => colored(AnsiColor::Yellow).bold(),
            Self::Strong => plain.bold(),
            Self::Dim => plain.dimmed(),
        }
    }
}

#[derive(Clone, Debug)]
struct Piece {
    role: Role,
    text: String,
    url: Option<String>,
}

/// How lines are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub(super) color: bool,
    pub(super) links: bool,
}

/// One line without its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pieces: Vec<Piece>,
}

impl Line {
    pub(super) fn of(role: Role, text: &str) -> Self {
        let mut line = Self::default();
        line.push(role, text);
        line
    }

    /// Creates a line that begins with `indent` spaces.
    pub(super) fn indented(indent: usize) -> Self {
        Self::of(Role::Plain, &" ".repeat(indent))
    }

    /// Adds text, which is escaped.
    pub(super) fn push(&mut self, role: Role, text: &str) -> &mut Self {
        self.push_linked(role, text, None)
    }

    /// Adds text, which is escaped, with a link.
    pub(super) fn push_linked(&mut self, role: Role, text: &str, url: Option<String>) -> &mut Self {
        let is_first = self.pieces.iter().all(|it| it.text.trim().is_empty());
        let text = if is_first { escape::line(text) } else { escape::terminal(text) };
        if !text.is_empty() {
            self.pieces.push(Piece { role, text: text.into_owned(), url });
        }
        self
    }

    /// Adds the pieces of another line.
    pub(super) fn append(&mut self, other: Self) -> &mut Self {
        self.pieces.extend(other.pieces);
        self
    }

    /// Returns its width in columns of a terminal.
    pub(super) fn width(&self) -> usize {
        self.pieces.iter().map(|it| it.text.width()).sum()
    }

    /// Returns the number of rows it occupies.
    pub(super) fn rows(&self, width: Option<usize>) -> usize {
        width.map_or(1, |width| self.width().div_ceil(width.max(1)).max(1))
    }

    /// Cuts it to a width; an ellipsis replaces the rest.
    pub(super) fn cut(mut self, width: Option<usize>) -> Self {
        let Some(width) = width.filter(|&width| self.width() > width) else { return self };
        let mut left = width.saturating_sub(1);
        let mut pieces = Vec::new();
        for mut piece in self.pieces {
            let kept = fitting(&piece.text, left);
            left -= piece.text[..kept].width();
            let is_cut = kept < piece.text.len();
            piece.text.truncate(kept);
            if is_cut {
                piece.text.push('…');
            }
            pieces.push(piece);
            if is_cut {
                break;
            }
        }
        self.pieces = pieces;
        self
    }

    /// Writes it with its end.
    pub(super) fn write(&self, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
        for Piece { role, text, url } in &self.pieces {
            let style = if paint.color { role.style() } else { Style::new() };
            let url = url.as_ref().filter(|_| paint.links);
            if let Some(url) = url {
                write!(out, "\x1b]8;;{url}\x1b\\")?;
            }
            write!(out, "{style}{text}{style:#}")?;
            if url.is_some() {
                write!(out, "\x1b]8;;\x1b\\")?;
            }
        }
        writeln!(out)
    }
}

/// Returns the length in bytes of the longest start of `text` that is at most `width` columns wide.
pub(super) fn fitting(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return at;
        }
    }
    text.len()
}

/// Breaks prose between words; the first line keeps its indentation, every other line is indented by
/// `indent`.
pub(super) fn wrap(role: Role, text: &str, indent: usize, width: Option<usize>) -> Vec<Line> {
    let text = escape::terminal(text);
    let Some(width) = width else { return vec![Line::of(role, &text)] };
    let mut lines = Vec::new();
    let words = text.trim_start_matches(' ');
    let mut line = " ".repeat(text.len() - words.len());
    let mut is_start = true;
    for word in words.split(' ') {
        if !is_start && line.width() + 1 + word.width() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        } else if !is_start {
            line.push(' ');
        }
        line.push_str(word);
        is_start = false;
    }
    lines.push(line);
    lines.iter().map(|line| Line::of(role, line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &Line) -> String {
        let mut out = Vec::new();
        line.write(Paint { color: false, links: true }, &mut out).expect("a vector");
        String::from_utf8(out).expect("UTF-8").trim_end_matches('\n').to_owned()
    }

    #[test]
    fn prose_is_wrapped_with_an_indent() {
        let lines = wrap(Role::Plain, "  1 aim  one two three", 7, Some(14));
        let lines: Vec<String> = lines.iter().map(text).collect();
        assert_eq!(lines, ["  1 aim  one", "       two", "       three"]);
        assert_eq!(wrap(Role::Plain, "a b", 2, None).len(), 1);
    }

    #[test]
    fn a_line_is_cut_by_columns_and_not_by_bytes() {
        let mut line = Line::of(Role::Path, "日本語");
        line.push(Role::Plain, "abc");
        assert_eq!((line.width(), line.rows(Some(4)), line.rows(None)), (9, 3, 1));
        assert_eq!(text(&line.clone().cut(Some(8))), "日本語a…");
        assert_eq!(text(&line.clone().cut(Some(4))), "日…");
        assert_eq!(text(&line.cut(None)), "日本語abc");
    }

    #[test]
    fn links_surround_their_text_only() {
        let mut line = Line::default();
        line.push_linked(Role::Plain, "rule", Some("https://a.example".to_owned()));
        line.push(Role::Plain, " x");
        assert_eq!(text(&line), "\x1b]8;;https://a.example\x1b\\rule\x1b]8;;\x1b\\ x");
    }

    #[test]
    fn no_text_of_a_line_controls_the_terminal_or_a_workflow() {
        let mut line = Line::indented(2);
        line.push(Role::Path, "::error::\u{1b}[31m");
        assert_eq!(text(&line), "  \\u{3a}:error::\\u{1b}[31m");
    }
}
