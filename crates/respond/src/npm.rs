//! Verifies npm's access tokens.
//!
//! Input: the registry and a token. Output: an answer. Sources: <https://docs.npmjs.com/cli/commands/npm-whoami>,
//! and for the refusals `lib/check-response.js` of npm's `npm-registry-fetch`: a 401 whose challenge is
//! `ipaddress` or `otp` is about the address or the second factor, not about the token.

use super::endpoint::Endpoint;
use super::grant::Grant;
use super::http::{ApiRequest, ApiResponse, Client, Credential};
use super::verdict::Answer;
use ddpatrol_token::Secret;
use serde_json::Value;

/// Asks the registry about a token.
#[must_use]
pub fn verify(client: &Client, registry: &Endpoint, token: &Secret) -> Answer {
    let credential = Credential::Bearer(token.expose());
    match client.send(registry, ApiRequest::new("GET", "/-/whoami", credential)) {
        Err(error) => Answer::Inconclusive(error.to_string()),
        Ok(reply) => answer(&reply),
    }
}

fn answer(reply: &ApiResponse) -> Answer {
    let user = reply.text("/username").filter(|name| !name.is_empty());
    match reply.status {
        200 if user.is_some() => Answer::Live(Grant::of_owner(user)),
        401 if demands_more(reply) => Answer::Inconclusive(
            "demands a one-time password or another address (status 401)".to_owned(),
        ),
        401 if reply.json.as_ref().is_some_and(Value::is_object) => Answer::Rejected,
        _ => Answer::Inconclusive(reply.words()),
    }
}

/// Returns `true` if the refusal may be about the client's address or a second factor.
fn demands_more(reply: &ApiResponse) -> bool {
    let names = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["ipaddress", "ip address", "otp", "one-time pass"].iter().any(|it| text.contains(it))
    };
    let challenges = reply.headers("www-authenticate");
    let words = reply.json.as_ref().map(Value::to_string);
    challenges.into_iter().chain(words).any(|text| names(&text))
}
