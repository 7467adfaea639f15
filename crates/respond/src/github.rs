//! Verifies tokens with GitHub's API and revokes them with its credential revocation API, which needs no
//! login.
//!
//! Input: tokens. Output: an answer or a revocation for each. Source: <https://docs.github.com/en/rest/credentials/revoke>

use super::endpoint::Endpoint;
use super::grant::{Grant, separated, shortened};
use super::http::{ApiRequest, ApiResponse, Client, Credential};
use super::outcome::{Revocation, RevocationOutcome};
use super::verdict::Answer;
use ddpatrol_token::Secret;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Maximum number of tokens per request.
const BATCH_SIZE: usize = 1_000;
const HEADERS: [(&str, &str); 1] = [("x-github-api-version", "2022-11-28")];

/// Asks GitHub about a token.
#[must_use]
pub fn verify(client: &Client, api: &Endpoint, token: &Secret) -> Answer {
    let request = ApiRequest {
        headers: &HEADERS,
        ..ApiRequest::new("GET", "/user", Credential::Bearer(token.expose()))
    };
    match client.send(api, request) {
        Err(error) => Answer::Inconclusive(error.to_string()),
        Ok(reply) => answer(&reply),
    }
}

fn answer(reply: &ApiResponse) -> Answer {
    let text = |name| reply.json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
    match reply.status {
        200 if text("login").is_some() => Answer::Live(grant(reply, text("login"))),
        401 if text("message") == Some("Bad credentials") => Answer::Rejected,
        // The token is valid but lacks the permission.
        403 if text("message").is_some_and(|it| it.starts_with("Resource not accessible by")) => {
            Answer::Live(grant(reply, None))
        }
        _ => Answer::Inconclusive(reply.words()),
    }
}

/// Reads what GitHub reports about a live token. Only classic and OAuth tokens have scopes.
fn grant(reply: &ApiResponse, login: Option<&str>) -> Grant {
    let scopes = reply.header("x-oauth-scopes").map(separated);
    let expiry = reply.header("github-authentication-token-expiration").map(expiry_text);
    Grant::of_owner(login).with_scopes(scopes).with_expiry(expiry.as_deref())
}

/// Converts GitHub's notation (`2026-12-31 23:59:59 UTC`, or with an offset) to RFC 3339. Any other text is
/// returned as it is.
fn expiry_text(text: &str) -> String {
    let utc = text.strip_suffix(" UTC").map(|time| format!("{time} +0000"));
    Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", utc.as_deref().unwrap_or(text))
        .map_or_else(|_| shortened(text), |time| time.to_string())
}

/// Revokes tokens; returns an outcome for each. The request carries no credentials, because GitHub rejects
/// authenticated ones.
#[must_use]
pub fn revoke(client: &Client, api: &Endpoint, tokens: &[&Secret]) -> Vec<Revocation> {
    tokens.chunks(BATCH_SIZE).flat_map(|batch| revoke_batch(client, api, batch)).collect()
}

fn revoke_batch(client: &Client, api: &Endpoint, batch: &[&Secret]) -> Vec<Revocation> {
    let tokens: Vec<_> =
        batch.iter().map(|token| String::from_utf8_lossy(token.expose())).collect();
    let body = json!({"credentials": tokens});
    let request = ApiRequest {
        headers: &HEADERS,
        body: Some(&body),
        ..ApiRequest::new("POST", "/credentials/revoke", Credential::None)
    };
    let host = api.host();
    let outcome = match client.send(api, request) {
        Ok(reply) if reply.status == 202 => Revocation::new(
            RevocationOutcome::Revoked,
            format!("accepted by the credential revocation API of {host}"),
        ),
        Ok(reply) => {
            Revocation::new(RevocationOutcome::Failed, format!("{host}: {}", reply.words()))
        }
        Err(why) => Revocation::new(RevocationOutcome::Failed, format!("{host}: {why}")),
    };
    vec![outcome; batch.len()]
}

#[cfg(test)]
mod tests {
    use super::expiry_text;

    #[test]
    fn an_expiry_is_converted_to_rfc_3339() {
        for (text, expected) in [
            ("2026-12-31 23:59:59 UTC", "2026-12-31T23:59:59Z"),
            ("2026-12-31 23:59:59 +0200", "2026-12-31T21:59:59Z"),
            ("tomorrow", "tomorrow"),
            ("2026-13-31 23:59:59 UTC", "2026-13-31 23:59:59 UTC"),
        ] {
            assert_eq!(expiry_text(text), expected);
        }
        assert_eq!(expiry_text(&"x".repeat(200)).len(), 100);
    }
}
