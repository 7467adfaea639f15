//! The result of one repository in a sweep.
//!
//! Findings and the state for the next sweep are one object, so they cannot diverge. All texts come from
//! the redacted report of the scanner, or have passed a redactor.

use crate::repository::{Repository, RepositoryKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io::Read;

/// Name and version of the schema of results.
pub const SCHEMA: &str = "ddpatrol-sweep-result/1";

/// Maximum size of an object in the store after decompression: 1 GiB.
const MAX_SIZE: u64 = 1 << 30;

/// The result of one repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RepositoryResult {
    /// The schema: [`SCHEMA`].
    pub schema: String,
    /// The repository.
    pub repository: Repository,
    /// Its key.
    pub key: RepositoryKey,
    /// The status of the repository.
    pub status: Status,
    /// Why it is not complete, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Digest of the references of the remote repository before it was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refs_digest: Option<String>,
    /// Digest of program, rules and options that scanned it.
    pub scanner_digest: String,
    /// Version of the program that scanned it.
    pub version: String,
    /// The time when work on the repository started.
    pub started_at: Timestamp,
    /// The time when it ended.
    pub ended_at: Timestamp,
    /// The sweep whose result is repeated here, because nothing changed since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged_since: Option<String>,
    /// Counts of the scan.
    #[serde(default)]
    pub summary: ScanSummary,
    /// The proven tokens, also suppressed ones.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Content that could not be read.
    #[serde(default)]
    pub issues: Vec<Issue>,
    /// The state of the scanner for the next sweep.
    #[serde(default, skip_serializing_if = "State::is_empty")]
    pub state: State,
}

/// The status of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everything was scanned.
    Complete,
    /// It was scanned, but some content could not be read: see the issues.
    Incomplete,
    /// Its host does not answer, or does not have it.
    Unreachable,
    /// Its host refuses access.
    Denied,
    /// The time limit ended the work.
    TimedOut,
    /// Git or the scanner failed.
    Failed,
}

impl Status {
    /// All statuses.
    pub const ALL: [Self; 6] = [
        Self::Complete,
        Self::Incomplete,
        Self::Unreachable,
        Self::Denied,
        Self::TimedOut,
        Self::Failed,
    ];

    /// Returns the word of the status in results and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Unreachable => "unreachable",
            Self::Denied => "denied",
            Self::TimedOut => "timed-out",
            Self::Failed => "failed",
        }
    }

    /// Returns `true` if the repository was scanned, at least in part.
    pub fn is_scanned(self) -> bool {
        matches!(self, Self::Complete | Self::Incomplete)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Counts of a scan. The names are those of the scanner's report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanSummary {
    /// Git objects that were read.
    pub objects: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Archives that were opened.
    pub archives: u64,
    /// Matches without proof.
    pub shaped_candidates: u64,
}

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

/// The content of a state file of the scanner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(pub Vec<u8>);

impl State {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The content of an object in the store, compressed with Zstandard.
#[derive(Clone, Debug)]
pub struct Compressed(pub Vec<u8>);

/// An object in the store is damaged.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is not Zstandard data.
    #[error("damaged compressed data: {0}")]
    Compression(String),
    /// It is too large.
    #[error("larger than {} bytes", MAX_SIZE)]
    Size,
    /// It is not a result.
    #[error("invalid result: {0}")]
    Json(#[from] serde_json::Error),
    /// It has another schema.
    #[error("unsupported schema `{0}`: expected {SCHEMA}")]
    Schema(String),
}

impl Compressed {
    /// Compresses content.
    pub fn compress(content: &[u8]) -> Self {
        Self(compress_to_vec(content, CompressionLevel::Fastest))
    }

    /// Returns the content.
    ///
    /// # Errors
    /// Returns [`DecodeError`] if the data are damaged or too large.
    pub fn decompress(&self) -> Result<Vec<u8>, DecodeError> {
        let damaged = |error: &dyn std::fmt::Display| DecodeError::Compression(error.to_string());
        let decoder = StreamingDecoder::new(&self.0[..]).map_err(|error| damaged(&error))?;
        let mut content = Vec::new();
        decoder.take(MAX_SIZE + 1).read_to_end(&mut content).map_err(|error| damaged(&error))?;
        if content.len() as u64 > MAX_SIZE {
            return Err(DecodeError::Size);
        }
        Ok(content)
    }
}

impl RepositoryResult {
    /// Returns the number of tokens that are not suppressed.
    pub fn count_tokens(&self) -> usize {
        self.findings.iter().filter(|it| it.suppression.is_none()).count()
    }

    /// Encodes the result for the store.
    ///
    /// # Errors
    /// Returns an error if it cannot be written as JSON.
    pub fn encode(&self) -> Result<Compressed, serde_json::Error> {
        Ok(Compressed::compress(&serde_json::to_vec(self)?))
    }

    /// Decodes a result of the store.
    ///
    /// # Errors
    /// Returns [`DecodeError`] if it is damaged or has another schema.
    pub fn decode(compressed: &Compressed) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let content = compressed.decompress()?;
        match serde_json::from_slice(&content) {
            Ok(Self { schema, .. }) if schema != SCHEMA => Err(DecodeError::Schema(schema)),
            Ok(result) => Ok(result),
            Err(error) => match serde_json::from_slice::<Head>(&content) {
                Ok(head) if head.schema != SCHEMA => Err(DecodeError::Schema(head.schema)),
                _ => Err(error.into()),
            },
        }
    }
}
