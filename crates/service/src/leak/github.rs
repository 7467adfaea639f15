//! GitHub's secret-scanning partner alert: tokens that GitHub found, signed by GitHub.
//!
//! Source: <https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program/secret-scanning-partner-program>

use super::{MAX_ENTRIES, actor, take};
use crate::api::error::{ApiError, Errors, json};
use crate::audit::{clean, method};
use crate::service::Service;
use crate::store::leaks::{LeakOutcome, LeakReport};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// Where GitHub shows its public keys.
pub const KEYS_URL: &str = "https://api.github.com/meta/public_keys/secret_scanning";
/// How long keys are believed.
const KEYS_LIVE: Duration = Duration::from_secs(3_600);
/// How often keys are fetched at most for an identifier that is not among them.
const FETCH_EVERY: Duration = Duration::from_secs(10);
/// How long GitHub may take to show them.
const FETCH_WITHIN: Duration = Duration::from_secs(10);
/// How long their document may be, in bytes.
const MAX_KEYS: u64 = 1024 * 1024;

/// Why GitHub's keys are not at hand.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// They cannot be fetched.
    #[error("cannot fetch GitHub's public keys from {url}: {reason}")]
    Fetch {
        /// From where.
        url: String,
        /// Why.
        reason: String,
    },
    /// The address is not one that a key may be believed from.
    #[error("{0}: GitHub's public keys come by https (by http only from this machine)")]
    Address(String),
}

#[derive(Debug, Default)]
struct Known {
    keys: HashMap<String, VerifyingKey>,
    /// When they were fetched.
    fetched: Option<Instant>,
    /// When it was tried last, with or without success.
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

/// Checks that a URL is one from which keys may be believed.
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
    /// Keys from a URL that [`check_address`] has accepted.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self { url, known: tokio::sync::Mutex::default() }
    }

    /// Finds a key by its identifier; fetches all if they are old or it is not among them.
    async fn key(&self, identifier: &str) -> Result<Option<VerifyingKey>, KeysError> {
        let mut known = self.known.lock().await;
        let current = known.fetched.is_some_and(|at| at.elapsed() < KEYS_LIVE);
        if current && let Some(key) = known.keys.get(identifier) {
            return Ok(Some(*key));
        }
        // Whoever sends alerts with made-up identifiers does not make us ask GitHub each time.
        if known.tried.is_some_and(|at| at.elapsed() < FETCH_EVERY) {
            return if current { Ok(None) } else { Err(self.failed("it failed moments ago")) };
        }
        known.tried = Some(Instant::now());
        let url = self.url.clone();
        let keys = tokio::task::spawn_blocking(move || fetch(&url)).await;
        let keys = keys.map_err(|error| self.failed(error)).flatten();
        // Logged here, once per fetch: logged per alert, anybody could fill the log.
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
    // A key of another kind than today's is left out rather than spoiling the others.
    let keys = document.public_keys.into_iter().filter_map(|entry| {
        Some((entry.key_identifier, VerifyingKey::from_public_key_pem(&entry.key).ok()?))
    });
    Some(keys.collect())
}

/// Tells whether `signature` (DER in base64) is the key's over `body`.
fn is_signed(key: &VerifyingKey, signature: &str, body: &[u8]) -> bool {
    BASE64_STANDARD
        .decode(signature)
        .ok()
        .and_then(|der| Signature::from_der(&der).ok())
        .is_some_and(|signature| key.verify(body, &signature).is_ok())
}

/// A token that GitHub found.
#[derive(Debug, ToSchema)]
pub struct AlertEntry {
    /// The whole token.
    pub token: String,
    /// GitHub's name of the token's kind.
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    pub kind: String,
    /// Where it can be seen.
    pub url: String,
    /// In what GitHub found it.
    pub source: String,
}

/// What became of a token that GitHub found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Feedback {
    /// SHA-256 of the token, in base64.
    pub token_hash: String,
    /// GitHub's name of the token's kind.
    pub token_type: String,
    /// `true_positive` if the token was issued here, else `false_positive`.
    #[schema(pattern = "^(true|false)_positive$")]
    pub label: &'static str,
}

