//! Datadog's API, and that of services which speak it: is a token live, and revoke it by its id.

use super::endpoint::Endpoint;
use super::http::{ApiRequest, ApiResponse, Client};
use super::outcome::{Revocation, RevocationOutcome};
use super::provider::Provider;
use super::verdict::Answer;
use ddpatrol_token::{Secret, Uuid};
use serde_json::Value;

/// The status codes by which Datadog refuses a token.
pub const REFUSALS: &[u16] = &[401, 403];

/// Asks one site, which refuses with one of `refusals`, about a token.
#[must_use]
pub fn ask(client: &Client, site: &Endpoint, token: &Secret, refusals: &[u16]) -> Answer {
    let ask = ApiRequest {
        method: "GET",
        path: "/api/v2/validate_keys",
        bearer: Some(token.expose()),
        headers: &[],
        body: None,
    };
    match client.send(site, ask) {
        Err(why) => Answer::Unclear(why),
        Ok(reply) => answer(&reply, refusals),
    }
}

fn answer(reply: &ApiResponse, refusals: &[u16]) -> Answer {
    let json = reply.json.as_ref();
    match reply.status {
        200 if json.and_then(|json| json.get("status")).and_then(Value::as_str) == Some("ok") => {
            Answer::Live
        }
        status if refusals.contains(&status) && json.is_some_and(is_refusal) => Answer::Refused,
        _ => Answer::Unclear(reply.words()),
    }
}

/// Tells whether a body is Datadog's own refusal of a credential, and not that of something on the
/// way, or for another reason (an address that is not allowed).
fn is_refusal(body: &Value) -> bool {
    let errors = body.get("errors").and_then(Value::as_array);
    errors.is_some_and(|errors| {
        !errors.is_empty()
            && errors
                .iter()
                .all(|error| matches!(error.as_str(), Some("Unauthorized" | "Forbidden")))
    })
}

/// Makes the path by which a token is revoked.
///
/// # Errors
/// Why there is none, in words.
pub fn path(
    provider: Provider,
    token: Option<Uuid>,
    service_account: Option<Uuid>,
) -> Result<String, String> {
    let token = token.ok_or("the token spells no identifier")?;
    match (provider, service_account) {
        (Provider::ServiceAccount, Some(account)) => {
            Ok(format!("/api/v2/service_accounts/{account}/access_tokens/{token}"))
        }
        (Provider::ServiceAccount, None) => {
            Err("a service account's token needs the account's id: --service-account".to_owned())
        }
        _ => Ok(format!("/api/v2/personal_access_tokens/{token}")),
    }
}

/// Revokes a token at one site with an administrator's token.
#[must_use]
pub fn revoke(client: &Client, site: &Endpoint, path: &str, admin: &Secret) -> Revocation {
    let host = site.host();
    let bearer = Some(admin.expose());
    let ask = ApiRequest { method: "DELETE", path, bearer, headers: &[], body: None };
    let failed = |why: String| Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}"));
    match client.send(site, ask) {
        Err(why) => failed(why),
        Ok(reply) => match reply.status {
            204 => Revocation::new(RevocationOutcome::Revoked, format!("by DELETE at {host}")),
            404 => failed("it knows no such token".to_owned()),
            401 | 403 => {
                failed(format!("it refuses the administrator's token (status {})", reply.status))
            }
            _ => failed(reply.words()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_datadogs_own_words_are_a_refusal() {
        assert!(is_refusal(&json!({"errors": ["Unauthorized"]})));
        assert!(is_refusal(&json!({"errors": ["Forbidden"]})));
        for other in [
            json!({"errors": []}),
            json!({"errors": ["Forbidden", "Your address is not allowed"]}),
            json!({"errors": [403]}),
            json!({"error": "Forbidden"}),
            json!("Forbidden"),
        ] {
            assert!(!is_refusal(&other), "{other}");
        }
    }
}
