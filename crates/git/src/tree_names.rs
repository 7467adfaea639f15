//! Finds the names in a tree that contain matches.
//!
//! Input: the bytes of a tree, and offsets in ascending order. Nothing is searched here.

use super::trees;
use ddpatrol_detect::Match;

/// The names in a tree, for matches in ascending order.
#[derive(Debug)]
pub struct TreeNames<'a> {
    tree: &'a [u8],
    id_len: usize,
    /// The offset of the next entry.
    at: usize,
    /// The range of the name of the last entry.
    name: std::ops::Range<usize>,
}

impl<'a> TreeNames<'a> {
    /// Creates the names of a tree whose ids have `id_len` bytes.
    #[must_use]
    pub fn new(tree: &'a [u8], id_len: usize) -> Self {
        Self { tree, id_len, at: 0, name: 0..0 }
    }

    /// Returns `true` if a match is in a name.
    pub fn contain(&mut self, found: &Match) -> bool {
        while self.at <= found.start {
            let Some(entry) = trees::entry(self.tree, self.at, self.id_len) else { return false };
            self.at = entry.end;
            self.name = entry.name_start()..entry.name_start() + entry.name.len();
        }
        self.name.start <= found.start && found.end <= self.name.end
    }
}

/// Finds the entries of a tree whose names contain offsets, for offsets in ascending order.
pub(crate) struct EntryFinder<'a> {
    tree: &'a [u8],
    id_len: usize,
    entry: Option<trees::TreeEntry<'a>>,
}

impl<'a> EntryFinder<'a> {
    pub(crate) fn new(tree: &'a [u8], id_len: usize) -> Self {
        Self { tree, id_len, entry: trees::entry(tree, 0, id_len) }
    }

    /// Returns the entry whose name contains an offset.
    pub(crate) fn around(&mut self, offset: usize) -> Option<trees::TreeEntry<'a>> {
        while self.entry.is_some_and(|entry| entry.end <= offset) {
            let end = self.entry.map_or(0, |entry| entry.end);
            self.entry = trees::entry(self.tree, end, self.id_len);
        }
        let is_name = |entry: &trees::TreeEntry<'_>| {
            (entry.name_start()..entry.name_start() + entry.name.len()).contains(&offset)
        };
        self.entry.filter(is_name)
    }
}
