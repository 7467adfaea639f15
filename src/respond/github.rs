//! GitHub: whose token is it, and its credential revocation, which takes tokens from anybody.
//!
//! Source: <https://docs.github.com/en/rest/credentials/revoke>

use super::endpoint::Endpoint;
use super::http::{ApiRequest, ApiResponse, Client};
use super::outcome::{Revocation, RevocationOutcome};
use super::verdict::Answer;
use ddpatrol_token::Secret;
use serde_json::{Value, json};

/// How many tokens one call takes.
const AT_ONCE: usize = 1_000;
const HEADERS: [(&str, &str); 1] = [("x-github-api-version", "2022-11-28")];

/// Asks GitHub about a token.
#[must_use]
pub fn ask(client: &Client, api: &Endpoint, token: &Secret) -> Answer {
    let ask = ApiRequest {
        method: "GET",
        path: "/user",
        bearer: Some(token.expose()),
        headers: &HEADERS,
        body: None,
    };
    match client.send(api, ask) {
        Err(why) => Answer::Unclear(why),
        Ok(reply) => answer(&reply),
    }
}

fn answer(reply: &ApiResponse) -> Answer {
    let text = |name| reply.json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
    match reply.status {
        200 if text("login").is_some() => Answer::Live,
        401 if text("message") == Some("Bad credentials") => Answer::Refused,
        // It knows the token, which lacks the permission.
        403 if text("message").is_some_and(|it| it.starts_with("Resource not accessible by")) => {
            Answer::Live
        }
        _ => Answer::Unclear(reply.words()),
    }
}

/// Revokes tokens; returns an outcome for each. The call is made without a login: GitHub refuses
/// one that has any.
#[must_use]
pub fn revoke(client: &Client, api: &Endpoint, tokens: &[&Secret]) -> Vec<Revocation> {
    tokens.chunks(AT_ONCE).flat_map(|batch| revoke_batch(client, api, batch)).collect()
}

fn revoke_batch(client: &Client, api: &Endpoint, batch: &[&Secret]) -> Vec<Revocation> {
    let tokens: Vec<_> =
        batch.iter().map(|token| String::from_utf8_lossy(token.expose())).collect();
    let body = json!({"credentials": tokens});
    let ask = ApiRequest {
        method: "POST",
        path: "/credentials/revoke",
        bearer: None,
        headers: &HEADERS,
        body: Some(&body),
    };
    let host = api.host();
    let outcome = match client.send(api, ask) {
        Ok(reply) if reply.status == 202 => Revocation::new(
            RevocationOutcome::Revoked,
            format!("accepted by {host}'s credential revocation"),
        ),
        Ok(reply) => {
            Revocation::new(RevocationOutcome::Failed, format!("{host}: {}", reply.words()))
        }
        Err(why) => Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}")),
    };
    vec![outcome; batch.len()]
}
