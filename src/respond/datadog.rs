//! Verifies tokens and revokes them by identifier with Datadog's API, also at compatible services.
//!
//! Input: an endpoint and a token or its identifier. Output: an answer or a revocation. This file does not
//! choose the endpoints.

use super::endpoint::Endpoint;
use super::http::{ApiRequest, ApiResponse, Client};
use super::outcome::{Revocation, RevocationOutcome};
use super::provider::Provider;
use super::verdict::Answer;
use ddpatrol_token::{Secret, Uuid};
use serde_json::Value;

/// Status codes with which Datadog rejects a token.
pub const REJECTION_CODES: &[u16] = &[401, 403];

/// Asks one site about a token; the site rejects tokens with one of `rejection_codes`.
#[must_use]
pub fn verify(client: &Client, site: &Endpoint, token: &Secret, rejection_codes: &[u16]) -> Answer {
    let request = ApiRequest {
        method: "GET",
        path: "/api/v2/validate_keys",
        bearer: Some(token.expose()),
        headers: &[],
        body: None,
    };
    match client.send(site, request) {
        Err(why) => Answer::Inconclusive(why),
        Ok(reply) => answer(&reply, rejection_codes),
    }
}

fn answer(reply: &ApiResponse, rejection_codes: &[u16]) -> Answer {
    let json = reply.json.as_ref();
    match reply.status {
        200 if json.and_then(|json| json.get("status")).and_then(Value::as_str) == Some("ok") => {
            Answer::Live
        }
        status if rejection_codes.contains(&status) && json.is_some_and(is_rejection) => {
            Answer::Rejected
        }
        _ => Answer::Inconclusive(reply.words()),
    }
}

/// Returns `true` if a body is Datadog's rejection of a credential. Responses of proxies, and rejections for
/// other reasons such as a disallowed address, do not count.
fn is_rejection(body: &Value) -> bool {
    let errors = body.get("errors").and_then(Value::as_array);
    errors.is_some_and(|errors| {
        !errors.is_empty()
            && errors
                .iter()
                .all(|error| matches!(error.as_str(), Some("Unauthorized" | "Forbidden")))
    })
}

/// Returns the path of the request that revokes a token.
///
/// # Errors
/// Returns the reason why the token cannot be revoked by identifier.
pub fn revocation_path(
    provider: Provider,
    token: Option<Uuid>,
    service_account: Option<Uuid>,
) -> Result<String, String> {
    let token = token.ok_or("the token contains no identifier")?;
    match (provider, service_account) {
        (Provider::ServiceAccount, Some(account)) => {
            Ok(format!("/api/v2/service_accounts/{account}/access_tokens/{token}"))
        }
        (Provider::ServiceAccount, None) => {
            Err("a service account token needs the id of its account (--service-account)"
                .to_owned())
        }
        _ => Ok(format!("/api/v2/personal_access_tokens/{token}")),
    }
}

/// Revokes a token at one site with an administrator's token.
#[must_use]
pub fn revoke(client: &Client, site: &Endpoint, path: &str, admin: &Secret) -> Revocation {
    let host = site.host();
    let bearer = Some(admin.expose());
    let request = ApiRequest { method: "DELETE", path, bearer, headers: &[], body: None };
    let failed = |why: String| Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}"));
    match client.send(site, request) {
        Err(why) => failed(why),
        Ok(reply) => match reply.status {
            204 => Revocation::new(RevocationOutcome::Revoked, format!("by DELETE at {host}")),
            404 => failed("no such token".to_owned()),
            401 | 403 => {
                failed(format!("the administrator's token was rejected (status {})", reply.status))
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
    fn only_the_documented_errors_are_a_rejection() {
        assert!(is_rejection(&json!({"errors": ["Unauthorized"]})));
        assert!(is_rejection(&json!({"errors": ["Forbidden"]})));
        for other in [
            json!({"errors": []}),
            json!({"errors": ["Forbidden", "Your address is not allowed"]}),
            json!({"errors": [403]}),
            json!({"error": "Forbidden"}),
            json!("Forbidden"),
        ] {
            assert!(!is_rejection(&other), "{other}");
        }
    }
}
