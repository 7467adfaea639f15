//! GitHub's public keys for secret-scanning alerts: fetched from a URL and kept for an hour. No
//! signature is checked here.

use p256::ecdsa::VerifyingKey;
use p256::pkcs8::DecodePublicKey as _;
use serde::Deserialize;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// GitHub's endpoint for its public keys.
pub const KEYS_URL: &str = "https://api.github.com/meta/public_keys/secret_scanning";
/// How long fetched keys are used.
const KEYS_LIVE: Duration = Duration::from_secs(3_600);
/// Minimum time between two fetches.
const FETCH_EVERY: Duration = Duration::from_secs(10);
/// Time limit of a fetch.
const FETCH_WITHIN: Duration = Duration::from_secs(10);
/// Maximum size of the document with the keys, in bytes.
const MAX_KEYS: u64 = 1024 * 1024;

/// Why GitHub's keys are not available.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The keys cannot be fetched.
    #[error("cannot fetch GitHub's public keys from {url}: {reason}")]
    Fetch {
        /// From where.
        url: String,
        /// Why.
        reason: String,
    },
    /// The URL is neither https nor on this machine.
    #[error("{0}: GitHub's public keys come by https (by http only from this machine)")]
    Address(String),
}

#[derive(Debug, Default)]
struct Known {
    keys: HashMap<String, VerifyingKey>,
    /// Time of the last successful fetch.
    fetched: Option<Instant>,
    /// Time of the last attempt, successful or not.
    tried: Option<Instant>,
}

/// GitHub's public keys, fetched when they are needed.
#[derive(Debug)]
pub struct Keys {
    url: String,
    known: tokio::sync::Mutex<Known>,
}

#[derive(Deserialize)]
struct KeysDocument {
    public_keys: Vec<KeyEntry>,
}

#[derive(Deserialize)]
struct KeyEntry {
    key_identifier: String,
    key: String,
}

/// Checks that keys from a URL can be trusted.
///
/// # Errors
/// [`KeysError::Address`] if it is neither https nor on this machine.
pub fn check_address(url: &str) -> Result<(), KeysError> {
    let uri: axum::http::Uri = url.parse().map_err(|_| KeysError::Address(url.to_owned()))?;
    let local = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match uri.scheme_str() {
        Some("https") if uri.host().is_some() => Ok(()),
        Some("http") if local => Ok(()),
        _ => Err(KeysError::Address(url.to_owned())),
    }
}

impl Keys {
    /// Creates an empty set of keys of a URL that [`check_address`] accepted; fetches nothing yet.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self { url, known: tokio::sync::Mutex::default() }
    }

    /// Returns the key with an identifier. Fetches all keys if they are old or the key is unknown.
    pub(super) async fn key(&self, identifier: &str) -> Result<Option<VerifyingKey>, KeysError> {
        let mut known = self.known.lock().await;
        let current = known.fetched.is_some_and(|at| at.elapsed() < KEYS_LIVE);
        if current && let Some(key) = known.keys.get(identifier) {
            return Ok(Some(*key));
        }
        // Otherwise alerts with made-up identifiers would cause a fetch each.
        if known.tried.is_some_and(|at| at.elapsed() < FETCH_EVERY) {
            return if current { Ok(None) } else { Err(self.failed("it failed moments ago")) };
        }
        known.tried = Some(Instant::now());
        let url = self.url.clone();
        let keys = tokio::task::spawn_blocking(move || fetch(&url)).await;
        let keys = keys.map_err(|error| self.failed(error)).flatten();
        // Logged once per fetch, since a line per alert would let anybody fill the log.
        known.keys = keys.inspect_err(|error| {
            tracing::error!(error = error as &dyn std::error::Error, "alerts cannot be checked");
        })?;
        known.fetched = Some(Instant::now());
        Ok(known.keys.get(identifier).copied())
    }

    fn failed(&self, reason: impl ToString) -> KeysError {
        KeysError::Fetch { url: self.url.clone(), reason: reason.to_string() }
    }
}

fn fetch(url: &str) -> Result<HashMap<String, VerifyingKey>, KeysError> {
    let failed = |reason: String| KeysError::Fetch { url: url.to_owned(), reason };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(FETCH_WITHIN))
        .max_redirects(0)
        .user_agent(concat!("ddpatrold/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut answer = agent.get(url).call().map_err(|error| failed(error.to_string()))?;
    if answer.status() != 200 {
        return Err(failed(format!("status {}", answer.status())));
    }
    let text = answer
        .body_mut()
        .with_config()
        .limit(MAX_KEYS)
        .read_to_string()
        .map_err(|error| failed(error.to_string()))?;
    parse_keys(&text).ok_or_else(|| failed("not a document of public keys".to_owned()))
}

fn parse_keys(text: &str) -> Option<HashMap<String, VerifyingKey>> {
    let document: KeysDocument = serde_json::from_str(text).ok()?;
    // A key of an unknown kind is skipped and does not fail the others.
    let keys = document.public_keys.into_iter().filter_map(|entry| {
        Some((entry.key_identifier, VerifyingKey::from_public_key_pem(&entry.key).ok()?))
    });
    Some(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_believed_by_https_or_from_this_machine() {
        for url in [KEYS_URL, "http://127.0.0.1:1/keys", "http://localhost/k", "http://[::1]:9/k"] {
            assert!(check_address(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.com/k",
            "ftp://127.0.0.1/k",
            "",
            "https://",
            "http://localhost.example.com/",
        ] {
            assert!(check_address(url).is_err(), "{url}");
        }
    }
}
