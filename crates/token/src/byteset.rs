//! Sets of byte values: the alphabets of the segments of tokens.

use std::fmt;

/// A set of byte values, 256 bits wide.
///
/// Its textual form is a bracketed class as in regular expressions: `[0-9A-Za-z_]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// The digits, upper-case and lower-case letters.
    pub const BASE62: Self = Self::EMPTY.with(b'0', b'9').with(b'A', b'Z').with(b'a', b'z');
    /// The digits and lower-case letters.
    pub const BASE36: Self = Self::EMPTY.with(b'0', b'9').with(b'a', b'z');
    /// The RFC 4648 base32 alphabet, without padding.
    pub const BASE32: Self = Self::EMPTY.with(b'A', b'Z').with(b'2', b'7');
    /// The RFC 4648 URL-safe base64 alphabet, without padding.
    pub const BASE64URL: Self = Self::BASE62.with(b'-', b'-').with(b'_', b'_');
    /// The RFC 4648 base64 alphabet, without padding.
    pub const BASE64: Self = Self::BASE62.with(b'+', b'+').with(b'/', b'/');
    /// The alphabet of base58, which has no `0`, `I`, `O` and `l`.
    pub const BASE58: Self = Self::EMPTY
        .with(b'1', b'9')
        .with(b'A', b'H')
        .with(b'J', b'N')
        .with(b'P', b'Z')
        .with(b'a', b'k')
        .with(b'm', b'z');
    /// The alphabet of bech32, which has no `1`, `b`, `i` and `o`.
    pub const BECH32: Self = Self::EMPTY
        .with(b'0', b'0')
        .with(b'2', b'9')
        .with(b'a', b'a')
        .with(b'c', b'h')
        .with(b'j', b'n')
        .with(b'p', b'z');
    /// The alphabet of bech32 in upper case.
    pub const BECH32_UPPER: Self = Self::EMPTY
        .with(b'0', b'0')
        .with(b'2', b'9')
        .with(b'A', b'A')
        .with(b'C', b'H')
        .with(b'J', b'N')
        .with(b'P', b'Z');
    /// Lower-case hexadecimal digits.
    pub const HEX: Self = Self::EMPTY.with(b'0', b'9').with(b'a', b'f');
    /// Upper-case hexadecimal digits.
    pub const HEX_UPPER: Self = Self::EMPTY.with(b'0', b'9').with(b'A', b'F');
    /// The names that [`ByteSet::parse`] accepts.
    pub const NAMES: [&str; 10] = [
        "base62",
        "base36",
        "base58",
        "base32",
        "base64",
        "base64url",
        "bech32",
        "bech32-upper",
        "hex",
        "hex-upper",
    ];
    /// The set without members.
    pub const EMPTY: Self = Self([0; 4]);

    /// Returns the set with all bytes from `first` to `last`, both included, added.
    #[must_use]
    pub const fn with(mut self, first: u8, last: u8) -> Self {
        let mut byte = first as usize;
        while byte <= last as usize {
            self.0[byte / 64] |= 1 << (byte % 64);
            byte += 1;
        }
        self
    }

    /// Returns `true` if `byte` is a member.
    #[must_use]
    #[inline]
    pub const fn contains(&self, byte: u8) -> bool {
        self.0[byte as usize / 64] >> (byte as usize % 64) & 1 == 1
    }

    /// Returns `true` if all of `bytes` are members.
    #[must_use]
    #[inline]
    pub fn contains_all(&self, bytes: &[u8]) -> bool {
        if *self == Self::BASE62 {
            // Without an early exit the comparisons run 16 at a time.
            return bytes.iter().fold(true, |all, byte| all & byte.is_ascii_alphanumeric());
        }
        bytes.iter().all(|&byte| self.contains(byte))
    }

    /// Lists the members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|&byte| self.contains(byte))
    }

    /// Returns the number of members, 0 to 256.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Returns `true` if the set has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// Parses the name of an alphabet, or a bracketed class of printable ASCII characters.
    ///
    /// Names: those of [`ByteSet::NAMES`]. A class is `[A-Za-z0-9._-]`: members and ranges, no negation, `-` last.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "base62" => Self::BASE62,
            "base36" => Self::BASE36,
            "base32" => Self::BASE32,
            "base64url" => Self::BASE64URL,
            "base64" => Self::BASE64,
            "base58" => Self::BASE58,
            "bech32" => Self::BECH32,
            "bech32-upper" => Self::BECH32_UPPER,
            "hex" => Self::HEX,
            "hex-upper" => Self::HEX_UPPER,
            _ => return Self::parse_class(text),
        })
    }

    fn parse_class(text: &str) -> Option<Self> {
        let body = text.strip_prefix('[')?.strip_suffix(']')?.as_bytes();
        let mut set = Self::EMPTY;
        let mut at = 0;
        while at < body.len() {
            let first = body[at];
            let ranged = body.get(at + 1) == Some(&b'-') && at + 2 < body.len();
            let last = if ranged { body[at + 2] } else { first };
            if !first.is_ascii_graphic() || !last.is_ascii_graphic() || first > last {
                return None;
            }
            if first == b'^' || first == b'\\' {
                return None;
            }
            set = set.with(first, last);
            at += if ranged { 3 } else { 1 };
        }
        (!set.is_empty()).then_some(set)
    }

    /// Lists the members as inclusive ranges in ascending order.
    #[must_use]
    pub fn ranges(&self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for byte in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if byte > 0 && *last == byte - 1 => *last = byte,
                _ => ranges.push((byte, byte)),
            }
        }
        ranges
    }

    /// Returns the name that [`ByteSet::parse`] accepts for the set, if there is one.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        Self::NAMES.into_iter().find(|name| Self::parse(name) == Some(*self))
    }
}

impl fmt::Display for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name() {
            return f.write_str(name);
        }
        f.write_str("[")?;
        for (first, last) in self.ranges() {
            write!(f, "{}", first.escape_ascii())?;
            if last > first {
                write!(f, "-{}", last.escape_ascii())?;
            }
        }
        f.write_str("]")
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSet;

    #[test]
    fn names_and_classes_are_parsed() {
        assert_eq!(ByteSet::parse("base62").map(|set| set.len()), Some(62));
        assert_eq!(ByteSet::parse("[A-Za-z0-9_-]"), Some(ByteSet::BASE64URL));
        assert_eq!(ByteSet::parse("[0-9a-f]").and_then(|set| set.name()), Some("hex"));
    }

    #[test]
    fn invalid_classes_are_rejected() {
        for text in ["", "[]", "base63", "[z-a]", "[^a]", "[a b]", "[é]", "a-z"] {
            assert_eq!(ByteSet::parse(text), None, "{text:?}");
        }
    }
}
