//! A service of one's own (`ddpatrold`): tokens are revoked by reporting that they leaked. The whole
//! token is the proof of possession; no login is needed.

use super::endpoint::Endpoint;
use super::http::{ApiRequest, ApiResponse, Client};
use super::outcome::{Revocation, RevocationOutcome};
use super::proven_token::ProvenToken;
use serde_json::{Value, json};

/// How many tokens one report names.
const AT_ONCE: usize = 1_000;

/// The status codes by which `ddpatrold` refuses a token; its 403 means one that it knows.
pub const REFUSALS: &[u16] = &[401];

/// Reports tokens to a service; returns an outcome for each.
#[must_use]
pub fn report(client: &Client, issuer: &Endpoint, subjects: &[&ProvenToken]) -> Vec<Revocation> {
    subjects.chunks(AT_ONCE).flat_map(|batch| report_batch(client, issuer, batch)).collect()
}

fn report_batch(client: &Client, issuer: &Endpoint, batch: &[&ProvenToken]) -> Vec<Revocation> {
    let entries: Vec<Value> = batch
        .iter()
        .map(|subject| {
            let secret = subject.secret.as_ref().map(|secret| secret.expose()).unwrap_or_default();
            json!({
                "token": String::from_utf8_lossy(secret),
                "source": "ddpatrol",
                "location": subject.location,
            })
        })
        .collect();
    let body = json!({"reports": entries});
    let ask = ApiRequest {
        method: "POST",
        path: "/leaks/v1/reports",
        bearer: None,
        headers: &[],
        body: Some(&body),
    };
    let host = issuer.host();
    let failed = |why: &str| Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}"));
    let reply = match client.send(issuer, ask) {
        Ok(reply) => reply,
        Err(why) => return vec![failed(&why); batch.len()],
    };
    match results(&reply, batch.len()) {
        Some(results) => results.iter().map(|result| outcome(host, result)).collect(),
        None => vec![failed(&reply.words()); batch.len()],
    }
}

/// Takes the results out of an answer, if there is one for each entry.
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
        "already_revoked" => (RevocationOutcome::AlreadyDead, "it had been revoked before at"),
        "expired" => (RevocationOutcome::AlreadyDead, "it had expired before at"),
        "flagged" => {
            (RevocationOutcome::Failed, "marked as leaked, and left live by the policy of")
        }
        "unknown" => (RevocationOutcome::Failed, "never issued by"),
        _ => (RevocationOutcome::Failed, "not taken by"),
    };
    Revocation::new(outcome, format!("{words} {host}"))
}
