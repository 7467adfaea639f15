//! The data of a merged report. All texts come from results, which are redacted.

use crate::result::{Issue, Person, Status, Verdict};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Name and version of the schema of merged reports in JSON.
pub const SCHEMA: &str = "ddpatrol-sweep-report/1";

/// Maximum number of places of a token that are listed for each repository.
pub const MAX_PLACES: usize = 20;

/// A merged report.
#[derive(Clone, Debug, Serialize)]
pub struct MergedReport {
    /// The schema: [`SCHEMA`].
    pub schema: &'static str,
    /// The sweep.
    pub sweep: String,
    /// The earlier sweep that it is compared with.
    pub since: Option<String>,
    /// Start of the first scan.
    pub started_at: Option<Timestamp>,
    /// End of the last one.
    pub ended_at: Option<Timestamp>,
    /// How many repositories were scanned.
    pub coverage: Coverage,
    /// Counts of tokens.
    pub summary: Counts,
    /// The repositories, in the order of their URLs.
    pub repositories: Vec<RepositoryRow>,
    /// The tokens, the most urgent first.
    pub tokens: Vec<TokenRow>,
    /// Tokens of the earlier sweep that are in none of their repositories any more: all were scanned completely.
    pub gone: Vec<GoneToken>,
    /// Content that could not be read.
    pub issues: Vec<IssueRow>,
}

/// How many repositories were scanned.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    /// Number of repositories of the sweep, if the store has their list.
    pub total: usize,
    /// Number of repositories by status.
    pub statuses: BTreeMap<Status, usize>,
    /// Repositories without a result.
    pub left: usize,
}

impl Coverage {
    /// Returns the number of repositories with a status.
    pub fn count(&self, status: Status) -> usize {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    /// Describes the coverage, such as `2,988 of 3,000 repositories completely scanned; 9 unreachable`.
    pub fn describe(&self) -> String {
        use ddpatrol_scan::quantity::{count, number};
        let complete = number(self.count(Status::Complete));
        let total = count(self.total, "repository");
        let mut text = format!("{complete} of {total} completely scanned");
        for status in Status::ALL.into_iter().filter(|it| *it != Status::Complete) {
            if self.count(status) > 0 {
                text.push_str(&format!("; {} {status}", number(self.count(status))));
            }
        }
        if self.left > 0 {
            text.push_str(&format!("; {} not scanned yet", number(self.left)));
        }
        text
    }
}

/// Counts of tokens that are not suppressed.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// All.
    pub tokens: usize,
    /// Live ones.
    pub live: usize,
    /// Those of which nobody knows whether they are live.
    pub unknown: usize,
    /// Dead ones.
    pub dead: usize,
    /// Those in `HEAD` of a repository.
    pub in_head: usize,
    /// Those that only a history contains.
    pub in_history: usize,
    /// Those that no reference reaches.
    pub unreachable: usize,
    /// Those that no earlier sweep had.
    pub new: usize,
    /// Those that the earlier sweep had, too.
    pub open: usize,
    /// Those that the earlier sweep did not have, but one before it.
    pub back: usize,
    /// Those of the earlier sweep that are gone.
    pub gone: usize,
    /// Tokens that are suppressed everywhere; they are not listed.
    pub suppressed: usize,
}

/// A repository.
#[derive(Clone, Debug, Serialize)]
pub struct RepositoryRow {
    /// Its URL.
    pub url: String,
    /// Its status.
    pub status: Status,
    /// Why it is not complete.
    pub reason: Option<String>,
    /// The sweep that scanned it, if it was not this one: nothing has changed since then, or it could not be
    /// scanned now.
    pub as_of: Option<String>,
    /// The time of that scan.
    pub scanned_at: Option<Timestamp>,
    /// Number of tokens.
    pub tokens: usize,
    /// Number of live tokens.
    pub live: usize,
    /// Number of issues.
    pub issues: usize,
}

impl RepositoryRow {
    /// Returns the sweep whose tokens are shown, because this one could not scan the repository.
    pub fn outdated(&self) -> Option<&str> {
        self.as_of.as_deref().filter(|_| !self.status.is_scanned())
    }
}

/// Where a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// In `HEAD` of a repository.
    Head,
    /// Only in a history.
    History,
    /// Only in objects that no reference reaches.
    Unreachable,
}

/// Comparison with an earlier sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// No earlier sweep has it.
    New,
    /// The earlier sweep has it.
    Open,
    /// The earlier sweep does not have it, but one before it does.
    Back,
}

/// A token.
#[derive(Clone, Debug, Serialize)]
pub struct TokenRow {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Identifier of the rule.
    pub rule: String,
    /// Name of the token type.
    pub name: String,
    /// The issuer.
    pub issuer: String,
    /// The redacted token.
    pub redacted: String,
    /// Its public id, if the format has one.
    pub token_id: Option<String>,
    /// Whether it is live.
    pub verdict: Verdict,
    /// Reason of the verdict.
    pub reason: Option<String>,
    /// The account that it belongs to, as its issuer reports.
    pub login: Option<String>,
    /// The most urgent of the reaches in its repositories.
    pub reach: Reach,
    /// Comparison with the earlier sweep; absent without one.
    pub change: Option<Change>,
    /// The earliest commit that introduced it into one of them.
    pub first: Option<FirstCommit>,
    /// Days from that commit to the end of the sweep.
    pub age_days: Option<i64>,
    /// The owners in all repositories.
    pub owners: Vec<String>,
    /// How to revoke it.
    pub advice: Option<String>,
    /// The repositories that contain it, the most urgent reach first.
    pub repositories: Vec<Occurrence>,
}

/// The commit that introduced a token first.
#[derive(Clone, Debug, Serialize)]
pub struct FirstCommit {
    /// Its id.
    pub commit: String,
    /// Its author.
    pub author: Person,
    /// Its web page.
    pub url: Option<String>,
}

/// A token in one repository.
#[derive(Clone, Debug, Serialize)]
pub struct Occurrence {
    /// Index of the repository in the report.
    pub repository: usize,
    /// Where it is in this repository.
    pub reach: Reach,
    /// The earliest commit that introduced it into this repository.
    pub first: Option<FirstCommit>,
    /// Days from that commit to the end of the sweep.
    pub age_days: Option<i64>,
    /// Owners by `CODEOWNERS`, else the committer, else the owner of the repository.
    pub owners: Vec<String>,
    /// Number of places.
    pub places_total: usize,
    /// The first places.
    pub places: Vec<PlaceRow>,
}

/// A place of a token.
#[derive(Clone, Debug, Serialize)]
pub struct PlaceRow {
    /// The path; absent for objects without a path.
    pub path: Option<String>,
    /// `content`, `name`, `commit`, `tag` or `ref`.
    pub part: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// The commit that introduced it.
    pub commit: Option<String>,
    /// Where it is.
    pub reach: Reach,
    /// The web page of the line.
    pub url: Option<String>,
}

/// A token of the earlier sweep that is gone.
#[derive(Clone, Debug, Serialize)]
pub struct GoneToken {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Identifier of the rule.
    pub rule: String,
    /// Name of the token type.
    pub name: String,
    /// The issuer.
    pub issuer: String,
    /// The redacted token.
    pub redacted: String,
    /// Its public id, if the format has one.
    pub token_id: Option<String>,
    /// URLs of the repositories that had it.
    pub repositories: Vec<String>,
}

/// Content that could not be read.
#[derive(Clone, Debug, Serialize)]
pub struct IssueRow {
    /// Index of the repository in the report.
    pub repository: usize,
    /// The issue.
    #[serde(flatten)]
    pub issue: Issue,
}
