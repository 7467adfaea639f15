//! Decodes the text that a checksum covers, where the checksum covers the decoded bytes.
//!
//! Input: characters. Output: bytes, one at a time, so that nothing is allocated.

/// How covered text is decoded before its checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// RFC 4648 base32 in upper case. Bits of an incomplete last byte are followed by zeros.
    Base32,
    /// RFC 4648 base64 in either alphabet. Bits of an incomplete last byte are followed by zeros.
    Base64,
}

impl Codec {
    /// All codecs.
    pub const ALL: [Self; 2] = [Self::Base32, Self::Base64];

    /// Parses the name of a codec in rule files.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Returns the name in rule files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base32 => "base32",
            Self::Base64 => "base64",
        }
    }

    /// Decodes text. Other characters count as the digit 0: the alphabets of segments exclude them.
    pub(super) fn decode(self, text: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
        let (group, digit): (u32, fn(u8) -> u32) = match self {
            Self::Base32 => (5, digit_of_base32),
            Self::Base64 => (6, digit_of_base64),
        };
        let mut text = text.map(digit);
        let (mut held, mut bits) = (0_u32, 0_u32);
        std::iter::from_fn(move || {
            while bits < 8 {
                match text.next() {
                    Some(digit) => (held, bits) = (held << group | digit, bits + group),
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

fn digit_of_base32(byte: u8) -> u32 {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'2'..=b'7' => byte - b'2' + 26,
        _ => 0,
    };
    u32::from(value)
}

fn digit_of_base64(byte: u8) -> u32 {
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
        let decoded = |text: &str| Codec::Base32.decode(text.bytes()).collect::<Vec<u8>>();
        assert_eq!(decoded("NBSWY3DP"), b"hello");
        // 10 bits: one byte, and two bits of a second.
        assert_eq!(decoded("77"), [0xff, 0xc0]);
    }
}
