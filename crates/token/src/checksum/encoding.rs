//! Encodings of the value of a checksum.
//!
//! Input: a 32-bit number, or text. Output: text, or the number.

use super::digits::{
    EncodedChecksum, MAX_WIDTH, encode_bits, encode_number, read_bits, read_number,
};
use crate::ByteSet;
use crate::base62;

/// The encoding of the value of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `0-9A-Za-z`, a number padded on the left with `0`.
    Base62,
    /// `0-9a-zA-Z`, a number padded on the left with `0`.
    Base62Lower,
    /// `0-9A-Za-z`, a number whose digits are reversed and then padded on the left with `0`.
    Base62Reversed,
    /// `0-9a-z`, a number padded on the left with `0`.
    Base36,
    /// `0-9`, a number padded on the left with `0`.
    Decimal,
    /// `0-9a-f`, a number padded on the left with `0`.
    Hex,
    /// `0-9a-f`, the bytes of a number, the least significant byte first.
    HexLe,
    /// `0-9A-F`, a number padded on the left with `0`.
    HexUpper,
    /// RFC 4648 base32 of bytes: five bits per character from the first byte on.
    Base32,
    /// The last digits of RFC 4648 base32 of the covered bytes and the bytes of a number, the least significant byte
    /// first. The first digit may begin with bits of the covered bytes.
    Base32Trailer,
    /// The bytes of a number, the least significant byte first, as a base62 number, padded on the right with
    /// `0`, of which only the first digits are kept.
    Base62Le,
    /// RFC 4648 base64 of the bytes of a number, without padding.
    Base64 {
        /// The order of the bytes.
        order: ByteOrder,
        /// The number of bytes before them in their group of three: 0, 1 or 2. Of these bytes, the first
        /// character has 0, 2 or 4 bits, which are zero.
        before: u8,
        /// The digits.
        digits: Base64Digits,
    },
    /// The alphabet of base58, a number padded on the left with `1`.
    Base58,
    /// The alphabet of bech32, a number padded on the left with `q`.
    Bech32,
    /// The alphabet of bech32 in upper case.
    Bech32Upper,
}

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// The most significant byte first.
    Big,
    /// The least significant byte first.
    Little,
}

/// The alphabets of base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base64Digits {
    /// With `+` and `/`.
    Standard,
    /// With `-` and `_`.
    Url,
}

impl ByteOrder {
    /// Returns the number whose big-endian bytes are the bytes of `value` in this order.
    const fn apply(self, value: u32) -> u32 {
        match self {
            Self::Big => value,
            Self::Little => value.swap_bytes(),
        }
    }
}

const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BASE62_LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
pub(super) const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
pub(super) const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
pub(super) const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const BECH32_UPPER: &[u8] = b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";

/// All encodings, with their names in rule files.
const NAMES: [(&str, Encoding); 21] = [
    ("base62", Encoding::Base62),
    ("base62-lower", Encoding::Base62Lower),
    ("base62-reversed", Encoding::Base62Reversed),
    ("base36", Encoding::Base36),
    ("base32", Encoding::Base32),
    ("base32-trailer", Encoding::Base32Trailer),
    ("base62-le", Encoding::Base62Le),
    ("base64", base64(ByteOrder::Big, 0)),
    ("base64-1", base64(ByteOrder::Big, 1)),
    ("base64-2", base64(ByteOrder::Big, 2)),
    ("base64-le", base64(ByteOrder::Little, 0)),
    ("base64-le-1", base64(ByteOrder::Little, 1)),
    ("base64-le-2", base64(ByteOrder::Little, 2)),
    (
        "base64url-le",
        Encoding::Base64 { order: ByteOrder::Little, before: 0, digits: Base64Digits::Url },
    ),
    ("decimal", Encoding::Decimal),
    ("hex", Encoding::Hex),
    ("hex-le", Encoding::HexLe),
    ("hex-upper", Encoding::HexUpper),
    ("base58", Encoding::Base58),
    ("bech32", Encoding::Bech32),
    ("bech32-upper", Encoding::Bech32Upper),
];

const fn base64(order: ByteOrder, before: u8) -> Encoding {
    Encoding::Base64 { order, before, digits: Base64Digits::Standard }
}

