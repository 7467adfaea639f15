//! Checksums at the end of decoded bytes, where no digit of the text belongs to the checksum alone.
//!
//! Input: a text in base32 whose last two bytes are the CRC-16/XMODEM of the bytes before them, the least significant
//! byte first, or such a text without its last digits. Output: whether the checksum matches, or digits with which
//! it does. The last digit of the covered bytes and the first of the checksum may be one.

use super::Codec;
use super::digits::{EncodedChecksum, encode_bits};
use super::encoding::BASE32;

/// Smallest number of digits for the checksum.
pub(super) const MIN_WIDTH: usize = 4;
/// Largest number of digits for the checksum and the rest of the byte before it.
pub(crate) const MAX_WIDTH: usize = 5;

/// Number of bits of the checksum.
const CHECKSUM_BITS: usize = 16;
/// Number of bits of a digit.
const DIGIT_BITS: usize = 5;

/// Returns `true` if a whole text ends in its checksum, and no bit after the last byte is set.
pub(super) fn is_valid(text: impl Iterator<Item = u8> + Clone) -> bool {
    let bits = text.clone().count() * DIGIT_BITS;
    let (len, surplus) = (bits / 8, bits % 8);
    if len < 2 || surplus >= DIGIT_BITS {
        return false;
    }
    let mut bytes = Codec::Base32.decode(text);
    let crc = (&mut bytes).take(len - 2).fold(0, crc16);
    bytes.next() == Some(crc as u8)
        && bytes.next() == Some((crc >> 8) as u8)
        && bytes.all(|byte| byte == 0)
}

/// Returns digits after a text with which the checksum matches: those in which the rest of the text's last byte is
/// zero; `text` may be called several times.
pub(super) fn digits<I: Iterator<Item = u8>>(
    text: impl Fn() -> I,
    width: usize,
) -> EncodedChecksum {
    let open = text().count() * DIGIT_BITS % 8;
    let before = (8 - open) % 8;
    let crc = Codec::Base32.decode(text()).fold(0, crc16);
    let bits = u32::from(crc.swap_bytes()) << (32 - CHECKSUM_BITS - before);
    encode_bits(&bits.to_be_bytes(), BASE32, width)
}

/// Adds a byte to a CRC-16/XMODEM.
fn crc16(crc: u16, byte: u8) -> u16 {
    (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
        let shifted = crc << 1;
        if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_that_of_the_published_example() {
        // The check value of CRC-16/XMODEM.
        assert_eq!(b"123456789".iter().fold(0, |crc, &byte| crc16(crc, byte)), 0x31c3);
    }

    #[test]
    fn published_texts_are_valid_and_damaged_ones_are_not() {
        for parts in [
            // StellarCN/py-stellar-base, tests of key pairs.
            ["SBGWSG6BTNCKCOB3DIFBGCVMUPQF", "YPA2G4O34RMTB343OYPXU5DJDVMN"],
            // nats-io/nkeys, README.
            ["SUAKYRHVIOREXV7EUZTBHUHL7NUMH", "PMAS7QMDU3GTIUWEI5LDNOXD43IZY"],
        ] {
            let text = parts.concat();
            assert!(is_valid(text.bytes()));
            assert!(!is_valid(text.bytes().rev()));
            assert!(!is_valid(text.replacen('D', "E", 1).bytes()));
            assert!(!is_valid(text[..text.len() - 1].bytes()), "cut off");
        }
        // 2 bits of a last byte, of which one is set.
        let text = ["SUAKYRHVIOREXV7EUZTBHUHL7NUMH", "PMAS7QMDU3GTIUWEI5LDNOXD43IZZ"];
        assert!(!is_valid(text.concat().bytes()));
        assert!(!is_valid("".bytes()) && !is_valid("AA".bytes()));
    }

    proptest! {
        #[test]
        fn computed_digits_are_valid(text in "[A-Z2-7]{1,70}") {
            let before = (8 - text.len() * DIGIT_BITS % 8) % 8;
            let width = (before + CHECKSUM_BITS).div_ceil(DIGIT_BITS);
            prop_assert!((MIN_WIDTH..=MAX_WIDTH).contains(&width));
            let digits = digits(|| text.bytes(), width);
            prop_assert!(is_valid(text.bytes().chain(digits.as_bytes().iter().copied())));
        }
    }
}
