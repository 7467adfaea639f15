//! The findings and issues of a result, as the scanner's report has them.

use serde::{Deserialize, Serialize};

/// A proven token. The names are those of the scanner's report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Identifier of the rule.
    pub rule: String,
    /// Name of the token type.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// Fingerprint: 32 hexadecimal digits.
    pub fingerprint: String,
    /// The redacted token.
    pub token: Token,
    /// How to revoke it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Whether it is live, if the sweep verifies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Why it is suppressed, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppression: Option<Suppression>,
    /// Its places.
    pub locations: Vec<Location>,
}

/// A redacted token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// The token with its secret masked.
    pub redacted: String,
    /// Its public id at the issuer, if the format has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The UUID of the alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// Whether a token is live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The verdict.
    pub verdict: Verdict,
    /// Its reason.
    pub reason: String,
    /// The login of the account that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Its scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The time of its expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// The verdict on a token, in the order of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// An issuer accepts it.
    Live,
    /// Nobody was asked, or no answer was conclusive.
    Unknown,
    /// Its issuer rejects it.
    Dead,
}

impl Verdict {
    /// Returns the word of the verdict.
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Unknown => "unknown",
            Self::Dead => "dead",
        }
    }
}

/// Why a finding is suppressed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suppression {
    /// `inline`, `allow` or `baseline`.
    pub by: String,
    /// The reason that is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A place of a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// The path at the time of the commit; absent for objects without a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `content`, `name`, `commit`, `tag` or `ref`.
    pub part: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// The line's masked text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub snippet: String,
    /// Encodings of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The owners of the path, as `CODEOWNERS` in `HEAD` names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// The web page of the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its attribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Trace>,
}

/// The attribution of a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The git object.
    pub object: String,
    /// The commit that introduced the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introduced: Option<Commit>,
    /// Whether `HEAD` has the token at this path.
    pub in_head: bool,
    /// Whether a reference reaches it.
    pub reachable: bool,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// Its id.
    pub commit: String,
    /// The author.
    pub author: Person,
    /// The committer.
    pub committer: Person,
    /// The first line of its message.
    pub subject: String,
    /// Its web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A person and a date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// The date in ISO 8601.
    pub date: String,
}

/// Content that was not scanned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// `unread` or `opaque`.
    pub kind: String,
    /// The stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The commit that introduced the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The git object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The description.
    pub message: String,
}
