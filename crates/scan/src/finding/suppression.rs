//! Why a finding does not count: an inline comment, the allow list or the baseline.
//!
//! Input: none, these are plain data. Output: suppressions of findings, entries of the allow list, and
//! entries that no finding needed. They are applied in [`super::suppressor`].

use super::fingerprint::Fingerprint;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// By what a finding does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuppressionKind {
    /// By `ddpatrol:allow` in the line.
    Inline,
    /// By the allow list of the configuration.
    Allow,
    /// By the baseline.
    Baseline,
}

impl SuppressionKind {
    /// Returns the words for it in reports.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Inline => "allowed in its own line",
            Self::Allow => "on the allow list",
            Self::Baseline => "in the baseline",
        }
    }
}

/// Why a finding does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// By what.
    pub by: SuppressionKind,
    /// Why, in the words of whoever decided it.
    pub reason: Option<String>,
    /// The last day on which it holds.
    pub expires: Option<Date>,
}

/// An entry of the allow list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowlistEntry {
    /// The token that is allowed.
    pub fingerprint: Fingerprint,
    /// Why.
    pub reason: String,
    /// The last day on which it is.
    pub expires: Option<Date>,
}

/// A decision that no finding needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedSuppression {
    /// Where it stands.
    pub by: SuppressionKind,
    /// The token that it is about.
    pub fingerprint: Fingerprint,
    /// Its reason, or the token that the baseline knows.
    pub what: String,
    /// The day after which it no longer held, if that is why.
    pub expired: Option<Date>,
}
