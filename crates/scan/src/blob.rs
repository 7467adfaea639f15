//! A blob: bytes to search, with their origin.
//!
//! A blob is whole, or one of consecutive windows. A window records its offset and position in the whole,
//! since some inputs cannot be read twice, and the range of bytes that it owns; the others are context
//! that another window owns. Nothing is read here.

use crate::place::{Place, PlaceRef};
use crate::word::utf16_len;
use ddpatrol_pack::{Kind, ObjectId};
use std::ops::Range;
use std::sync::Arc;

/// The origin of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// The content of a file.
    File(PlaceRef<'a>),
    /// The name of a file or folder, the last component of this path.
    Name(PlaceRef<'a>),
    /// Standard input.
    Stdin,
    /// A git object of this kind.
    Object(ObjectId, Kind),
    /// The Git LFS object whose pointer is this blob.
    Lfs(ObjectId),
    /// A text that the source identifies by this number, such as a name in a change.
    Text(u32),
    /// The name of a git reference of the repository at this place.
    Ref(&'a Place, &'a [u8]),
}

/// A line and column in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1; lines end with `\n`.
    pub line: u64,
    /// The column in UTF-16 code units, from 1, as SARIF and editors count.
    pub column: u64,
}

/// One window of a blob, or the whole of it.
#[derive(Clone, Debug)]
pub struct Blob<'a> {
    /// The origin of the bytes.
    pub origin: Origin<'a>,
    /// The bytes of the window and its context.
    pub bytes: &'a [u8],
    /// The offset of the first byte in the whole.
    pub offset: u64,
    /// The position of the first byte in the whole.
    pub position: Position,
    /// The part of `bytes` that the window owns: tokens that begin there are reported for it.
    pub own: Range<usize>,
    /// The description of the container image layer around it.
    pub layer: Option<&'a Arc<str>>,
}

/// The context of the windows of a stream, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Before the first own byte.
    pub before: usize,
    /// After the last own byte.
    pub after: usize,
}

impl<'a> Blob<'a> {
    /// Creates a blob that is not split into windows.
    #[must_use]
    pub fn whole(origin: Origin<'a>, bytes: &'a [u8]) -> Self {
        let position = Position::start_of(bytes);
        Self { origin, bytes, offset: 0, position, own: 0..bytes.len(), layer: None }
    }

    /// Returns the position of the byte at `index`, 0 to the number of bytes.
    #[must_use]
    pub fn position_at(&self, index: usize) -> Position {
        let mut position = self.position;
        position.advance(&self.bytes[..index]);
        position
    }
}

impl Position {
    /// The position of the first byte of a text that begins with `bytes`.
    ///
    /// A UTF-8 byte order mark belongs to the file, not to its text: it takes no column.
    #[must_use]
    pub fn start_of(bytes: &[u8]) -> Self {
        let column = if bytes.starts_with(b"\xef\xbb\xbf") { 0 } else { 1 };
        Self { line: 1, column }
    }

    /// Advances past `bytes`.
    pub fn advance(&mut self, bytes: &[u8]) {
        match memchr::memrchr(b'\n', bytes) {
            Some(last) => {
                self.line += 1 + memchr::memchr_iter(b'\n', &bytes[..last]).count() as u64;
                self.column = 1 + utf16_len(&bytes[last + 1..]);
            }
            None => self.column += utf16_len(bytes),
        }
    }
}

/// Distance between the positions that [`Positions`] caches, in bytes.
const STRIDE: usize = 4 * 1024;

/// Computes positions in a blob, in any order: each costs at most the distance to the last one or
/// 4 KiB, whichever is less.
#[derive(Clone, Debug)]
pub struct Positions<'a> {
    bytes: &'a [u8],
    first: Checkpoint,
    last: Checkpoint,
    /// The positions passed so far, in ascending order.
    marks: Vec<Checkpoint>,
}

/// An index and its position.
#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    index: usize,
    position: Position,
    /// The index after the last newline before it, if there is one.
    line_start: Option<usize>,
}

impl<'a> Positions<'a> {
    /// Prepares for bytes of which the first is at `start`.
    pub fn new(bytes: &'a [u8], start: Position) -> Self {
        let first = Checkpoint { index: 0, position: start, line_start: None };
        Self { bytes, first, last: first, marks: Vec::new() }
    }

    /// Returns the position of the byte at `index`, 0 to the number of bytes.
    pub fn at(&mut self, index: usize) -> Position {
        if index < self.last.index {
            let known = self.marks.partition_point(|mark| mark.index <= index);
            self.last = known.checked_sub(1).map_or(self.first, |known| self.marks[known]);
        }
        while index - self.last.index > STRIDE {
            self.advance(self.last.index + STRIDE);
            if self.marks.last().is_none_or(|mark| mark.index < self.last.index) {
                self.marks.push(self.last);
            }
        }
        self.advance(index);
        self.last.position
    }

    /// Returns the start of the line of the last queried index; `None` if no newline precedes it in the
    /// bytes.
    pub fn line_start(&self) -> Option<usize> {
        self.last.line_start
    }

    fn advance(&mut self, index: usize) {
        let passed = &self.bytes[self.last.index..index];
        if let Some(newline) = memchr::memrchr(b'\n', passed) {
            self.last.line_start = Some(self.last.index + newline + 1);
        }
        self.last.position.advance(passed);
        self.last.index = index;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(text: &str) -> Position {
        let before = text.rsplit('\n').next().unwrap_or("");
        let line = text.chars().filter(|&c| c == '\n').count() as u64 + 1;
        Position { line, column: before.encode_utf16().count() as u64 + 1 }
    }

    proptest! {
        #[test]
        fn positions_are_those_of_the_decoded_text_however_it_is_cut(
            text in "(\\PC|\n|é日本|😀){0,60}", cut: prop::sample::Index,
        ) {
            prop_assume!(!text.starts_with('\u{feff}'));
            let cut = cut.index(text.len() + 1);
            let mut position = Position::start_of(text.as_bytes());
            position.advance(&text.as_bytes()[..cut]);
            position.advance(&text.as_bytes()[cut..]);
            prop_assert_eq!(position, naive(&text));
        }
    }

    proptest! {
        #[test]
        fn positions_are_the_same_in_any_order(
            lines in prop::collection::vec(0..9_000_usize, 1..6),
            wanted in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
        ) {
            let text: String = lines.iter().map(|&len| "é".repeat(len) + "\n").collect();
            let blob = Blob::whole(Origin::Stdin, text.as_bytes());
            let mut positions = Positions::new(blob.bytes, blob.position);
            for index in wanted {
                let index = index.index(text.len() + 1);
                prop_assert_eq!(positions.at(index), blob.position_at(index));
                let line_start = memchr::memrchr(b'\n', &blob.bytes[..index]).map(|at| at + 1);
                prop_assert_eq!(positions.line_start(), line_start);
            }
        }
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        let blob = Blob::whole(Origin::Stdin, b"\xef\xbb\xbfab");
        assert_eq!(blob.position_at(3), Position { line: 1, column: 1 });
        assert_eq!(blob.position_at(4), Position { line: 1, column: 2 });
    }
}
