//! The arguments of verification.

use super::issuer_args::IssuerArgs;
use super::values::parse_time;
use crate::verdict::Verifier;
use clap::Args;
use std::ffi::OsString;
use std::time::Duration;

/// Whether and where tokens are verified.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verification")]
pub(super) struct VerifyArgs {
    /// Ask the issuer of each token whether it is live.
    ///
    /// This sends the tokens to their issuers. A token in many repositories is sent once.
    #[arg(long)]
    pub(super) verify: bool,

    /// Maximum age of a verdict; older ones are renewed, also in repositories that did not change.
    ///
    /// Inconclusive verdicts are renewed after an hour.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_time)]
    pub(super) verdict_age: Duration,

    /// Datadog site, such as datadoghq.eu; repeatable.
    #[arg(long, value_name = "SITE", requires = "verify")]
    pub(super) datadog_site: Vec<String>,

    /// URL of your own token service (ddpatrold); repeatable.
    #[arg(long, value_name = "URL", requires = "verify")]
    pub(super) issuer: Vec<String>,

    /// Seconds to wait before a rejected token is verified again.
    #[arg(long, value_name = "SECONDS", requires = "verify", hide_short_help = true, value_parser = clap::value_parser!(u16).range(2..=600))]
    pub(super) verify_pause: Option<u16>,

    #[command(flatten)]
    issuers: IssuerArgs,
}

impl VerifyArgs {
    /// Returns the verifier; `None` without --verify.
    pub(super) fn verifier(&self) -> Option<Verifier> {
        let mut options: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: &str| options.push(format!("{name}={value}").into());
        self.datadog_site.iter().for_each(|it| add("--datadog-site", it));
        self.issuer.iter().for_each(|it| add("--issuer", it));
        self.issuers.options().for_each(|(name, value)| add(name, value));
        self.verify_pause.iter().for_each(|it| add("--verify-pause", &it.to_string()));
        self.verify.then(|| Verifier::new(options, self.verdict_age))
    }
}
