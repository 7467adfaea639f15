//! Private keys: their containers, and the proof by which a key is recognized.
//!
//! Input: the label and the decoded bytes of a PEM block. Output: a [`PrivateKey`] with its evidence and the
//! fingerprint of its public half. A key is proven if its public half, recomputed from the private one, is
//! that in the block: `n = p·q` for RSA, `Q = d·G` for elliptic curves, the public key of the seed for
//! Ed25519. The text around the block is not parsed here, and no part of the private half is kept.
//!
//! # Examples
//! ```
//! use ddpatrol_token::private_key::{KeyEvidence, PrivateKey};
//!
//! // Ed25519 in PKCS#8, without its public half.
//! let mut der = hex::decode("302e020100300506032b657004220420").expect("hex");
//! der.extend([7; 32]);
//! let key = PrivateKey::parse("PRIVATE KEY", &der).expect("a private key");
//! assert_eq!(key.evidence, KeyEvidence::NoPublicHalf);
//! assert!(key.description().ends_with("(ED25519, without public half)"));
//! assert!(PrivateKey::parse("PRIVATE KEY", &der[1..]).is_none());
//! ```

mod asn1;
mod curve;
mod der;
mod elliptic;
mod openssh;
mod parsed;
mod public_half;
mod published;
mod rsa;

pub use parsed::KeyEvidence;
pub use public_half::PublicHalf;

use parsed::Parsed;
use std::fmt::Write as _;

/// A private key that was recognized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateKey {
    /// Its evidence.
    pub evidence: KeyEvidence,
    /// Its public half, if it is known.
    pub public: Option<PublicHalf>,
    /// The digest of the block, which identifies a key without a public half.
    digest: String,
}

impl PrivateKey {
    /// Parses the bytes of a PEM block with a label, such as `RSA PRIVATE KEY`.
    ///
    /// Returns `None` if they are not a private key: every container must use all bytes.
    #[must_use]
    pub fn parse(label: &str, der: &[u8]) -> Option<Self> {
        let Parsed { evidence, public } = match label {
            "RSA PRIVATE KEY" => rsa::pkcs1(der)?,
            "EC PRIVATE KEY" => elliptic::sec1(der, None)?,
            "PRIVATE KEY" => asn1::pkcs8(der)?,
            "ENCRYPTED PRIVATE KEY" => asn1::encrypted_pkcs8(der)?,
            "OPENSSH PRIVATE KEY" => openssh::parse(der)?,
            "DSA PRIVATE KEY" => asn1::dsa(der)?,
            _ => return None,
        };
        Some(Self { evidence, public, digest: public_half::sha256(der) })
    }

    /// Describes a key whose block is encrypted as a whole, by the bytes of the block.
    #[must_use]
    pub fn encrypted(block: &[u8]) -> Self {
        let digest = public_half::sha256(block);
        Self { evidence: KeyEvidence::Encrypted, public: None, digest }
    }

    /// Returns `true` if the key is published, so that everybody has it: an example or a test key.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.public.as_ref().is_some_and(|public| published::contains(&public.fingerprint))
    }

    /// Returns `true` if the key is proven, and no published one.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.evidence == KeyEvidence::Recomputed && !self.is_published()
    }

    /// Describes the key as `ssh-keygen -l` describes it: `2048 SHA256:… (RSA)`. The text has nothing of the
    /// private half. It identifies the key and its evidence in all containers.
    #[must_use]
    pub fn description(&self) -> String {
        let (mut text, mut notes) = match &self.public {
            Some(public) => {
                let PublicHalf { bits, fingerprint, algorithm } = public;
                (format!("{bits} {fingerprint}"), vec![*algorithm])
            }
            None => (format!("block {}", self.digest), Vec::new()),
        };
        notes.extend(match self.evidence {
            KeyEvidence::Recomputed => None,
            KeyEvidence::NoPublicHalf => Some("without public half"),
            KeyEvidence::Mismatch => Some("public half does not match"),
            KeyEvidence::Encrypted => Some("encrypted"),
            KeyEvidence::Unsupported => Some("algorithm not supported"),
        });
        notes.extend(self.is_published().then_some("published test key"));
        // Writing to a string does not fail.
        let _ = write!(text, " ({})", notes.join(", "));
        text
    }
}

#[cfg(test)]
mod tests;
