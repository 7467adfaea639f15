//! Parameters of a search: the bytes, the part to decide on, and the limits.
//!
//! Input: bytes and the kind of content. Output: a value that all parts of the search share. This file
//! searches nothing.

use super::budget::Budget;
use std::ops::Range;

/// Maximum nesting depth of decoded content, such as base64 of base64.
pub(super) const DEPTH: usize = 3;

/// The kind of content that is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// Any content except a git tree.
    Blob {
        /// The offset of the searched bytes in the whole content.
        offset: u64,
    },
    /// A git tree, whose names alone are searched.
    TreeNames,
}

impl ContentKind {
    /// Content that is searched from its beginning.
    pub const WHOLE: Self = Self::Blob { offset: 0 };
}

/// Bytes to search, with their kind.
#[derive(Clone, Copy, Debug)]
pub struct Haystack<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The kind of content.
    pub kind: ContentKind,
}

impl<'a> Haystack<'a> {
    /// Creates a haystack from complete content.
    #[must_use]
    #[inline]
    pub const fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, kind: ContentKind::WHOLE }
    }
}

/// Whether the budget limits a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// The input itself, or content no longer than the input that encodes it: unlimited.
    Raw,
    /// The content of base64: limited by the budget.
    Decoded,
}

/// One search.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    pub(super) bytes: &'a [u8],
    /// The range whose candidates are reported. The bytes around it are context.
    pub(super) part: Range<usize>,
    /// The number of further levels of nested content to decode.
    pub(super) depth: usize,
    pub(super) kind: ContentKind,
    pub(super) level: Level,
}

impl<'a> Search<'a> {
    /// Creates the search of a part of the input.
    #[inline]
    pub(super) fn raw(haystack: Haystack<'a>, part: Range<usize>) -> Self {
        let Haystack { bytes, kind } = haystack;
        Self { bytes, part, depth: DEPTH, kind, level: Level::Raw }
    }

    /// Creates the search of `bytes`, which were decoded from the bytes of this search.
    pub(super) fn inner<'b>(&self, bytes: &'b [u8], level: Level) -> Search<'b> {
        let (part, depth) = (0..bytes.len(), self.depth - 1);
        Search { bytes, part, depth, kind: ContentKind::WHOLE, level }
    }

    /// Charges work to the budget, if the budget limits this search.
    #[inline]
    pub(super) fn spend(&self, budget: &mut Budget, work: u64) {
        if self.level == Level::Decoded {
            budget.spend(work);
        }
    }
}
