//! The checksum of bech32 (BIP 173): 30 bits over the prefix before the last `1` and the digits after it.

use super::encoding::BECH32;

const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];

/// The remainder of the values so far.
struct Remainder(u32);

impl Remainder {
    fn add(&mut self, value: u8) {
        let top = self.0 >> 25;
        self.0 = (self.0 & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (bit, term) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                self.0 ^= term;
            }
        }
    }
}

/// Returns the checksum of a text without its last six digits; `text` may be called several times.
pub(super) fn checksum<I: Iterator<Item = u8>>(text: impl Fn() -> I) -> u32 {
    let separator = text().enumerate().filter(|(_, byte)| *byte == b'1').last();
    let prefix_len = separator.map_or(0, |(at, _)| at);
    let lower = || text().map(|byte| byte.to_ascii_lowercase());
    let mut remainder = Remainder(1);
    lower().take(prefix_len).for_each(|byte| remainder.add(byte >> 5));
    remainder.add(0);
    lower().take(prefix_len).for_each(|byte| remainder.add(byte & 31));
    for byte in lower().skip(prefix_len + 1) {
        // Other characters never match: no digit has the value 32.
        let digit = BECH32.iter().position(|&digit| digit == byte).unwrap_or(32);
        remainder.add(digit as u8);
    }
    (0..6).for_each(|_| remainder.add(0));
    remainder.0 ^ 1
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn the_checksum_is_that_of_the_published_examples() {
        // BIP 173: `A12UEL5L` and `abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw`.
        for (text, digits) in
            [("A1", "2uel5l"), ("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7l", "mqqqxw")]
        {
            let value = digits.bytes().fold(0, |value, byte| {
                let digit = super::BECH32.iter().position(|&digit| digit == byte);
                value << 5 | digit.expect("a digit") as u32
            });
            assert_eq!(checksum(|| text.bytes()), value, "{text}");
        }
    }
}
