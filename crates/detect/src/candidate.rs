//! Candidates (positions where a token may begin) and matches.
//!
//! Plain data: the bytes that the decision on a candidate depends on, and the match, if any. This file
//! decides nothing.

use super::encoding::Encoding;
use super::rules::RuleIndex;
use serde::{Deserialize, Serialize};

/// The evidence of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The shape and the ranges match, but the checksum does not.
    Shaped,
    /// The shape, the ranges and the checksum match.
    Proven,
}

impl Evidence {
    /// Returns the name in reports: `shaped` or `proven`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shaped => "shaped",
            Self::Proven => "proven",
        }
    }
}

/// A token found in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Match {
    /// Its rule.
    pub rule: RuleIndex,
    /// The offset of its first byte, encoded or not.
    pub start: usize,
    /// The offset after its last byte.
    pub end: usize,
    /// Its evidence.
    pub evidence: Evidence,
    /// Its encoding.
    pub encoding: Encoding,
}

impl Match {
    /// Returns `true` if the checksum matches.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.evidence == Evidence::Proven
    }
}

/// A candidate and the match found there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The offset of the first byte that the decision depends on.
    pub(super) inspected_start: usize,
    /// The offset at which a token would begin.
    pub(super) start: usize,
    /// The offset after the last byte that the decision depends on.
    pub(super) inspected_end: usize,
    pub(super) found: Option<Match>,
}

/// A position where a token of a rule could begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PossibleToken {
    pub(super) rule: RuleIndex,
    pub(super) start: usize,
    /// The longest end that the token could have; `None` if its shape does not match.
    pub(super) longest_end: Option<usize>,
}

/// Receives candidates with the bytes of their tokens.
pub(super) type OnCandidate<'a> = &'a mut dyn FnMut(Candidate, &[u8]);
