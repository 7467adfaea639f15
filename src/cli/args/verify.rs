//! The arguments of verification and revocation.

use super::{IssuerArgs, OutputArgs};
use clap::Args as ClapArgs;
use ddpatrol_scan::finding::FingerprintPrefix;
use std::path::PathBuf;

/// The actions on proven tokens.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Verification")]
pub(in crate::cli) struct VerifyArgs {
    /// Ask the issuer of each token whether it is live.
    ///
    /// This sends the tokens to their issuers.
    #[arg(long)]
    pub(in crate::cli) verify: bool,

    /// Revoke the proven tokens, after a confirmation prompt.
    #[arg(long)]
    pub(in crate::cli) revoke: bool,

    /// Seconds to wait before a rejected token is verified again.
    #[arg(long, hide_short_help = true, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=600))]
    pub(in crate::cli) verify_pause: u16,

    /// JSON file with recent verdicts by fingerprint: these tokens are not sent to their issuers.
    ///
    /// `ddpatrol-sweep` uses it, so that a token in many repositories is verified once.
    #[arg(long, hide = true, value_name = "FILE", requires = "verify", conflicts_with = "revoke")]
    pub(in crate::cli) known_verdicts: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) action: ActionArgs,
}

impl VerifyArgs {
    /// Returns a note about issuers that are given although none is asked.
    pub(in crate::cli) fn ineffective(&self) -> Option<String> {
        let ActionArgs { datadog_site, issuer, service_account, .. } = &self.action;
        let given = [
            (!datadog_site.is_empty()).then_some("--datadog-site"),
            (!issuer.is_empty()).then_some("--issuer"),
            service_account.as_ref().map(|_| "--service-account"),
        ];
        let given = given.into_iter().flatten().chain(self.action.issuers.given());
        let given: Vec<&str> = given.collect();
        let is_ineffective = !given.is_empty() && !self.verify && !self.revoke;
        is_ineffective.then(|| format!("no issuer is asked: {} needs --verify", given.join(", ")))
    }
}

/// The issuers, and confirmation of revocations.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Verification")]
pub(in crate::cli) struct ActionArgs {
    /// Show what would be revoked without revoking it.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// Revoke without a confirmation prompt.
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) yes: bool,

    /// Datadog site, such as datadoghq.eu; repeatable.
    ///
    /// By default all public sites, unless --issuer is given. DDPATROL_DATADOG_TOKEN may contain an
    /// administrator's token, which revokes by id.
    #[arg(long, value_name = "SITE", hide_short_help = true)]
    pub(in crate::cli) datadog_site: Vec<String>,

    /// URL of your own token service (ddpatrold); repeatable.
    ///
    /// For example `https://tokens.example.com`. DDPATROL_ISSUER_TOKEN may contain an administrator's token
    /// for it.
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub(in crate::cli) issuer: Vec<String>,

    /// Service account that owns the ddsat_ tokens.
    #[arg(long, value_name = "UUID", hide_short_help = true)]
    pub(in crate::cli) service_account: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) issuers: IssuerArgs,
}

/// Revoke the tokens of a saved report.
///
/// A redacted report identifies Datadog tokens by their id, which suffices to revoke them with an
/// administrator's token. GitHub, GitLab, Vercel and leak reports require the tokens themselves
/// (--show-secrets).
/// The results are written as text or json.
/// Exit codes: 0, all tokens are revoked or already dead; 2, a token is not revoked.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct RevokeArgs {
    /// Saved JSON report (`--report json`); `-` reads standard input.
    #[arg(long, value_name = "REPORT", help_heading = "Input")]
    pub(in crate::cli) from: PathBuf,

    /// Revoke only the token with this fingerprint; repeatable.
    ///
    /// As in reports: at least 12 digits, such as fp:73d0e47b7fb4. By default all proven tokens.
    #[arg(long = "fingerprint", value_name = "FINGERPRINT", help_heading = "Input")]
    pub(in crate::cli) fingerprints: Vec<FingerprintPrefix>,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,

    #[command(flatten)]
    pub(in crate::cli) action: ActionArgs,
}
