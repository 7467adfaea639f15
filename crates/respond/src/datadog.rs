//! Verifies tokens and revokes them by identifier with Datadog's API, also at compatible services.
//!
//! Input: an endpoint and a token or its identifier. Output: an answer or a revocation. This file does not
//! choose the endpoints.

use super::endpoint::Endpoint;
use super::grant::Grant;
use super::http::{ApiRequest, ApiResponse, Client, Credential, RequestError};
use super::outcome::{Revocation, RevocationOutcome};
use super::provider::Provider;
use super::verdict::Answer;
use ddpatrol_token::{Secret, Uuid};
use serde_json::Value;

/// Status codes with which Datadog rejects a token.
const REJECTION_CODES: [u16; 2] = [401, 403];

/// Asks one site about a token.
#[must_use]
pub fn verify(client: &Client, site: &Endpoint, token: &Secret) -> Answer {
    match validate(client, site, token) {
        Err(error) => Answer::Inconclusive(error.to_string()),
        Ok(reply) => answer(&reply),
    }
}

/// Sends the request that checks a token, also to compatible services.
pub(super) fn validate(
    client: &Client,
    endpoint: &Endpoint,
    token: &Secret,
) -> Result<ApiResponse, RequestError> {
    let credential = Credential::Bearer(token.expose());
    client.send(endpoint, ApiRequest::new("GET", "/api/v2/validate_keys", credential))
}

fn answer(reply: &ApiResponse) -> Answer {
    if is_acceptance(reply) {
        Answer::Live(Grant::default())
    } else if REJECTION_CODES.contains(&reply.status) && is_rejection(reply) {
        Answer::Rejected
    } else {
        Answer::Inconclusive(reply.words())
    }
}

/// Returns `true` if a response accepts the token.
pub(super) fn is_acceptance(reply: &ApiResponse) -> bool {
    let status = reply.json.as_ref().and_then(|json| json.get("status")).and_then(Value::as_str);
    reply.status == 200 && status == Some("ok")
}

/// Returns `true` if a response has the body with which Datadog rejects a credential.
pub(super) fn is_rejection(reply: &ApiResponse) -> bool {
    reply.json.as_ref().is_some_and(rejects)
}

/// Returns `true` if a body is Datadog's rejection of a credential. Responses of proxies, and rejections for
/// other reasons such as a disallowed address, do not count.
fn rejects(body: &Value) -> bool {
    let errors = body.get("errors").and_then(Value::as_array);
    errors.is_some_and(|errors| {
        !errors.is_empty()
            && errors
                .iter()
                .all(|error| matches!(error.as_str(), Some("Unauthorized" | "Forbidden")))
    })
}

/// A token cannot be revoked by its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRevocationPath {
    /// The token has no identifier.
    #[error("the token contains no identifier")]
    Identifier,
    /// The service account of the token is not known.
    #[error("a service account token needs the id of its account (--service-account)")]
    ServiceAccount,
}

/// Returns the path of the request that revokes a token.
///
/// # Errors
/// The identifier of the token, or of its account, is not known.
pub fn revocation_path(
    provider: Provider,
    token: Option<Uuid>,
    service_account: Option<Uuid>,
) -> Result<String, NoRevocationPath> {
    let token = token.ok_or(NoRevocationPath::Identifier)?;
    match (provider, service_account) {
        (Provider::ServiceAccount, Some(account)) => {
            Ok(format!("/api/v2/service_accounts/{account}/access_tokens/{token}"))
        }
        (Provider::ServiceAccount, None) => Err(NoRevocationPath::ServiceAccount),
        _ => Ok(format!("/api/v2/personal_access_tokens/{token}")),
    }
}

/// Revokes a token at one site with an administrator's token.
#[must_use]
pub fn revoke(client: &Client, site: &Endpoint, path: &str, admin: &Secret) -> Revocation {
    let host = site.host();
    let request = ApiRequest::new("DELETE", path, Credential::Bearer(admin.expose()));
    let failed = |why: String| Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}"));
    match client.send(site, request) {
        Err(error) => failed(error.to_string()),
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
        assert!(rejects(&json!({"errors": ["Unauthorized"]})));
        assert!(rejects(&json!({"errors": ["Forbidden"]})));
        for other in [
            json!({"errors": []}),
            json!({"errors": ["Forbidden", "Your address is not allowed"]}),
            json!({"errors": [403]}),
            json!({"error": "Forbidden"}),
            json!("Forbidden"),
        ] {
            assert!(!rejects(&other), "{other}");
        }
    }
}
