//! The arguments of `list`.

use super::values::parse_time;
use crate::list::{Protocol, Selection};
use crate::store::SweepName;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// List the repositories of organizations, users and groups as JSON lines.
///
/// Credentials come from the environment (GITHUB_TOKEN or GH_TOKEN, GITLAB_TOKEN, GITEA_TOKEN), else from git's
/// credential helpers. Without a credential, only public repositories are listed. Nothing is printed unless the
/// list was read to its end.
///
/// Exit codes: 0, the list is complete; 2, an error occurred, or a host left repositories out.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Organization of GitHub; repeatable.
    #[arg(long, value_name = "ORG", help_heading = "Owners", required_unless_present_any = ["github_user", "gitlab_group", "gitea_org"])]
    pub(super) github_org: Vec<String>,

    /// User of GitHub; repeatable.
    ///
    /// Private repositories are listed if the credential belongs to that user.
    #[arg(long, value_name = "USER", help_heading = "Owners")]
    pub(super) github_user: Vec<String>,

    /// Group of GitLab, such as company/team, with its subgroups; repeatable.
    #[arg(long, value_name = "GROUP", help_heading = "Owners")]
    pub(super) gitlab_group: Vec<String>,

    /// Organization of Gitea or Forgejo; repeatable.
    #[arg(long, value_name = "ORG", help_heading = "Owners", requires = "gitea_url")]
    pub(super) gitea_org: Vec<String>,

    /// URL of your GitHub Enterprise server.
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Hosts",
        default_value = "https://github.com",
        hide_default_value = true
    )]
    pub(super) github_url: String,

    /// URL of your GitLab server.
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Hosts",
        default_value = "https://gitlab.com",
        hide_default_value = true
    )]
    pub(super) gitlab_url: String,

    /// URL of your Gitea or Forgejo server.
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    pub(super) gitea_url: Option<String>,

    /// Archived repositories.
    ///
    /// They are included by default: archiving a repository revokes no token.
    #[arg(long, value_name = "CHOICE", help_heading = "Selection", default_value = "include")]
    pub(super) archived: Selection,

    /// Forks.
    ///
    /// They are excluded by default: they repeat the history of another repository. Their number is printed.
    #[arg(long, value_name = "CHOICE", help_heading = "Selection", default_value = "exclude")]
    pub(super) forks: Selection,

    /// Protocol of the URLs that git clones from.
    #[arg(long, value_name = "PROTOCOL", help_heading = "Selection", default_value = "https")]
    pub(super) protocol: Protocol,

    /// Folder for the pages of this list.
    ///
    /// The next list asks the hosts only whether a page has changed, which does not count against the rate limit
    /// of GitHub.
    #[arg(long, value_name = "DIR", help_heading = "Requests")]
    pub(super) cache: Option<PathBuf>,

    /// Maximum time to wait for rate limits, in all.
    #[arg(long, value_name = "TIME", help_heading = "Requests", default_value = "90m", value_parser = parse_time)]
    pub(super) max_wait: Duration,

    /// Store in which the list is recorded as that of --sweep.
    ///
    /// `status` and `report` then know the number of repositories when a cluster runs `task`. The default is
    /// DDPATROL_SWEEP_STORE.
    #[arg(long, value_name = "URL", help_heading = "Store", requires = "sweep")]
    pub(super) store: Option<String>,

    /// Name of the sweep to record the list for.
    #[arg(long, value_name = "NAME", value_parser = SweepName::parse, help_heading = "Store")]
    pub(super) sweep: Option<SweepName>,
}
