//! Checksums of tokens: algorithm, encoding and coverage.
//!
//! Input: the covered bytes. Output: the encoded checksum. A new algorithm needs a new variant here; a new
//! format with an existing algorithm needs only a rule file.

mod bech32;
mod digits;
mod encoding;
mod shift;

pub use encoding::Encoding;
pub(crate) use shift::Shift;

pub use digits::MAX_WIDTH;

use digits::{EncodedChecksum, encode_bits};
use sha2::{Digest, Sha256};

/// How a checksum is computed from the covered bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// CRC-32 of zlib and IEEE 802.3, a 32-bit number.
    Crc32,
    /// The first characters of the encoded SHA-256 digest.
    Sha256,
    /// The checksum of bech32 (BIP 173), a 30-bit number.
    Bech32,
}

impl Algorithm {
    /// Parses the name of an algorithm in rule files: `crc32`, `sha256`, `bech32`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "crc32" => Some(Self::Crc32),
            "sha256" => Some(Self::Sha256),
            "bech32" => Some(Self::Bech32),
            _ => None,
        }
    }

    /// Returns the name in rule files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Sha256 => "sha256",
            Self::Bech32 => "bech32",
        }
    }
}

/// The literals and segments that a checksum covers, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The text in the rule file: `<ALIAS>_<SECRET>`.
    pub source: String,
    pub(crate) items: Vec<TemplateItem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TemplateItem {
    Literal(Box<[u8]>),
    Segment(usize),
}

/// A checksum as a format declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// How it is computed.
    pub algorithm: Algorithm,
    /// How it is encoded.
    pub encoding: Encoding,
    /// The number of characters.
    pub width: usize,
    /// The possible coverages, tried in this order.
    pub over: Vec<Coverage>,
}

impl Checksum {
    /// Returns the minimum width for all values, in characters. `None` for SHA-256, which is truncated to any
    /// width.
    #[must_use]
    pub const fn required_width(algorithm: Algorithm, encoding: Encoding) -> Option<usize> {
        match algorithm {
            Algorithm::Crc32 => Some(encoding.width_of_u32()),
            Algorithm::Bech32 => Some(6),
            Algorithm::Sha256 => None,
        }
    }

    /// Returns the number of bits that a random text must match by chance.
    #[must_use]
    pub fn bits(&self) -> f64 {
        match self.algorithm {
            Algorithm::Crc32 => 32.0,
            Algorithm::Bech32 => 30.0,
            Algorithm::Sha256 => self.width as f64 * (self.encoding.digits().len() as f64).log2(),
        }
    }

    /// Returns `true` if `text` can be a checksum of this kind: if alphabet, width and, for a number, range
    /// are valid.
    #[must_use]
    #[inline]
    pub fn is_in_range(&self, text: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Crc32 | Algorithm::Bech32 => self.number(text).is_some(),
            Algorithm::Sha256 => text.len() == self.width && self.encoding.set().contains_all(text),
        }
    }

    /// Decodes a number. Returns `None` for another width, a character outside the alphabet or a larger
    /// number.
    #[inline]
    pub(crate) fn number(&self, text: &[u8]) -> Option<u32> {
        if text.len() != self.width {
            return None;
        }
        self.encoding.decode(text)
    }

    /// Computes and encodes the checksum of `covered`.
    #[must_use]
    pub fn compute(&self, covered: &[u8]) -> String {
        String::from_utf8_lossy(self.encode(std::iter::once(covered)).as_bytes()).into_owned()
    }

    /// Computes and encodes the checksum of the concatenation of `pieces`.
    pub(crate) fn encode<'a>(
        &self,
        pieces: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> EncodedChecksum {
        match self.algorithm {
            Algorithm::Crc32 => {
                let mut hasher = crc32fast::Hasher::new();
                pieces.for_each(|piece| hasher.update(piece));
                self.encoding.encode(hasher.finalize(), self.width)
            }
            Algorithm::Bech32 => {
                let value = bech32::checksum(|| pieces.clone().flatten().copied());
                self.encoding.encode(value, self.width)
            }
            Algorithm::Sha256 => {
                let mut hasher = Sha256::new();
                pieces.for_each(|piece| hasher.update(piece));
                encode_bits(&hasher.finalize(), self.encoding.digits(), self.width)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(algorithm: Algorithm, encoding: Encoding, width: usize, input: &[u8]) -> String {
        let checksum = Checksum { algorithm, encoding, width, over: Vec::new() };
        let encoded = checksum.encode(std::iter::once(input));
        String::from_utf8(encoded.as_bytes().to_vec()).expect("digits are ASCII")
    }

    #[test]
    fn github_checksum_of_hello_is_as_published() {
        assert_eq!(encoded(Algorithm::Crc32, Encoding::Base62, 6, b"hello"), "0zNvy2");
    }

    #[test]
    fn sha256_keeps_the_first_characters() {
        // The digest of the empty string begins e3b0c442 98.
        assert_eq!(encoded(Algorithm::Sha256, Encoding::Base32, 8, b""), "4OYMIQUY");
        assert_eq!(encoded(Algorithm::Sha256, Encoding::Hex, 8, b""), "e3b0c442");
    }

    #[test]
    fn numbers_above_32_bits_are_out_of_range() {
        let base36 = Checksum {
            algorithm: Algorithm::Crc32,
            encoding: Encoding::Base36,
            width: 7,
            over: Vec::new(),
        };
        assert!(base36.is_in_range(b"1z141z3"));
        assert!(!base36.is_in_range(b"1z141z4"));
        assert!(!base36.is_in_range(b"1z141z"));
        assert!(!base36.is_in_range(b"1z141Z3"));
    }
}
