//! Suppressions in a report: counts, reasons and unused entries.
//!
//! Plain data, written to and read from JSON, and their text lines. [`ddpatrol_scan::finding::suppressor`]
//! decides what is suppressed.

use ddpatrol_detect::redact::Clean;
use ddpatrol_scan::finding::suppression::SuppressionKind;
use serde::{Deserialize, Serialize};

/// Numbers of suppressed tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressedCounts {
    /// By an inline `ddpatrol:allow`.
    pub inline: usize,
    /// By the allowlist of the configuration.
    pub allowed: usize,
    /// By the baseline.
    pub baseline: usize,
    /// Locations of baseline tokens that are not in the baseline.
    pub new_places: usize,
}

impl SuppressedCounts {
    /// Counts all of them.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.inline + self.allowed + self.baseline
    }
}

/// The suppression of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionRecord {
    /// Its kind: `inline`, `allow` or `baseline`.
    pub by: SuppressionKind,
    /// The reason that the user gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Clean>,
    /// The last day on which it is valid, in ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// An entry of the allowlist or the baseline that matches no finding, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusedRecord {
    /// Its list: `allow` or `baseline`.
    pub by: SuppressionKind,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its reason, or the redacted token of the baseline.
    pub what: Clean,
    /// Its last valid day, if it has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<String>,
    /// The fingerprints of the findings that its abbreviated fingerprint matches, if there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
}

/// An inline `ddpatrol:allow` in the line of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlineRecord {
    /// Whether it suppresses the location; otherwise it is only shown.
    pub counts: bool,
    /// Its reason.
    pub reason: Clean,
}

impl SuppressionRecord {
    /// Formats the suppression as one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = format!("suppressed: {}", self.by.words());
        if let Some(reason) = &self.reason {
            line.push_str(": ");
            line.push_str(&reason.text());
        }
        if let Some(expires) = &self.expires {
            line.push_str(&format!(" (until {expires})"));
        }
        line
    }
}

impl InlineRecord {
    /// Formats the comment and its effect as one line.
    #[must_use]
    pub fn line(&self) -> String {
        let reason = self.reason.text();
        match (self.counts, reason.is_empty()) {
            (true, _) => format!("allowed inline: {reason}"),
            (false, true) => {
                "inline ddpatrol:allow without a reason has no effect: add the reason after it"
                    .to_owned()
            }
            (false, false) => format!(
                "inline ddpatrol:allow ({reason}) has no effect here: the judged change adds that line"
            ),
        }
    }
}

impl UnusedRecord {
    /// Formats as one line why an entry has no effect, and how to fix it.
    #[must_use]
    pub fn line(&self) -> String {
        let place = match self.by {
            SuppressionKind::Allow => "allowlist",
            SuppressionKind::Baseline => "baseline",
            SuppressionKind::Inline => "file",
        };
        let (fingerprint, what) = (&self.fingerprint, self.what.text());
        if !self.candidates.is_empty() {
            let candidates = self.candidates.join(" and ");
            return format!(
                "The {place} entry {fingerprint} ({what}) suppresses nothing: it is ambiguous; add \
                 digits of {candidates}."
            );
        }
        match &self.expired {
            Some(day) => format!("The {place} entry {fingerprint} ({what}) expired after {day}."),
            None => format!(
                "The {place} entry {fingerprint} ({what}) is unused: no scanned content \
                 contains the token."
            ),
        }
    }
}
