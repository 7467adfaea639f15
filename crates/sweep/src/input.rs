//! Reads lists of repositories.
//!
//! Input: the JSON lines of `ddpatrol-sweep list`, the JSON array of `gh repo list --json …`, or plain
//! URLs, one per line. Output: distinct repositories in the order of the list.

use crate::repository::{CloneUrl, CloneUrlError, Repository};
use ddpatrol::redact::Redactor;
use ddpatrol::rules::quote::without_values;
use serde::Deserialize;
use std::collections::HashSet;

/// A list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// A line has no valid URL.
    #[error("line {line}: {error}")]
    Url {
        /// The line, from 1; for a JSON array the number of the entry.
        line: usize,
        /// The error.
        error: CloneUrlError,
    },
    /// A line is invalid JSON, or lacks fields.
    #[error("line {line}: {message}")]
    Json {
        /// The line, from 1; for a JSON array the number of the entry.
        line: usize,
        /// The error.
        message: String,
    },
    /// The URL contains a token. It is not repeated.
    #[error("line {line}: the URL contains a token: results must not have secrets")]
    Token {
        /// The line, from 1; for a JSON array the number of the entry.
        line: usize,
    },
    /// A JSON entry has no field with a URL.
    #[error(
        "line {line}: no field `url` or `sshUrl`: use `gh repo list ORG --json url,isArchived,isFork`"
    )]
    NoUrl {
        /// The line, from 1; for a JSON array the number of the entry.
        line: usize,
    },
}

/// The fields of `gh repo list --json …` and of our own lists.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    url: Option<String>,
    ssh_url: Option<String>,
    id: Option<String>,
    default_branch_ref: Option<BranchRef>,
    #[serde(rename = "default_branch")]
    default_branch: Option<String>,
    size: Option<u64>,
    disk_usage: Option<u64>,
    #[serde(alias = "pushed_at")]
    pushed_at: Option<String>,
    #[serde(default, alias = "archived")]
    is_archived: bool,
    #[serde(default, alias = "fork")]
    is_fork: bool,
    topics: Option<Vec<String>>,
    repository_topics: Option<Vec<Topic>>,
    owner: Option<Owner>,
}

#[derive(Deserialize)]
struct BranchRef {
    name: String,
}

#[derive(Deserialize)]
struct Topic {
    name: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Owner {
    Login(String),
    Account { login: String },
}

/// Reads a list; blank lines and lines that begin with `#` are ignored.
///
/// # Errors
/// Returns [`ListError`] with the line for the first entry that is not a repository.
pub fn read(text: &str, redactor: &Redactor) -> Result<Vec<Repository>, ListError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let repositories = if text.trim_start().starts_with('[') {
        let json = |error: serde_json::Error| ListError::Json {
            line: error.line(),
            message: without_values(&error.to_string()),
        };
        let entries: Vec<Entry> = serde_json::from_str(text).map_err(json)?;
        let entries = entries.into_iter().zip(1..);
        entries.map(|(entry, line)| checked(from_entry(entry, line)?, line, redactor)).collect()
    } else {
        let lines = text.lines().zip(1..).map(|(text, line)| (text.trim(), line));
        let lines = lines.filter(|(text, _)| !text.is_empty() && !text.starts_with('#'));
        lines.map(|(text, line)| read_line(text, line, redactor)).collect::<Result<Vec<_>, _>>()
    }?;
    let mut seen = HashSet::new();
    Ok(repositories.into_iter().filter(|it| seen.insert(it.key())).collect())
}

/// Reads one line of a list.
///
/// # Errors
/// Returns [`ListError`] if the line is not a repository, or its URL contains a token; `line` is its number,
/// from 1.
pub fn read_line(text: &str, line: usize, redactor: &Redactor) -> Result<Repository, ListError> {
    if text.starts_with('{') {
        let entry = serde_json::from_str(text).map_err(|error| ListError::Json {
            line,
            message: without_values(&error.to_string()),
        })?;
        return checked(from_entry(entry, line)?, line, redactor);
    }
    let url = CloneUrl::parse(text).map_err(|error| ListError::Url { line, error })?;
    checked(Repository::new(url), line, redactor)
}

/// Fails for a URL that contains a token; masks tokens in the other fields.
fn checked(
    repository: Repository,
    line: usize,
    redactor: &Redactor,
) -> Result<Repository, ListError> {
    repository.masked(redactor).ok_or(ListError::Token { line })
}

fn from_entry(entry: Entry, line: usize) -> Result<Repository, ListError> {
    let url = entry.url.or(entry.ssh_url).ok_or(ListError::NoUrl { line })?;
    let url = CloneUrl::parse(&url).map_err(|error| ListError::Url { line, error })?;
    let topics = entry.repository_topics.unwrap_or_default().into_iter().map(|it| it.name);
    Ok(Repository {
        url,
        id: entry.id,
        default_branch: entry.default_branch.or(entry.default_branch_ref.map(|it| it.name)),
        size: entry.size.or(entry.disk_usage),
        pushed_at: entry.pushed_at,
        archived: entry.is_archived,
        fork: entry.is_fork,
        topics: entry.topics.unwrap_or_else(|| topics.collect()),
        owner: entry.owner.map(|it| match it {
            Owner::Login(login) | Owner::Account { login } => login,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ddpatrol::detect::Detector;
    use std::sync::Arc;

    fn read(text: &str) -> Result<Vec<Repository>, ListError> {
        let rules = Arc::new(ddpatrol::rules::builtin().unwrap());
        super::read(text, &Redactor::new(Detector::new(rules).unwrap()))
    }

    #[test]
    fn the_three_kinds_of_lists_are_read() {
        let gh = r#"[{"url":"https://github.com/o/a","isArchived":true,"isFork":false,
            "diskUsage":12,"pushedAt":"2026-01-01T00:00:00Z","defaultBranchRef":{"name":"main"},
            "repositoryTopics":[{"name":"go"}],"owner":{"id":"1","login":"o"}}]"#;
        let [repository] = &read(gh).unwrap()[..] else { panic!("one entry") };
        assert!(repository.archived && !repository.fork);
        assert_eq!(repository.size, Some(12));
        assert_eq!(repository.default_branch.as_deref(), Some("main"));
        assert_eq!(repository.topics, ["go"]);
        assert_eq!(repository.owner.as_deref(), Some("o"));

        let line = serde_json::to_string(repository).unwrap();
        assert_eq!(read(&line).unwrap(), std::slice::from_ref(repository));

        let urls = read("# ours\n\nhttps://h/a\r\ngit@h:b.git\nhttps://h/a.git\n").unwrap();
        assert_eq!(urls.len(), 2, "a repository that is listed twice counts once");
    }

    #[test]
    fn errors_name_the_line_and_no_credentials() {
        let error = read("https://h/a\nhttps://u:s3cret@h/b\n").unwrap_err().to_string();
        assert!(error.starts_with("line 2: ") && !error.contains("s3cret"), "{error}");
        let error = read("{\"id\":\"1\"}").unwrap_err().to_string();
        assert!(error.contains("line 1: no field `url`"), "{error}");
        assert!(matches!(read("{\"url\""), Err(ListError::Json { line: 1, .. })));
    }
}
