//! The content of a response: its size and type, its JSON, and the message of a refusal.
//!
//! Responses that repeat the credential are refused. Nothing is requested here.

use super::credential::Credential;
use super::error::HostError;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

/// Maximum size of a page in bytes.
const MAX_PAGE: usize = 32 << 20;

/// Reads a body; `None` if it is too large.
pub(super) async fn read_body(response: &mut Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_PAGE {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// Fails if a response is no JSON, or repeats the credential.
pub(super) fn check_content(
    url: &Url,
    headers: &HeaderMap,
    body: &[u8],
    credential: Option<&Credential>,
) -> Result<(), HostError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json"))
    {
        let cause = "the response is no JSON: is this the URL of the API, and no page to sign in?";
        return Err(HostError::content(url, cause));
    }
    if credential.is_some_and(|it| it.is_in(&String::from_utf8_lossy(body))) {
        return Err(HostError::content(url, "the response repeats the credential, and is refused"));
    }
    Ok(())
}

/// Parses JSON. The message of an error does not repeat the content.
pub(super) fn parse<T: DeserializeOwned>(url: &Url, content: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(content).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let cause = format!("unexpected content of the response at line {line}, column {column}");
        HostError::content(url, &cause).into()
    })
}

/// Returns the message of a refusal: one short line, unless it repeats the credential.
pub(super) fn message(body: &[u8], credential: Option<&Credential>) -> String {
    #[derive(Deserialize)]
    struct RefusalBody {
        message: Option<serde_json::Value>,
        error: Option<serde_json::Value>,
    }
    let Ok(refusal) = serde_json::from_slice::<RefusalBody>(body) else { return String::new() };
    let text = match refusal.message.or(refusal.error) {
        Some(serde_json::Value::String(text)) => text,
        _ => return String::new(),
    };
    if credential.is_some_and(|it| it.is_in(&text)) {
        return String::new();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}
