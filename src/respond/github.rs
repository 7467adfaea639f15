//! Verifies tokens with GitHub's API and revokes them with its credential revocation API, which needs no
//! login.
//!
//! Input: tokens. Output: an answer or a revocation for each. Source: <https://docs.github.com/en/rest/credentials/revoke>

use super::endpoint::Endpoint;
use super::http::{ApiRequest, ApiResponse, Client};
use super::outcome::{Revocation, RevocationOutcome};
use super::verdict::Answer;
use ddpatrol_token::Secret;
use serde_json::{Value, json};

/// Maximum number of tokens per request.
const BATCH_SIZE: usize = 1_000;
const HEADERS: [(&str, &str); 1] = [("x-github-api-version", "2022-11-28")];

/// Asks GitHub about a token.
#[must_use]
pub fn verify(client: &Client, api: &Endpoint, token: &Secret) -> Answer {
    let request = ApiRequest {
        method: "GET",
        path: "/user",
        bearer: Some(token.expose()),
        headers: &HEADERS,
        body: None,
    };
    match client.send(api, request) {
        Err(why) => Answer::Inconclusive(why),
        Ok(reply) => answer(&reply),
    }
}

fn answer(reply: &ApiResponse) -> Answer {
    let text = |name| reply.json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
    match reply.status {
        200 if text("login").is_some() => Answer::Live,
        401 if text("message") == Some("Bad credentials") => Answer::Rejected,
        // The token is valid but lacks the permission.
        403 if text("message").is_some_and(|it| it.starts_with("Resource not accessible by")) => {
            Answer::Live
        }
        _ => Answer::Inconclusive(reply.words()),
    }
}

/// Revokes tokens; returns an outcome for each. The request carries no credentials, because GitHub rejects
/// authenticated ones.
#[must_use]
pub fn revoke(client: &Client, api: &Endpoint, tokens: &[&Secret]) -> Vec<Revocation> {
    tokens.chunks(BATCH_SIZE).flat_map(|batch| revoke_batch(client, api, batch)).collect()
}

fn revoke_batch(client: &Client, api: &Endpoint, batch: &[&Secret]) -> Vec<Revocation> {
    let tokens: Vec<_> =
        batch.iter().map(|token| String::from_utf8_lossy(token.expose())).collect();
    let body = json!({"credentials": tokens});
    let request = ApiRequest {
        method: "POST",
        path: "/credentials/revoke",
        bearer: None,
        headers: &HEADERS,
        body: Some(&body),
    };
    let host = api.host();
    let outcome = match client.send(api, request) {
        Ok(reply) if reply.status == 202 => Revocation::new(
            RevocationOutcome::Revoked,
            format!("accepted by the credential revocation API of {host}"),
        ),
        Ok(reply) => {
            Revocation::new(RevocationOutcome::Failed, format!("{host}: {}", reply.words()))
        }
        Err(why) => Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}")),
    };
    vec![outcome; batch.len()]
}
