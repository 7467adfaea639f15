//! The fingerprint of a token, which identifies it in reports, allowlists and baselines.
//!
//! Input: the bytes of a token, or 32 hexadecimal digits. Output: 128 bits of a hash, which do not reveal
//! the token and are not secret. Users may abbreviate a fingerprint to its first digits.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Identifies a token without revealing it: 128 bits of a hash with a prefix for this purpose.
///
/// It depends only on the token, so it survives moves, rebases and reformatting. A service
/// that stores digests of tokens keys them differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Computes the fingerprint of a token.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(b"ddpatrol fingerprint 1\0").chain_update(token);
        let mut first = [0; 16];
        first.copy_from_slice(&digest.finalize()[..16]);
        Self(first)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| FingerprintError)?;
        Ok(Self(bytes))
    }
}

/// The text is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint: expected 32 hexadecimal digits, as in reports")]
pub struct FingerprintError;

/// The beginning of a fingerprint, with at least [`FingerprintPrefix::MIN_DIGITS`] digits, as users give it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FingerprintPrefix(String);

impl FingerprintPrefix {
    /// Minimum number of digits; reports show this many.
    pub const MIN_DIGITS: usize = 12;

    /// Returns `true` if the fingerprint begins with these digits.
    #[must_use]
    pub fn matches(&self, fingerprint: Fingerprint) -> bool {
        fingerprint.to_string().starts_with(&self.0)
    }

    /// Returns `true` if all digits are given, so that exactly one fingerprint matches.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.0.len() == 32
    }

    /// Returns `true` if a fingerprint can match both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl From<Fingerprint> for FingerprintPrefix {
    fn from(fingerprint: Fingerprint) -> Self {
        Self(fingerprint.to_string())
    }
}

impl FromStr for FingerprintPrefix {
    type Err = FingerprintPrefixError;

    fn from_str(text: &str) -> Result<Self, FingerprintPrefixError> {
        let text = text.trim();
        let digits = text.strip_prefix("fp:").unwrap_or(text);
        let is_valid = (Self::MIN_DIGITS..=32).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_valid.then(|| Self(digits.to_ascii_lowercase())).ok_or(FingerprintPrefixError)
    }
}

impl fmt::Display for FingerprintPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FingerprintPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for FingerprintPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FingerprintPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The text is not the beginning of a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint: expected 12 to 32 hexadecimal digits, as in reports (fp:73d0e47b7fb4)")]
pub struct FingerprintPrefixError;

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_at_least_twelve_digits_and_may_begin_with_fp() {
        let fingerprint = Fingerprint::of(b"x");
        let digits = fingerprint.to_string();
        for text in [
            digits.clone(),
            digits.to_uppercase(),
            format!("fp:{digits}"),
            format!("fp:{}", &digits[..12]),
            digits[..20].to_owned(),
        ] {
            let prefix: FingerprintPrefix = text.parse().expect("a fingerprint");
            assert!(
                prefix.matches(fingerprint) && !prefix.matches(Fingerprint::of(b"y")),
                "{text}"
            );
            assert_eq!(prefix.is_complete(), text.len() >= 32, "{text}");
        }
        for text in
            ["", "fp:", &digits[..11], "fp:0123456789ag", &format!("{digits}0"), "fp: 0123456789ab"]
        {
            assert_eq!(text.parse::<FingerprintPrefix>(), Err(FingerprintPrefixError), "{text}");
        }
    }

    #[test]
    fn prefixes_overlap_if_one_begins_with_the_other() {
        let parse = |text: &str| text.parse::<FingerprintPrefix>().expect("a fingerprint");
        assert!(parse("0123456789ab").overlaps(&parse("fp:0123456789abcd")));
        assert!(!parse("0123456789abce").overlaps(&parse("0123456789abcd")));
    }
}
