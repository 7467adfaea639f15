//! The records of a verification and of a revocation in a report.
//!
//! Plain data, written to and read from JSON; [`crate::report::response`] makes them.

use crate::redact::Clean;
use crate::respond::{RevocationOutcome, Verdict};
use serde::{Deserialize, Serialize};

/// Whether a token is live.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerificationRecord {
    /// `live`, `dead` or `unknown`.
    pub verdict: Verdict,
    /// Who answered, or why nobody did.
    pub reason: Clean,
}

/// How a token's revocation ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevocationRecord {
    /// `revoked`, `already_dead`, `planned`, `failed` or `cannot_revoke`.
    pub outcome: RevocationOutcome,
    /// How it was revoked, or why it was not.
    pub detail: Clean,
}
