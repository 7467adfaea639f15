//! The strength of a matching checksum, in bits.
//!
//! Input: a format. Output: how unlikely it is that random characters of the right shape match: one in two
//! to the power of the bits. The anchor does not count, since every candidate was found by it. If tokens without an
//! anchor have fixed lengths, every word of that length is a candidate, and all fixed characters count, as do single
//! ones of which only some are possible.

use crate::byteset::ByteSet;
use crate::format::{Format, Layout, Piece};

/// The bits that a match needs to be proven.
pub const PROVEN_BITS: f64 = 24.0;

/// The bits of a literal character beside the anchor: those of a base64 digit.
const LITERAL_BITS: f64 = 6.0;

/// The evidence of a matching checksum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvidenceBits {
    /// The bits of the checksum.
    pub checksum: f64,
    /// The bits of the literals beside the anchor. Without an anchor, those of all literals and of the segments of one
    /// character.
    pub fixed_text: f64,
    /// The number of lengths and coverages that are tried on one candidate.
    pub variants: usize,
}

impl EvidenceBits {
    /// Returns the sum, less the bits that the variants cost.
    #[must_use]
    pub fn total(self) -> f64 {
        self.checksum + self.fixed_text - (self.variants.max(1) as f64).log2()
    }

    /// Returns `true` if a match is proven.
    #[must_use]
    pub fn is_proof(self) -> bool {
        self.total() >= PROVEN_BITS
    }
}

impl Format {
    /// Returns the evidence of a matching checksum, or `None` if the format has no checksum.
    #[must_use]
    pub fn evidence_bits(&self) -> Option<EvidenceBits> {
        let checksum = self.checksum()?;
        let fixed = |layout: &Layout| match self.anchor() {
            Some(anchor) => (literals(layout) - anchor.text.len()) as f64 * LITERAL_BITS,
            None if self.has_fixed_lengths() => self.bits_of_a_word(layout),
            // Every word with the literals is a candidate.
            None => 0.0,
        };
        let lengths: usize = match self.anchor() {
            Some(_) => self.layouts().iter().map(|layout| self.ends_tried(layout)).sum(),
            None => self.layouts_of_a_word(),
        };
        Some(EvidenceBits {
            checksum: checksum.bits(),
            fixed_text: self.layouts().iter().map(fixed).reduce(f64::min).unwrap_or(0.0),
            variants: lengths * checksum.over.len(),
        })
    }

    fn has_fixed_lengths(&self) -> bool {
        self.layouts().iter().all(|layout| layout.variable().is_none())
    }

    /// Returns the bits by which literals and single characters differ from any word in the largest alphabet of the
    /// format. Longer segments do not count: a word of few different characters is no random one.
    fn bits_of_a_word(&self, layout: &Layout) -> f64 {
        let bits = |set: &ByteSet| (set.len() as f64).log2();
        let largest = self.segments().iter().map(|segment| bits(&segment.set)).fold(0.0, f64::max);
        let of_piece = |piece: &Piece| match piece {
            Piece::Literal(bytes) => bytes.len() as f64 * largest,
            Piece::Segment { index, len: Some(1) } => largest - bits(&self.segments()[*index].set),
            Piece::Segment { .. } => 0.0,
        };
        layout.pieces().iter().map(of_piece).sum()
    }

    /// Returns the number of layouts that can match one word: those of one length. It is one, if what follows the
    /// last literal cannot contain it.
    fn layouts_of_a_word(&self) -> usize {
        if self.has_fixed_lengths() {
            let len = |layout: &Layout| layout.max_len();
            let same = |layout| self.layouts().iter().filter(|it| len(it) == len(layout)).count();
            return self.layouts().iter().map(same).max().unwrap_or(1);
        }
        let ends_itself = |layout: &Layout| {
            let pieces = layout.pieces();
            let last = pieces.iter().rposition(|piece| matches!(piece, Piece::Literal(_)));
            last.is_some_and(|last| match &pieces[last] {
                Piece::Literal(bytes) => pieces[last + 1..].iter().all(|piece| match piece {
                    Piece::Segment { index, len } => {
                        len.is_some() && !self.segments()[*index].set.contains(bytes[0])
                    }
                    Piece::Literal(_) => false,
                }),
                Piece::Segment { .. } => false,
            })
        };
        if self.layouts().iter().all(ends_itself) { 1 } else { self.layouts().len() }
    }

