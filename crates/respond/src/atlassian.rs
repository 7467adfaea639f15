//! Verifies Atlassian's API tokens and Bitbucket's credentials.
//!
//! Input: Bitbucket's API or an Atlassian site, and a token, for most kinds with the user that it belongs to.
//! Output: an answer, which is never a rejection: a wrong user, and a token for another product, are refused
//! like a wrong token. Sources:
//! <https://support.atlassian.com/bitbucket-cloud/docs/using-api-tokens/>,
//! <https://support.atlassian.com/bitbucket-cloud/kb/getting-401-http-error-while-authenticating-to-bitbucket-cloud-rest-apis/>,
//! <https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/>,
//! <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-users/>

use super::endpoint::Endpoint;
use super::grant::{Grant, separated};
use super::http::{ApiRequest, ApiResponse, Client, Credential};
use super::verdict::Answer;
use serde_json::Value;

/// Asks Bitbucket about a credential; `option` names the user, if the credential needs one.
#[must_use]
pub fn verify_at_bitbucket(
    client: &Client,
    api: &Endpoint,
    credential: Credential<'_>,
    option: Option<&str>,
) -> Answer {
    let reply = match client.send(api, ApiRequest::new("GET", "/2.0/user", credential)) {
        Ok(reply) => reply,
        Err(error) => return Answer::Inconclusive(error.to_string()),
    };
    let names = ["/username", "/nickname", "/display_name", "/uuid"];
    let owner = names.into_iter().find_map(|pointer| reply.text(pointer));
    match reply.status {
        200 if owner.is_some() => {
            let scopes = reply.header("x-oauth-scopes").map(separated);
            Answer::Live(Grant::of_owner(owner).with_scopes(scopes))
        }
        // The credential is valid but lacks the scope that reads its user.
        403 if lacks_scope(&reply) => {
            let granted = reply.value("/error/detail/granted").and_then(Value::as_array);
            let scopes = granted.map(|scopes| scopes.iter().filter_map(Value::as_str));
            Answer::Live(Grant::default().with_scopes(scopes))
        }
        // Bitbucket's message is "invalid, expired, or not supported for this endpoint".
        401 => Answer::Inconclusive(refusal(option)),
        _ => Answer::Inconclusive(reply.words()),
    }
}

fn lacks_scope(reply: &ApiResponse) -> bool {
    reply.text("/type") == Some("error")
        && reply.text("/error/message").is_some_and(|it| it.contains("privilege scopes"))
        && reply.value("/error/detail/granted").is_some_and(Value::is_array)
}

/// Asks an Atlassian site about an API token.
#[must_use]
pub fn verify_at_site(client: &Client, site: &Endpoint, credential: Credential<'_>) -> Answer {
    let reply = match client.send(site, ApiRequest::new("GET", "/rest/api/3/myself", credential)) {
        Ok(reply) => reply,
        Err(error) => return Answer::Inconclusive(error.to_string()),
    };
    let names = ["/emailAddress", "/displayName", "/accountId"];
    let owner =
        names.into_iter().find_map(|pointer| reply.text(pointer).filter(|it| !it.is_empty()));
    match reply.status {
        200 if reply.text("/accountId").is_some() => Answer::Live(Grant::of_owner(owner)),
        401 => Answer::Inconclusive(refusal(Some("--atlassian-email"))),
        _ => Answer::Inconclusive(reply.words()),
    }
}

/// Explains why a refusal is inconclusive.
fn refusal(option: Option<&str>) -> String {
    match option {
        Some(option) => format!(
            "does not accept it for the user of {option}, who may not be its owner (status 401)"
        ),
        None => {
            "does not accept it, which it also answers about tokens for other uses (status 401)"
                .to_owned()
        }
    }
}
