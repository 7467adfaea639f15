//! Verifies tokens with the user's own `ddpatrold`, and revokes them by leak reports.
//!
//! Input: proven tokens. Output: an answer or a revocation for each. The whole token is the proof of
//! possession; no login is needed.

use super::datadog;
use super::endpoint::Endpoint;
use super::grant::Grant;
use super::http::{ApiRequest, ApiResponse, Client, Credential};
use super::outcome::{Revocation, RevocationOutcome};
use super::proven_token::ProvenToken;
use super::verdict::{Answer, TokenEnd};
use ddpatrol_token::Secret;
use serde_json::{Value, json};

/// Maximum number of tokens per request.
const BATCH_SIZE: usize = 1_000;

/// The header that states why a token that the service issued is no longer live. It is present only if the
/// whole token was presented.
const STATE_HEADER: &str = "x-token-state";

/// Asks a service about a token.
#[must_use]
pub fn verify(client: &Client, issuer: &Endpoint, token: &Secret) -> Answer {
    match datadog::validate(client, issuer, token) {
        Err(error) => Answer::Inconclusive(error.to_string()),
        Ok(reply) => answer(&reply),
    }
}

/// Without the header a rejection shows only that the token is not live at this service: it may be a live
/// token of another issuer.
fn answer(reply: &ApiResponse) -> Answer {
    if datadog::is_acceptance(reply) {
        return Answer::Live(Grant::default());
    }
    if reply.status != 401 || !datadog::is_rejection(reply) {
        return Answer::Inconclusive(reply.words());
    }
    match reply.header(STATE_HEADER) {
        Some("revoked") => Answer::Ended(TokenEnd::Revoked),
        Some("expired") => Answer::Ended(TokenEnd::Expired),
        _ => Answer::NotIssued,
    }
}

/// Reports tokens to a service; returns an outcome for each.
#[must_use]
pub fn report(client: &Client, issuer: &Endpoint, tokens: &[&ProvenToken]) -> Vec<Revocation> {
    tokens.chunks(BATCH_SIZE).flat_map(|batch| report_batch(client, issuer, batch)).collect()
}

fn report_batch(client: &Client, issuer: &Endpoint, batch: &[&ProvenToken]) -> Vec<Revocation> {
    let entries: Vec<Value> = batch
        .iter()
        .map(|token| {
            let secret = token.secret.as_ref().map(|secret| secret.expose()).unwrap_or_default();
            json!({
                "token": String::from_utf8_lossy(secret),
                "source": "ddpatrol",
                "location": token.location,
            })
        })
        .collect();
    let body = json!({"reports": entries});
    let request = ApiRequest {
        body: Some(&body),
        ..ApiRequest::new("POST", "/leaks/v1/reports", Credential::None)
    };
    let host = issuer.host();
    let failed = |why: &str| Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}"));
    let reply = match client.send(issuer, request) {
        Ok(reply) => reply,
        Err(error) => return vec![failed(&error.to_string()); batch.len()],
    };
    match results(&reply, batch.len()) {
        Some(results) => results.iter().map(|result| outcome(host, result)).collect(),
        None => vec![failed(&reply.words()); batch.len()],
    }
}

/// Returns the results of a response if there is one for each entry.
fn results(reply: &ApiResponse, entries: usize) -> Option<Vec<&str>> {
    let results =
        reply.json.as_ref().filter(|_| reply.status == 200)?.get("results")?.as_array()?;
    let status = |result: &'_ Value| result.get("status").is_some_and(Value::is_string);
    (results.len() == entries && results.iter().all(status)).then(|| {
        results.iter().filter_map(|result| result.get("status").and_then(Value::as_str)).collect()
    })
}

fn outcome(host: &str, status: &str) -> Revocation {
    let (outcome, words) = match status {
        "revoked" => (RevocationOutcome::Revoked, "by leak report to"),
        "already_revoked" => (RevocationOutcome::AlreadyDead, "already revoked at"),
        "expired" => (RevocationOutcome::AlreadyDead, "already expired at"),
        "flagged" => {
            (RevocationOutcome::Failed, "flagged as leaked, but not revoked by the policy of")
        }
        "unknown" => (RevocationOutcome::Failed, "never issued by"),
        _ => (RevocationOutcome::Failed, "rejected by"),
    };
    Revocation::new(outcome, format!("{words} {host}"))
}
