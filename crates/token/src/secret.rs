//! A secret that is masked when printed, and wiped from memory when dropped.

use serde::{Serialize, Serializer};
use std::fmt;
use zeroize::Zeroizing;

/// The mask that replaces a secret in output.
pub const MASK: &str = "***";

/// Bytes that are masked in `Debug`, `Display` and `Serialize` and are wiped on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// Copies `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Returns the secret itself. Every call is a possible leak.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn printing_never_shows_the_secret() {
        let secret = Secret::new(b"hunter2");
        let json = serde_json::to_string(&secret).expect("a string serializes");
        for text in [format!("{secret}"), format!("{secret:?}"), format!("{secret:#?}"), json] {
            assert!(text.contains("***") && !text.contains("hunter2"), "{text}");
        }
        assert_eq!(secret.expose(), b"hunter2");
    }
}
