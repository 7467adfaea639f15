//! Decides which tokens a version of something contains, given those of its delta base.
//!
//! Input: a [`Version`] and the places of its base that were searched. Output: the places of the
//! version, if they follow from these. It searches no bytes for tokens, and does not know how versions
//! are stored.
//!
//! Contract: the result is that of a search of the whole version. A version is searched as a whole
//! unless nothing in it can differ from its base: no literal that is searched for is in its fresh bytes
//! or across a junction of two pieces, no run that may be an encoded token is new or touches a junction,
//! and every searched place of the base that is copied is copied with all the bytes that the decision
//! there depends on.

pub(super) mod junctions;

use crate::encoding::Encoding;
use crate::search::Within;

/// A version of something: bytes copied from its delta base, and fresh bytes.
///
/// The methods are called for every object of a history, most of them for every piece: implementations
/// return what they have, marked `#[inline]`.
pub trait Version {
    /// Returns what kind of content the version is.
    fn within(&self) -> Within;

    /// Returns the length in bytes.
    fn size(&self) -> usize;

    /// Returns the bytes of the delta base; none if the version is no delta.
    fn base(&self) -> &[u8];

    /// Returns all fresh bytes, in the order of the pieces.
    fn fresh(&self) -> &[u8];

    /// Returns the number of pieces, which follow each other without gaps.
    fn piece_count(&self) -> usize;

    /// Returns the piece of this index, below [`Version::piece_count`].
    fn piece(&self, index: usize) -> Piece;

    /// Appends the bytes of a range to `out`.
    fn read(&self, range: std::ops::Range<usize>, out: &mut Vec<u8>);
}

/// A run of bytes of a version.
///
/// The pack reader has a type of its own for the pieces of an object. Both are kept, because neither
/// crate depends on the other: the detector knows no packs, and the pack reader no tokens. The scanner
/// converts one into the other, which copies four numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The offset in the version.
    pub at: u32,
    /// The length in bytes, never 0.
    pub len: u32,
    /// The origin of the bytes.
    pub from: From,
}

/// The origin of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The delta base, at this offset.
    Base(u32),
    /// The fresh bytes, at this offset among them.
    Fresh(u32),
}

/// A place in a version that was searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The offset of the first byte that the decision depends on.
    pub from: u32,
    /// The offset of the token, or at which one would begin.
    pub start: u32,
    /// The offset after the last byte that the decision can depend on.
    pub reach: u32,
    /// The token that was found there.
    pub found: Option<Found>,
}

/// A token found in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number under which the visitor knows the token.
    pub token: u32,
    /// The length in bytes of its encoded form.
    pub len: u32,
    /// Its encoding.
    pub encoding: Encoding,
}

/// The places of a version that were searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// The places, in ascending order of their starts.
    pub list: Vec<Head>,
    /// Whether something may be encoded beyond the bytes that the places depend on, so that versions must
    /// be searched as a whole.
    pub is_intricate: bool,
}

impl Heads {
    /// Returns the places of a version whose base has these, if nothing else is new in it; `None` if a
    /// place was copied without all the bytes that the decision there depends on.
    pub(super) fn inherited(&self, pieces: impl Iterator<Item = Piece>) -> Option<Self> {
        let mut heads = Self::default();
        if self.list.is_empty() {
            return Some(heads);
        }
        for piece in pieces {
            let From::Base(from) = piece.from else { continue };
            let end = from + piece.len;
            let first = self.list.partition_point(|head| head.start < from);
            for head in self.list[first..].iter().take_while(|head| head.start < end) {
                // The byte before the first one matters, too. A head cut by the end of the piece may go
                // on.
                if head.from < from || head.start == from || head.reach > end {
                    return None;
                }
                let shift = |at: u32| at - from + piece.at;
                let (start, reach) = (shift(head.start), shift(head.reach));
                heads.list.push(Head { from: shift(head.from), start, reach, ..*head });
            }
        }
        heads.list.sort_by_key(|head| head.start);
        Some(heads)
    }
}

/// The bytes that the decision on a place depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The offset of the first byte that the decision depends on.
    pub from: usize,
    /// The offset at which a token may begin.
    pub start: usize,
    /// The offset after the last byte that the decision depends on.
    pub reach: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(starts: &[u32]) -> Heads {
        let head = |&start: &u32| Head { from: start - 1, start, reach: start + 10, found: None };
        Heads { list: starts.iter().map(head).collect(), is_intricate: false }
    }

    fn copied(at: u32, len: u32, from: u32) -> Piece {
        Piece { at, len, from: From::Base(from) }
    }

    #[test]
    fn places_move_with_the_pieces_that_copy_them() {
        let fresh = Piece { at: 0, len: 5, from: From::Fresh(0) };
        let pieces = [fresh, copied(5, 50, 100), copied(55, 20, 0)];
        let inherited = |base: &Heads| base.inherited(pieces.into_iter());
        assert_eq!(inherited(&heads(&[3, 110, 300])), Some(heads(&[15, 58])));
        assert_eq!(inherited(&heads(&[])), Some(Heads::default()));
    }

    #[test]
    fn a_place_that_is_not_copied_with_all_it_depends_on_is_searched_again() {
        let base = heads(&[20]);
        assert!(base.inherited([copied(0, 11, 19)].into_iter()).is_some());
        for cut in [copied(0, 10, 19), copied(0, 11, 20), copied(0, 1, 20)] {
            assert_eq!(base.inherited([cut].into_iter()), None, "{cut:?}");
        }
    }
}
