//! Acknowledgments of issues in a report: why an issue does not count, and entries that are unused.
//!
//! Plain data, written to and read from JSON, and their text lines.

use ddpatrol_detect::redact::Clean;
use serde::{Deserialize, Serialize};

/// The acknowledgment of an issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcknowledgmentRecord {
    /// The reason that the configuration gives.
    pub reason: Clean,
    /// The last day on which it is valid, in ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// An acknowledgment that matches no issue, or has expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusedAcknowledgmentRecord {
    /// The code of the issues that it acknowledges.
    pub code: String,
    /// The pattern of their paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Clean>,
    /// The git object that they concern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Its reason.
    pub reason: Clean,
    /// Its last valid day, if it has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<String>,
}

impl AcknowledgmentRecord {
    /// Formats the acknowledgment as one line.
    #[must_use]
    pub fn line(&self) -> String {
        let reason = self.reason.text();
        match &self.expires {
            Some(day) => format!("acknowledged: {reason} (until {day})"),
            None => format!("acknowledged: {reason}"),
        }
    }
}

impl UnusedAcknowledgmentRecord {
    /// Formats as one line which entry can be removed, and why.
    #[must_use]
    pub fn line(&self) -> String {
        let path = self.path.as_ref().map(|it| format!(" for {}", it.text()));
        let object = self.object.as_ref().map(|it| format!(" for object {it}"));
        let target = path.or(object).unwrap_or_default();
        let (code, reason) = (&self.code, self.reason.text());
        match &self.expired {
            Some(day) => {
                format!("The acknowledgment of {code}{target} ({reason}) expired after {day}.")
            }
            None => format!(
                "The acknowledgment of {code}{target} ({reason}) is unused: the scan has no such \
                 issue."
            ),
        }
    }
}
