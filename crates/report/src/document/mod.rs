//! The document of a scan: the data that every report format writes.
//!
//! A document is built from an outcome (`build`) or read from a saved JSON report (`saved`); in both
//! cases all its strings have passed the redactor. It is plain data and formats nothing itself.

mod acknowledged;
mod build;
mod code_owners;
mod counts;
mod foreign;
mod links;
mod locations;
mod origins;
pub(super) mod paths;
mod saved;
mod saved_uris;
mod suppression;
pub(super) mod uris;
mod verification;
mod web_links;

pub use acknowledged::{AcknowledgmentRecord, UnusedAcknowledgmentRecord};
pub use build::{DescribedRules, DocumentBuilder, DocumentOptions};
pub use locations::{ChangeStatusWord, LocationRecord};
pub use paths::Paths;
pub use saved::{SavedError, SavedReport, read};
pub use suppression::{InlineRecord, SuppressedCounts, SuppressionRecord, UnusedRecord};
pub use verification::{RevocationRecord, VerdictCounts, VerificationRecord};

use super::remediation::RemediationStep;
use super::trace::{ObjectRecord, TraceRecord, short};
use ddpatrol_detect::Evidence;
use ddpatrol_detect::redact::Clean;
use ddpatrol_detect::rules::Rule;
use ddpatrol_engine::source::{Code, Severity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Name and version of the JSON schema; the version changes when a field changes its meaning.
pub const SCHEMA: &str = "ddpatrol-report/1";

/// A whole report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    /// The schema of this document: [`SCHEMA`].
    pub schema: String,
    /// The program that created it.
    pub tool: Tool,
    /// The time when the scan started, in RFC 3339 and UTC; absent in reports of older versions. Only this
    /// time and `end_time` differ between two scans of the same content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// The time when the scan and the requests to issuers ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// Whether everything was scanned.
    pub complete: bool,
    /// Whether the scan was interrupted before its end.
    pub interrupted: bool,
    /// The counts.
    pub summary: Summary,
    /// Notes on how the scan interpreted its input.
    pub notes: Vec<Clean>,
    /// The repositories whose history was read.
    pub repositories: Vec<RepositoryRecord>,
    /// The findings: proven before shaped, then by location.
    pub findings: Vec<Record>,
    /// Not scanned.
    pub diagnostics: Vec<Note>,
    /// Entries of the allowlist and the baseline that match no finding or have expired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<UnusedRecord>,
    /// Acknowledgments of issues that match no issue or have expired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused_acknowledgments: Vec<UnusedAcknowledgmentRecord>,
    /// The rules, for formats that describe them.
    #[serde(skip)]
    pub rules: Vec<RuleRecord>,
}

/// The program that created a report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tool {
    /// `ddpatrol`.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Default for Tool {
    fn default() -> Self {
        Self { name: "ddpatrol".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// A repository whose history was read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RepositoryRecord {
    /// The folder, by the path that the scan used.
    pub path: Clean,
    /// The commit that is checked out.
    pub head: Option<String>,
    /// The folder as a URI reference, relative to the base of URIs; only if it differs from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The folder as an absolute URI.
    #[serde(default)]
    pub absolute_uri: String,
    /// The web page of the repository, if the host of a remote is a known forge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The counts of a report.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Proven tokens.
    pub proven: usize,
    /// Locations of proven tokens.
    pub proven_locations: usize,
    /// Distinct places of proven tokens: a line in `HEAD` and in the work tree is one place.
    #[serde(default)]
    pub proven_places: usize,
    /// The verdicts on proven tokens; only if they were verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<VerdictCounts>,
    /// Tokens in a change that its base has at the same path; they are not among the findings.
    pub already_there: u64,
    /// Suppressed tokens, by the kind of suppression.
    #[serde(default)]
    pub suppressed: SuppressedCounts,
    /// Issues that the configuration acknowledges.
    #[serde(default)]
    pub acknowledged: usize,
    /// Candidates with the shape of a token that fail its checksum, or whose format has none.
    pub shaped_candidates: u64,
    /// Files read, standard input included.
    pub files: u64,
    /// Administrative files of repositories that were read: configuration, hooks and others.
    #[serde(default)]
    pub git_files: u64,
    /// Objects of git repositories read.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Archives opened.
    #[serde(default)]
    pub archives: u64,
    /// Members of archives scanned.
    #[serde(default)]
    pub members: u64,
    /// Bytes unpacked from archives.
    #[serde(default)]
    pub unpacked: u64,
    /// Skipped content.
    pub left_out: SkippedCounts,
}

/// Content that was skipped by choice.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SkippedCounts {
    /// Files that `.gitignore` and other ignore files exclude.
    pub ignored_files: u64,
    /// Files and folders that `--exclude` or the configuration excludes.
    pub excluded: u64,
    /// Files above `--max-file-size`.
    pub too_large: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Devices, sockets and pipes.
    pub special: u64,
    /// `.git` folders.
    pub git_folders: u64,
}

