//! Universally unique identifiers and their base62 aliases.
//!
//! Datadog's alias is the identifier as a big-endian 128-bit number in 22 base62 characters, which recorded
//! API traffic confirms for every pair of `id` and `public_portion`.

use crate::base62;
use std::fmt;
use std::ops::Range;

/// A 128-bit identifier according to RFC 9562.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid([u8; 16]);

/// A group of digits in the hyphenated form.
struct Group {
    bytes: Range<usize>,
    digits: Range<usize>,
}

const GROUPS: [Group; 5] = [
    Group { bytes: 0..4, digits: 0..8 },
    Group { bytes: 4..6, digits: 9..13 },
    Group { bytes: 6..8, digits: 14..18 },
    Group { bytes: 8..10, digits: 19..23 },
    Group { bytes: 10..16, digits: 24..36 },
];
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl Uuid {
    /// Creates an identifier from 16 bytes, the most significant first.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Creates a version-4 identifier from 16 random bytes.
    #[must_use]
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// Returns the 16 bytes, the most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Parses the hyphenated form, `da1bd5f8-847b-4aec-a33d-11b04ebde244`, in either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 36 {
            return None;
        }
        let mut bytes = [0; 16];
        if HYPHENS.iter().any(|&at| text[at] != b'-') {
            return None;
        }
        for Group { bytes: group, digits } in GROUPS {
            hex::decode_to_slice(&text[digits], &mut bytes[group]).ok()?;
        }
        Some(Self(bytes))
    }

    /// Returns the alias: 22 base62 characters.
    #[must_use]
    pub fn alias(&self) -> [u8; base62::U128_WIDTH] {
        base62::encode_u128(u128::from_be_bytes(self.0))
    }

    /// Parses an alias. Returns `None` if it is not 22 base62 characters or encodes 2^128 or more.
    #[must_use]
    pub fn from_alias(alias: &[u8]) -> Option<Self> {
        base62::decode_u128(alias).map(|value| Self(value.to_be_bytes()))
    }

    /// Returns the version number, 0 to 15. For display only; no decision depends on it.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.0[6] >> 4
    }

    /// Returns `true` if the variant is that of RFC 9562.
    #[must_use]
    pub const fn is_rfc_variant(&self) -> bool {
        self.0[8] >> 6 == 0b10
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; 36];
        for Group { bytes, digits } in GROUPS {
            hex::encode_to_slice(&self.0[bytes], &mut text[digits]).map_err(|_| fmt::Error)?;
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pairs of `id` and `public_portion` from recorded traffic of Datadog's API.
    const RECORDED: [(&str, &str); 5] = [
        ("da1bd5f8-847b-4aec-a33d-11b04ebde244", "6dZ2zcpumTdlnHIgx2SlHA"),
        ("35ef7728-4761-41dd-8a7b-f1112a26f840", "1dm1op4lL89nV8pt94Tdk8"),
        ("6ada9c44-0b7f-4e35-826b-ccecd6d358d5", "3Fd5hG1s1rf27qn2E4nNdF"),
        ("0abefcae-90ed-4670-94ab-7cea6ca9fb6f", "0KHCgRdjSyb8EMXtz1E5Cp"),
        ("61c07794-df2a-4403-a6ad-caa6bb70dae2", "2ySDERb6wx1YqV1udJl61q"),
    ];

    #[test]
    fn recorded_identifiers_and_aliases_match() {
        for (id, alias) in RECORDED {
            let uuid = Uuid::parse(id).expect("a recorded id");
            assert_eq!(uuid.alias(), alias.as_bytes());
            assert_eq!(Uuid::from_alias(alias.as_bytes()), Some(uuid));
            assert_eq!(uuid.to_string(), id);
            assert_eq!((uuid.version(), uuid.is_rfc_variant()), (4, true));
        }
    }

    #[test]
    fn invalid_identifiers_are_rejected() {
        for text in
            ["", "da1bd5f8-847b-4aec-a33d-11b04ebde24", "da1bd5f88847b-4aec-a33d-11b04ebde244"]
        {
            assert_eq!(Uuid::parse(text), None);
        }
        assert_eq!(Uuid::from_alias(b"7n42DGM5Tflk9n8mt7Fhc8"), None);
    }

    proptest! {
        #[test]
        fn alias_and_text_round_trip(bytes: [u8; 16]) {
            let uuid = Uuid::from_bytes(bytes);
            prop_assert_eq!(Uuid::from_alias(&uuid.alias()), Some(uuid));
            prop_assert_eq!(Uuid::parse(&uuid.to_string()), Some(uuid));
        }
    }
}
