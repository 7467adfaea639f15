//! Tokens that do not count, as a report has them: counts, reasons and unused entries.
//!
//! Plain data, written to and read from JSON, and the lines that formats show of them. What counts is
//! decided in [`ddpatrol_scan::finding::suppressor`].

use crate::redact::Clean;
use ddpatrol_scan::finding::suppression::SuppressionKind;
use serde::{Deserialize, Serialize};

/// Tokens that were found and do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressedCounts {
    /// By `ddpatrol:allow` in their lines.
    pub inline: usize,
    /// By the configuration's allow list.
    pub allowed: usize,
    /// By the baseline.
    pub baseline: usize,
    /// Places of tokens of the baseline that the baseline does not know.
    pub new_places: usize,
}

impl SuppressedCounts {
    /// Counts all of them.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.inline + self.allowed + self.baseline
    }
}

/// Why something that was found does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionRecord {
    /// By what: `inline`, `allow` or `baseline`.
    pub by: SuppressionKind,
    /// Why, in the words of whoever decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Clean>,
    /// The last day on which it holds, in ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// An entry of the allow list or the baseline that no finding needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusedRecord {
    /// The list that it is in: `allow` or `baseline`.
    pub by: SuppressionKind,
    /// The fingerprint that it names.
    pub fingerprint: String,
    /// Its reason, or the token that the baseline knows.
    pub what: Clean,
    /// The day after which it no longer held, where that is why it is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<String>,
}

/// A `ddpatrol:allow` in the line of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlineRecord {
    /// Whether it suppresses the place; otherwise it is shown only.
    pub counts: bool,
    /// The reason that it gives.
    pub reason: Clean,
}

impl SuppressionRecord {
    /// Returns in a line why a finding does not count.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = format!("does not count: {}", self.by.words());
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
    /// Returns in a line what the comment beside the token says.
    #[must_use]
    pub fn line(&self) -> String {
        let reason = self.reason.text();
        match (self.counts, reason.is_empty()) {
            (true, _) => format!("its line allows it: {reason}"),
            (false, true) => {
                "its line says ddpatrol:allow without a reason, which does not count: \
                              write the reason behind it"
                    .to_owned()
            }
            (false, false) => format!(
                "its line allows it ({reason}), which does not count here: the change that is \
                 judged brings that line"
            ),
        }
    }
}

impl UnusedRecord {
    /// Returns in a line which entry can be removed, and why.
    #[must_use]
    pub fn line(&self) -> String {
        let place = match self.by {
            SuppressionKind::Allow => "allow list",
            SuppressionKind::Baseline => "baseline",
            SuppressionKind::Inline => "file",
        };
        let (fingerprint, what) = (&self.fingerprint, self.what.text());
        match &self.expired {
            Some(day) => format!("The {place}'s entry {fingerprint} ({what}) expired after {day}."),
            None => format!(
                "The {place}'s entry {fingerprint} ({what}) is unused: nothing that was scanned \
                 holds the token."
            ),
        }
    }
}