/// Takes GitHub's alert, whose signature is checked over the raw body.
#[utoipa::path(
    post, path = "/leaks/v1/github", tag = "Leaks",
    params(
        ("Github-Public-Key-Identifier" = String, Header, description = "Which of GitHub's keys signed the body"),
        ("Github-Public-Key-Signature" = String, Header, description = "ECDSA P-256 with SHA-256 over the body, DER in base64"),
    ),
    request_body(content = Vec<AlertEntry>, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of each token", body = Vec<Feedback>, content_type = "application/json"),
        (status = 400, description = "Not an alert", body = Errors, content_type = "application/vnd.api+json"),
        (status = 401, description = "Not signed by GitHub", body = Errors, content_type = "application/vnd.api+json"),
        (status = 413, description = "Too long a body, or too many tokens", body = Errors, content_type = "application/vnd.api+json"),
        (status = 503, description = "GitHub's keys or the database cannot be reached", body = Errors, content_type = "application/vnd.api+json"),
    ),
    security(()),
)]
pub async fn alert(
    State(service): State<Arc<Service>>,
    parts: Parts,
    body: Bytes,
) -> Result<Response, ApiError> {
    signed(&service, &parts, &body).await?;
    let Ok(entries) = serde_json::from_slice::<Vec<Value>>(&body) else {
        return Err(ApiError::bad(vec!["body: not a list of tokens".to_owned()]));
    };
    if entries.len() > MAX_ENTRIES {
        let text = format!("at most {MAX_ENTRIES} tokens in one alert");
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    let text = |entry: &Value, name: &str| {
        entry.get(name).and_then(Value::as_str).map(clean).unwrap_or_default().replace('\0', "")
    };
    let mut reports = Vec::new();
    let mut feedback = Vec::with_capacity(entries.len());
    for entry in &entries {
        // An entry without a token has nothing that feedback could be about.
        let Some(token) = entry.get("token").and_then(Value::as_str) else { continue };
        let report = service.reader.read(token.as_bytes()).map(|presented| {
            reports.push(LeakReport {
                token: presented.id,
                digest: presented.digest,
                source: "github".to_owned(),
                url: text(entry, "url"),
                location: text(entry, "source"),
            });
            reports.len() - 1
        });
        let token_hash = BASE64_STANDARD.encode(Sha256::digest(token));
        feedback.push((report, token_hash, text(entry, "type")));
    }
    let actor = actor(&service, &parts, method::GITHUB_SIGNATURE);
    let outcomes = take(&service, &reports, &actor).await?;
    let answer: Vec<Feedback> = feedback
        .into_iter()
        .map(|(report, token_hash, token_type)| {
            let ours = report.is_some_and(|index| outcomes[index] != LeakOutcome::Unknown);
            let label = if ours { "true_positive" } else { "false_positive" };
            Feedback { token_hash, token_type, label }
        })
        .collect();
    Ok(json(StatusCode::OK, "application/json", &answer))
}

async fn signed(service: &Service, parts: &Parts, body: &[u8]) -> Result<(), ApiError> {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let refused = || ApiError::new(StatusCode::UNAUTHORIZED, "not signed by a key of GitHub's");
    let identifier = header("github-public-key-identifier").ok_or_else(refused)?;
    let signature = header("github-public-key-signature").ok_or_else(refused)?;
    let key = service.github_keys.key(identifier).await.map_err(|_| {
        let text = "GitHub's public keys cannot be reached at the moment; try again";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text)
    })?;
    if key.is_some_and(|key| is_signed(&key, signature, body)) { Ok(()) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GitHub's published example, and a key under which it must fail.
    fn vector() -> Value {
        let text = include_str!("../../tests/data/github_signature.json");
        serde_json::from_str(text).expect("the vector is JSON")
    }

    #[test]
    fn the_published_signature_holds_under_its_key_and_no_other() {
        let vector = vector();
        let text = |name: &str| vector[name].as_str().expect("a text");
        let key = |name| VerifyingKey::from_public_key_pem(text(name)).expect("a key");
        let body = text("payload").as_bytes();
        let signature = text("signature");
        assert!(is_signed(&key("public_key"), signature, body));
        assert!(!is_signed(&key("must_fail_under"), signature, body));
        assert!(!is_signed(&key("public_key"), signature, &body[1..]));
        assert!(!is_signed(&key("public_key"), "", body));
    }

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
