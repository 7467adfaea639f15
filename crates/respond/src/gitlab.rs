//! Verifies and revokes GitLab's personal, project and group access tokens with the token itself.
//!
//! Input: an instance and a token. Output: an answer or a revocation. A token does not name its instance, so
//! the refusal of an unknown token says nothing: only an instance that knows the token states that it was
//! revoked or has expired. Any token may read and revoke itself, whatever its scopes are. Sources:
//! <https://docs.gitlab.com/api/personal_access_tokens/>, and the errors in `lib/api/api_guard.rb` of GitLab.

use super::endpoint::Endpoint;
use super::grant::Grant;
use super::http::{ApiRequest, ApiResponse, Client, Credential};
use super::outcome::{Revocation, RevocationOutcome};
use super::verdict::{Answer, TokenEnd};
use ddpatrol_token::Secret;
use serde_json::Value;

const PATH: &str = "/api/v4/personal_access_tokens/self";

fn request<'a>(method: &'static str, token: &'a Secret) -> ApiRequest<'a> {
    let credential = Credential::Header { name: "private-token", value: token.expose() };
    ApiRequest::new(method, PATH, credential)
}

/// Asks an instance about a token.
#[must_use]
pub fn verify(client: &Client, instance: &Endpoint, token: &Secret) -> Answer {
    match client.send(instance, request("GET", token)) {
        Err(error) => Answer::Inconclusive(error.to_string()),
        Ok(reply) => answer(&reply),
    }
}

fn answer(reply: &ApiResponse) -> Answer {
    match (reply.status, end(reply)) {
        (200, _) if reply.value("/active").and_then(Value::as_bool) == Some(true) => {
            Answer::Live(grant(reply))
        }
        (_, Some(end)) => Answer::Ended(end),
        (401, None) if reply.text("/message") == Some("401 Unauthorized") => Answer::NotIssued,
        // The token is valid but lacks a scope.
        (403, None) if reply.text("/error") == Some("insufficient_scope") => {
            Answer::Live(Grant::default())
        }
        _ => Answer::Inconclusive(reply.words()),
    }
}

/// Returns why the instance's own token is no longer valid, if the response states it.
fn end(reply: &ApiResponse) -> Option<TokenEnd> {
    if reply.status != 401 || reply.text("/error") != Some("invalid_token") {
        return None;
    }
    let description = reply.text("/error_description")?;
    if description.starts_with("Token was revoked.") {
        Some(TokenEnd::Revoked)
    } else if description.starts_with("Token is expired.") {
        Some(TokenEnd::Expired)
    } else {
        // For example impersonation tokens while impersonation is disabled.
        None
    }
}

fn grant(reply: &ApiResponse) -> Grant {
    // The response has the owner's number, but no name.
    let owner = reply.value("/user_id").and_then(Value::as_u64).map(|id| format!("user id {id}"));
    let scopes = reply.value("/scopes").and_then(Value::as_array);
    Grant::of_owner(owner.as_deref())
        .with_scopes(scopes.map(|scopes| scopes.iter().filter_map(Value::as_str)))
        .with_expiry(reply.text("/expires_at"))
}

/// Revokes a token with the token itself.
#[must_use]
pub fn revoke(client: &Client, instance: &Endpoint, token: &Secret) -> Revocation {
    let host = instance.host();
    let outcome = |outcome, words: &str| Revocation::new(outcome, format!("{words} {host}"));
    let failed = |why: &str| Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}"));
    let reply = match client.send(instance, request("DELETE", token)) {
        Ok(reply) => reply,
        Err(error) => return failed(&error.to_string()),
    };
    match (reply.status, end(&reply)) {
        (204, _) => outcome(RevocationOutcome::Revoked, "by the token itself at"),
        (_, Some(TokenEnd::Expired)) => {
            outcome(RevocationOutcome::AlreadyDead, "already expired at")
        }
        (_, Some(_)) => outcome(RevocationOutcome::AlreadyDead, "already revoked at"),
        (401, None) => failed("does not accept the token"),
        _ => failed(&reply.words()),
    }
}
