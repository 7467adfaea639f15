//! Checksums of tokens: algorithm, encoding and coverage.
//!
//! Input: the covered bytes. Output: the encoded checksum. A new algorithm needs a new variant here; a new
//! format with an existing algorithm needs only a rule file.

mod base58check;
mod bech32;
mod codec;
mod digits;
mod encoding;
mod marvin;
mod shift;
mod trailer;

pub use codec::Codec;
pub use encoding::{Base64Digits, ByteOrder, Encoding};
pub(crate) use shift::Shift;

pub use digits::MAX_WIDTH;
pub(crate) use trailer::MAX_WIDTH as MAX_TRAILER_WIDTH;

use digits::{EncodedChecksum, encode_bits, encode_number};
use encoding::BASE58;
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
    /// Marvin32 with a seed, a 32-bit number.
    Marvin32,
    /// Base58check: the last four bytes of the whole token, decoded.
    Base58Check,
    /// CRC-16/XMODEM, a 16-bit number: the last two bytes of the whole token, decoded.
    Crc16Xmodem,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 6] = [
        Self::Crc32,
        Self::Sha256,
        Self::Bech32,
        Self::Marvin32,
        Self::Base58Check,
        Self::Crc16Xmodem,
    ];

    /// Parses the name of an algorithm in rule files.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Returns the name in rule files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Sha256 => "sha256",
            Self::Bech32 => "bech32",
            Self::Marvin32 => "marvin32",
            Self::Base58Check => "base58check",
            Self::Crc16Xmodem => "crc16-xmodem",
        }
    }
}

/// The literals and segments that a checksum covers, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The text in the rule file: `<ALIAS>_<SECRET>`.
    pub source: String,
    /// The seed of a seeded algorithm; 0 for the others.
    pub seed: u64,
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
    /// How the covered text is decoded first; `None` if the checksum covers the text itself.
    pub codec: Option<Codec>,
    /// The possible coverages, tried in this order.
    pub over: Vec<Coverage>,
}

impl Checksum {
    /// Returns the minimum width for all values, in characters. `None` for SHA-256, which is truncated to any
    /// width.
    #[must_use]
    pub const fn required_width(algorithm: Algorithm, encoding: Encoding) -> Option<usize> {
        match algorithm {
            Algorithm::Crc32 | Algorithm::Marvin32 => Some(encoding.width_of_u32()),
            Algorithm::Bech32 => Some(6),
            Algorithm::Base58Check => Some(base58check::WIDTH),
            Algorithm::Crc16Xmodem => Some(trailer::MIN_WIDTH),
            Algorithm::Sha256 => None,
        }
    }

    /// Returns the number of bits that a random text must match by chance.
    #[must_use]
    pub fn bits(&self) -> f64 {
        match self.algorithm {
            Algorithm::Crc32 | Algorithm::Marvin32 if self.encoding.is_decodable() => 32.0,
            Algorithm::Crc32 | Algorithm::Marvin32 => self.bits_of_text().min(32.0),
            Algorithm::Bech32 => 30.0,
            Algorithm::Base58Check => 32.0,
            Algorithm::Crc16Xmodem => 16.0,
            Algorithm::Sha256 => self.bits_of_text(),
        }
    }

    /// Returns the number of bits that random digits must match by chance.
    fn bits_of_text(&self) -> f64 {
        self.width as f64 * (self.encoding.digits().len() as f64).log2()
    }

    /// Returns `true` if `text` can be a checksum of this kind: if alphabet, width and, for a number, range
    /// are valid.
    #[must_use]
    #[inline]
    pub fn is_in_range(&self, text: &[u8]) -> bool {
        if self.is_number() {
            return self.number(text).is_some();
        }
        text.len() == self.width && self.encoding.set().contains_all(text)
    }

    /// Returns `true` if the encoded checksum decodes to the whole value.
    pub(crate) fn is_number(&self) -> bool {
        self.algorithm != Algorithm::Sha256 && self.encoding.is_decodable()
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

    /// Computes and encodes the checksum of `covered`, with the first seed.
    #[must_use]
    pub fn compute(&self, covered: &[u8]) -> String {
        let seed = self.over.first().map_or(0, |coverage| coverage.seed);
        let encoded = self.encode(seed, std::iter::once(covered));
        String::from_utf8_lossy(encoded.as_bytes()).into_owned()
    }

    /// Computes and encodes the checksum of the concatenation of `pieces`.
    pub(crate) fn encode<'a>(
        &self,
        seed: u64,
        pieces: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> EncodedChecksum {
        let bytes = pieces.flatten().copied();
        match self.codec {
            Some(codec) => self.encode_bytes(seed, || codec.decode(bytes.clone())),
            None => self.encode_bytes(seed, || bytes.clone()),
        }
    }

    /// Returns `true` if `text` is the checksum of the concatenation of `pieces`.
    pub(crate) fn is_of<'a>(
        &self,
        text: &'a [u8],
        seed: u64,
        pieces: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> bool {
        match self.algorithm {
            Algorithm::Base58Check => {
                base58check::is_valid(pieces.chain([text]).flatten().copied())
            }
            Algorithm::Crc16Xmodem => trailer::is_valid(pieces.chain([text]).flatten().copied()),
            _ => self.encode(seed, pieces).as_bytes() == text,
        }
    }

    /// Computes and encodes the checksum of bytes; `bytes` may be called several times.
    fn encode_bytes<I: Iterator<Item = u8>>(
        &self,
        seed: u64,
        bytes: impl Fn() -> I,
    ) -> EncodedChecksum {
        let value = match self.algorithm {
            Algorithm::Crc32 => {
                let mut hasher = crc32fast::Hasher::new();
                each_block(bytes(), |block| hasher.update(block));
                hasher.finalize()
            }
            Algorithm::Bech32 => bech32::checksum(bytes),
            Algorithm::Marvin32 => marvin::checksum(seed, bytes()),
            Algorithm::Base58Check => {
                return encode_number(base58check::value(bytes()), BASE58, self.width);
            }
            Algorithm::Crc16Xmodem => return trailer::digits(bytes, self.width),
            Algorithm::Sha256 => {
                let mut hasher = Sha256::new();
                each_block(bytes(), |block| hasher.update(block));
                return encode_bits(&hasher.finalize(), self.encoding.digits(), self.width);
            }
        };
        self.encoding.encode(value, self.width)
    }
}

/// Calls `on_block` with blocks of bytes: hashing one byte at a time is slow.
fn each_block(mut bytes: impl Iterator<Item = u8>, mut on_block: impl FnMut(&[u8])) {
    let mut block = [0; 64];
    loop {
        let mut len = 0;
        for (place, byte) in block.iter_mut().zip(&mut bytes) {
            *place = byte;
            len += 1;
        }
        if len == 0 {
            return;
        }
        on_block(&block[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(algorithm: Algorithm, encoding: Encoding, width: usize, input: &[u8]) -> String {
        let checksum = Checksum { algorithm, encoding, width, codec: None, over: Vec::new() };
        let encoded = checksum.encode(0, std::iter::once(input));
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
            codec: None,
            over: Vec::new(),
        };
        assert!(base36.is_in_range(b"1z141z3"));
        assert!(!base36.is_in_range(b"1z141z4"));
        assert!(!base36.is_in_range(b"1z141z"));
        assert!(!base36.is_in_range(b"1z141Z3"));
    }
}
