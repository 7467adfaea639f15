//! Checksums of tokens: algorithm, encoding and coverage.
//!
//! Input: the covered bytes. Output: the encoded checksum. A new algorithm needs a new variant here; a new
//! format with an existing algorithm needs only a rule file.

mod shift;

pub(crate) use shift::Shift;

use crate::ByteSet;
use crate::base62;
use sha2::{Digest, Sha256};

/// How a checksum is computed from the covered bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// CRC-32 of zlib and IEEE 802.3, a 32-bit number.
    Crc32,
    /// The first characters of the encoded SHA-256 digest.
    Sha256,
}

impl Algorithm {
    /// Parses the name of an algorithm in rule files: `crc32`, `sha256`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "crc32" => Some(Self::Crc32),
            "sha256" => Some(Self::Sha256),
            _ => None,
        }
    }

    /// Returns the name in rule files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Sha256 => "sha256",
        }
    }
}

/// The encoding of the value of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `0-9A-Za-z`, a number padded on the left with `0`.
    Base62,
    /// `0-9a-z`, a number padded on the left with `0`.
    Base36,
    /// `0-9a-f`, a number padded on the left with `0`.
    Hex,
    /// `0-9A-F`, a number padded on the left with `0`.
    HexUpper,
    /// RFC 4648 base32 of bytes: five bits per character from the first byte on.
    Base32,
}

impl Encoding {
    /// Parses the name of an encoding in rule files: `base62`, `base36`, `base32`, `hex`,
    /// `hex-upper`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "base62" => Self::Base62,
            "base36" => Self::Base36,
            "base32" => Self::Base32,
            "hex" => Self::Hex,
            "hex-upper" => Self::HexUpper,
            _ => return None,
        })
    }

    /// Returns the alphabet as a set.
    #[must_use]
    pub const fn set(self) -> ByteSet {
        match self {
            Self::Base62 => ByteSet::BASE62,
            Self::Base36 => ByteSet::BASE36,
            Self::Base32 => ByteSet::BASE32,
            Self::Hex => ByteSet::HEX,
            Self::HexUpper => ByteSet::HEX_UPPER,
        }
    }

    const fn digits(self) -> &'static [u8] {
        match self {
            Self::Base62 => base62::DIGITS,
            Self::Base36 => b"0123456789abcdefghijklmnopqrstuvwxyz",
            Self::Base32 => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
            Self::Hex => b"0123456789abcdef",
            Self::HexUpper => b"0123456789ABCDEF",
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

/// Maximum width of an encoded checksum, in characters.
pub const MAX_WIDTH: usize = 32;

/// A computed checksum in its encoding.
pub(crate) struct EncodedChecksum {
    text: [u8; MAX_WIDTH],
    width: usize,
}

impl EncodedChecksum {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.width]
    }
}

impl Checksum {
    /// Returns the minimum width for all values, in characters. `None` for SHA-256, which is truncated to any
    /// width.
    #[must_use]
    pub const fn required_width(algorithm: Algorithm, encoding: Encoding) -> Option<usize> {
        match (algorithm, encoding) {
            (Algorithm::Crc32, Encoding::Base62) => Some(6),
            (Algorithm::Crc32, Encoding::Base36 | Encoding::Base32) => Some(7),
            (Algorithm::Crc32, Encoding::Hex | Encoding::HexUpper) => Some(8),
            (Algorithm::Sha256, _) => None,
        }
    }

    /// Returns the number of bits that a random text must match by chance.
    #[must_use]
    pub fn bits(&self) -> f64 {
        match self.algorithm {
            Algorithm::Crc32 => 32.0,
            Algorithm::Sha256 => self.width as f64 * (self.encoding.digits().len() as f64).log2(),
        }
    }

