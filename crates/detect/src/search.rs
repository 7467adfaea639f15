//! Input of a search: bytes, the part of them to decide on, and the limits.
//!
//! Input: bytes and the kind of content. Output: a description that the parts of the search share. It
//! searches nothing itself.

use super::budget::Budget;
use std::ops::Range;

/// How often base64 of base64 is decoded.
pub(super) const DEPTH: usize = 3;

/// What kind of bytes are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// Content of any kind.
    Text {
        /// The offset of the first byte in the whole content.
        offset: u64,
    },
    /// A git tree, of which only the names are searched.
    Names,
}

impl Within {
    /// Content from its beginning.
    pub const WHOLE: Self = Self::Text { offset: 0 };
}

/// Bytes to search, with their kind.
#[derive(Clone, Copy, Debug)]
pub struct Haystack<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The kind of content.
    pub within: Within,
}

impl<'a> Haystack<'a> {
    /// Describes content that is complete.
    #[must_use]
    #[inline]
    pub const fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, within: Within::WHOLE }
    }
}

/// Whether bytes are searched without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// They are those of the input, or as many as the input encodes: no limit.
    Raw,
    /// They are the content of base64: as far as the budget allows.
    Decoded,
}

/// What is to be searched.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    pub(super) bytes: &'a [u8],
    /// The part whose candidates are reported; the bytes around it are context.
    pub(super) own: Range<usize>,
    /// How many times content that is encoded as a whole is still decoded.
    pub(super) depth: usize,
    pub(super) within: Within,
    pub(super) level: Level,
}

impl<'a> Search<'a> {
    /// Describes the search of a part of the input.
    #[inline]
    pub(super) fn raw(haystack: Haystack<'a>, own: Range<usize>) -> Self {
        let Haystack { bytes, within } = haystack;
        Self { bytes, own, depth: DEPTH, within, level: Level::Raw }
    }

    /// Describes the search of all of `bytes`, which were decoded from these.
    pub(super) fn inner<'b>(&self, bytes: &'b [u8], level: Level) -> Search<'b> {
        let (own, depth) = (0..bytes.len(), self.depth - 1);
        Search { bytes, own, depth, within: Within::WHOLE, level }
    }

    /// Takes work off the budget, unless the searched bytes are those of the input.
    #[inline]
    pub(super) fn spend(&self, budget: &mut Budget, work: u64) {
        if self.level == Level::Decoded {
            budget.spend(work);
        }
    }
}
