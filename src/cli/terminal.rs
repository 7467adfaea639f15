//! The terminal that standard output is connected to: its size, and what it can show.
//!
//! Input: the environment and the terminal. Output: width, lines and support of links.

use std::io::{self, IsTerminal};
use terminal_size::{Height, Width, terminal_size_of};

/// Lines of a terminal that a report leaves free: the command line above it and the prompt below it.
const FREE_LINES: usize = 2;

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TerminalSize {
    pub(super) width: usize,
    lines: usize,
}

impl TerminalSize {
    /// Returns the size of the terminal of standard output; `None` if it is not a terminal. As in Git,
    /// COLUMNS and LINES take precedence.
    pub(super) fn of_stdout() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let variable =
            |name| std::env::var(name).ok()?.parse().ok().filter(|&size: &usize| size > 0);
        let (Width(width), Height(lines)) =
            terminal_size_of(io::stdout()).unwrap_or((Width(80), Height(24)));
        let size = |value: u16, default| if value == 0 { default } else { usize::from(value) };
        Some(Self {
            width: variable("COLUMNS").unwrap_or(size(width, 80)),
            lines: variable("LINES").unwrap_or(size(lines, 24)),
        })
    }

    /// Returns the number of lines that a report can fill.
    pub(super) fn free_lines(self) -> usize {
        self.lines.saturating_sub(FREE_LINES).max(1)
    }
}

/// Returns `true` if standard output is a terminal that shows links. Links are not colours, so NO_COLOR
/// has no effect on them; `FORCE_HYPERLINK=0` turns them off.
pub(super) fn shows_links() -> bool {
    io::stdout().is_terminal() && supports_hyperlinks::supports_hyperlinks()
}
