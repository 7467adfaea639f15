//! Verifiers: code that decides about matches whose evidence is no checksum.
//!
//! Input: the name of a verifier in a rule file, or a published example. Output: the verifier, and its verdict
//! on the example. The text around matches is searched elsewhere.

use crate::pem::{BlockContent, PemBlock};
use ddpatrol_token::private_key::KeyEvidence;

/// The code that decides about the matches of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// A private key in a PEM block: its public half is computed and compared.
    ///
    /// The token of a match is the description of the key, which has nothing of the private half.
    PrivateKey,
}

impl Verifier {
    /// Returns the verifier with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        (name == Self::PrivateKey.name()).then_some(Self::PrivateKey)
    }

    /// Returns the name in rule files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrivateKey => "private-key",
        }
    }

    /// Describes the evidence of a proven match.
    #[must_use]
    pub const fn evidence(self) -> &'static str {
        match self {
            Self::PrivateKey => "the public half in the block is that of the private half",
        }
    }

    /// Formats the token of a match for a report.
    #[must_use]
    pub fn redact(self, token: &[u8]) -> String {
        match self {
            Self::PrivateKey => String::from_utf8_lossy(token).into_owned(),
        }
    }

    /// Returns `true` if a text is a proven token, published or not.
    #[must_use]
    pub fn proves(self, text: &[u8]) -> bool {
        let Self::PrivateKey = self;
        match PemBlock::read(text, 0).content {
            BlockContent::Key(key, _) => key.evidence == KeyEvidence::Recomputed,
            BlockContent::Damaged(_) | BlockContent::Other => false,
        }
    }

    /// Lists the offsets of the characters in an example in which every single change is detected.
    #[must_use]
    pub fn protected(self, token: &[u8]) -> Vec<usize> {
        let Self::PrivateKey = self;
        let secret = PemBlock::read(token, 0).secret(token, 0).unwrap_or_default();
        let is_digit = |&at: &usize| token[at].is_ascii_alphanumeric();
        let last_line = token.windows(9).rposition(|it| it == b"-----END ").unwrap_or(0);
        secret.filter(is_digit).filter(|&at| at < last_line).collect()
    }
}
