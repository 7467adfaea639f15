//! Suppressions of findings: an inline comment, the allowlist or the baseline.
//!
//! Plain data without logic: suppressions, entries of the allowlist, and entries that match no finding.
//! [`super::suppressor`] applies them.

use super::fingerprint::{Fingerprint, FingerprintPrefix};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The source of a suppression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuppressionKind {
    /// A `ddpatrol:allow` comment in the line.
    Inline,
    /// The allowlist of the configuration.
    Allow,
    /// The baseline.
    Baseline,
}

impl SuppressionKind {
    /// Returns its description in reports.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Inline => "allowed in its own line",
            Self::Allow => "on the allowlist",
            Self::Baseline => "in the baseline",
        }
    }
}

/// The reason why a finding does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Its source.
    pub by: SuppressionKind,
    /// The reason that its author gave.
    pub reason: Option<String>,
    /// The last day on which it applies.
    pub expires: Option<Date>,
}

/// An entry of the allowlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowlistEntry {
    /// The token that is allowed.
    pub fingerprint: FingerprintPrefix,
    /// The reason.
    pub reason: String,
    /// The last day on which it applies.
    pub expires: Option<Date>,
}

/// A suppression that no finding needed, or that is ambiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedSuppression {
    /// Its source.
    pub by: SuppressionKind,
    /// The token that it suppresses.
    pub fingerprint: FingerprintPrefix,
    /// Its reason, or the masked token of the baseline.
    pub what: String,
    /// The last day on which it applied, if it has expired.
    pub expired: Option<Date>,
    /// The found tokens whose fingerprints begin with its digits, if there are several: it suppresses none.
    pub candidates: Vec<Fingerprint>,
}
