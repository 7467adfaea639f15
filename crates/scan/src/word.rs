//! Operations on eight bytes at once, which are fast at every optimization level.
//!
//! Source: [Bit Twiddling Hacks](https://graphics.stanford.edu/~seander/bithacks.html). The order of the bytes
//! in a word does not matter here.

/// Returns a word whose bytes are all `byte`.
const fn repeat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The highest bit of each byte.
const HIGH: u64 = repeat(0x80);

/// Returns the highest bit of each byte that is less than `limit`, which is at most 0x80.
const fn less_than(word: u64, limit: u8) -> u64 {
    // The subtraction cannot borrow from another byte: each is at most 0x7f.
    (repeat(0x7f + limit) - (word & !HIGH)) & !word & HIGH
}

/// Returns `true` if a byte is a control character that text does not contain: below 8, or from 0x0e to 0x1a.
#[must_use]
pub fn has_control(bytes: &[u8]) -> bool {
    let is_any = |word: [u8; 8]| {
        let word = u64::from_ne_bytes(word);
        less_than(word, 8) | less_than(word, 0x1b) & !less_than(word, 0x0e) != 0
    };
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().any(|word| is_any(*word)) || is_any(padded(rest, b' '))
}

/// Counts the UTF-16 code units of UTF-8 text.
///
/// Each byte is counted independently, so text can be split anywhere: a byte that is not a continuation
/// counts one, the first byte of a four-byte sequence two. In other encodings the result is exact for
/// bytes below 0x80 and a guess above.
#[must_use]
pub fn utf16_len(bytes: &[u8]) -> u64 {
    let units = |word: [u8; 8]| {
        let word = u64::from_ne_bytes(word);
        // The shifts move a bit of a byte to its highest bit.
        let continues = word & !(word << 1) & HIGH;
        let is_four = word & word << 1 & word << 2 & word << 3 & HIGH;
        let is_valid = less_than(word & repeat(0x0f), 5);
        let units = ((!continues & HIGH) >> 7) + ((is_four & is_valid) >> 7);
        // The highest byte of the product is the sum of all bytes.
        units.wrapping_mul(repeat(1)) >> 56
    };
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().map(|word| units(*word)).sum::<u64>() + units(padded(rest, 0x80))
}

/// Returns fewer than 8 bytes, followed by `filler`.
fn padded(bytes: &[u8], filler: u8) -> [u8; 8] {
    let mut word = [filler; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_byte_counts_in_every_position() {
        for byte in 0..=u8::MAX {
            let is_control = byte < 8 || (0x0e..=0x1a).contains(&byte);
            let units = match byte {
                0x80..=0xbf => 0,
                0xf0..=0xf4 => 2,
                _ => 1,
            };
            for at in 0..19 {
                let mut text = [b'a'; 19];
                text[at] = byte;
                assert_eq!(has_control(&text), is_control, "{byte} at {at}");
                assert_eq!(utf16_len(&text), 18 + units, "{byte} at {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn bytes_do_not_influence_each_other(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let alone = |byte: &u8| std::slice::from_ref(byte).to_vec();
            let units: u64 = bytes.iter().map(|byte| utf16_len(&alone(byte))).sum();
            prop_assert_eq!(utf16_len(&bytes), units);
            prop_assert_eq!(has_control(&bytes), bytes.iter().any(|byte| has_control(&alone(byte))));
        }
    }
}
