//! Token formats: literals and segments, and the check whether bytes are a token of a format.
//!
//! A format is written as vendors publish it, `ddpat_<ALIAS>_<SECRET><CHECKSUM>`, with a description of
//! every segment. [`Format::check`] takes exactly the bytes of one candidate and allocates nothing. It does
//! not find where a candidate ends; [`Format::layouts`] lists the possible shapes.

mod anchor;
mod build;
mod error;
mod layout;
mod paired;
mod segment;

pub use anchor::{Anchor, MIN_HEAD_LEN};
pub use error::{FormatError, FormatPart};
pub use layout::{Layout, LengthRange, MAX_PIECES, Piece};
pub use segment::{Kind, Lengths, Segment};

use crate::Uuid;
use crate::checksum::{Checksum, TemplateItem};
use crate::secret::MASK;
use layout::{Spans, planned_proof};

/// Maximum length of a token, in bytes.
pub const MAX_TOKEN_LEN: usize = 4096;

/// A token format, ready to check candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    pattern: String,
    segments: Vec<Segment>,
    layouts: Vec<Layout>,
    anchor: Option<Anchor>,
    excluded: Vec<Box<[u8]>>,
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

    /// Returns `true` if all bytes of the tokens have a property.
    #[must_use]
    pub fn consists_of(&self, is_allowed: impl Fn(u8) -> bool) -> bool {
        let mut pieces = self.layouts.iter().flat_map(Layout::pieces);
        pieces.all(|piece| match piece {
            Piece::Literal(text) => text.iter().all(|&byte| is_allowed(byte)),
            Piece::Segment { index, .. } => {
                let set = &self.segments[*index].set;
                (0..=u8::MAX).all(|byte| is_allowed(byte) || !set.contains(byte))
            }
        })
    }

    /// Returns the length of the shortest token, in bytes.
    #[must_use]
    pub fn min_len(&self) -> usize {
        self.layouts.iter().map(Layout::min_len).min().unwrap_or(0)
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

#[cfg(test)]
mod tests;
