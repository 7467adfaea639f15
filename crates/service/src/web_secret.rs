//! Secrets of the web pages: random values that only a browser keeps. The service stores digests of
//! them and derives other secrets from them.

use crate::store::sessions::SecretDigest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ddpatrol_token::mint::{RandomError, system_random};
use sha2::{Digest as _, Sha256};

/// Domain separator that is hashed before a secret.
const DOMAIN: &[u8] = b"ddpatrold web secret 1\0";

/// A secret of the web pages: the value of a cookie, or the code of a link. It has 256 random bits.
#[derive(Clone)]
pub struct WebSecret(String);

impl std::fmt::Debug for WebSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebSecret(…)")
    }
}

impl WebSecret {
    /// Creates a random secret.
    ///
    /// # Errors
    /// [`RandomError`] if the system's random source fails.
    pub fn random() -> Result<Self, RandomError> {
        let mut bytes = [0; 32];
        system_random(&mut bytes)?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Parses a secret that a browser sent. Returns `None` if it does not have the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        Some(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Returns the secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the digest to store.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        self.derive(b"stored")
    }

    /// Returns another secret that only a holder of this one can compute.
    #[must_use]
    pub fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        let hash = Sha256::new().chain_update(DOMAIN).chain_update(purpose).chain_update([0]);
        hash.chain_update(&self.0).finalize().into()
    }
}
