//! GitHub's secret-scanning partner alert: accepts tokens that GitHub found, provided that GitHub
//! signed them, and responds with those that were issued here. [`super::github_keys`] provides the
//! keys.
//!
//! Source: <https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program/secret-scanning-partner-program>

use super::entries::{ListError, Member, Schema};
use super::{MAX_ENTRIES, anonymous_actor, record_leaks, web_url};
use crate::api::error::{ApiError, Errors, OpenErrors, json};
use crate::audit::method;
use crate::auth::PresentedToken;
use crate::service::Service;
use crate::store::leaks::{LeakOutcome, LeakReport};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use utoipa::ToSchema;

/// The header with the identifier of the key.
pub(crate) const IDENTIFIER: &str = "github-public-key-identifier";
/// The header with the signature.
pub(crate) const SIGNATURE: &str = "github-public-key-signature";
/// Maximum length of an identifier, in bytes; GitHub's have 64.
const MAX_IDENTIFIER: usize = 128;

/// Parses a signature: DER in base64.
fn parse_signature(text: &str) -> Option<Signature> {
    Signature::from_der(&BASE64_STANDARD.decode(text).ok()?).ok()
}

/// The key and the signature of an alert, from its headers. The body has not been verified yet.
#[derive(Clone, Debug)]
pub struct Claim {
    key: VerifyingKey,
    signature: Signature,
}

impl Claim {
    /// Returns `true` if the signature is valid for `body`.
    fn verifies(&self, body: &[u8]) -> bool {
        self.key.verify(body, &self.signature).is_ok()
    }
}

/// A token that GitHub found.
#[derive(Debug, ToSchema)]
pub struct AlertEntry {
    /// The whole token.
    pub token: String,
    /// GitHub's name for the type of the token.
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    pub kind: String,
    /// The URL where the token was found.
    pub url: String,
    /// The kind of content where the token was found.
    pub source: String,
}

/// The feedback on a token that GitHub found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Feedback {
    /// SHA-256 of the token, in base64.
    pub token_hash: String,
    /// GitHub's name for the type of the token.
    pub token_type: String,
    /// `true_positive` if the token was issued here, `false_positive` otherwise.
    #[schema(pattern = "^(true_positive|false_positive)$")]
    pub label: &'static str,
}

/// Accepts GitHub's alert after verifying the signature of the raw body.
#[utoipa::path(
    post, path = "/leaks/v1/github", tag = "Leaks",
    operation_id = "report_github_alert",
    params(
        ("Github-Public-Key-Identifier" = String, Header, description = "Identifier of the GitHub key that signed the body"),
        ("Github-Public-Key-Signature" = String, Header, description = "ECDSA P-256 signature with SHA-256 of the body, DER in base64"),
    ),
    request_body(content = Vec<AlertEntry>, content_type = "application/json"),
    responses(
        (status = 200, description = "Feedback on each token", body = Vec<Feedback>, content_type = "application/json"),
        (status = 400, description = "Not an alert", body = Errors, content_type = "application/vnd.api+json"),
        (status = 401, description = "Not signed by GitHub", body = Errors, content_type = "application/vnd.api+json"),
        OpenErrors,
    ),
    security(()),
)]
pub async fn alert(
    State(service): State<Arc<Service>>,
    Extension(claim): Extension<Claim>,
    parts: Parts,
    body: Bytes,
) -> Result<Response, ApiError> {
    if !claim.verifies(&body) {
        return Err(unsigned());
    }
    let Alert { reports, found } = parse_alert(&service, &body)?;
    drop(body);
    let actor = anonymous_actor(&service, &parts, method::GITHUB_SIGNATURE);
    let outcomes = record_leaks(&service, &reports, &actor).await?;
    let feedback: Vec<Feedback> = found
        .into_iter()
        .map(|FoundToken { report, token_hash, token_type }| {
            let ours = report.is_some_and(|index| outcomes[index] != LeakOutcome::Unknown);
            let label = if ours { "true_positive" } else { "false_positive" };
            Feedback { token_hash, token_type, label }
        })
        .collect();
    Ok(json(StatusCode::OK, "application/json", &feedback))
}

