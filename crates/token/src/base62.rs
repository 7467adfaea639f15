//! Encodes and decodes base62 of fixed width: 32-bit checksums, 128-bit identifiers, 256-bit secrets.
//!
//! The alphabet is `0-9A-Za-z`, in that order; the most significant digit comes first; numbers are padded
//! on the left with `0` to their fixed width. The GitHub token checksum and Datadog's alias use this form.

/// The digits, by value.
pub const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The number of characters of a 32-bit number.
pub const U32_WIDTH: usize = 6;
/// The number of characters of a 128-bit number.
pub const U128_WIDTH: usize = 22;
/// The number of characters of a 256-bit number.
pub const U256_WIDTH: usize = 43;

const NO_DIGIT: u8 = 0xff;
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Returns the value of one digit, 0 to 61.
#[must_use]
#[inline]
pub fn digit(byte: u8) -> Option<u8> {
    let value = VALUES[byte as usize];
    (value != NO_DIGIT).then_some(value)
}

/// Encodes a 32-bit number in 6 characters.
#[must_use]
pub fn encode_u32(mut value: u32) -> [u8; U32_WIDTH] {
    let mut text = [b'0'; U32_WIDTH];
    for byte in text.iter_mut().rev() {
        *byte = DIGITS[(value % 62) as usize];
        value /= 62;
    }
    text
}

/// Decodes a 32-bit number from its 6 characters.
///
/// Returns `None` for another length, a character outside the alphabet, or a number above `4gfFC3`.
#[must_use]
#[inline]
pub fn decode_u32(text: &[u8]) -> Option<u32> {
    if text.len() != U32_WIDTH {
        return None;
    }
    u32::try_from(decode_short(text)?).ok()
}

/// Encodes a 128-bit number in 22 characters.
#[must_use]
pub fn encode_u128(mut value: u128) -> [u8; U128_WIDTH] {
    let mut text = [b'0'; U128_WIDTH];
    for byte in text.iter_mut().rev() {
        *byte = DIGITS[(value % 62) as usize];
        value /= 62;
    }
    text
}

/// Decodes a 128-bit number from its 22 characters.
///
/// Returns `None` for another length, a character outside the alphabet, or a number above
/// `7n42DGM5Tflk9n8mt7Fhc7`.
#[must_use]
pub fn decode_u128(text: &[u8]) -> Option<u128> {
    if text.len() != U128_WIDTH {
        return None;
    }
    // Ten digits fit into 64 bits, so that only two steps need 128-bit arithmetic.
    const TEN_DIGITS: u128 = 62_u128.pow(10);
    let (high, rest) = text.split_at(2);
    let (middle, low) = rest.split_at(10);
    u128::from(decode_short(high)?)
        .checked_mul(TEN_DIGITS)?
        .checked_add(u128::from(decode_short(middle)?))?
        .checked_mul(TEN_DIGITS)?
        .checked_add(u128::from(decode_short(low)?))
}

/// Decodes at most ten digits.
#[inline]
fn decode_short(text: &[u8]) -> Option<u64> {
    debug_assert!(text.len() <= 10);
    let mut value = 0_u64;
    for &byte in text {
        value = value * 62 + u64::from(digit(byte)?);
    }
    Some(value)
}

/// Encodes a 256-bit number, given as 32 bytes with the most significant first, in 43 characters.
#[must_use]
pub fn encode_u256(bytes: &[u8; 32]) -> [u8; U256_WIDTH] {
    let mut limbs = [0_u32; 8];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(4)) {
        *limb = chunk.iter().fold(0, |value, &byte| value << 8 | u32::from(byte));
    }
    let mut text = [b'0'; U256_WIDTH];
    for byte in text.iter_mut().rev() {
        let mut remainder = 0_u64;
        for limb in &mut limbs {
            let value = remainder << 32 | u64::from(*limb);
            *limb = (value / 62) as u32;
            remainder = value % 62;
        }
        *byte = DIGITS[remainder as usize];
    }
    text
}

/// Decodes a 256-bit number from its 43 characters, as 32 bytes with the most significant first.
///
/// Returns `None` for another length, a character outside the alphabet, or a number of 2^256 and above.
#[must_use]
pub fn decode_u256(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != U256_WIDTH {
        return None;
    }
    let mut limbs = [0_u32; 8];
    for &byte in text {
        let mut carry = u64::from(digit(byte)?);
        for limb in limbs.iter_mut().rev() {
            let value = u64::from(*limb) * 62 + carry;
            *limb = value as u32;
            carry = value >> 32;
        }
        if carry != 0 {
            return None;
        }
    }
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.chunks_exact_mut(4).zip(limbs) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_numbers_are_encoded_and_larger_ones_are_rejected() {
        assert_eq!(&encode_u32(u32::MAX), b"4gfFC3");
        assert_eq!(decode_u32(b"4gfFC3"), Some(u32::MAX));
        assert_eq!(decode_u32(b"4gfFC4"), None);
        assert_eq!(&encode_u128(u128::MAX), b"7n42DGM5Tflk9n8mt7Fhc7");
        assert_eq!(decode_u128(b"7n42DGM5Tflk9n8mt7Fhc7"), Some(u128::MAX));
        assert_eq!(decode_u128(b"7n42DGM5Tflk9n8mt7Fhc8"), None);
        assert_eq!(decode_u128(b"zzzzzzzzzzzzzzzzzzzzzz"), None);
        let largest = encode_u256(&[0xff; 32]);
        assert_eq!(decode_u256(&largest), Some([0xff; 32]));
        let mut above = largest;
        above[42] += 1;
        assert_eq!(decode_u256(&above), None);
        assert_eq!(decode_u256(&[b'z'; 43]), None);
    }

    #[test]
    fn zero_is_padded_to_the_full_width() {
        assert_eq!(&encode_u32(0), b"000000");
        assert_eq!(encode_u128(0), [b'0'; 22]);
        assert_eq!(encode_u256(&[0; 32]), [b'0'; 43]);
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(a: u32, b: u128, c: [u8; 32]) {
            prop_assert_eq!(decode_u32(&encode_u32(a)), Some(a));
            prop_assert_eq!(decode_u128(&encode_u128(b)), Some(b));
            prop_assert_eq!(decode_u256(&encode_u256(&c)), Some(c));
        }

        #[test]
        fn encoding_undoes_decoding(text in "[0-9A-Za-z]{43}") {
            let text = text.as_bytes();
            if let Some(value) = decode_u32(&text[..6]) {
                prop_assert_eq!(&encode_u32(value)[..], &text[..6]);
            }
            if let Some(value) = decode_u128(&text[..22]) {
                prop_assert_eq!(&encode_u128(value)[..], &text[..22]);
            }
            if let Some(value) = decode_u256(text) {
                prop_assert_eq!(&encode_u256(&value)[..], text);
            }
        }

        #[test]
        fn no_bytes_panic(text in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = (decode_u32(&text), decode_u128(&text), decode_u256(&text));
        }
    }
}
