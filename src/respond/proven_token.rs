//! A proven token to act on.
//!
//! Input: a finding, or the record of one in a saved report. Output: what providers need of it. This
//! file decides nothing about the token.

use ddpatrol_token::{Secret, Uuid};

/// A proven token to act on.
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
    /// Where it was found, in words that have passed the redactor.
    pub location: String,
}
