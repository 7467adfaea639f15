//! Derives the candidates of a delta object from those of its base.
//!
//! Input: a [`DeltaObject`] and the candidates of its base. Output: the candidates of the object that follow
//! from these, and the parts of the object that must be searched for others. It searches no bytes for tokens,
//! and does not depend on how objects are stored.
//!
//! Contract: together, the result is that of a search of the whole object. Nothing is searched if the object
//! cannot contain new tokens: no needle occurs in its fresh bytes or across a junction of two pieces, no run
//! that may be an encoded token is new or touches a junction, and every copied candidate of the base is copied
//! together with all bytes that the decision on it depends on. Otherwise, the fresh bytes, the junctions and
//! the surroundings of the other candidates are searched.

pub(super) mod junctions;
pub(super) mod parts;

use crate::encoding::Encoding;
use crate::search::ContentKind;

/// An object that consists of bytes copied from its delta base and of fresh bytes.
///
/// The methods are called for every object of a history, most of them for every piece. Implementations
/// should return stored values and be marked `#[inline]`.
pub trait DeltaObject {
    /// Returns the kind of content.
    fn kind(&self) -> ContentKind;

    /// Returns the length in bytes.
    fn size(&self) -> usize;

    /// Returns the bytes of the delta base. Empty if the object is not a delta.
    fn base(&self) -> &[u8];

    /// Returns all fresh bytes, in the order of the pieces.
    fn fresh(&self) -> &[u8];

    /// Returns the number of pieces, which are adjacent and in order.
    fn piece_count(&self) -> usize;

    /// Returns the piece at an index below [`DeltaObject::piece_count`].
    fn piece(&self, index: usize) -> Piece;

    /// Appends the bytes of a range to `out`.
    fn read(&self, range: std::ops::Range<usize>, out: &mut Vec<u8>);
}

/// A run of bytes of an object.
///
/// The pack reader has its own type for the pieces of an object, because neither crate depends on the
/// other. The scanner converts one into the other, which copies four numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The offset in the object.
    pub at: u32,
    /// The length in bytes, never 0.
    pub len: u32,
    /// The origin of the bytes.
    pub from: PieceSource,
}

/// The origin of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceSource {
    /// The delta base, at this offset.
    Base(u32),
    /// The fresh bytes, at this offset among them.
    Fresh(u32),
}

/// A candidate in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaCandidate {
    /// The offset of the first byte that the decision depends on.
    pub inspected_start: u32,
    /// The offset at which a token would begin.
    pub start: u32,
    /// The offset after the last byte that the decision depends on.
    pub inspected_end: u32,
    /// The token found there.
    pub found: Option<DeltaMatch>,
}

/// A token found in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaMatch {
    /// The visitor's number for the token.
    pub token: u32,
    /// The length in bytes of its encoded form.
    pub len: u32,
    /// Its encoding.
    pub encoding: Encoding,
}

/// The candidates of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeltaCandidates {
    /// The candidates, in ascending order of their starts.
    pub list: Vec<DeltaCandidate>,
    /// Whether encoded content may depend on further bytes, so that objects based on this one must be
    /// searched as a whole.
    pub needs_full_scan: bool,
}

/// The candidates of a delta object that follow from those of its base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DerivedCandidates {
    /// These candidates.
    pub candidates: DeltaCandidates,
    /// The parts of the object that must be searched for its other candidates, in ascending order. If there
    /// are none, no other candidates exist.
    pub parts: Vec<std::ops::Range<usize>>,
}

