//! Decodes the text that a checksum covers, where the checksum covers the decoded bytes.
//!
//! Input: characters. Output: bytes, one at a time, so that nothing is allocated.

/// How covered text is decoded before its checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// RFC 4648 base64 in either alphabet. Bits of an incomplete last byte are followed by zeros.
    Base64,
}

impl Codec {
    /// Parses the name of a codec in rule files: `base64`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        (name == "base64").then_some(Self::Base64)
    }

    /// Decodes text. Other characters count as the digit 0: the alphabets of segments exclude them.
    pub(super) fn decode(self, text: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
        let Self::Base64 = self;
        let mut text = text.map(digit);
        let (mut held, mut bits) = (0_u32, 0_u32);
        std::iter::from_fn(move || {
            while bits < 8 {
                match text.next() {
                    Some(digit) => (held, bits) = (held << 6 | digit, bits + 6),
                    None if bits > 0 => (held, bits) = (held << (8 - bits), 8),
                    None => return None,
                }
            }
            bits -= 8;
            let byte = (held >> bits) as u8;
            held &= (1 << bits) - 1;
            Some(byte)
        })
    }
}

fn digit(byte: u8) -> u32 {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => 0,
    };
    u32::from(value)
}

#[cfg(test)]
mod tests {
    use super::Codec;

    #[test]
    fn an_incomplete_last_byte_is_followed_by_zeros() {
        let decoded = |text: &str| Codec::Base64.decode(text.bytes()).collect::<Vec<u8>>();
        assert_eq!(decoded("aGVsbG8h"), b"hello!");
        assert_eq!(decoded("-_+/"), [0xfb, 0xff, 0xbf]);
        // 18 bits: two bytes, and two bits of a third.
        assert_eq!(decoded("aGX"), [0x68, 0x65, 0xc0]);
        assert!(decoded("").is_empty());
    }
}
