//! Providers: the issuers whose tokens can be verified or revoked.
//!
//! Input: the identifier of a rule, and the token. Output: its provider. This file sends no requests.

use super::proven_token::ProvenToken;

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
    /// GitLab: personal, project and group access tokens.
    GitLab,
    /// npm.
    Npm,
    /// Cloudflare: API tokens of a user.
    CloudflareUser,
    /// Cloudflare: API tokens of an account.
    CloudflareAccount,
    /// Cloudflare: global API keys.
    CloudflareKey,
    /// Vercel: personal access tokens.
    Vercel,
    /// Vercel: access tokens of integrations and apps.
    VercelApp,
    /// Atlassian: API tokens of a user.
    Atlassian,
    /// Bitbucket: access tokens of a repository, project or workspace.
    Bitbucket,
    /// Bitbucket: app passwords of a user.
    BitbucketPassword,
    /// Grafana: service account tokens.
    Grafana,
    /// Weights & Biases.
    WeightsAndBiases,
    /// Tokens that an issuer's API neither verifies nor revokes.
    Unsupported(UnsupportedKind),
}

/// Kinds of tokens of known issuers that cannot be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsupportedKind {
    /// Runner authentication tokens of GitLab: asking counts as a contact of the runner.
    GitLabRunner,
    /// Refresh tokens of Vercel: asking would use them up.
    VercelRefresh,
    /// AI Gateway keys of Vercel.
    VercelGateway,
}

impl UnsupportedKind {
    /// Returns why its tokens are not verified.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::GitLabRunner => "GitLab runner tokens cannot be verified",
            Self::VercelRefresh => "Vercel refresh tokens cannot be verified",
            Self::VercelGateway => "Vercel AI Gateway keys cannot be verified",
        }
    }
}

/// A rule with a provider, and the prefix of its tokens.
struct ProviderRule {
    rule: &'static str,
    prefix: &'static str,
    provider: Provider,
}

const fn entry(rule: &'static str, prefix: &'static str, provider: Provider) -> ProviderRule {
    ProviderRule { rule, prefix, provider }
}

/// The built-in rules with a provider.
const RULES: &[ProviderRule] = &[
    entry("datadog-pat", "ddpat_", Provider::Datadog),
    entry("datadog-service-account-token", "ddsat_", Provider::ServiceAccount),
    entry("github-pat", "ghp_", Provider::GitHub),
    entry("github-oauth", "gho_", Provider::GitHub),
    entry("github-app-user", "ghu_", Provider::GitHub),
    entry("github-fine-grained-pat", "github_pat_", Provider::GitHub),
    entry("github-refresh", "ghr_", Provider::GitHubRefresh),
    entry("gitlab-pat", "glpat-", Provider::GitLab),
    entry("gitlab-pat-unversioned", "glpat-", Provider::GitLab),
    entry("gitlab-runner-token", "glrt-", Provider::Unsupported(UnsupportedKind::GitLabRunner)),
    entry("npm-token", "npm_", Provider::Npm),
    entry("cloudflare-user-token", "cfut_", Provider::CloudflareUser),
    entry("cloudflare-account-token", "cfat_", Provider::CloudflareAccount),
    entry("cloudflare-global-key", "cfk_", Provider::CloudflareKey),
    entry("vercel-pat", "vcp_", Provider::Vercel),
    entry("vercel-integration", "vci_", Provider::VercelApp),
    entry("vercel-app-access", "vca_", Provider::VercelApp),
    entry("vercel-app-refresh", "vcr_", Provider::Unsupported(UnsupportedKind::VercelRefresh)),
    entry("vercel-ai-gateway", "vck_", Provider::Unsupported(UnsupportedKind::VercelGateway)),
    entry("atlassian-api-token", "ATATT", Provider::Atlassian),
    entry("bitbucket-access-token", "ATCTT", Provider::Bitbucket),
    entry("bitbucket-app-password", "ATBB", Provider::BitbucketPassword),
    entry("grafana-service-account-token", "glsa_", Provider::Grafana),
    entry("wandb-api-key", "wandb_v1_", Provider::WeightsAndBiases),
];

impl Provider {
    /// Returns the provider of a rule's tokens.
    #[must_use]
    pub fn of(rule: &str) -> Option<Self> {
        RULES.iter().find(|it| it.rule == rule).map(|it| it.provider)
    }

    /// Returns the provider of a token. Its prefix must be the provider's: a rule file may define a rule with
    /// a known identifier, and must not send the tokens of one issuer to another.
    #[must_use]
    pub fn of_token(token: &ProvenToken) -> Option<Self> {
        let entry = RULES.iter().find(|it| it.rule == token.rule)?;
        let prefix = entry.prefix.as_bytes();
        let secret = token.secret.as_ref();
        let is_own = secret.is_none_or(|secret| secret.expose().starts_with(prefix));
        is_own.then_some(entry.provider)
    }

    /// Returns `true` if Datadog's API accepts its tokens.
    pub(super) const fn uses_datadog_api(self) -> bool {
        matches!(self, Self::Datadog | Self::ServiceAccount)
    }

    /// Returns `true` if its tokens can be revoked.
    #[must_use]
    pub const fn can_revoke(self) -> bool {
        matches!(
            self,
            Self::Datadog
                | Self::ServiceAccount
                | Self::GitHub
                | Self::GitHubRefresh
                | Self::GitLab
                | Self::Vercel
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ddpatrol_detect::rules::RuleSet;
    use ddpatrol_token::Secret;

    fn token(rule: &str, secret: Option<&str>) -> ProvenToken {
        ProvenToken {
            rule: rule.to_owned(),
            redacted: String::new(),
            uuid: None,
            secret: secret.map(|it| Secret::new(it.as_bytes())),
            location: String::new(),
            place: String::new(),
        }
    }

    #[test]
    fn a_token_with_the_prefix_of_another_issuer_has_no_provider() {
        for (rule, secret, provider) in [
            ("cloudflare-user-token", Some("cfut_x"), Some(Provider::CloudflareUser)),
            ("cloudflare-user-token", Some("ghp_x"), None),
            ("npm-token", Some("xnpm_"), None),
            ("npm-token", None, Some(Provider::Npm)),
            ("own-key", Some("npm_x"), None),
        ] {
            assert_eq!(Provider::of_token(&token(rule, secret)), provider, "{rule} {secret:?}");
        }
    }

    #[test]
    fn each_rule_has_one_provider() {
        for (at, one) in RULES.iter().enumerate() {
            assert!(RULES[..at].iter().all(|it| it.rule != one.rule), "{}", one.rule);
        }
    }

    #[test]
    fn built_in_rules_of_providers_have_their_prefix() {
        let mut rules = RuleSet::default();
        for entry in std::fs::read_dir("../../rules").expect("the folder of rules") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a rule file");
            rules.add_builtin(&path, &text).expect("a valid rule file");
        }
        for rule in rules.rules() {
            let Some(entry) = RULES.iter().find(|it| it.rule == rule.id) else { continue };
            let anchor = rule.format.anchor().expect("a prefix");
            assert!(anchor.text.starts_with(entry.prefix.as_bytes()), "{}", rule.id);
        }
    }
}
