//! Verifies Vercel's access tokens, and revokes personal ones with the token itself.
//!
//! Input: the API and a token. Output: an answer or a revocation. Sources:
//! <https://vercel.com/docs/rest-api/user/get-the-user>, which answers every valid token, with limited data if
//! it lacks privileges; <https://vercel.com/docs/rest-api/authentication/get-auth-token-metadata>;
//! <https://vercel.com/docs/rest-api/authentication/delete-an-authentication-token>;
//! <https://vercel.com/docs/rest-api/errors>

use super::endpoint::Endpoint;
use super::grant::Grant;
use super::http::{ApiRequest, ApiResponse, Client, Credential};
use super::outcome::{Revocation, RevocationOutcome};
use super::verdict::Answer;
use ddpatrol_token::Secret;
use serde_json::Value;

/// The kind of a token, by the meaning of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VercelKind {
    /// A personal access token.
    Personal,
    /// A token of an integration or app, which may lack the permission to read its user.
    App,
}

/// Asks the API about a token.
#[must_use]
pub fn verify(client: &Client, api: &Endpoint, kind: VercelKind, token: &Secret) -> Answer {
    let credential = Credential::Bearer(token.expose());
    let reply = match client.send(api, ApiRequest::new("GET", "/v2/user", credential)) {
        Ok(reply) => reply,
        Err(error) => return Answer::Inconclusive(error.to_string()),
    };
    match answer(&reply, kind) {
        Answer::Live(grant) => Answer::Live(with_metadata(grant, client, api, credential)),
        other => other,
    }
}

fn answer(reply: &ApiResponse, kind: VercelKind) -> Answer {
    match reply.status {
        200 if reply.value("/user").is_some_and(Value::is_object) => {
            let mut owner = ["/user/username", "/user/email", "/user/id"].into_iter();
            Answer::Live(Grant::of_owner(owner.find_map(|pointer| reply.text(pointer))))
        }
        401 | 403 if refuses(reply, kind) => Answer::Rejected,
        _ => Answer::Inconclusive(reply.words()),
    }
}

/// Returns `true` for the documented refusal of a token. The refusal of a scope has a longer message.
fn refuses(reply: &ApiResponse, kind: VercelKind) -> bool {
    let is_documented = reply.text("/error/code") == Some("forbidden")
        && reply.text("/error/message") == Some("Not authorized");
    // The field is not documented, but only it names the token as the reason.
    match reply.value("/error/invalidToken").map(Value::as_bool) {
        Some(Some(true)) => is_documented,
        Some(_) => false,
        None => is_documented && kind == VercelKind::Personal,
    }
}

/// Adds scopes and expiry, if the API reports them.
fn with_metadata(
    grant: Grant,
    client: &Client,
    api: &Endpoint,
    credential: Credential<'_>,
) -> Grant {
    let request = ApiRequest::new("GET", "/v5/user/tokens/current", credential);
    let Some(reply) = client.send(api, request).ok().filter(|reply| reply.status == 200) else {
        return grant;
    };
    let scope = |scope: &Value| {
        let kind = scope.get("type")?.as_str()?;
        let team = scope.get("teamId").and_then(Value::as_str);
        Some(team.map_or_else(|| kind.to_owned(), |team| format!("{kind} {team}")))
    };
    let scopes = reply.value("/token/scopes").and_then(Value::as_array);
    let scopes: Option<Vec<String>> =
        scopes.map(|scopes| scopes.iter().filter_map(scope).collect());
    grant
        .with_scopes(scopes.as_ref().map(|scopes| scopes.iter().map(String::as_str)))
        .with_expiry_ms(reply.value("/token/expiresAt").and_then(Value::as_i64))
}

/// Revokes a personal token with the token itself.
#[must_use]
pub fn revoke(client: &Client, api: &Endpoint, token: &Secret) -> Revocation {
    let host = api.host();
    let failed = |why: &str| Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}"));
    let credential = Credential::Bearer(token.expose());
    match client.send(api, ApiRequest::new("DELETE", "/v3/user/tokens/current", credential)) {
        Err(error) => failed(&error.to_string()),
        Ok(reply) if reply.status == 200 && reply.text("/tokenId").is_some() => {
            Revocation::new(RevocationOutcome::Revoked, format!("by the token itself at {host}"))
        }
        Ok(reply) if refuses(&reply, VercelKind::App) => failed("does not accept the token"),
        Ok(reply) => failed(&reply.words()),
    }
}
