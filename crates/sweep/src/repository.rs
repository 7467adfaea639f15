//! Repositories of a sweep: their records, URLs and keys.
//!
//! Input: untrusted text of lists. Output: records whose URLs have no credentials and a scheme that git may
//! use.

use ddpatrol::redact::Redactor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::Path;
use url::Url;

/// A repository that a sweep scans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// The URL or absolute path to clone from, without credentials.
    pub url: CloneUrl,
    /// Its identifier at its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The default branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// The size in KiB, as its host reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The time of the last push, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<String>,
    /// Whether it is archived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// Whether it is a fork.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fork: bool,
    /// Its topics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// The user or organization that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl Repository {
    /// Creates a repository of which only the URL is known.
    pub fn new(url: CloneUrl) -> Self {
        Self {
            url,
            id: None,
            default_branch: None,
            size: None,
            pushed_at: None,
            archived: false,
            fork: false,
            topics: Vec::new(),
            owner: None,
        }
    }

    /// Returns the key under which its results are stored.
    pub fn key(&self) -> RepositoryKey {
        self.url.key()
    }

    /// Masks tokens in the fields. Returns `None` if the URL contains a token.
    pub fn masked(mut self, redactor: &Redactor) -> Option<Self> {
        let clean = |text: &str| redactor.clean(text.as_bytes()).text().into_owned();
        if clean(self.url.as_str()) != self.url.as_str() {
            return None;
        }
        let fields = [&mut self.id, &mut self.default_branch, &mut self.pushed_at, &mut self.owner];
        for text in fields.into_iter().flatten().chain(&mut self.topics) {
            *text = clean(text);
        }
        Some(self)
    }
}

/// The URL or absolute path that git clones from. It contains no password.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CloneUrl(String);

/// A text is not the URL of a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloneUrlError {
    /// It is empty, or contains control characters.
    #[error("expected the URL or the absolute path of a repository")]
    Syntax,
    /// It contains a password or token. The text is not repeated.
    #[error(
        "the URL contains credentials: remove them, and let git's credential helper or SSH keys provide them"
    )]
    Credentials,
    /// Its scheme is not supported.
    #[error("unsupported scheme `{0}`: expected https, http, ssh, git or file")]
    Scheme(String),
    /// It is a relative path.
    #[error("relative path: expected a URL or an absolute path")]
    Relative,
}

impl CloneUrl {
    /// Parses a URL (`https`, `http`, `ssh`, `git`, `file`), `user@host:path` as of SSH, or an absolute path.
    ///
    /// # Errors
    /// Returns [`CloneUrlError`] for anything else, and for URLs with credentials.
    pub fn parse(text: &str) -> Result<Self, CloneUrlError> {
        let text = text.trim();
        if text.is_empty() || text.starts_with('-') || text.contains(char::is_control) {
            return Err(CloneUrlError::Syntax);
        }
        if Path::new(text).is_absolute() {
            return Ok(Self(text.to_owned()));
        }
        let Some((scheme, _)) = text.split_once("://") else {
            return Self::parse_scp(text);
        };
        let scheme = scheme.to_ascii_lowercase();
        let url = Url::parse(text).map_err(|_| CloneUrlError::Syntax)?;
        if url.password().is_some() {
            return Err(CloneUrlError::Credentials);
        }
        match scheme.as_str() {
            // The user name of SSH is `git` almost everywhere; in HTTP it is often a token.
            "https" | "http" if !url.username().is_empty() || url.query().is_some() => {
                Err(CloneUrlError::Credentials)
            }
            "https" | "http" | "ssh" | "git" | "file" => Ok(Self(text.to_owned())),
            _ => Err(CloneUrlError::Scheme(scheme)),
        }
    }

