//! The options of single issuers: their addresses, and the owners of tokens that do not name them.

use clap::Args as ClapArgs;

/// Addresses of issuers, and owners of tokens.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Verification")]
pub(in crate::cli) struct IssuerArgs {
    /// Base URL of the GitHub API.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://api.github.com",
        hide_short_help = true
    )]
    pub(in crate::cli) github_api: String,

    /// URL of a GitLab instance; repeatable.
    ///
    /// Replaces the default, so add `https://gitlab.com` if its tokens are verified, too.
    #[arg(long, value_name = "URL", default_value = "https://gitlab.com", hide_short_help = true)]
    pub(in crate::cli) gitlab_url: Vec<String>,

    /// URL of the npm registry.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://registry.npmjs.org",
        hide_short_help = true
    )]
    pub(in crate::cli) npm_registry: String,

    /// Base URL of the Cloudflare API.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://api.cloudflare.com/client/v4",
        hide_short_help = true
    )]
    pub(in crate::cli) cloudflare_api: String,

    /// Cloudflare account that owns the cfat_ tokens; repeatable.
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub(in crate::cli) cloudflare_account: Vec<String>,

    /// E-mail address of the user that owns the cfk_ keys.
    #[arg(long, value_name = "EMAIL", hide_short_help = true)]
    pub(in crate::cli) cloudflare_email: Option<String>,

    /// Base URL of the Vercel API.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://api.vercel.com",
        hide_short_help = true
    )]
    pub(in crate::cli) vercel_api: String,

    /// E-mail address of the user that owns the Atlassian API tokens.
    #[arg(long, value_name = "EMAIL", hide_short_help = true)]
    pub(in crate::cli) atlassian_email: Option<String>,

    /// URL of an Atlassian site, such as `https://example.atlassian.net`; repeatable.
    ///
    /// API tokens are sent to it and to Bitbucket.
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub(in crate::cli) atlassian_url: Vec<String>,

    /// Base URL of the Bitbucket API.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://api.bitbucket.org",
        hide_short_help = true
    )]
    pub(in crate::cli) bitbucket_api: String,

    /// Name of the user that owns the Bitbucket app passwords.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(in crate::cli) bitbucket_user: Option<String>,

    /// URL of the Grafana instance that issued the glsa_ tokens; repeatable.
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub(in crate::cli) grafana_url: Vec<String>,

    /// URL of a server of Weights & Biases; repeatable.
    ///
    /// Replaces the default, so add `https://api.wandb.ai` if its keys are verified, too.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://api.wandb.ai",
        hide_short_help = true
    )]
    pub(in crate::cli) wandb_url: Vec<String>,
}

impl IssuerArgs {
    /// Returns the options without a default that are given.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            (!self.cloudflare_account.is_empty()).then_some("--cloudflare-account"),
            self.cloudflare_email.as_ref().map(|_| "--cloudflare-email"),
            self.atlassian_email.as_ref().map(|_| "--atlassian-email"),
            (!self.atlassian_url.is_empty()).then_some("--atlassian-url"),
            self.bitbucket_user.as_ref().map(|_| "--bitbucket-user"),
            (!self.grafana_url.is_empty()).then_some("--grafana-url"),
        ];
        given.into_iter().flatten()
    }
}
