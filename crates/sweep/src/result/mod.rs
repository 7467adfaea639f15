//! The result of one repository in a sweep.
//!
//! Findings and the state for the next sweep are one object, so they cannot diverge. All texts come from
//! the redacted report of the scanner, or have passed a redactor.

mod encoding;
mod finding;

pub use encoding::{Compressed, DecodeError, State};
pub use finding::{
    Commit, Finding, Issue, Location, Person, Suppression, Token, Trace, Verdict, Verification,
};

use crate::repository::{Repository, RepositoryKey};
use ddpatrol_scan::quantity::count;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Name and version of the schema of results.
pub const SCHEMA: &str = "ddpatrol-sweep-result/1";

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

impl RepositoryResult {
    /// Returns the number of tokens that are not suppressed.
    pub fn count_tokens(&self) -> usize {
        self.findings.iter().filter(|it| it.suppression.is_none()).count()
    }

    /// Returns why the repository is not complete: the failure, or the first issue and the number of the others.
    pub fn explanation(&self) -> Option<String> {
        if self.status != Status::Incomplete {
            return self.reason.clone();
        }
        let is_unread = |it: &&Issue| it.kind == "unread";
        let first = self.issues.iter().find(is_unread).or(self.issues.first())?;
        let path = first.path.as_ref().map(|path| format!("{path}: ")).unwrap_or_default();
        let others = match self.issues.len() - 1 {
            0 => String::new(),
            others => format!(" (and {})", count(others, "other issue")),
        };
        Some(format!("{path}{}{others}", first.message))
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
