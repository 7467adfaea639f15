//! Endpoints, users and credentials that the user configured.
//!
//! Plain data. All of it comes from options and the environment, never from scanned content.

use super::cloudflare::AccountId;
use super::endpoint::Endpoint;
use ddpatrol_token::{Secret, Uuid};
use std::fmt;
use std::time::Duration;

/// Endpoints and credentials that the user configured.
#[derive(Debug)]
pub struct Settings {
    /// The API hosts of Datadog's sites.
    pub sites: Vec<Endpoint>,
    /// The user's own services with Datadog's API and leak reports (`ddpatrold`).
    pub issuers: Vec<Endpoint>,
    /// GitHub's API.
    pub github: Endpoint,
    /// GitLab instances.
    pub gitlab: Vec<Endpoint>,
    /// npm's registry.
    pub npm: Endpoint,
    /// Cloudflare.
    pub cloudflare: CloudflareSettings,
    /// Vercel's API.
    pub vercel: Endpoint,
    /// Atlassian and Bitbucket.
    pub atlassian: AtlassianSettings,
    /// Grafana instances.
    pub grafana: Vec<Endpoint>,
    /// Servers of Weights & Biases.
    pub wandb: Vec<Endpoint>,
    /// An administrator's token for the sites.
    pub site_token: Option<Secret>,
    /// An administrator's token for the issuers.
    pub issuer_token: Option<Secret>,
    /// The account that `ddsat_` tokens belong to.
    pub service_account: Option<Uuid>,
    /// Time between two checks of a token that was rejected.
    pub pause: Duration,
}

/// Cloudflare's API, and the owners of tokens.
#[derive(Debug)]
pub struct CloudflareSettings {
    /// The API.
    pub api: Endpoint,
    /// The accounts that own account tokens.
    pub accounts: Vec<AccountId>,
    /// The user that owns global API keys.
    pub email: Option<UserName>,
}

/// Bitbucket's API, Atlassian sites, and the owners of tokens.
#[derive(Debug)]
pub struct AtlassianSettings {
    /// Bitbucket's API.
    pub bitbucket: Endpoint,
    /// The user that owns app passwords.
    pub bitbucket_user: Option<UserName>,
    /// Sites such as `https://example.atlassian.net`.
    pub sites: Vec<Endpoint>,
    /// The user that owns API tokens.
    pub email: Option<UserName>,
}

/// A user name or e-mail address for a header: printable ASCII without a colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(String);

/// Text that is no [`UserName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected printable ASCII without spaces and colons")]
pub struct UserNameError;

impl UserName {
    /// Parses a name.
    ///
    /// # Errors
    /// Returns [`UserNameError`] for text that cannot be in a header, or contains a colon.
    pub fn parse(text: &str) -> Result<Self, UserNameError> {
        let is_valid = |byte: u8| byte.is_ascii_graphic() && byte != b':';
        let is_name = !text.is_empty() && text.bytes().all(is_valid);
        is_name.then(|| Self(text.to_owned())).ok_or(UserNameError)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::UserName;

    #[test]
    fn a_user_name_cannot_end_a_header_or_the_user_of_basic_authentication() {
        assert!(UserName::parse("ada+x@example.com").is_ok());
        for text in ["", "a:b", "a b", "a\r\nx-y: z", "\u{e4}"] {
            assert!(UserName::parse(text).is_err(), "{text:?}");
        }
    }
}
