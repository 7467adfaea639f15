//! Verifies Grafana's service account tokens.
//!
//! Input: an instance and a token. Output: an answer. A token does not name its instance, so the refusal of an
//! unknown token says nothing; an instance states of its own tokens that they have expired or were revoked.
//! Sources: <https://grafana.com/docs/grafana/latest/developer-resources/api-reference/http-api/org/>, and the
//! errors in `pkg/services/authn/clients/api_key.go` of Grafana.

use super::endpoint::Endpoint;
use super::grant::Grant;
use super::http::{ApiRequest, ApiResponse, Client, Credential};
use super::verdict::{Answer, TokenEnd};
use ddpatrol_token::Secret;

/// Asks an instance about a token.
#[must_use]
pub fn verify(client: &Client, instance: &Endpoint, token: &Secret) -> Answer {
    let credential = Credential::Bearer(token.expose());
    match client.send(instance, ApiRequest::new("GET", "/api/org", credential)) {
        Err(error) => Answer::Inconclusive(error.to_string()),
        Ok(reply) => answer(&reply),
    }
}

fn answer(reply: &ApiResponse) -> Answer {
    let message = reply.text("/message");
    match reply.status {
        200 if reply.value("/id").is_some_and(serde_json::Value::is_u64) => {
            // The owner is a service account of this organization.
            Answer::Live(Grant::of_owner(reply.text("/name")))
        }
        // The token is valid but lacks the permission.
        403 if reply.text("/accessErrorId").is_some()
            && reply.text("/title") == Some("Access denied") =>
        {
            Answer::Live(Grant::default())
        }
        401 => match (reply.text("/messageId"), message) {
            (Some("api-key.expired"), _) | (None, Some("Expired API key")) => {
                Answer::Ended(TokenEnd::Expired)
            }
            (Some("api-key.revoked"), _) | (None, Some("Revoked API key")) => {
                Answer::Ended(TokenEnd::Revoked)
            }
            (Some("api-key.invalid"), _)
            | (None, Some("Invalid API key" | "invalid API key" | "Unauthorized")) => {
                Answer::NotIssued
            }
            _ => Answer::Inconclusive(reply.words()),
        },
        _ => Answer::Inconclusive(reply.words()),
    }
}