/// One finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The rule's identifier.
    pub rule: String,
    /// The name of the token for people.
    pub name: String,
    /// Who issues it.
    pub issuer: String,
    /// `proven` or `shaped`.
    pub evidence: Evidence,
    /// The token's fingerprint: 32 hexadecimal digits.
    pub fingerprint: String,
    /// The token's identity.
    pub token: TokenRecord,
    /// How to revoke it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The steps of the remediation, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<RemediationStep>,
    /// The suppression, if it is suppressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppression: Option<SuppressionRecord>,
    /// The token itself, only with `--show-secrets`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Whether it is live, if that was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationRecord>,
    /// The outcome of its revocation, if that was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationRecord>,
    /// Its locations, never empty: the ones that introduced it to a repository first, earliest first.
    #[serde(serialize_with = "locations::serialize")]
    pub locations: Vec<LocationRecord>,
    /// Every git object that contains it.
    #[serde(serialize_with = "locations::serialize_objects")]
    pub objects: Vec<ObjectRecord>,
}

/// The public identity of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The token with its secret masked.
    pub redacted: String,
    /// Its alias, if the format has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The identifier that the alias encodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// Content that was not scanned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    /// `unread`: should have been read; `opaque`: cannot be read, or exceeds a limit.
    pub kind: Severity,
    /// Its stable code; absent in reports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Its path, if it has one.
    pub path: Option<Clean>,
    /// Description of the issue.
    pub message: Clean,
    /// The path relative to the top of its work tree, or in a bare repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_path: Option<Clean>,
    /// The URI reference in SARIF, as for locations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The repository that it concerns, by the path that the scan used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Clean>,
    /// The commit that introduced the content at the path, or that the issue concerns, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The attribution of content in a git object, as for locations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<TraceRecord>,
    /// Further paths of the same git object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_paths: Vec<Clean>,
    /// The git object that it concerns, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The acknowledgment, if the configuration contains one: the issue does not make the result incomplete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<AcknowledgmentRecord>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct RuleRecord {
    /// Its identifier.
    pub id: String,
    /// The name of the token for people.
    pub name: String,
    /// Who issues it.
    pub issuer: String,
    /// Its format.
    pub format: String,
    /// URL of its documentation.
    pub documentation: Option<String>,
    /// How to revoke the token.
    pub advice: Option<String>,
}

/// Returns the current time for [`Document::start_time`]: RFC 3339 in UTC, with milliseconds.
#[must_use]
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

impl RuleRecord {
    /// Creates the record of a rule.
    #[must_use]
    pub fn new(rule: &Rule) -> Self {
        Self {
            id: rule.id.clone(),
            name: rule.name.clone(),
            issuer: rule.issuer.clone(),
            format: rule.format.pattern().to_owned(),
            documentation: rule.documentation.clone(),
            advice: rule.advice.clone(),
        }
    }
}

impl RepositoryRecord {
    /// Returns the URI reference of the folder, relative to the base of URIs if it is below the base.
    #[must_use]
    pub fn uri(&self) -> Cow<'_, str> {
        self.uri.as_ref().map_or_else(|| uris::uri(&self.path).into(), |uri| uri.into())
    }
}

impl Note {
    /// Returns the URI reference of the path, as [`LocationRecord::uri`] does.
    #[must_use]
    pub fn uri(&self) -> Option<Cow<'_, str>> {
        match (&self.uri, self.repository_path.as_ref().or(self.path.as_ref())) {
            (Some(uri), _) => Some(uri.into()),
            (None, path) => path.map(|path| uris::uri(path).into()),
        }
    }

    /// Formats its place: the path or the repository, the number of further paths, and the commit.
    /// Returns an empty string if it has none.
    #[must_use]
    pub fn place(&self) -> String {
        let path = self.path.as_ref().or(self.repository.as_ref());
        let more = match self.other_paths.len() {
            0 => String::new(),
            1 => " +1 path".to_owned(),
            more => format!(" +{more} paths"),
        };
        let path = path.map(|path| path.text().into_owned() + &more);
        let is_unreachable = self.git.as_ref().is_some_and(|git| !git.reachable);
        let commit = match &self.commit {
            Some(id) if is_unreachable => Some(format!("unreachable commit {}", short(id))),
            Some(id) => Some(format!("commit {}", short(id))),
            None => self.git.as_ref().map(|_| "in no commit".to_owned()),
        };
        path.into_iter().chain(commit).collect::<Vec<String>>().join(": ")
    }

    /// Formats its place and message as one line.
    #[must_use]
    pub fn line(&self) -> String {
        let (place, message) = (self.place(), self.message.text());
        if place.is_empty() { message.into_owned() } else { format!("{place}: {message}") }
    }

    /// Returns `true` if it makes a result incomplete.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.kind == Severity::Unread && self.acknowledged.is_none()
    }
}

impl Record {
    /// Returns the number of locations, including further ones that are stored compactly.
    #[must_use]
    pub fn count(&self) -> usize {
        locations::count(&self.locations)
    }

    /// Calls `on_place` with every location; locations in the same content are in the order of their offsets.
    ///
    /// # Errors
    /// Returns the first error of `on_place`.
    pub fn each_place<E>(
        &self,
        on_place: &mut dyn FnMut(&LocationRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        locations::each(&self.locations, on_place)
    }

    /// Returns `true` if a suppressed finding has a new location.
    #[must_use]
    pub fn has_new_location(&self) -> bool {
        self.locations.iter().any(|place| place.new_place)
    }
}
