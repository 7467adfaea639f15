//! Providers: the issuers whose tokens can be verified or revoked.
//!
//! Input: the identifier of a rule. Output: its provider. This file sends no requests.

/// The issuer of a token, by what its API supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Datadog, or a service with its API: personal access tokens.
    Datadog,
    /// Datadog, or a service with its API: access tokens of service accounts.
    ServiceAccount,
    /// GitHub: tokens that can be verified and revoked.
    GitHub,
    /// GitHub: tokens that can only be revoked.
    GitHubRefresh,
}

impl Provider {
    /// Returns the provider of a rule's tokens.
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

    /// Returns `true` if Datadog's API accepts its tokens.
    pub(super) const fn uses_datadog_api(self) -> bool {
        matches!(self, Self::Datadog | Self::ServiceAccount)
    }
}
