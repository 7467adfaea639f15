//! Records of verifications and revocations in a report.
//!
//! Plain data, written to and read from JSON; [`crate::response`] creates them.

use ddpatrol_detect::redact::Clean;
use ddpatrol_respond::{RevocationOutcome, Verdict};
use serde::{Deserialize, Serialize};

/// Whether a token is live.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerificationRecord {
    /// `live`, `dead` or `unknown`.
    pub verdict: Verdict,
    /// The reason for the verdict.
    pub reason: Clean,
    /// The login of the account that a live token belongs to, if the issuer reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Clean>,
    /// The scopes of a live token, if the issuer reports them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Clean>>,
    /// The expiry of a live token, if the issuer reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Clean>,
}

impl VerificationRecord {
    /// Describes the account, the scopes and the expiry; `None` if the issuer reported none of them.
    #[must_use]
    pub fn grant(&self) -> Option<String> {
        let scopes = self.scopes.as_ref().map(|scopes| {
            let scopes: Vec<_> = scopes.iter().map(Clean::text).collect();
            if scopes.is_empty() {
                "no scopes".to_owned()
            } else {
                format!("scopes {}", scopes.join(", "))
            }
        });
        let login = self.login.as_ref().map(|it| format!("login {}", it.text()));
        let expiry = self.expires_at.as_ref().map(|it| format!("expires {}", it.text()));
        let facts: Vec<String> = [login, scopes, expiry].into_iter().flatten().collect();
        (!facts.is_empty()).then(|| facts.join("; "))
    }
}

/// The numbers of verified tokens by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictCounts {
    /// Live tokens.
    pub live: usize,
    /// Dead tokens.
    pub dead: usize,
    /// Tokens whose verification was inconclusive.
    pub unknown: usize,
}

impl VerdictCounts {
    /// Counts the verdicts of records; `None` if no record was verified.
    #[must_use]
    pub fn of(findings: &[super::Record]) -> Option<Self> {
        let mut counts = Self::default();
        for verification in findings.iter().filter_map(|it| it.verification.as_ref()) {
            match verification.verdict {
                Verdict::Live => counts.live += 1,
                Verdict::Dead => counts.dead += 1,
                Verdict::Unknown => counts.unknown += 1,
            }
        }
        (counts != Self::default()).then_some(counts)
    }
}

/// The outcome of a token's revocation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevocationRecord {
    /// `revoked`, `already_dead`, `planned`, `failed`, `cannot_revoke` or `declined`.
    pub outcome: RevocationOutcome,
    /// How it was revoked, or why it was not.
    pub detail: Clean,
}
