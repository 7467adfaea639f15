//! Verdicts on whether a token is live.
//!
//! Input: the answers of issuers. Output: plain data for reports. This file sends no requests; which
//! answers make a token dead is decided by [`super::Responder`].

use super::grant::Grant;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether a token is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// An issuer accepts it.
    Live,
    /// Its issuer rejects it, and no other endpoint accepts it; twice.
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
    /// The facts that the issuer reports about a live token.
    pub grant: Grant,
}

impl Verification {
    /// Creates a verdict with its reason.
    pub fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into(), grant: Grant::default() }
    }

    /// Creates the verdict `unknown` with its reason.
    pub(super) fn unknown(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Unknown, reason)
    }
}

/// The answer of one issuer about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It accepts the token.
    Live(Grant),
    /// It rejects the token with the response that its API documents.
    Rejected,
    /// It issued the token and rejects it.
    Ended(TokenEnd),
    /// It rejects the token and states for each token that it issued that it did.
    NotIssued,
    /// Anything else, with its description.
    Inconclusive(String),
}

/// Why a token that an endpoint issued is no longer live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenEnd {
    /// It was revoked, or its owner was disabled.
    Revoked,
    /// It has expired.
    Expired,
    /// Its owner or the issuer disabled it.
    Disabled,
}

impl fmt::Display for TokenEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
        })
    }
}
