//! The options of single issuers, which are passed to the scanner as they are.

use clap::Args;

/// Addresses of issuers, and owners of tokens, as of `ddpatrol scan`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verification")]
pub(super) struct IssuerArgs {
    /// Base URL of the GitHub API.
    #[arg(long, value_name = "URL", requires = "verify")]
    github_api: Option<String>,

    /// URL of a GitLab instance instead of gitlab.com; repeatable.
    #[arg(long, value_name = "URL", requires = "verify")]
    gitlab_url: Vec<String>,

    /// URL of the npm registry.
    #[arg(long, value_name = "URL", requires = "verify", hide_short_help = true)]
    npm_registry: Option<String>,

    /// Base URL of the Cloudflare API.
    #[arg(long, value_name = "URL", requires = "verify", hide_short_help = true)]
    cloudflare_api: Option<String>,

    /// Cloudflare account that owns the cfat_ tokens; repeatable.
    #[arg(long, value_name = "ID", requires = "verify", hide_short_help = true)]
    cloudflare_account: Vec<String>,

    /// E-mail address of the user that owns the cfk_ keys.
    #[arg(long, value_name = "EMAIL", requires = "verify", hide_short_help = true)]
    cloudflare_email: Option<String>,

    /// Base URL of the Vercel API.
    #[arg(long, value_name = "URL", requires = "verify", hide_short_help = true)]
    vercel_api: Option<String>,

    /// E-mail address of the user that owns the Atlassian API tokens.
    #[arg(long, value_name = "EMAIL", requires = "verify", hide_short_help = true)]
    atlassian_email: Option<String>,

    /// URL of an Atlassian site; repeatable.
    #[arg(long, value_name = "URL", requires = "verify", hide_short_help = true)]
    atlassian_url: Vec<String>,

    /// Base URL of the Bitbucket API.
    #[arg(long, value_name = "URL", requires = "verify", hide_short_help = true)]
    bitbucket_api: Option<String>,

    /// Name of the user that owns the Bitbucket app passwords.
    #[arg(long, value_name = "NAME", requires = "verify", hide_short_help = true)]
    bitbucket_user: Option<String>,

    /// URL of the Grafana instance that issued the glsa_ tokens; repeatable.
    #[arg(long, value_name = "URL", requires = "verify", hide_short_help = true)]
    grafana_url: Vec<String>,

    /// URL of a server of Weights & Biases; repeatable.
    #[arg(long, value_name = "URL", requires = "verify", hide_short_help = true)]
    wandb_url: Vec<String>,
}

impl IssuerArgs {
    /// Returns the given options with their values.
    pub(super) fn options(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let single = [
            ("--github-api", &self.github_api),
            ("--npm-registry", &self.npm_registry),
            ("--cloudflare-api", &self.cloudflare_api),
            ("--cloudflare-email", &self.cloudflare_email),
            ("--vercel-api", &self.vercel_api),
            ("--atlassian-email", &self.atlassian_email),
            ("--bitbucket-api", &self.bitbucket_api),
            ("--bitbucket-user", &self.bitbucket_user),
        ];
        let repeatable = [
            ("--gitlab-url", &self.gitlab_url),
            ("--cloudflare-account", &self.cloudflare_account),
            ("--atlassian-url", &self.atlassian_url),
            ("--grafana-url", &self.grafana_url),
            ("--wandb-url", &self.wandb_url),
        ];
        let single = single.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let repeatable = repeatable
            .into_iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value.as_str())));
        single.chain(repeatable)
    }
}
