//! Candidates, places where a token may be, and the matches among them.
//!
//! Input: none, these are plain data. Output: what a search reports of a place: which bytes the
//! decision depends on, and the token that is there, if any. It decides nothing.

use super::encoding::Encoding;
use serde::{Deserialize, Serialize};

/// How sure a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The shape and the ranges match, the checksum does not.
    Shaped,
    /// The shape, the ranges and the checksum match.
    Proven,
}

impl Evidence {
    /// Returns the word for it in reports: `shaped`, `proven`.
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
    /// The index of its rule.
    pub rule: usize,
    /// The offset of its first byte, encoded as it may be.
    pub start: usize,
    /// The offset after its last byte.
    pub end: usize,
    /// How sure it is.
    pub evidence: Evidence,
    /// In what it is encoded.
    pub encoding: Encoding,
}

impl Match {
    /// Returns `true` if the checksum matches.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.evidence == Evidence::Proven
    }
}

/// A place that was searched, and the token found there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The offset of the first byte that the decision depends on.
    pub(super) from: usize,
    /// The offset at which the token begins, or would begin.
    pub(super) start: usize,
    /// The offset after the last byte that the decision depends on.
    pub(super) reach: usize,
    pub(super) found: Option<Match>,
}

/// A place where a token of a rule could begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PossibleToken {
    /// The index of the rule.
    pub(super) rule: usize,
    pub(super) start: usize,
    /// The longest end that the token could have; `None` if its shape does not match.
    pub(super) longest_end: Option<usize>,
}

/// Takes candidates with the bytes of their tokens.
pub(super) type OnCandidate<'a> = &'a mut dyn FnMut(Candidate, &[u8]);
