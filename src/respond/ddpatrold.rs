//! Revokes tokens by leak reports to the user's own `ddpatrold`.
//!
//! Input: proven tokens. Output: a revocation for each. The whole token is the proof of possession; no login
//! is needed. Verification uses Datadog's API (`datadog`).

use super::endpoint::Endpoint;
use super::http::{ApiRequest, ApiResponse, Client};
use super::outcome::{Revocation, RevocationOutcome};
use super::proven_token::ProvenToken;
use serde_json::{Value, json};

/// Maximum number of tokens per request.
const BATCH_SIZE: usize = 1_000;

/// Status codes with which `ddpatrold` rejects a token; 403 means a known token without permission.
pub const REJECTION_CODES: &[u16] = &[401];

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
        method: "POST",
        path: "/leaks/v1/reports",
        bearer: None,
        headers: &[],
        body: Some(&body),
    };
    let host = issuer.host();
    let failed = |why: &str| Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}"));
    let reply = match client.send(issuer, request) {
        Ok(reply) => reply,
        Err(why) => return vec![failed(&why); batch.len()],
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
