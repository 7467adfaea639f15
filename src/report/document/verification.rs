//! Records of verifications and revocations in a report.
//!
//! Plain data, written to and read from JSON; [`crate::report::response`] creates them.

use crate::redact::Clean;
use crate::respond::{RevocationOutcome, Verdict};
use serde::{Deserialize, Serialize};

/// Whether a token is live.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerificationRecord {
    /// `live`, `dead` or `unknown`.
    pub verdict: Verdict,
    /// The reason for the verdict.
    pub reason: Clean,
}

/// The outcome of a token's revocation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevocationRecord {
    /// `revoked`, `already_dead`, `planned`, `failed` or `cannot_revoke`.
    pub outcome: RevocationOutcome,
    /// How it was revoked, or why it was not.
    pub detail: Clean,
}
