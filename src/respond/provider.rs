//! Providers: the issuers whose tokens can be verified or revoked.
//!
//! Input: the identifier of a rule. Output: its provider. This file sends no requests.

/// Who issues a token, as far as anything can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Datadog, or a service that speaks its API: a personal access token.
    Datadog,
    /// The same: an access token of a service account.
    ServiceAccount,
    /// GitHub: a token that can be asked about and revoked.
    GitHub,
    /// GitHub: a token that can only be revoked.
    GitHubRefresh,
}

impl Provider {
    /// Finds the provider of a rule's tokens.
    #[must_use]
    pub fn of(rule: &str) -> Option<Self> {
        match rule {
            "datadog-pat" => Some(Self::Datadog),
            "datadog-service-account-token" => Some(Self::ServiceAccount),
            "github-pat" | "github-oauth" | "github-app-user" | "github-fine-grained-pat" => {
                Some(Self::GitHub)
            }
            "github-refresh" => Some(Self::GitHubRefresh),
            _ => None,
        }
    }

    /// Returns `true` if Datadog's API takes its tokens.
    pub(super) const fn is_datadogs(self) -> bool {
        matches!(self, Self::Datadog | Self::ServiceAccount)
    }
}
