//! The outcome of a scan as reports show it: what every format formats.
//!
//! A document is made from an outcome (`build`) or read from a saved JSON report (`saved`); in both
//! cases all its strings have passed the redactor. It is plain data and formats nothing itself.

mod build;
mod locations;
pub(super) mod paths;
mod saved;
mod suppression;
mod verification;

pub use build::{DocumentBuilder, DocumentOptions};
pub use locations::{ChangeStatusWord, LocationRecord};
pub use paths::Paths;
pub use saved::{SavedError, SavedReport, read};
pub use suppression::{InlineRecord, SuppressedCounts, SuppressionRecord, UnusedRecord};
pub use verification::{RevocationRecord, VerificationRecord};

use super::advice::RemediationStep;
use super::trace::ObjectRecord;
use crate::detect::Evidence;
use crate::redact::Clean;
use crate::rules::Rule;
use crate::source::{Code, Severity};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The name and version of the JSON form; the number changes when a field changes its meaning.
pub const SCHEMA: &str = "ddpatrol-report/1";

/// A whole report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    /// The form of this document: [`SCHEMA`].
    pub schema: String,
    /// What made it.
    pub tool: Tool,
    /// Whether everything that was to be looked at was.
    pub complete: bool,
    /// Whether the scan was interrupted before its end.
    pub interrupted: bool,
    /// The counts.
    pub summary: Summary,
    /// What the user should know of how the scan was understood.
    pub notes: Vec<Clean>,
    /// The repositories whose history was read.
    pub repositories: Vec<RepositoryRecord>,
    /// The findings: proven before shaped, then by place.
    pub findings: Vec<Record>,
    /// What was not looked at.
    pub diagnostics: Vec<Note>,
    /// Entries of the allow list and the baseline that no finding needed, or that have expired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<UnusedRecord>,
    /// What the rules are, for formats that describe them.
    #[serde(skip)]
    pub rules: Vec<RuleRecord>,
}

/// What made a report.
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
    /// The folder that it was reached by.
    pub path: Clean,
    /// The commit that is checked out.
    pub head: Option<String>,
    /// The folder as a URI reference, relative to the base of URIs; only if it differs from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The folder as an absolute URI.
    #[serde(default)]
    pub absolute_uri: String,
}

/// The counts of a report.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Tokens that are proven.
    pub proven: usize,
    /// Places where proven tokens stand.
    pub proven_locations: usize,
    /// Tokens in a change that its base has at the same path; they are not among the findings.
    pub already_there: u64,
    /// Tokens that do not count, and by what.
    #[serde(default)]
    pub suppressed: SuppressedCounts,
    /// Places where something has the shape of a token and fails its checksum, or has none.
    pub shaped_candidates: u64,
    /// Files read, standard input included.
    pub files: u64,
    /// Files of repositories themselves that were read: configuration, hooks and the like.
    #[serde(default)]
    pub git_files: u64,
    /// Objects of git repositories read.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Archives opened.
    #[serde(default)]
    pub archives: u64,
    /// Members of archives looked at.
    #[serde(default)]
    pub members: u64,
    /// Bytes unpacked from archives.
    #[serde(default)]
    pub unpacked: u64,
    /// What was left out.
    pub left_out: SkippedCounts,
}

/// What was left out on purpose.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SkippedCounts {
    /// Files that `.gitignore` and its kin exclude.
    pub ignored_files: u64,
    /// Files and folders that `--exclude` and the configuration name.
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
    /// What people call the token.
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
    /// What to do about it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<RemediationStep>,
    /// Why it does not count, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppression: Option<SuppressionRecord>,
    /// The token itself, only where secrets are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Whether it is live, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationRecord>,
    /// How its revocation ended, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationRecord>,
    /// Every place where it stands: where it came into a repository first, the earliest leading;
    /// never empty.
    #[serde(serialize_with = "locations::serialize")]
    pub locations: Vec<LocationRecord>,
    /// Every git object that holds it.
    #[serde(serialize_with = "locations::serialize_objects")]
    pub objects: Vec<ObjectRecord>,
}

/// A token's identity, as far as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The token with its secret masked.
    pub redacted: String,
    /// Its alias, where the format has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The identifier that the alias spells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// Something that was not looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    /// `unread`: should have been read; `opaque`: cannot be, or was left out by a limit.
    pub kind: Severity,
    /// Its stable code; none in reports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Where, if it has a path.
    pub path: Option<Clean>,
    /// What happened.
    pub message: Clean,
    /// The path below the top of the work tree that it is in, or in a bare repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_path: Option<Clean>,
    /// The URI reference in SARIF, as for places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct RuleRecord {
    /// Its identifier.
    pub id: String,
    /// What people call the token.
    pub name: String,
    /// Who issues it.
    pub issuer: String,
    /// Its format.
    pub format: String,
    /// Where it is described.
    pub documentation: Option<String>,
    /// How the token is revoked.
    pub advice: Option<String>,
}

impl RuleRecord {
    /// Describes a rule.
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
    /// Returns the URI reference of the folder: relative to the base of URIs if it is below.
    #[must_use]
    pub fn uri(&self) -> Cow<'_, str> {
        self.uri.as_ref().map_or_else(|| paths::uri(&self.path).into(), |uri| uri.into())
    }
}

impl Note {
    /// Returns the URI reference of the path, as [`LocationRecord::uri`] does.
    #[must_use]
    pub fn uri(&self) -> Option<Cow<'_, str>> {
        match (&self.uri, self.repository_path.as_ref().or(self.path.as_ref())) {
            (Some(uri), _) => Some(uri.into()),
            (None, path) => path.map(|path| paths::uri(path).into()),
        }
    }

    /// Tells whether it makes a result incomplete.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.kind == Severity::Unread
    }
}

impl Record {
    /// Returns the number of places where the token is.
    #[must_use]
    pub fn count(&self) -> usize {
        locations::count(&self.locations)
    }

    /// Calls `on_place` with every place, those in one content by their offsets.
    ///
    /// # Errors
    /// What `on_place` fails with, at the first failure.
    pub fn each_place<E>(
        &self,
        on_place: &mut dyn FnMut(&LocationRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        locations::each(&self.locations, on_place)
    }

    /// Returns `true` if a token that does not count is at a new place.
    #[must_use]
    pub fn has_new_location(&self) -> bool {
        self.locations.iter().any(|place| place.new_place)
    }
}
