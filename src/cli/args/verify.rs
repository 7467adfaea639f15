//! The arguments of verifying and revoking.

use super::ReportArg;
use clap::Args as ClapArgs;
use std::path::PathBuf;

/// What is done about proven tokens.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Verify and revoke")]
pub(in crate::cli) struct VerifyArgs {
    /// Ask the issuer of each proven token whether it is live. The tokens are sent to their issuers.
    #[arg(long)]
    pub(in crate::cli) verify: bool,

    /// Revoke each proven token, after asking on the terminal.
    #[arg(long)]
    pub(in crate::cli) revoke: bool,

    /// How long to wait before a token that was refused is asked about again.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=600))]
    pub(in crate::cli) verify_pause: u16,

    #[command(flatten)]
    pub(in crate::cli) action: ActionArgs,
}

/// Where issuers are, and whether to ask before acting.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Verify and revoke")]
pub(in crate::cli) struct ActionArgs {
    /// Show what would be revoked, and revoke nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// Revoke without asking.
    #[arg(long)]
    pub(in crate::cli) yes: bool,

    /// A Datadog site, such as datadoghq.eu; repeatable. All public ones, unless this or --issuer
    /// names any. DDPATROL_DATADOG_TOKEN may hold an administrator's token, which revokes by id.
    #[arg(long, value_name = "SITE")]
    pub(in crate::cli) datadog_site: Vec<String>,

    /// A service of your own (ddpatrold) that issued tokens, such as `https://tokens.example.com`;
    /// repeatable. DDPATROL_ISSUER_TOKEN may hold an administrator's token for it.
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) issuer: Vec<String>,

    /// GitHub's API.
    #[arg(long, value_name = "URL", default_value = "https://api.github.com")]
    pub(in crate::cli) github_api: String,

    /// The service account that ddsat_ tokens belong to.
    #[arg(long, value_name = "UUID")]
    pub(in crate::cli) service_account: Option<String>,
}

/// Revoke what a saved report found.
///
/// A redacted report names Datadog's tokens by their id, which an administrator's token suffices to
/// revoke; GitHub and leak reports need the tokens themselves (--show-secrets). Exit codes: 0, all
/// are revoked, or dead already; 2, one is not.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct RevokeArgs {
    /// A report of `--report json`; `-` is standard input.
    #[arg(long, value_name = "REPORT")]
    pub(in crate::cli) from: PathBuf,

    /// Write what was done: text or json; to standard output, or whole to a file.
    #[arg(long = "report", value_name = "FORMAT[=PATH]")]
    pub(in crate::cli) reports: Vec<ReportArg>,

    #[command(flatten)]
    pub(in crate::cli) action: ActionArgs,
}
