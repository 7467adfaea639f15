//! The digits of base64 and hex.
//!
//! Input: a byte. Output: its value as a digit, if it is one.

/// The value of each base64 digit, in either alphabet; [`NO_DIGIT`] for other characters.
pub(super) static BASE64_DIGITS: [u8; 256] = {
    const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 64 {
        digits[STANDARD[value] as usize] = value as u8;
        value += 1;
    }
    digits[b'-' as usize] = 62;
    digits[b'_' as usize] = 63;
    digits
};

/// The value in [`BASE64_DIGITS`] of characters that are no digits. No digit has this bit.
pub(super) const NO_DIGIT: u8 = 64;

/// Returns the value of a base64 digit, in either alphabet; `None` for other characters.
#[must_use]
#[inline]
pub const fn base64_digit(byte: u8) -> Option<u8> {
    let value = BASE64_DIGITS[byte as usize];
    if value == NO_DIGIT { None } else { Some(value) }
}

pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
