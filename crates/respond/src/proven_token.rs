//! A proven token to verify or revoke.
//!
//! Input: a finding, or its record in a saved report. Output: the data that providers need. This file does
//! not judge the token.

use ddpatrol_token::{Secret, Uuid};

/// A proven token to verify or revoke.
#[derive(Clone, Debug)]
pub struct ProvenToken {
    /// The identifier of its rule.
    pub rule: String,
    /// The token with its secret masked.
    pub redacted: String,
    /// The identifier that its alias encodes.
    pub uuid: Option<Uuid>,
    /// The token itself; `None` if the saved report is redacted.
    pub secret: Option<Secret>,
    /// Where it was found, for a leak report; redacted text.
    pub location: String,
    /// Where it was found, as in the text report.
    pub place: String,
}
