//! Layouts: the arrangements of literals and segments of a format, and the CRC-32 of their parts.

use crate::checksum::Shift;

/// Maximum number of pieces (literals and segments) in a layout.
pub const MAX_PIECES: usize = 12;

/// The smallest and the largest length of a segment, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthRange {
    /// The smallest length.
    pub min: usize,
    /// The largest length.
    pub max: usize,
}

/// One arrangement of pieces in which every length but at most one is fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) pieces: Vec<Piece>,
    pub(super) fixed_len: usize,
    pub(super) variable: Option<LengthRange>,
    /// For each coverage, how its CRC-32 follows from those of the segments. Empty if the lengths are not
    /// fixed, or the checksum is not a CRC-32.
    pub(super) plans: Vec<CrcPlan>,
}

/// How the CRC-32 of a coverage follows from those of its segments: they are added to the
/// constant, each shifted by the number of bytes that come after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CrcPlan {
    /// The contribution of the literals.
    pub(super) constant: u32,
    pub(super) terms: Vec<CrcTerm>,
}

/// The contribution of one segment to the CRC-32 of a coverage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CrcTerm {
    /// The index of the segment.
    pub(super) segment: usize,
    /// The shift by the bytes after the segment; `None` if it is the last one.
    pub(super) shift: Option<Shift>,
}

/// A piece of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Literal(Box<[u8]>),
    /// A segment.
    Segment {
        /// The index into [`Format::segments`](super::Format::segments).
        index: usize,
        /// The length, or `None` for the segment of variable length.
        len: Option<usize>,
    },
}

/// The bytes of a candidate's segments, by index.
pub(super) type Spans<'a> = [&'a [u8]; MAX_PIECES];

impl Layout {
    /// Lists the pieces in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(crate) fn fixed_len(&self) -> usize {
        self.fixed_len
    }

    /// Returns the length of the shortest token, in bytes.
    #[must_use]
    pub fn min_len(&self) -> usize {
        self.fixed_len + self.variable.map_or(0, |range| range.min)
    }

    /// Returns the length of the longest token, in bytes.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.fixed_len + self.variable.map_or(0, |range| range.max)
    }

    /// Returns the lengths that the segment of variable length can have, if there is one.
    #[must_use]
    pub fn variable(&self) -> Option<LengthRange> {
        self.variable
    }

    /// Returns the lengths that a segment piece with this `len` can have.
    #[must_use]
    pub fn lengths(&self, len: Option<usize>) -> LengthRange {
        let variable = self.variable.unwrap_or(LengthRange { min: 0, max: 0 });
        len.map_or(variable, |len| LengthRange { min: len, max: len })
    }
}

/// Returns the index of the coverage whose CRC-32 is a proof, by plan: each segment is hashed at most
/// once.
#[inline]
pub(super) fn planned_proof(
    plans: &[CrcPlan],
    spans: &Spans<'_>,
    is_proof: impl Fn(u32) -> bool,
) -> Option<usize> {
    let mut hashed: [Option<u32>; MAX_PIECES] = [None; MAX_PIECES];
    plans.iter().position(|plan| {
        let crc = plan.terms.iter().fold(plan.constant, |sum, term| {
            let own =
                *hashed[term.segment].get_or_insert_with(|| crc32fast::hash(spans[term.segment]));
            sum ^ term.shift.as_ref().map_or(own, |shift| shift.apply(own))
        });
        is_proof(crc)
    })
}
