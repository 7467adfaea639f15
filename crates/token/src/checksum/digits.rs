//! Digits of numbers and of groups of bits.

/// Maximum width of an encoded checksum, in characters.
pub const MAX_WIDTH: usize = 32;

/// A computed checksum in its encoding.
pub(crate) struct EncodedChecksum {
    pub(super) text: [u8; MAX_WIDTH],
    width: usize,
}

impl EncodedChecksum {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.width]
    }

    /// Keeps the first characters.
    pub(super) fn cut(mut self, width: usize) -> Self {
        self.width = width;
        self
    }
}

/// Decodes a number, the most significant digit first. Returns `None` above 32 bits.
#[inline]
pub(super) fn read_number<'a>(
    text: impl Iterator<Item = &'a u8>,
    base: u64,
    digit: impl Fn(u8) -> Option<u8>,
) -> Option<u32> {
    let mut value = 0_u64;
    for &byte in text {
        value = value * base + u64::from(digit(byte)?);
        if value > u64::from(u32::MAX) {
            return None;
        }
    }
    u32::try_from(value).ok()
}

/// Decodes 32 bits of base32 or base64, after `skip` bits. Returns `None` if other bits are not zero.
pub(super) fn read_bits(text: &[u8], digits: &[u8], skip: u32) -> Option<u32> {
    let group = digits.len().ilog2();
    let (mut value, mut held) = (0_u64, 0_u32);
    for &byte in text {
        let digit = digits.iter().position(|&digit| digit == byte)? as u64;
        if held < 32 + skip {
            value = value << group | digit;
            held += group;
        } else if digit != 0 {
            return None;
        }
    }
    let surplus = held.checked_sub(32 + skip)?;
    (value & ((1 << surplus) - 1) == 0).then(|| u32::try_from(value >> surplus).ok())?
}

/// Encodes a number, the most significant digit first, padded on the left with digit 0.
pub(super) fn encode_number(value: impl Into<u64>, digits: &[u8], width: usize) -> EncodedChecksum {
    let mut value: u64 = value.into();
    let base = digits.len() as u64;
    let mut text = [digits[0]; MAX_WIDTH];
    for byte in text[..width].iter_mut().rev() {
        *byte = digits[(value % base) as usize];
        value /= base;
    }
    EncodedChecksum { text, width }
}

/// Encodes bytes in equal groups of bits from the first byte on; `digits` has 16, 32 or 64 members.
pub(super) fn encode_bits(bytes: &[u8], digits: &[u8], width: usize) -> EncodedChecksum {
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
