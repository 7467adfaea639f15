//! The result of parsing the container of a key.
//!
//! Plain data: the evidence, and the public half if it is known.

use super::public_half::PublicHalf;

/// The evidence that bytes are a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEvidence {
    /// The private half yields the public half in the block.
    Recomputed,
    /// The block has no public half.
    NoPublicHalf,
    /// The private half yields another public half, or none.
    Mismatch,
    /// The private half is encrypted.
    Encrypted,
    /// The algorithm or the curve is not supported.
    Unsupported,
}

/// The evidence and the public half of a container.
pub(super) struct Parsed {
    pub(super) evidence: KeyEvidence,
    pub(super) public: Option<PublicHalf>,
}

impl Parsed {
    pub(super) fn without_public(evidence: KeyEvidence) -> Self {
        Self { evidence, public: None }
    }

    /// Compares the recomputed public half with that in the container, if there is one.
    pub(super) fn compared(recomputed: PublicHalf, is_same: Option<bool>) -> Self {
        let evidence = match is_same {
            None => KeyEvidence::NoPublicHalf,
            Some(true) => KeyEvidence::Recomputed,
            Some(false) => KeyEvidence::Mismatch,
        };
        Self { evidence, public: Some(recomputed) }
    }
}
