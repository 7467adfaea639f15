//! Outcomes: how the revocation of a token ended.
//!
//! Input: what an issuer answered. Output: plain data and words for reports. This file sends no
//! requests.

use serde::{Deserialize, Serialize};

/// How an attempt to revoke a token ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationOutcome {
    /// The issuer has revoked it.
    Revoked,
    /// It was dead before.
    AlreadyDead,
    /// It was not carried out: `--dry-run`.
    Planned,
    /// The issuer did not revoke it.
    Failed,
    /// There is no way to revoke it from here.
    CannotRevoke,
}

impl RevocationOutcome {
    /// Returns `true` if the token may still be live although its revocation was requested.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::CannotRevoke)
    }

    /// Returns the words for it in reports.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::AlreadyDead => "dead already",
            Self::Planned => "would be revoked",
            Self::Failed => "NOT REVOKED",
            Self::CannotRevoke => "cannot revoke",
        }
    }
}

/// How an attempt to revoke a token ended, and how it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// How it ended.
    pub outcome: RevocationOutcome,
    /// How it was revoked, or why it was not, in words.
    pub detail: String,
}

impl Revocation {
    /// Creates one from an outcome and its explanation.
    pub(super) fn new(outcome: RevocationOutcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into() }
    }
}