impl Encoding {
    /// Parses the name of an encoding in rule files.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, encoding)| *encoding)
    }

    /// Lists the names in rule files.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Returns the alphabet as a set.
    #[must_use]
    pub const fn set(self) -> ByteSet {
        match self {
            Self::Base62 | Self::Base62Lower | Self::Base62Reversed | Self::Base62Le => {
                ByteSet::BASE62
            }
            Self::Base36 => ByteSet::BASE36,
            Self::Base32 | Self::Base32Trailer => ByteSet::BASE32,
            Self::Base64 { digits: Base64Digits::Standard, .. } => ByteSet::BASE64,
            Self::Base64 { digits: Base64Digits::Url, .. } => ByteSet::BASE64URL,
            Self::Decimal => ByteSet::EMPTY.with(b'0', b'9'),
            Self::Hex | Self::HexLe => ByteSet::HEX,
            Self::HexUpper => ByteSet::HEX_UPPER,
            Self::Base58 => ByteSet::BASE58,
            Self::Bech32 => ByteSet::BECH32,
            Self::Bech32Upper => ByteSet::BECH32_UPPER,
        }
    }

    pub(super) const fn digits(self) -> &'static [u8] {
        match self {
            Self::Base62 | Self::Base62Reversed | Self::Base62Le => base62::DIGITS,
            Self::Base62Lower => BASE62_LOWER,
            Self::Base36 => BASE36,
            Self::Base32 | Self::Base32Trailer => BASE32,
            Self::Base64 { digits: Base64Digits::Standard, .. } => BASE64,
            Self::Base64 { digits: Base64Digits::Url, .. } => BASE64URL,
            Self::Decimal => b"0123456789",
            Self::Hex | Self::HexLe => b"0123456789abcdef",
            Self::HexUpper => b"0123456789ABCDEF",
            Self::Base58 => BASE58,
            Self::Bech32 => BECH32,
            Self::Bech32Upper => BECH32_UPPER,
        }
    }

    /// Returns `true` if the encoding groups the bits of any number of bytes.
    pub(crate) const fn takes_bytes(self) -> bool {
        matches!(self, Self::Base32 | Self::Hex | Self::HexUpper)
    }

    /// Returns `true` if the text of a number contains all of it.
    pub(super) const fn is_decodable(self) -> bool {
        !matches!(self, Self::Base62Le | Self::Base58 | Self::Base32Trailer)
    }

    /// Returns `true` if several texts decode to one number, so that texts must be compared.
    const fn is_ambiguous(self) -> bool {
        matches!(self, Self::Base62Reversed)
    }

    /// Returns the minimum width of a 32-bit number, in characters.
    pub(super) const fn width_of_u32(self) -> usize {
        match self {
            Self::Base62Le => 4,
            Self::Base62
            | Self::Base62Lower
            | Self::Base62Reversed
            | Self::Base58
            | Self::Base64 { .. } => 6,
            Self::Base36
            | Self::Base32
            | Self::Base32Trailer
            | Self::Bech32
            | Self::Bech32Upper => 7,
            Self::Hex | Self::HexLe | Self::HexUpper => 8,
            Self::Decimal => 10,
        }
    }

    /// Encodes a number.
    pub(super) fn encode(self, value: u32, width: usize) -> EncodedChecksum {
        let digits = self.digits();
        match self {
            Self::Base32 => encode_bits(&value.to_be_bytes(), digits, width),
            Self::Base64 { order, before, .. } => {
                let bits = u64::from(order.apply(value)) << (8 - 2 * before);
                encode_bits(&bits.to_be_bytes()[3..], digits, width)
            }
            Self::Base62Le => {
                let mut encoded = encode_number(value.swap_bytes(), digits, MAX_WIDTH);
                let zeros = encoded.text.iter().take_while(|&&byte| byte == b'0').count();
                encoded.text.rotate_left(zeros);
                encoded.cut(width)
            }
            Self::HexLe => encode_number(value.swap_bytes(), digits, width),
            Self::Base62Reversed => {
                let mut encoded = encode_number(value, digits, width);
                let zeros = encoded.text[..width].iter().take_while(|&&byte| byte == b'0').count();
                encoded.text[zeros..width].reverse();
                encoded
            }
            _ => encode_number(value, digits, width),
        }
    }

    /// Decodes a number. Returns `None` for a character outside the alphabet or a larger number.
    #[inline]
    pub(super) fn decode(self, text: &[u8]) -> Option<u32> {
        // With constant bases the compiler needs no division and no table of digits.
        match self {
            Self::Base62 => read_number(text.iter(), 62, base62::digit),
            Self::Base62Lower => read_number(text.iter(), 62, |byte| match byte {
                b'0'..=b'9' => Some(byte - b'0'),
                b'a'..=b'z' => Some(byte - b'a' + 10),
                b'A'..=b'Z' => Some(byte - b'A' + 36),
                _ => None,
            }),
            Self::Base62Reversed => {
                let zeros = text.iter().take_while(|&&byte| byte == b'0').count();
                // The zeros may be padding or the least significant digits.
                let padded = read_number(text[zeros..].iter().rev(), 62, base62::digit);
                read_number(text.iter().rev(), 62, base62::digit).or(padded)
            }
            Self::Base36 => read_number(text.iter(), 36, |byte| match byte {
                b'0'..=b'9' => Some(byte - b'0'),
                b'a'..=b'z' => Some(byte - b'a' + 10),
                _ => None,
            }),
            Self::Decimal => {
                read_number(text.iter(), 10, |byte| byte.is_ascii_digit().then(|| byte - b'0'))
            }
            Self::Hex => read_number(text.iter(), 16, hex_digit),
            Self::HexLe => read_number(text.iter(), 16, hex_digit).map(u32::swap_bytes),
            Self::HexUpper => read_number(text.iter(), 16, |byte| match byte {
                b'0'..=b'9' => Some(byte - b'0'),
                b'A'..=b'F' => Some(byte - b'A' + 10),
                _ => None,
            }),
            Self::Base32 => read_bits(text, self.digits(), 0),
            Self::Base64 { order, before, .. } => {
                let skip = 2 * u32::from(before);
                read_bits(text, self.digits(), skip).map(|value| order.apply(value))
            }
            Self::Base62Le | Self::Base58 | Self::Base32Trailer => None,
            Self::Bech32 | Self::Bech32Upper => {
                let digits = self.digits();
                let digit = |byte| digits.iter().position(|&digit| digit == byte);
                read_number(text.iter(), 32, |byte| digit(byte).map(|value| value as u8))
            }
        }
    }

    /// Returns `true` if `text` is the encoding of `value`, when it decodes to `decoded`.
    #[inline]
    pub(crate) fn is_encoding(self, text: &[u8], decoded: u32, value: u32) -> bool {
        if self.is_ambiguous() {
            return self.encode(value, text.len()).as_bytes() == text;
        }
        decoded == value
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_encoding_is_decoded(value: u32) {
            for (name, encoding) in NAMES.into_iter().filter(|(_, it)| it.is_decodable()) {
                let encoded = encoding.encode(value, encoding.width_of_u32());
                let text = encoded.as_bytes();
                prop_assert!(encoding.set().contains_all(text), "{name}");
                let decoded = encoding.decode(text).expect("a 32-bit number");
                prop_assert!(encoding.is_encoding(text, decoded, value), "{name}");
                prop_assert!(!encoding.is_encoding(text, decoded, value ^ 1), "{name}");
            }
        }

        #[test]
        fn no_text_panics(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            for (_, encoding) in NAMES {
                let _ = encoding.decode(&text);
            }
        }
    }

    #[test]
    fn numbers_are_encoded_in_every_alphabet() {
        // The check value of CRC-32/ISO-HDLC is cbf43926.
        for (encoding, width, text) in [
            (Encoding::Hex, 8, "cbf43926"),
            (Encoding::HexLe, 8, "2639f4cb"),
            (Encoding::HexUpper, 8, "CBF43926"),
            (Encoding::Decimal, 10, "3421780262"),
            (Encoding::Base36, 7, "1kl8mjq"),
            (Encoding::Base32, 7, "ZP2DSJQ"),
            (base64(ByteOrder::Little, 0), 6, "Jjn0yw"),
            (base64(ByteOrder::Little, 1), 6, "CY59Ms"),
            (base64(ByteOrder::Little, 2), 6, "AmOfTL"),
            (base64(ByteOrder::Big, 0), 6, "y/Q5Jg"),
        ] {
            assert_eq!(encoding.encode(0xcbf4_3926, width).as_bytes(), text.as_bytes());
        }
        assert_eq!(Encoding::Base62Lower.encode(61 * 62 + 10, 6).as_bytes(), b"0000Za");
        // 0x2639f4cb is 641332427 and has five digits.
        assert_eq!(Encoding::Base62Le.encode(0xcbf4_3926, 6).as_bytes(), b"hOxrP0");
        assert_eq!(Encoding::Base62Le.encode(0xcbf4_3926, 4).as_bytes(), b"hOxr");
        // Reversed first, padded afterwards.
        assert_eq!(Encoding::Base62Reversed.encode(62, 6).as_bytes(), b"000001");
        assert_eq!(Encoding::Base62Reversed.encode(10, 6).as_bytes(), b"00000A");
    }

    #[test]
    fn numbers_above_32_bits_are_out_of_range() {
        assert_eq!(Encoding::Decimal.decode(b"4294967295"), Some(u32::MAX));
        assert_eq!(Encoding::Decimal.decode(b"4294967296"), None);
        assert_eq!(Encoding::Base32.decode(b"ZP2DSJR"), None, "a bit beyond the 32 is set");
        let little = |before| base64(ByteOrder::Little, before);
        assert_eq!(little(0).decode(b"Jjn0yx"), None, "a bit beyond the 32 is set");
        assert_eq!(little(2).decode(b"QmOfTL"), None, "a bit before the 32 is set");
    }
}
