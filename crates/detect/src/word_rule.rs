//! A rule without an anchor, prepared to rule out words.
//!
//! Input: the rule's format; then words. Output: whether a word may be a token. The checksum is not computed here.

use crate::rules::RuleIndex;
use ddpatrol_token::format::{Format, Layout, Piece};

/// A rule without an anchor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WordRule {
    pub(crate) rule: RuleIndex,
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
        Self { rule, tail: tail.filter(|tail| tail.distances != u128::MAX) }
    }

    /// Returns `true` if a word may be a token, by the position of its last literal.
    #[inline]
    pub(crate) fn may_match(&self, word: &[u8]) -> bool {
        self.tail.is_none_or(|Tail { byte, distances }| {
            let last = memchr::memrchr(byte, word).map(|at| word.len() - at);
            last.is_some_and(|distance| distance < 128 && distances >> distance & 1 == 1)
        })
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
    fn the_distance_of_the_last_literal_rules_out_most_words() {
        let short = rule("<WORD>_<SECRET><CRC>", ByteSet::BASE62, &[3, 5]);
        assert_eq!(short.tail, Some(Tail { byte: b'_', distances: 1 << 10 | 1 << 12 }));
        for (word, may_match) in
            [("ab_123456789", true), ("ab_12345678901", true), ("ab_1234567890", false)]
        {
            assert_eq!(short.may_match(word.as_bytes()), may_match, "{word}");
        }
        assert!(!short.may_match(b"ab12345678901"));
        // The last literal may occur in what follows.
        let unclear = rule("<WORD>a<SECRET><CRC>", ByteSet::BASE62, &[3]);
        assert_eq!(unclear.tail, None);
        assert!(unclear.may_match(b"any"));
    }
}
