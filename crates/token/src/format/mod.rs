//! Token formats: literals and segments, and the check whether bytes are a token of a format.
//!
//! A format is written as vendors publish it, `ddpat_<ALIAS>_<SECRET><CHECKSUM>`, with a description of
//! every segment. [`Format::check`] takes exactly the bytes of one candidate and allocates nothing. It does
//! not find where a candidate ends; [`Format::layouts`] lists the possible shapes.

mod anchor;
mod build;
mod error;

pub use anchor::Anchor;
pub use error::{FormatError, FormatPart};

use crate::checksum::{Checksum, Shift, TemplateItem};
use crate::secret::MASK;
use crate::{ByteSet, Uuid};

/// Maximum number of pieces (literals and segments) in a layout.
pub const MAX_PIECES: usize = 12;
/// Maximum length of a token, in bytes.
pub const MAX_TOKEN_LEN: usize = 4096;

/// The kind of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Characters of an alphabet, without further meaning.
    Text,
    /// A UUID as a base62 number below 2^128.
    Uuid,
    /// The checksum.
    Checksum(Checksum),
}

/// The lengths that a segment may have, in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lengths {
    /// Each of these, the most likely first.
    OneOf(Vec<usize>),
    /// Any from `min` to `max`, both included.
    Range {
        /// The smallest.
        min: usize,
        /// The largest.
        max: usize,
    },
}

/// One named segment of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The name between `<` and `>`.
    pub name: String,
    /// The kind.
    pub kind: Kind,
    /// The alphabet.
    pub set: ByteSet,
    /// The possible lengths.
    pub lengths: Lengths,
    /// Whether it may be shown, as an identifier rather than a secret.
    pub public: bool,
}

/// A token format, ready to check candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    pattern: String,
    segments: Vec<Segment>,
    layouts: Vec<Layout>,
    anchor: Option<Anchor>,
    excluded: Vec<Box<[u8]>>,
}

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
    pieces: Vec<Piece>,
    fixed_len: usize,
    variable: Option<LengthRange>,
    /// For each coverage, how its CRC-32 follows from those of the segments. Empty if the lengths are not
    /// fixed, or the checksum is not a CRC-32.
    plans: Vec<CrcPlan>,
}

/// How the CRC-32 of a coverage follows from those of its segments: they are added to the
/// constant, each shifted by the number of bytes that come after it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CrcPlan {
    /// The contribution of the literals.
    constant: u32,
    terms: Vec<CrcTerm>,
}

/// The contribution of one segment to the CRC-32 of a coverage.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CrcTerm {
    /// The index of the segment.
    segment: usize,
    /// The shift by the bytes after the segment; `None` if it is the last one.
    shift: Option<Shift>,
}

/// The bytes of a candidate's segments, by index.
type Spans<'a> = [&'a [u8]; MAX_PIECES];

/// A piece of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Literal(Box<[u8]>),
    /// A segment.
    Segment {
        /// The index into [`Format::segments`].
        index: usize,
        /// The length, or `None` for the segment of variable length.
        len: Option<usize>,
    },
}

/// Which layout a candidate follows, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    layout: usize,
    len: usize,
}

/// The verdict on the bytes of one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Shape, ranges and checksum match; `coverage` is the index of the coverage that matched.
    Proven {
        /// How the candidate divides into segments.
        split: Split,
        /// The index into [`Checksum::over`].
        coverage: usize,
    },
    /// Shape and ranges match; the checksum matches under no coverage, or there is none.
    Shaped {
        /// How the candidate divides into segments.
        split: Split,
    },
    /// Not a token of this format.
    NoMatch,
}

impl Check {
    /// Returns `true` if the checksum matches.
    #[must_use]
    pub const fn is_proven(self) -> bool {
        matches!(self, Self::Proven { .. })
    }
}

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

impl Format {
    /// Returns the pattern as it was written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Returns the segments, in the order in which they were described.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Returns the arrangements, the most likely first.
    #[must_use]
    pub fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    pub(crate) fn layout_of(&self, split: Split) -> &Layout {
        &self.layouts[split.layout]
    }

    /// Returns the literal by which tokens of this format are found. Tokens without one are whole words.
    #[must_use]
    pub fn anchor(&self) -> Option<&Anchor> {
        self.anchor.as_ref()
    }

    /// Returns `true` if bytes have the anchor where a token that begins with them has it.
    #[must_use]
    #[inline]
    pub fn has_anchor_in(&self, bytes: &[u8]) -> bool {
        self.anchor.as_ref().is_some_and(|anchor| anchor.is_in(bytes))
    }

