//! Verdicts on whether a token is live.
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
    /// Every endpoint that could have issued it rejected it twice.
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

/// The verdict on a token, and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason as text; for an unknown token, the issuers without a conclusive answer and their reasons.
    pub reason: String,
}

impl Verification {
    /// Creates the verdict `unknown` with its reason.
    pub(super) fn unknown(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unknown, reason: reason.into() }
    }
}

/// The answer of one issuer about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It accepts the token.
    Live,
    /// It rejects the token with the response that its API documents.
    Rejected,
    /// Anything else, with its description.
    Inconclusive(String),
}
