//! Chooses the parts of a delta object to search.
//!
//! Input: an object as pieces of its delta base and fresh bytes. Output: the ranges around the fresh bytes and
//! the junctions, wide enough that whatever is new there is recognized within them. It searches nothing.

use super::junctions::{run_after, run_before};
use super::{DeltaCandidate, DeltaObject, PieceSource};
use std::ops::Range;

/// Ranges closer to each other than this are joined, because every range has a fixed cost.
const MAX_GAP: usize = 256;

/// Number of bytes around new bytes, and the runs that touch them, that are searched with them. It exceeds
/// the length of a needle and of the bytes that decide whether a gap begins.
const MARGIN: usize = 64;

/// Returns `true` if the ranges around the junctions of an object are so long that it is searched as a whole.
pub(crate) fn are_too_many(object: &impl DeltaObject) -> bool {
    are_too_long(2 * MARGIN * object.piece_count(), object)
}

/// Returns `true` if so many bytes of an object would be searched that it is searched as a whole.
pub(crate) fn are_too_long(searched: usize, object: &impl DeltaObject) -> bool {
    searched > object.size() / 2
}

/// Appends the ranges around the fresh bytes and the junctions of an object.
pub(crate) fn add_new(
    object: &impl DeltaObject,
    longest_needle: usize,
    parts: &mut Vec<Range<usize>>,
) {
    let margin = MARGIN.max(longest_needle);
    for index in 0..object.piece_count() {
        let piece = object.piece(index);
        let at = piece.at as usize;
        let (end, next) = match piece.from {
            PieceSource::Fresh(_) => (at + piece.len as usize, index + 1),
            PieceSource::Base(_) => (at, index),
        };
        if end > 0 {
            let start = at.saturating_sub(run_before(object, index) + margin);
            parts.push(start..end + run_after(object, next) + margin);
        }
    }
}

/// Sorts and joins ranges of an object of `size` bytes.
pub(crate) fn join(parts: &mut Vec<Range<usize>>, size: usize) {
    parts.sort_unstable_by_key(|part| part.start);
    parts.dedup_by(|next, last| {
        let is_near = next.start <= last.end + MAX_GAP;
        if is_near {
            last.end = last.end.max(next.end);
        }
        is_near
    });
    parts.iter_mut().for_each(|part| part.end = part.end.min(size));
    parts.retain(|part| !part.is_empty());
}

/// Removes the candidates whose inspected range is within a part, where they are found again.
pub(crate) fn remove_searched(list: &mut Vec<DeltaCandidate>, parts: &[Range<usize>]) {
    list.retain(|candidate| {
        let Range { start, end } =
            candidate.inspected_start as usize..candidate.inspected_end as usize;
        let next = parts.partition_point(|part| part.end <= start);
        !parts.get(next).is_some_and(|part| part.start <= start && end <= part.end)
    });
}

#[cfg(test)]
mod tests {
    use super::super::Piece;
    use super::*;
    use crate::search::ContentKind;

    /// An object whose pieces are copied from its own bytes, or fresh.
    struct Version {
        bytes: Vec<u8>,
        pieces: Vec<Piece>,
    }

    impl DeltaObject for Version {
        fn kind(&self) -> ContentKind {
            ContentKind::WHOLE
        }

        fn size(&self) -> usize {
            self.bytes.len()
        }

        fn base(&self) -> &[u8] {
            &self.bytes
        }

        fn fresh(&self) -> &[u8] {
            &self.bytes
        }

        fn piece_count(&self) -> usize {
            self.pieces.len()
        }

        fn piece(&self, index: usize) -> Piece {
            self.pieces[index]
        }

        fn read(&self, range: Range<usize>, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.bytes[range]);
        }
    }

    /// Lists the parts of an object of 2000 bytes with two runs, which consists of pieces that begin at these
    /// offsets, and are fresh or not.
    fn parts_of(starts: &[(u32, bool)]) -> Vec<(usize, usize)> {
        let mut bytes = vec![b' '; 2000];
        bytes[900..1000].fill(b'x');
        bytes[1010..1110].fill(b'x');
        let ends = starts[1..].iter().map(|it| it.0).chain([2000]);
        let piece = |(&(at, is_fresh), end): (&(u32, bool), u32)| {
            let from = if is_fresh { PieceSource::Fresh(at) } else { PieceSource::Base(at) };
            Piece { at, len: end - at, from }
        };
        let pieces = starts.iter().zip(ends).map(piece).collect();
        let mut parts = Vec::new();
        add_new(&Version { bytes, pieces }, 5, &mut parts);
        join(&mut parts, 2000);
        parts.into_iter().map(|part| (part.start, part.end)).collect()
    }

    #[test]
    fn parts_surround_fresh_bytes_junctions_and_the_runs_that_touch_them() {
        assert_eq!(parts_of(&[(0, false), (1000, true), (1010, false)]), [(836, 1174)]);
        assert_eq!(parts_of(&[(0, false), (500, false)]), [(436, 564)]);
        assert_eq!(parts_of(&[(0, true), (10, false)]), [(0, 74)]);
        assert_eq!(parts_of(&[(0, false), (1990, true)]), [(1926, 2000)]);
        assert!(parts_of(&[(0, false)]).is_empty());
    }

    #[test]
    fn a_candidate_remains_unless_its_range_is_searched() {
        let candidate = |start| DeltaCandidate {
            inspected_start: start,
            start,
            inspected_end: start + 10,
            found: None,
        };
        let mut list: Vec<_> = [0, 95, 100, 110, 115, 300].map(candidate).into();
        remove_searched(&mut list, &[100..120, 290..305]);
        assert_eq!(list, [0, 95, 115, 300].map(candidate));
    }
}
