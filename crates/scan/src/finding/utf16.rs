//! Lines and columns of matches, including those in UTF-16 and UTF-32, whose code units have two or four
//! bytes.
//!
//! Input: byte ranges in a window. Output: positions in code units, if the start of the line is in the
//! window. Only the bytes of the window are read.

use crate::blob::{Position, Positions};
use ddpatrol_detect::encoding::{Encoding, Layer};
use std::ops::Range;

/// Distance between cached line counts, in bytes.
const STRIDE: usize = 4 * 1024;

/// The number of lines that end before a byte, and the start of its line.
#[derive(Clone, Copy, Debug, Default)]
struct LineMark {
    at: usize,
    lines: u64,
    line_start: Option<usize>,
}

/// Positions of matches in one window.
#[derive(Clone, Debug)]
pub(crate) struct TextPositions<'a> {
    bytes: &'a [u8],
    /// The offset of the window in its content.
    offset: u64,
    positions: Positions<'a>,
    newline: [u8; 2],
    /// Lines of UTF-16 passed so far, in ascending order.
    marks: Vec<LineMark>,
    last: LineMark,
}

impl<'a> TextPositions<'a> {
    /// Creates the positions for a window at an offset, whose first byte is at `start`.
    pub(crate) fn new(bytes: &'a [u8], offset: u64, start: Position) -> Self {
        Self {
            bytes,
            offset,
            positions: Positions::new(bytes, start),
            newline: [0; 2],
            marks: Vec::new(),
            last: LineMark::default(),
        }
    }

    /// Returns the start and end of a match.
    pub(crate) fn of(
        &mut self,
        matched: &Range<usize>,
        encoding: Encoding,
    ) -> (Position, Position) {
        let start = self.positions.at(matched.start);
        let line_start = self.positions.line_start();
        let mut end = start;
        end.advance(&self.bytes[matched.clone()]);
        if encoding.is_utf16() {
            self.in_utf16(start..end, line_start, matched, encoding)
        } else if encoding.is_utf32() {
            self.in_utf32(start..end, line_start, matched, encoding)
        } else {
            (start, end)
        }
    }

    /// Converts positions in bytes to positions in UTF-16 code units, if the line begins within the window. If
    /// the whole content is UTF-16, lines are counted in UTF-16 too.
    fn in_utf16(
        &mut self,
        counted: Range<Position>,
        line_start: Option<usize>,
        matched: &Range<usize>,
        encoding: Encoding,
    ) -> (Position, Position) {
        let Range { start, end } = counted;
        let is_marked = [b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| self.bytes.starts_with(*mark));
        let (mut line, mut line_start) = (start.line, line_start);
        if self.offset == 0 && is_marked {
            let mark = self.lines_before(matched.start, encoding);
            (line, line_start) = (1 + mark.lines, mark.line_start);
        }
        let line_start = match line_start {
            Some(line_start) => line_start,
            None if self.offset == 0 => usize::from(is_marked) * 2,
            None => return (start, end),
        };
        let column = (matched.start.saturating_sub(line_start) / 2 + 1) as u64;
        let end = match end.line == start.line {
            true => Position { line, column: column + (matched.len() / 2) as u64 },
            false => Position { line: end.line - start.line + line, ..end },
        };
        (Position { line, column }, end)
    }

    /// Converts positions in bytes to positions in characters of UTF-32, if the line begins within the window.
    fn in_utf32(
        &self,
        counted: Range<Position>,
        line_start: Option<usize>,
        matched: &Range<usize>,
        encoding: Encoding,
    ) -> (Position, Position) {
        let Range { start, end } = counted;
        let mark = match encoding.outermost() {
            Some(Layer::Utf32Be) => b"\0\0\xfe\xff",
            _ => b"\xff\xfe\0\0",
        };
        let line_start = match line_start {
            Some(line_start) => line_start,
            None if self.offset == 0 => {
                if self.bytes.starts_with(mark) {
                    mark.len()
                } else {
                    0
                }
            }
            None => return (start, end),
        };
        // In the little-endian order, the zeros of the newline precede the line.
        let column = 1 + (matched.start.saturating_sub(line_start) / 4) as u64;
        let last =
            if end.line == start.line { column + (matched.len() / 4) as u64 } else { end.column };
        (Position { column, ..start }, Position { column: last, ..end })
    }

    /// Counts the lines of UTF-16 that end before `at`.
    fn lines_before(&mut self, at: usize, encoding: Encoding) -> LineMark {
        // A newline has two bytes; a single newline byte may be part of another character.
        let newline = match encoding.outermost() {
            Some(Layer::Utf16Be) => [0, b'\n'],
            _ => [b'\n', 0],
        };
        if newline != self.newline {
            (self.newline, self.last) = (newline, LineMark::default());
            self.marks.clear();
        }
        let at = at & !1;
        if at < self.last.at {
            let known = self.marks.partition_point(|mark| mark.at <= at);
            self.last =
                known.checked_sub(1).map_or_else(LineMark::default, |known| self.marks[known]);
        }
        while at - self.last.at > STRIDE {
            self.advance(self.last.at + STRIDE);
            if self.marks.last().is_none_or(|mark| mark.at < self.last.at) {
                self.marks.push(self.last);
            }
        }
        self.advance(at);
        self.last
    }

    fn advance(&mut self, at: usize) {
        let first = self.last.at;
        let units = self.bytes[first..at].chunks_exact(2).enumerate();
        for (unit, _) in units.filter(|(_, unit)| **unit == self.newline) {
            self.last.lines += 1;
            self.last.line_start = Some(first + 2 * unit + 2);
        }
        self.last.at = at;
    }
}