/// A token of an alert, for the feedback.
struct FoundToken {
    /// The index of its report; `None` if the token is malformed.
    report: Option<usize>,
    /// SHA-256 of the token, in base64.
    token_hash: String,
    /// GitHub's name for the type of the token.
    token_type: String,
}

/// A parsed token of an alert.
struct HashedToken {
    /// `None` if the token is malformed.
    presented: Option<PresentedToken>,
    /// SHA-256 of the token, in base64.
    hash: String,
}

/// The parsed content of an alert.
#[derive(Default)]
struct Alert {
    /// The well-formed tokens.
    reports: Vec<LeakReport>,
    /// All tokens.
    found: Vec<FoundToken>,
}

fn parse_alert(service: &Service, body: &[u8]) -> Result<Alert, ApiError> {
    let mut alert = Alert::default();
    let schema = Schema {
        list: None,
        texts: ["type", "url", "source"],
        parse_token: &|token: &str| {
            let hash = BASE64_STANDARD.encode(Sha256::digest(token));
            HashedToken { presented: service.token_parser.parse(token.as_bytes()), hash }
        },
    };
    let read = schema.parse(body, &mut |entry| {
        // An entry without exactly one token has nothing to give feedback on.
        let Member::Text(token) = entry.token else { return };
        if entry.ambiguous {
            return;
        }
        let [token_type, url, location] = entry.texts.map(|member| match member {
            Member::Text(text) => text,
            Member::None | Member::Other => String::new(),
        });
        let report = token.presented.map(|presented| {
            alert.reports.push(LeakReport {
                token: presented.id,
                digest: presented.digest,
                source: "github".to_owned(),
                url: web_url(url),
                location,
            });
            alert.reports.len() - 1
        });
        alert.found.push(FoundToken { report, token_hash: token.hash, token_type });
    });
    read.map_err(|error| match error {
        ListError::TooMany => {
            let text = format!("must be a list of at most {MAX_ENTRIES} tokens");
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, text)
        }
        ListError::Syntax { .. } | ListError::NoList => {
            ApiError::bad_request(vec!["body: must be a list of tokens".to_owned()])
        }
    })?;
    Ok(alert)
}

fn unsigned() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "not signed by GitHub")
}

/// Rejects alerts without a known key and a signature in their headers, before the body is read.
pub async fn require_claim(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    match claim(&service, request.headers()).await {
        Ok(claim) => {
            request.extensions_mut().insert(claim);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

async fn claim(service: &Service, headers: &HeaderMap) -> Result<Claim, ApiError> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let identifier = header(IDENTIFIER).filter(|text| text.len() <= MAX_IDENTIFIER);
    let identifier = identifier.ok_or_else(unsigned)?;
    let signature = header(SIGNATURE).and_then(parse_signature).ok_or_else(unsigned)?;
    let key = service.github_keys.key(identifier).await.map_err(|_| {
        let text = "GitHub's public keys are unavailable; try again";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text)
    })?;
    Ok(Claim { key: key.ok_or_else(unsigned)?, signature })
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::pkcs8::DecodePublicKey as _;

    fn is_signed(key: &VerifyingKey, signature: &str, body: &[u8]) -> bool {
        parse_signature(signature)
            .is_some_and(|signature| Claim { key: *key, signature }.verifies(body))
    }

    /// Returns GitHub's published example, and a key that must not verify it.
    fn vector() -> serde_json::Value {
        let text = include_str!("../../tests/data/github_signature.json");
        serde_json::from_str(text).expect("the vector is JSON")
    }

    #[test]
    fn the_published_signature_is_valid_for_its_key_and_no_other() {
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
}
