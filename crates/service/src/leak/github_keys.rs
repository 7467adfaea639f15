//! GitHub's public keys for secret-scanning alerts, fetched from a URL and cached for an hour. Does
//! not verify signatures.

use p256::ecdsa::VerifyingKey;
use p256::pkcs8::DecodePublicKey as _;
use serde::Deserialize;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// GitHub's endpoint for its public keys.
pub const KEYS_URL: &str = "https://api.github.com/meta/public_keys/secret_scanning";
/// Maximum age of fetched keys.
const KEYS_MAX_AGE: Duration = Duration::from_secs(3_600);
/// Minimum time between two fetches.
const FETCH_EVERY: Duration = Duration::from_secs(10);
/// Time limit of a fetch.
const FETCH_WITHIN: Duration = Duration::from_secs(10);
/// Maximum size of the key document, in bytes.
const MAX_KEYS: u64 = 1024 * 1024;

/// The reason why GitHub's keys are not available.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The keys cannot be fetched.
    #[error("cannot fetch GitHub's public keys from {url}: {reason}")]
    Fetch {
        /// The URL.
        url: String,
        /// The cause.
        reason: String,
    },
    /// The URL is neither HTTPS nor on this machine.
    #[error("invalid URL {0}: GitHub's public keys require https (http only on this machine)")]
    Address(String),
}

#[derive(Debug, Default)]
struct CachedKeys {
    keys: HashMap<String, VerifyingKey>,
    /// Time of the last successful fetch.
    fetched: Option<Instant>,
    /// Time of the last attempt, successful or not.
    attempted: Option<Instant>,
}

/// GitHub's public keys, fetched on demand.
#[derive(Debug)]
pub struct GithubKeys {
    url: String,
    cached: tokio::sync::Mutex<CachedKeys>,
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
/// [`KeysError::Address`] if the URL is neither HTTPS nor on this machine.
pub fn check_url(url: &str) -> Result<(), KeysError> {
    let uri: axum::http::Uri = url.parse().map_err(|_| KeysError::Address(url.to_owned()))?;
    let local = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match uri.scheme_str() {
        Some("https") if uri.host().is_some() => Ok(()),
        Some("http") if local => Ok(()),
        _ => Err(KeysError::Address(url.to_owned())),
    }
}

impl GithubKeys {
    /// Creates an empty set of keys for a URL that [`check_url`] accepted. Fetches nothing yet.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self { url, cached: tokio::sync::Mutex::default() }
    }

    /// Returns the key with an identifier. Fetches all keys if they are too old or the key is
    /// unknown.
    pub(super) async fn key(&self, identifier: &str) -> Result<Option<VerifyingKey>, KeysError> {
        let mut cached = self.cached.lock().await;
        let is_fresh = cached.fetched.is_some_and(|at| at.elapsed() < KEYS_MAX_AGE);
        if is_fresh && let Some(key) = cached.keys.get(identifier) {
            return Ok(Some(*key));
        }
        // Without this limit, each alert with a forged identifier would cause a fetch.
        if cached.attempted.is_some_and(|at| at.elapsed() < FETCH_EVERY) {
            return if is_fresh { Ok(None) } else { Err(self.failed("the last fetch failed")) };
        }
        cached.attempted = Some(Instant::now());
        let url = self.url.clone();
        let keys = tokio::task::spawn_blocking(move || fetch(&url)).await;
        let keys = keys.map_err(|error| self.failed(error)).flatten();
        // Logged once per fetch, since a line per alert would let any client fill the log.
        cached.keys = keys.inspect_err(|error| {
            tracing::error!(error = error as &dyn std::error::Error, "cannot verify alerts");
        })?;
        cached.fetched = Some(Instant::now());
        Ok(cached.keys.get(identifier).copied())
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
    let mut response = agent.get(url).call().map_err(|error| failed(error.to_string()))?;
    if response.status() != 200 {
        return Err(failed(format!("status {}", response.status())));
    }
    let text = response
        .body_mut()
        .with_config()
        .limit(MAX_KEYS)
        .read_to_string()
        .map_err(|error| failed(error.to_string()))?;
    parse_keys(&text).ok_or_else(|| failed("invalid key document".to_owned()))
}

fn parse_keys(text: &str) -> Option<HashMap<String, VerifyingKey>> {
    let document: KeysDocument = serde_json::from_str(text).ok()?;
    // A key of an unknown type is skipped, so that the other keys remain usable.
    let keys = document.public_keys.into_iter().filter_map(|entry| {
        Some((entry.key_identifier, VerifyingKey::from_public_key_pem(&entry.key).ok()?))
    });
    Some(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_trusted_over_https_or_from_this_machine() {
        for url in [KEYS_URL, "http://127.0.0.1:1/keys", "http://localhost/k", "http://[::1]:9/k"] {
            assert!(check_url(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.com/k",
            "ftp://127.0.0.1/k",
            "",
            "https://",
            "http://localhost.example.com/",
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }
}