    /// Returns `true` if tokens are found by an anchor in their middle.
    #[must_use]
    pub fn has_middle(&self) -> bool {
        self.anchor.as_ref().is_some_and(|anchor| !anchor.is_head())
    }

    /// Returns the length of the longest token, in bytes.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.layouts.iter().map(Layout::max_len).max().unwrap_or(0)
    }

    /// Returns the checksum, or `None` if tokens of the format cannot be proven.
    #[must_use]
    pub fn checksum(&self) -> Option<&Checksum> {
        self.segments.iter().find_map(|segment| match &segment.kind {
            Kind::Checksum(checksum) => Some(checksum),
            Kind::Text | Kind::Uuid => None,
        })
    }

    /// Checks whether `candidate`, as a whole, is a token of this format.
    ///
    /// Every layout of its length is tried with every coverage. A match of any checksum proves it.
    #[must_use]
    pub fn check(&self, candidate: &[u8]) -> Check {
        let mut shaped = Check::NoMatch;
        if self.excluded.iter().any(|beginning| candidate.starts_with(beginning)) {
            return shaped;
        }
        for (index, layout) in self.layouts.iter().enumerate() {
            if candidate.len() < layout.min_len() || candidate.len() > layout.max_len() {
                continue;
            }
            let split = Split { layout: index, len: candidate.len() };
            let Some(spans) = self.shape(split, candidate) else { continue };
            if let Some(coverage) = self.proof(split, &spans) {
                return Check::Proven { split, coverage };
            }
            if shaped == Check::NoMatch {
                shaped = Check::Shaped { split };
            }
        }
        shaped
    }

    /// Lists the pieces of a split token with their bytes.
    pub fn pieces<'a>(
        &'a self,
        split: Split,
        token: &'a [u8],
    ) -> impl Iterator<Item = (&'a Piece, &'a [u8])> {
        let layout = &self.layouts[split.layout];
        let variable_len = split.len - layout.fixed_len;
        let mut rest = token;
        layout.pieces.iter().map(move |piece| {
            let len = match piece {
                Piece::Literal(bytes) => bytes.len(),
                Piece::Segment { len, .. } => len.unwrap_or(variable_len),
            };
            let (bytes, tail) = rest.split_at(len);
            rest = tail;
            (piece, bytes)
        })
    }

    /// Returns the bytes of the segment with this index.
    #[must_use]
    pub fn segment<'a>(&'a self, split: Split, token: &'a [u8], index: usize) -> &'a [u8] {
        self.pieces(split, token)
            .find(|(piece, _)| matches!(piece, Piece::Segment { index: at, .. } if *at == index))
            .map_or(&[], |(_, bytes)| bytes)
    }

    /// Returns the identifier and its alias, for a format that carries one.
    #[must_use]
    pub fn uuid<'a>(&'a self, split: Split, token: &'a [u8]) -> Option<(Uuid, &'a [u8])> {
        let index = self.segments.iter().position(|segment| segment.kind == Kind::Uuid)?;
        let alias = self.segment(split, token, index);
        Uuid::from_alias(alias).map(|uuid| (uuid, alias))
    }

    /// Lists the offsets of the bytes in which every single change is detected: the covered bytes, and the
    /// checksum itself.
    #[must_use]
    pub fn protected(&self, split: Split, coverage: usize) -> Vec<usize> {
        let covered = |index: usize| match (&self.segments[index].kind, self.checksum()) {
            (Kind::Checksum(_), _) => true,
            (_, Some(checksum)) => {
                checksum.over[coverage].items.contains(&TemplateItem::Segment(index))
            }
            _ => false,
        };
        let mut offsets = Vec::new();
        let mut start = 0;
        let zeros = vec![0; split.len];
        for (piece, bytes) in self.pieces(split, &zeros) {
            if matches!(piece, Piece::Segment { index, .. } if covered(*index)) {
                offsets.extend(start..start + bytes.len());
            }
            start += bytes.len();
        }
        offsets
    }

    /// Returns the number of bytes at the start of every token that may be shown.
    #[must_use]
    pub fn public_len(&self) -> usize {
        let public_len = |layout: &Layout| {
            let is_public = |piece: &&Piece| match piece {
                Piece::Literal(_) => true,
                Piece::Segment { index, len } => self.segments[*index].public && len.is_some(),
            };
            let len = |piece: &Piece| match piece {
                Piece::Literal(bytes) => bytes.len(),
                Piece::Segment { len, .. } => len.unwrap_or(0),
            };
            layout.pieces.iter().take_while(is_public).map(len).sum()
        };
        self.layouts.iter().map(public_len).min().unwrap_or(0)
    }

    /// Formats a token for a report: the public part, then `***`. A token with an anchor in its middle is
    /// `***`, the anchor and `***`.
    #[must_use]
    pub fn redact(&self, token: &[u8]) -> String {
        if let Some(anchor) = self.anchor().filter(|anchor| !anchor.is_head()) {
            return format!("{MASK}{}{MASK}", anchor.text.escape_ascii());
        }
        let public = &token[..self.public_len().min(token.len())];
        format!("{}{MASK}", public.escape_ascii())
    }

    /// Returns the length of the longest prefix that agrees with a layout. For a token, complete or cut off,
    /// that is its length.
    #[must_use]
    pub fn matching_prefix(&self, bytes: &[u8]) -> usize {
        self.layouts.iter().map(|layout| self.agreeing(layout, bytes)).max().unwrap_or(0)
    }

    fn agreeing(&self, layout: &Layout, bytes: &[u8]) -> usize {
        let mut at = 0;
        for piece in layout.pieces() {
            let rest = &bytes[at..];
            let (same, complete) = match piece {
                Piece::Literal(literal) => {
                    let same = literal.iter().zip(rest).take_while(|(a, b)| a == b).count();
                    (same, same == literal.len())
                }
                Piece::Segment { index, len } => {
                    let LengthRange { min, max } = layout.lengths(*len);
                    let set = &self.segments[*index].set;
                    let same = rest.iter().take(max).take_while(|&&b| set.contains(b)).count();
                    (same, same >= min)
                }
            };
            at += same;
            if !complete {
                break;
            }
        }
        at
    }

    /// Returns the bytes of every segment, by index, if the candidate has the shape.
    fn shape<'a>(&self, split: Split, candidate: &'a [u8]) -> Option<Spans<'a>> {
        let layout = &self.layouts[split.layout];
        let variable_len = split.len - layout.fixed_len;
        let mut spans: Spans<'a> = [&[]; MAX_PIECES];
        let mut rest = candidate;
        for piece in &layout.pieces {
            match piece {
                Piece::Literal(literal) => rest = rest.strip_prefix(&**literal)?,
                Piece::Segment { index, len } => {
                    let (bytes, tail) = rest.split_at_checked(len.unwrap_or(variable_len))?;
                    if !self.segments[*index].admits(bytes) {
                        return None;
                    }
                    (spans[*index], rest) = (bytes, tail);
                }
            }
        }
        Some(spans)
    }

    /// Returns the index of the coverage under which the checksum of a shaped candidate matches.
    fn proof(&self, split: Split, spans: &Spans<'_>) -> Option<usize> {
        let (actual, checksum) =
            self.segments.iter().zip(spans).find_map(|(segment, span)| match &segment.kind {
                Kind::Checksum(checksum) => Some((*span, checksum)),
                Kind::Text | Kind::Uuid => None,
            })?;
        let plans = &self.layouts[split.layout].plans;
        if !plans.is_empty() {
            let decoded = checksum.number(actual)?;
            let is_proof = |crc| checksum.encoding.is_encoding(actual, decoded, crc);
            return planned_proof(plans, spans, is_proof);
        }
        checksum.over.iter().position(|coverage| {
            let pieces = coverage.items.iter().map(|item| match item {
                TemplateItem::Literal(bytes) => &**bytes,
                TemplateItem::Segment(index) => spans[*index],
            });
            checksum.is_of(actual, coverage.seed, pieces)
        })
    }
}

/// Returns the index of the coverage whose CRC-32 is a proof, by plan: each segment is hashed at most
/// once.
#[inline]
fn planned_proof(
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

impl Segment {
    /// Returns `true` if this segment can contain `bytes`, which have an admissible length.
    #[inline]
    fn admits(&self, bytes: &[u8]) -> bool {
        match &self.kind {
            Kind::Text => self.set.contains_all(bytes),
            // 7n42DGM5Tflk9n8mt7Fhc7 is the largest: text with a smaller first digit needs no arithmetic.
            Kind::Uuid => {
                self.set.contains_all(bytes)
                    && (bytes[0] < b'7' || Uuid::from_alias(bytes).is_some())
            }
            Kind::Checksum(checksum) => checksum.is_in_range(bytes),
        }
    }
}

#[cfg(test)]
mod tests;
