//! Verifies the API keys of Weights & Biases.
//!
//! Input: a server and a key. Output: an answer. A key does not name its server, which may be a dedicated or
//! self-managed one, so the refusal of an unknown key says nothing. Sources:
//! <https://docs.wandb.ai/ref/python/public-api/api/>: the query `viewer`, which is null for an unknown key;
//! the key is the password of the user `api`.

use super::endpoint::Endpoint;
use super::grant::Grant;
use super::http::{ApiRequest, ApiResponse, Client, Credential};
use super::verdict::Answer;
use ddpatrol_token::Secret;
use serde_json::{Value, json};

/// Asks a server about a key.
#[must_use]
pub fn verify(client: &Client, server: &Endpoint, key: &Secret) -> Answer {
    let query = json!({"query": "query Viewer { viewer { username entity } }"});
    let request = ApiRequest {
        body: Some(&query),
        ..ApiRequest::new(
            "POST",
            "/graphql",
            Credential::Basic { user: "api", password: key.expose() },
        )
    };
    match client.send(server, request) {
        Err(error) => Answer::Inconclusive(error.to_string()),
        Ok(reply) => answer(&reply),
    }
}

fn answer(reply: &ApiResponse) -> Answer {
    let has_errors = reply.value("/errors").is_some_and(|it| !it.is_null());
    match (reply.status, reply.value("/data/viewer")) {
        (200, Some(Value::Object(_))) if !has_errors => {
            let names = ["/data/viewer/username", "/data/viewer/entity"];
            let owner = names.into_iter().find_map(|pointer| reply.text(pointer));
            Answer::Live(Grant::of_owner(owner))
        }
        (200, Some(Value::Null)) if !has_errors => Answer::NotIssued,
        (401, _) if reply.text("/errors/0/message") == Some("user is not logged in") => {
            Answer::NotIssued
        }
        _ => Answer::Inconclusive(reply.words()),
    }
}