    /// Returns the number of lengths of a layout that can match at one position: one, unless the segment of
    /// variable length can contain what follows it.
    fn ends_tried(&self, layout: &Layout) -> usize {
        let Some(range) = layout.variable() else { return 1 };
        let pieces = layout.pieces();
        let at = pieces.iter().position(|piece| matches!(piece, Piece::Segment { len: None, .. }));
        let ends_itself = at.is_some_and(|at| match (&pieces[at], pieces.get(at + 1)) {
            (Piece::Segment { index, .. }, Some(next)) => {
                let set = &self.segments()[*index].set;
                match next {
                    Piece::Literal(bytes) => !set.contains(bytes[0]),
                    Piece::Segment { index, .. } => disjoint(set, &self.segments()[*index].set),
                }
            }
            _ => false,
        });
        if ends_itself { 1 } else { range.max - range.min + 1 }
    }
}

/// Returns the number of bytes in the literals of a layout.
fn literals(layout: &Layout) -> usize {
    let len = |piece: &Piece| match piece {
        Piece::Literal(bytes) => bytes.len(),
        Piece::Segment { .. } => 0,
    };
    layout.pieces().iter().map(len).sum()
}

fn disjoint(a: &ByteSet, b: &ByteSet) -> bool {
    a.iter().all(|byte| !b.contains(byte))
}

#[cfg(test)]
mod tests {
    use crate::{Algorithm, ByteSet, Encoding, Format, Lengths, Segment, datadog};

    fn format(pattern: &str, secret: Lengths, over: &[&str]) -> Format {
        Format::new(
            pattern,
            vec![
                Segment::text("SECRET", ByteSet::BASE62, secret),
                Segment::checksum("CRC", Algorithm::Crc32, Encoding::Base62, 6, over),
            ],
        )
        .expect("the format is valid")
    }

    #[track_caller]
    fn assert_bits(format: &Format, expected: f64) {
        let bits = format.evidence_bits().expect("a checksum").total();
        assert!((bits - expected).abs() < 0.05, "{bits} instead of {expected}");
    }

    #[test]
    fn bits_are_those_of_the_checksum_and_fixed_text_less_the_variants() {
        let fixed = || Lengths::OneOf(vec![30]);
        assert_bits(&format("abc_<SECRET><CRC>", fixed(), &["<SECRET>"]), 32.0);
        assert_bits(&format("abc_<SECRET>_x<CRC>", fixed(), &["<SECRET>"]), 44.0);
        assert_bits(&format("abc_<SECRET><CRC>", fixed(), &["<SECRET>", "abc_<SECRET>"]), 31.0);
        let two = Lengths::OneOf(vec![30, 40]);
        assert_bits(&format("abc_<SECRET><CRC>", two, &["<SECRET>"]), 31.0);
        // 3 lengths, 4 coverages, and the `_` between alias and secret.
        let datadog = datadog::access_token("ddpat_").expect("the format is valid");
        assert_bits(&datadog, 34.4);
    }

    #[test]
    fn without_an_anchor_all_fixed_characters_count() {
        let of_words = |pattern: &str, lens: &[usize]| {
            let segments = vec![
                Segment::text("KIND", ByteSet::EMPTY.with(b'A', b'D'), Lengths::OneOf(vec![1])),
                Segment::text("SECRET", ByteSet::BASE32, Lengths::OneOf(lens.to_vec())),
                Segment::checksum(
                    "CRC",
                    Algorithm::Crc16Xmodem,
                    Encoding::Base32Trailer,
                    4,
                    &["S<KIND><SECRET>"],
                ),
            ];
            Format::of_words(pattern, segments).expect("the format is valid")
        };
        assert_bits(&of_words("S<KIND><SECRET><CRC>", &[50]), 24.0);
        // A word has one of the lengths.
        assert_bits(&of_words("S<KIND><SECRET><CRC>", &[50, 58]), 24.0);
        assert_bits(&of_words("<KIND><SECRET>SA<CRC>", &[50]), 29.0);
        let hex = vec![
            Segment::text("SECRET", ByteSet::HEX, Lengths::OneOf(vec![40])),
            Segment::checksum("CRC", Algorithm::Crc32, Encoding::Base62, 6, &["<SECRET>"]),
        ];
        assert_bits(&Format::of_words("<SECRET><CRC>", hex).expect("the format is valid"), 32.0);
    }

    #[test]
    fn every_length_counts_unless_the_segment_ends_itself() {
        let range = || Lengths::Range { min: 1, max: 1024 };
        let open = format("abc_<SECRET><CRC>", range(), &["<SECRET>"]);
        assert_bits(&open, 22.0);
        assert!(!open.evidence_bits().expect("a checksum").is_proof());
        assert_bits(&format("abc_<SECRET>.<CRC>", range(), &["<SECRET>"]), 38.0);
    }
}
