//! Verdicts: whether a token is live.
//!
//! Input: the answers of issuers. Output: plain data for reports. This file sends no requests; which
//! answers make a token dead is decided by [`super::Responder`].

use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether a token is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// An issuer accepts it.
    Live,
    /// Every issuer that could have issued it refused it, twice.
    Dead,
    /// Anything else.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        })
    }
}

/// Whether a token is live, and which issuers said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in words; for an unknown token the issuers without a clear answer, and their reasons.
    pub reason: String,
}

impl Verification {
    /// Returns the verdict for a token that nobody could judge, and why.
    pub(super) fn unknown(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unknown, reason: reason.into() }
    }
}

/// The answer of one issuer about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It accepts the token.
    Live,
    /// It refuses the token, in the form that its API documents.
    Refused,
    /// Something else happened.
    Unclear(String),
}
