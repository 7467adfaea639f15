//! A rule without an anchor, prepared to rule out words.
//!
//! Input: the rule's format; then words. Output: whether a word may be a token. The checksum is not computed here.

use crate::rules::RuleIndex;
use ddpatrol_token::ByteSet;
use ddpatrol_token::format::{Format, Layout, LengthRange, Piece};

/// A rule without an anchor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WordRule {
    pub(crate) rule: RuleIndex,
    /// The lengths of tokens.
    lens: LengthRange,
    /// The bytes that a token can begin with.
    first: ByteSet,
    tail: Option<Tail>,
}

/// The end of the tokens of a rule: the first byte of their last literal, which does not occur after it, and its
/// possible distances from their end, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tail {
    byte: u8,
    distances: u128,
}

impl WordRule {
    pub(crate) fn new(rule: RuleIndex, format: &Format) -> Self {
        let tails: Option<Vec<Tail>> =
            format.layouts().iter().map(|layout| Tail::of(format, layout)).collect();
        let tail = tails.and_then(|tails| {
            tails.into_iter().reduce(|sum, tail| Tail {
                // Another byte: no position is ruled out.
                distances: if sum.byte == tail.byte {
                    sum.distances | tail.distances
                } else {
                    u128::MAX
                },
                ..sum
            })
        });
        let layouts = format.layouts();
        let lens = LengthRange { min: format.min_len(), max: format.max_len() };
        let first = layouts.iter().fold(ByteSet::EMPTY, |all, layout| {
            let first = first_bytes(format, layout);
            first.iter().fold(all, |all, byte| all.with(byte, byte))
        });
        Self { rule, lens, first, tail: tail.filter(|tail| tail.distances != u128::MAX) }
    }

    /// Returns `true` if a word that contains an anchor is left to the rule of the anchor. A word of one length contains
    /// an anchor by chance only.
    pub(crate) fn yields_to_anchors(&self) -> bool {
        self.lens.min != self.lens.max
    }

    /// Returns `true` if a word may be a token, by its length, its first byte and the position of its last literal.
    #[inline]
    pub(crate) fn may_match(&self, word: &[u8]) -> bool {
        let LengthRange { min, max } = self.lens;
        if !(min..=max).contains(&word.len())
            || !word.first().is_some_and(|&byte| self.first.contains(byte))
        {
            return false;
        }
        self.tail.is_none_or(|Tail { byte, distances }| {
            let last = memchr::memrchr(byte, word).map(|at| word.len() - at);
            last.is_some_and(|distance| distance < 128 && distances >> distance & 1 == 1)
        })
    }
}

/// Returns the bytes that tokens with a layout can begin with.
fn first_bytes(format: &Format, layout: &Layout) -> ByteSet {
    match layout.pieces().first() {
        Some(Piece::Literal(text)) => ByteSet::EMPTY.with(text[0], text[0]),
        Some(Piece::Segment { index, .. }) => format.segments()[*index].set,
        None => ByteSet::EMPTY,
    }
}

impl Tail {
    /// Returns the end of the tokens with a layout. Returns `None` if it does not determine the position of the last
    /// literal.
    fn of(format: &Format, layout: &Layout) -> Option<Self> {
        let pieces = layout.pieces();
        let last = pieces.iter().rposition(|piece| matches!(piece, Piece::Literal(_)))?;
        let Piece::Literal(text) = &pieces[last] else { return None };
        let byte = text[0];
        let mut distance = text.len();
        for piece in &pieces[last + 1..] {
            let Piece::Segment { index, len: Some(len) } = piece else { return None };
            if format.segments()[*index].set.contains(byte) {
                return None;
            }
            distance += len;
        }
        let is_single = !text[1..].contains(&byte) && distance < 128;
        is_single.then(|| Self { byte, distances: 1 << distance })
    }
}

#[cfg(test)]
mod tests {
    use super::{Tail, WordRule};
    use crate::rules::RuleIndex;
    use ddpatrol_token::{Algorithm, ByteSet, Encoding, Format, Lengths, Segment};

    fn rule(pattern: &str, word: ByteSet, lens: &[usize]) -> WordRule {
        let segments = vec![
            Segment::text("WORD", word, Lengths::Range { min: 2, max: 9 }),
            Segment::text("SECRET", ByteSet::BASE62, Lengths::OneOf(lens.to_vec())),
            Segment::checksum("CRC", Algorithm::Crc32, Encoding::Base62, 6, &["<SECRET>"]),
        ];
        WordRule::new(
            RuleIndex(0),
            &Format::of_words(pattern, segments).expect("the format is valid"),
        )
    }

    #[test]
    fn length_and_first_byte_rule_out_words_without_a_literal_in_the_end() {
        let segments = vec![
            Segment::text("KIND", ByteSet::EMPTY.with(b'A', b'B'), Lengths::OneOf(vec![1])),
            Segment::text("SECRET", ByteSet::BASE32, Lengths::OneOf(vec![3])),
        ];
        let format = Format::of_words("<KIND><SECRET>", segments).expect("the format is valid");
        let rule = WordRule::new(RuleIndex(0), &format);
        for (word, may_match) in
            [("AAAA", true), ("B???", true), ("CAAA", false), ("AAA", false), ("AAAAA", false)]
        {
            assert_eq!(rule.may_match(word.as_bytes()), may_match, "{word}");
        }
        assert!(!rule.may_match(b""));
    }

    #[test]
    fn the_distance_of_the_last_literal_rules_out_most_words() {
        let short = rule("<WORD>_<SECRET><CRC>", ByteSet::BASE62, &[3, 5]);
        assert_eq!(short.tail, Some(Tail { byte: b'_', distances: 1 << 10 | 1 << 12 }));
        for (word, may_match) in [
            ("ab_123456789", true),
            ("ab_12345678901", true),
            ("ab_1234567890", false),
            // Longer than any token, and with another first byte.
            ("abcdefghijkl_123456789", false),
            ("-b_123456789", false),
        ] {
            assert_eq!(short.may_match(word.as_bytes()), may_match, "{word}");
        }
        assert!(!short.may_match(b"ab12345678901"));
        // The last literal may occur in what follows.
        let unclear = rule("<WORD>a<SECRET><CRC>", ByteSet::BASE62, &[3]);
        assert_eq!(unclear.tail, None);
        assert!(unclear.may_match(b"any-word-of-12"));
    }
}