    /// Returns `true` if `text` can be a checksum of this kind: if alphabet, width and, for a number, range
    /// are valid.
    #[must_use]
    #[inline]
    pub fn is_in_range(&self, text: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Crc32 => self.crc32(text).is_some(),
            Algorithm::Sha256 => text.len() == self.width && self.encoding.set().contains_all(text),
        }
    }

    /// Decodes a CRC-32. Returns `None` for another width, a character outside the alphabet or a larger
    /// number.
    #[inline]
    pub(crate) fn crc32(&self, text: &[u8]) -> Option<u32> {
        if text.len() != self.width {
            return None;
        }
        // With constant bases the compiler needs no division and no table of digits.
        match self.encoding {
            Encoding::Base62 => read_number(text, 62, base62::digit),
            Encoding::Base36 => read_number(text, 36, |byte| match byte {
                b'0'..=b'9' => Some(byte - b'0'),
                b'a'..=b'z' => Some(byte - b'a' + 10),
                _ => None,
            }),
            Encoding::Hex => read_number(text, 16, |byte| match byte {
                b'0'..=b'9' => Some(byte - b'0'),
                b'a'..=b'f' => Some(byte - b'a' + 10),
                _ => None,
            }),
            Encoding::HexUpper => read_number(text, 16, |byte| match byte {
                b'0'..=b'9' => Some(byte - b'0'),
                b'A'..=b'F' => Some(byte - b'A' + 10),
                _ => None,
            }),
            Encoding::Base32 => read_bits(text),
        }
    }

    /// Computes and encodes the checksum of `covered`.
    #[must_use]
    pub fn compute(&self, covered: &[u8]) -> String {
        String::from_utf8_lossy(self.encode(std::iter::once(covered)).as_bytes()).into_owned()
    }

    /// Computes and encodes the checksum of the concatenation of `pieces`.
    pub(crate) fn encode<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> EncodedChecksum {
        match self.algorithm {
            Algorithm::Crc32 => {
                let mut hasher = crc32fast::Hasher::new();
                pieces.for_each(|piece| hasher.update(piece));
                let (value, digits) = (hasher.finalize(), self.encoding.digits());
                match self.encoding {
                    Encoding::Base32 => encode_bits(&value.to_be_bytes(), digits, self.width),
                    _ => encode_number(value, digits, self.width),
                }
            }
            Algorithm::Sha256 => {
                let mut hasher = Sha256::new();
                pieces.for_each(|piece| hasher.update(piece));
                encode_bits(&hasher.finalize(), self.encoding.digits(), self.width)
            }
        }
    }
}

/// Decodes a number, the most significant digit first. Returns `None` above 32 bits.
#[inline]
fn read_number(text: &[u8], base: u64, digit: impl Fn(u8) -> Option<u8>) -> Option<u32> {
    let mut value = 0_u64;
    for &byte in text {
        value = value * base + u64::from(digit(byte)?);
        if value > u64::from(u32::MAX) {
            return None;
        }
    }
    u32::try_from(value).ok()
}

/// Decodes the first 32 bits of base32. Returns `None` if further bits are not zero.
fn read_bits(text: &[u8]) -> Option<u32> {
    let mut value = 0_u64;
    for (at, &byte) in text.iter().enumerate() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        match at {
            0..7 => value = value << 5 | u64::from(digit),
            _ if digit == 0 => {}
            _ => return None,
        }
    }
    // Seven characters hold 35 bits.
    (value & 0b111 == 0).then_some((value >> 3) as u32)
}

/// Encodes a number, the most significant digit first, padded on the left with digit 0.
fn encode_number(mut value: u32, digits: &[u8], width: usize) -> EncodedChecksum {
    let mut text = [digits[0]; MAX_WIDTH];
    for byte in text[..width].iter_mut().rev() {
        *byte = digits[value as usize % digits.len()];
        value /= digits.len() as u32;
    }
    EncodedChecksum { text, width }
}

/// Encodes bytes in equal groups of bits from the first byte on; `digits` has 16 or 32 members.
fn encode_bits(bytes: &[u8], digits: &[u8], width: usize) -> EncodedChecksum {
    let group = digits.len().ilog2();
    let mut text = [digits[0]; MAX_WIDTH];
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut rest = bytes.iter();
    for byte in &mut text[..width] {
        if held < group {
            bits = bits << 8 | u32::from(rest.next().copied().unwrap_or(0));
            held += 8;
        }
        held -= group;
        *byte = digits[(bits >> held) as usize & (digits.len() - 1)];
        bits &= (1 << held) - 1;
    }
    EncodedChecksum { text, width }
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
    fn crc32_is_encoded_in_every_alphabet() {
        // The check value of CRC-32/ISO-HDLC is cbf43926.
        for (encoding, width, text) in [
            (Encoding::Hex, 8, "cbf43926"),
            (Encoding::HexUpper, 8, "CBF43926"),
            (Encoding::Base36, 7, "1kl8mjq"),
            (Encoding::Base32, 7, "ZP2DSJQ"),
        ] {
            assert_eq!(encoded(Algorithm::Crc32, encoding, width, b"123456789"), text);
        }
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
        let base32 = Checksum { encoding: Encoding::Base32, ..base36 };
        assert_eq!(base32.crc32(b"ZP2DSJQ"), Some(0xcbf4_3926));
        assert_eq!(base32.crc32(b"ZP2DSJR"), None, "a bit beyond the 32 is set");
    }
}