impl DeltaCandidates {
    /// Splits the candidates that were copied with an object's pieces: returns those that remain valid, and
    /// adds the inspected ranges of the others, which are not copied as a whole, to `parts`.
    pub(super) fn copied(
        &self,
        pieces: impl Iterator<Item = Piece>,
        parts: &mut Vec<std::ops::Range<usize>>,
    ) -> Vec<DeltaCandidate> {
        let mut copied = Vec::new();
        if self.list.is_empty() {
            return copied;
        }
        for piece in pieces {
            let PieceSource::Base(from) = piece.from else { continue };
            let end = from + piece.len;
            let first = self.list.partition_point(|candidate| candidate.start < from);
            for candidate in self.list[first..].iter().take_while(|candidate| candidate.start < end)
            {
                // The sum of two offsets may exceed 32 bits.
                let offset =
                    |at: u32| (u64::from(at) + u64::from(piece.at)).saturating_sub(u64::from(from));
                let shift = |at: u32| offset(at) as u32;
                // The byte before a candidate counts, too. A head cut by the end of the piece may
                // continue.
                if candidate.inspected_start < from
                    || candidate.start == from
                    || candidate.inspected_end > end
                {
                    let inspected = candidate.inspected_start..candidate.inspected_end;
                    parts.push(offset(inspected.start) as usize..offset(inspected.end) as usize);
                    continue;
                }
                copied.push(DeltaCandidate {
                    inspected_start: shift(candidate.inspected_start),
                    start: shift(candidate.start),
                    inspected_end: shift(candidate.inspected_end),
                    found: candidate.found,
                });
            }
        }
        copied.sort_by_key(|candidate| candidate.start);
        copied
    }
}

/// The range of bytes that the decision on a candidate depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectedRange {
    /// The offset of the first byte that the decision depends on.
    pub inspected_start: usize,
    /// The offset at which a token may begin.
    pub start: usize,
    /// The offset after the last byte that the decision depends on.
    pub inspected_end: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(starts: &[u32]) -> DeltaCandidates {
        let candidate = |&start: &u32| DeltaCandidate {
            inspected_start: start - 1,
            start,
            inspected_end: start + 10,
            found: None,
        };
        DeltaCandidates { list: starts.iter().map(candidate).collect(), needs_full_scan: false }
    }

    fn copied(at: u32, len: u32, from: u32) -> Piece {
        Piece { at, len, from: PieceSource::Base(from) }
    }

    #[test]
    fn candidates_move_with_the_pieces_that_copy_them() {
        let fresh = Piece { at: 0, len: 5, from: PieceSource::Fresh(0) };
        let pieces = [fresh, copied(5, 50, 100), copied(55, 20, 0)];
        let mut parts = Vec::new();
        let mut inherited = |base: &DeltaCandidates| base.copied(pieces.into_iter(), &mut parts);
        assert_eq!(inherited(&candidates(&[3, 110, 300])), candidates(&[15, 58]).list);
        assert_eq!(inherited(&candidates(&[])), []);
        assert!(parts.is_empty(), "{parts:?}");
    }

    #[test]
    fn a_candidate_copied_without_its_context_is_searched_again() {
        let base = candidates(&[20]);
        let parts = |piece: Piece| {
            let mut parts = Vec::new();
            let copied = base.copied([piece].into_iter(), &mut parts);
            assert_eq!(copied.len() + parts.len(), 1, "{piece:?}");
            parts.into_iter().map(|part| (part.start, part.end)).collect::<Vec<_>>()
        };
        assert!(parts(copied(0, 11, 19)).is_empty());
        assert_eq!(parts(copied(0, 10, 19)), [(0, 11)]);
        assert_eq!(parts(copied(0, 11, 20)), [(0, 10)]);
        assert_eq!(parts(copied(7, 1, 20)), [(6, 17)]);
    }

    #[test]
    fn candidates_of_large_objects_move_without_overflow() {
        let high = 3 << 30;
        let (base, mut parts) = (candidates(&[high + 20]), Vec::new());
        let moved = base.copied([copied(high + 5, 100, high)].into_iter(), &mut parts);
        assert_eq!(moved, candidates(&[high + 25]).list);
        base.copied([copied(high + 5, 1, high + 20)].into_iter(), &mut parts);
        let high = high as usize;
        assert_eq!((parts[0].start, parts[0].end), (high + 4, high + 15));
    }
}
