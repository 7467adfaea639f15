//! Outcomes of revocations.
//!
//! Input: the responses of issuers. Output: plain data and text for reports. This file sends no
//! requests.

use serde::{Deserialize, Serialize};

/// Outcome of an attempt to revoke a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationOutcome {
    /// The issuer has revoked it.
    Revoked,
    /// It was already dead.
    AlreadyDead,
    /// Nothing was sent: `--dry-run`.
    Planned,
    /// The issuer did not revoke it.
    Failed,
    /// It cannot be revoked with the given options.
    CannotRevoke,
    /// The user declined.
    Declined,
}

impl RevocationOutcome {
    /// Returns `true` if the revocation was requested and the token may still be live.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::CannotRevoke)
    }

    /// Returns the text for reports.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::AlreadyDead => "already dead",
            Self::Planned => "would be revoked",
            Self::Failed => "NOT REVOKED",
            Self::CannotRevoke => "cannot revoke",
            Self::Declined => "not revoked",
        }
    }
}

/// An attempt to revoke a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Its outcome.
    pub outcome: RevocationOutcome,
    /// How the token was revoked, or why it was not.
    pub detail: String,
}

impl Revocation {
    /// Creates a revocation from an outcome and its explanation.
    pub(super) fn new(outcome: RevocationOutcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into() }
    }
}