    /// Parses `user@host:path`.
    fn parse_scp(text: &str) -> Result<Self, CloneUrlError> {
        let Some((host, path)) = text.split_once(':') else {
            return Err(CloneUrlError::Relative);
        };
        if host.contains('/') {
            return Err(CloneUrlError::Relative);
        }
        // `ext::command` and other remote helpers run programs.
        if path.starts_with(':') {
            return Err(CloneUrlError::Scheme(host.to_owned()));
        }
        if path.is_empty() || host.is_empty() || host.contains(char::is_whitespace) {
            return Err(CloneUrlError::Syntax);
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the URL for git.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the key of the repository: equal for spellings that differ only in the case of the host, a
    /// trailing slash, or the suffix `.git`.
    pub fn key(&self) -> RepositoryKey {
        let text = self.0.trim_end_matches('/');
        let text = text.strip_suffix(".git").unwrap_or(text).trim_end_matches('/');
        let normalized = match text.split_once("://") {
            Some((scheme, rest)) => {
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                format!("{}://{}/{path}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase())
            }
            None => text.to_owned(),
        };
        let digest = hex::encode(Sha256::digest(normalized.as_bytes()));
        RepositoryKey(digest[..32].to_owned())
    }
}

impl fmt::Display for CloneUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<CloneUrl> for String {
    fn from(url: CloneUrl) -> Self {
        url.0
    }
}

impl TryFrom<String> for CloneUrl {
    type Error = CloneUrlError;

    fn try_from(text: String) -> Result<Self, CloneUrlError> {
        Self::parse(&text)
    }
}

/// The name of a repository in the store and the cache: 32 hexadecimal digits, derived from its URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RepositoryKey(String);

impl RepositoryKey {
    /// Parses a key.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
        (text.len() == 32 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the shard of `count` shards that the repository belongs to, from 0.
    pub fn shard(&self, count: u32) -> u32 {
        let digits = u64::from_str_radix(&self.0[..15], 16).unwrap_or_default();
        u32::try_from(digits % u64::from(count.max(1))).unwrap_or_default()
    }
}

impl fmt::Display for RepositoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CloneUrl, CloneUrlError> {
        CloneUrl::parse(text)
    }

    #[test]
    fn spellings_of_one_repository_have_one_key() {
        let key = parse("https://GitHub.com/o/r.git").unwrap().key();
        for other in
            ["https://github.com/o/r", "https://github.com/o/r/", "HTTPS://github.com/o/r.git/"]
        {
            assert_eq!(parse(other).unwrap().key(), key, "{other}");
        }
        assert_ne!(parse("https://github.com/o/R").unwrap().key(), key);
        assert_eq!(RepositoryKey::parse(key.as_str()), Some(key));
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        for text in [
            "https://user:s3cret@host/r",
            "https://s3cret@host/r",
            "https://host/r?private_token=s3cret",
            "ssh://git:s3cret@host/r",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error, CloneUrlError::Credentials, "{text}");
            assert!(!error.to_string().contains("s3cret"));
        }
    }

    #[test]
    fn remote_helpers_options_and_relative_paths_are_refused() {
        assert_eq!(parse("ext::sh -c x"), Err(CloneUrlError::Scheme("ext".to_owned())));
        assert_eq!(parse("--upload-pack=x"), Err(CloneUrlError::Syntax));
        assert_eq!(parse("data://x/y"), Err(CloneUrlError::Scheme("data".to_owned())));
        assert_eq!(parse("dir/repo"), Err(CloneUrlError::Relative));
        assert_eq!(parse("https://host/a\nb"), Err(CloneUrlError::Syntax));
    }

    #[test]
    fn ssh_urls_and_absolute_paths_are_accepted() {
        for text in
            ["git@github.com:o/r.git", "ssh://git@host:22/r", "/srv/git/r.git", "file:///srv/r"]
        {
            assert_eq!(parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn shards_partition_the_repositories() {
        let keys: Vec<_> =
            (0..300).map(|at| parse(&format!("https://h/o/{at}")).unwrap().key()).collect();
        for count in [1, 3, 7] {
            let mut sizes = vec![0; count as usize];
            keys.iter().for_each(|key| sizes[key.shard(count) as usize] += 1);
            assert!(sizes.iter().all(|&size| size > 0), "{sizes:?}");
        }
    }
}
