//! Verifies Cloudflare's API tokens and global API keys.
//!
//! Input: the API, a token, and for some kinds the account or the e-mail address of its owner. Output: an
//! answer. A wrong account or address is refused like a wrong token, so that refusal says nothing about tokens
//! that need one. Sources: <https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/verify/>,
//! <https://developers.cloudflare.com/api/resources/accounts/subresources/tokens/methods/verify/>,
//! <https://developers.cloudflare.com/fundamentals/api/get-started/keys/>

use super::endpoint::Endpoint;
use super::grant::Grant;
use super::http::{ApiRequest, ApiResponse, Client, Credential};
use super::verdict::{Answer, TokenEnd};
use ddpatrol_token::Secret;
use serde_json::Value;
use std::fmt;

/// Error code of "Invalid API Token".
const INVALID_TOKEN: u64 = 1_000;
/// Error code of "Unknown X-Auth-Key or X-Auth-Email".
const UNKNOWN_KEY: u64 = 9_103;

/// The identifier of an account: 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountId(String);

/// Text that is not the identifier of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an account id of 32 hexadecimal digits")]
pub struct AccountIdError;

impl AccountId {
    /// Parses an identifier.
    ///
    /// # Errors
    /// Returns [`AccountIdError`] for other text.
    pub fn parse(text: &str) -> Result<Self, AccountIdError> {
        let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self(text.to_ascii_lowercase())).ok_or(AccountIdError)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Asks about a token of a user.
#[must_use]
pub fn verify_user_token(client: &Client, api: &Endpoint, token: &Secret) -> Answer {
    let credential = Credential::Bearer(token.expose());
    match client.send(api, ApiRequest::new("GET", "/user/tokens/verify", credential)) {
        Err(error) => Answer::Inconclusive(error.to_string()),
        Ok(reply) if refuses(&reply, INVALID_TOKEN) => Answer::Rejected,
        Ok(reply) => status(&reply),
    }
}

/// Asks about a token of an account.
#[must_use]
pub fn verify_account_token(
    client: &Client,
    api: &Endpoint,
    account: &AccountId,
    token: &Secret,
) -> Answer {
    let path = format!("/accounts/{account}/tokens/verify");
    match client.send(api, ApiRequest::new("GET", &path, Credential::Bearer(token.expose()))) {
        Err(error) => Answer::Inconclusive(error.to_string()),
        // The token may belong to another account.
        Ok(reply) if refuses(&reply, INVALID_TOKEN) => Answer::NotIssued,
        Ok(reply) => status(&reply),
    }
}

/// Asks about the global API key of a user.
#[must_use]
pub fn verify_global_key(client: &Client, api: &Endpoint, email: &str, key: &Secret) -> Answer {
    let request = ApiRequest {
        headers: &[("x-auth-email", email)],
        ..ApiRequest::new(
            "GET",
            "/user",
            Credential::Header { name: "x-auth-key", value: key.expose() },
        )
    };
    let reply = match client.send(api, request) {
        Ok(reply) => reply,
        Err(error) => return Answer::Inconclusive(error.to_string()),
    };
    let owner = reply.text("/result/email");
    if reply.status == 200 && is_success(&reply) && owner.is_some() {
        Answer::Live(Grant::of_owner(owner))
    } else if refuses(&reply, UNKNOWN_KEY) {
        Answer::Inconclusive(
            "does not accept it for the address of --cloudflare-email, which may be another user's"
                .to_owned(),
        )
    } else {
        Answer::Inconclusive(reply.words())
    }
}

/// Reads the documented status of a token.
fn status(reply: &ApiResponse) -> Answer {
    if reply.status != 200 || !is_success(reply) {
        return Answer::Inconclusive(reply.words());
    }
    match reply.text("/result/status") {
        Some("active") => {
            Answer::Live(Grant::default().with_expiry(reply.text("/result/expires_on")))
        }
        Some("disabled") => Answer::Ended(TokenEnd::Disabled),
        Some("expired") => Answer::Ended(TokenEnd::Expired),
        _ => Answer::Inconclusive("status 200 without a known status of the token".to_owned()),
    }
}

fn is_success(reply: &ApiResponse) -> bool {
    reply.value("/success").and_then(Value::as_bool) == Some(true)
}

/// Returns `true` if a response refuses the credential with this error code and no other. A token that is used
/// from an address that its owner did not allow is refused with another one.
fn refuses(reply: &ApiResponse, code: u64) -> bool {
    let errors = reply.value("/errors").and_then(Value::as_array);
    let is_code = |error: &Value| error.get("code").and_then(Value::as_u64) == Some(code);
    matches!(reply.status, 400 | 401 | 403)
        && reply.value("/success").and_then(Value::as_bool) == Some(false)
        && errors.is_some_and(|errors| !errors.is_empty() && errors.iter().all(is_code))
}

#[cfg(test)]
mod tests {
    use super::AccountId;

    #[test]
    fn an_account_id_cannot_change_the_path() {
        let id = "023e105f4ecef8ad9ca31a8372d0c353";
        assert_eq!(AccountId::parse(id).map(|id| id.to_string()).as_deref(), Ok(id));
        assert_eq!(AccountId::parse(&id.to_uppercase()), AccountId::parse(id));
        for text in ["", "023e105f", "../../user/tokens/verify?x=aaaaaa", &format!("{id}0")] {
            assert!(AccountId::parse(text).is_err(), "{text}");
        }
    }
}
