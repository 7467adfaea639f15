//! Segments: the named parts of a format, with their alphabets and lengths.

use crate::checksum::Checksum;
use crate::{ByteSet, Uuid};

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

impl Segment {
    /// Returns `true` if this segment can contain `bytes`, which have an admissible length.
    #[inline]
    pub(super) fn admits(&self, bytes: &[u8]) -> bool {
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
