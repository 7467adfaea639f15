//! Base58check: a number in base58, whose last four bytes are the first of the doubly hashed bytes before them.
//!
//! Input: a text without its last six digits. Output: six digits with which the checksum matches, or whether given
//! ones do. No digit depends on the checksum alone, and of the numbers that begin like the text about nine have a
//! checksum that matches. So given digits are not compared, but decoded together with the text.

use super::encoding::BASE58;
use sha2::{Digest, Sha256};

/// Number of digits that are computed.
pub(super) const WIDTH: usize = 6;

/// Maximum length of a decoded number, in bytes.
const MAX_LEN: usize = 128;

/// Number of bytes of the checksum.
const CHECKSUM_LEN: usize = 4;

/// A number below 256 to the power of [`MAX_LEN`], the most significant byte first.
struct Number([u8; MAX_LEN]);

impl Number {
    /// Decodes base58. Returns `None` for another character or a number that is too large.
    fn decode(text: impl Iterator<Item = u8>) -> Option<Self> {
        let mut number = Self([0; MAX_LEN]);
        let mut used = 0;
        for byte in text {
            let mut carry = BASE58.iter().position(|&digit| digit == byte)?;
            for (at, place) in number.0.iter_mut().rev().enumerate() {
                if carry == 0 && at >= used {
                    break;
                }
                carry += usize::from(*place) * BASE58.len();
                *place = (carry & 0xff) as u8;
                carry >>= 8;
                used = used.max(at + 1);
            }
            if carry > 0 {
                return None;
            }
        }
        Some(number)
    }

    /// Returns the bytes before the checksum, without leading zeros.
    fn payload(&self) -> &[u8] {
        let payload = &self.0[..MAX_LEN - CHECKSUM_LEN];
        let zeros = payload.iter().take_while(|&&byte| byte == 0).count();
        &payload[zeros..]
    }

    /// Computes the checksum of the payload.
    fn checksum(&self) -> [u8; CHECKSUM_LEN] {
        let digest = Sha256::digest(Sha256::digest(self.payload()));
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// Adds one to the payload.
    fn increment(&mut self) {
        for place in self.0[..MAX_LEN - CHECKSUM_LEN].iter_mut().rev() {
            *place = place.wrapping_add(1);
            if *place != 0 {
                return;
            }
        }
    }

    /// Returns the last eight bytes.
    fn low(&self) -> u64 {
        self.0.iter().skip(MAX_LEN - 8).fold(0, |sum, &byte| sum << 8 | u64::from(byte))
    }
}

/// Returns `true` if the checksum of a whole text matches.
pub(super) fn is_valid(text: impl Iterator<Item = u8>) -> bool {
    Number::decode(text).is_some_and(|number| number.0.ends_with(&number.checksum()))
}

/// Returns the value of six digits after a text with which the checksum matches.
pub(super) fn value(text: impl Iterator<Item = u8>) -> u64 {
    let zeros = std::iter::repeat_n(BASE58[0], WIDTH);
    let Some(mut number) = Number::decode(text.chain(zeros)) else { return 0 };
    let first = number.low();
    number.increment();
    let checksum = number.checksum();
    number.0[MAX_LEN - CHECKSUM_LEN..].copy_from_slice(&checksum);
    number.low().wrapping_sub(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_texts_are_valid_and_damaged_ones_are_not() {
        for parts in [
            // bitcoin/bips, BIP-32 and BIP-38.
            [
                "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvv",
                "NKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
            ],
            ["6PRHv1jg1ytiE4kT2QtrUz8gEjMQ", "ghZDWg1FuxjdYDzjUkcJeGdFj9q9Vi"],
            // Tezos, the key of a sandbox.
            ["edsk3gUfUPyBSfrS9CCgmCiQsTCH", "GkviBDusMxDJstFtojtc1zcpsh"],
        ] {
            let text = parts.concat();
            assert!(is_valid(text.bytes()));
            assert!(!is_valid(text.replacen('F', "G", 1).bytes()));
        }
        assert!(!is_valid("0OIl".bytes()));
        assert!(!is_valid("z".repeat(4000).bytes()), "too large");
    }

    proptest! {
        #[test]
        fn computed_digits_are_valid(text in "[2-9A-HJ-NP-Za-km-z]{1,110}") {
            let mut value = value(text.bytes());
            prop_assert!(value < 58_u64.pow(6));
            let mut digits = [0; WIDTH];
            for digit in digits.iter_mut().rev() {
                *digit = BASE58[(value % 58) as usize];
                value /= 58;
            }
            prop_assert!(is_valid(text.bytes().chain(digits)));
        }
    }
}
