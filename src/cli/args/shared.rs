//! The arguments that all commands that scan share: output, policy, archives, rules, performance.

use super::{Color, ListingArgs, OutputArgs, Size, VerifyArgs, values};
use crate::config::FailLevel;
use crate::report::sarif::Suppressed;
use crate::source::archive::ArchiveOptions;
use clap::Args as ClapArgs;
use ddpatrol_scan::blob::Context;
use std::path::PathBuf;

/// Arguments that all commands that scan share.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct SharedArgs {
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,

    /// Folder that paths in SARIF and annotations are relative to.
    ///
    /// By default the root of the repository, or the folder that contains all scanned repositories.
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub(in crate::cli) path_base: Option<PathBuf>,

    /// Findings that fail the scan: proven, shaped, live or never.
    ///
    /// They make the exit code 1. By default `proven`, or as configured; `live` requires --verify.
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        help_heading = "Policy",
        hide_possible_values = true
    )]
    pub(in crate::cli) fail_on: Option<FailLevel>,

    /// Also list matches without a valid checksum.
    ///
    /// Their checksum fails, or their format has none.
    #[arg(long)]
    pub(in crate::cli) show_shaped: bool,

    /// Do not redact tokens: reports contain secrets.
    #[arg(long)]
    pub(in crate::cli) show_secrets: bool,

    /// Include suppressed findings in SARIF, as suppressed results. GitHub ignores suppressions.
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) sarif_suppressed: bool,

    /// Exit with code 2 if content is encrypted or too large.
    ///
    /// Treats opaque (such as encrypted) or oversized content as an error. By default it is only reported.
    #[arg(long, help_heading = "Policy")]
    pub(in crate::cli) strict: bool,

    /// Configuration file; by default `.ddpatrol.toml`.
    ///
    /// By default it is searched in the scanned folder and the folders above it, up to the top of the
    /// repository. For a change, a path in the work tree is read from the base of the change.
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// Ignore configuration files.
    #[arg(long, conflicts_with = "config", help_heading = "Policy")]
    pub(in crate::cli) no_config: bool,

    /// File of known tokens, which do not fail the scan.
    ///
    /// `ddpatrol baseline create` writes one.
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub(in crate::cli) baseline: Option<PathBuf>,

    /// Ignore inline `ddpatrol:allow REASON` comments.
    #[arg(long, help_heading = "Policy", hide_short_help = true)]
    pub(in crate::cli) no_inline_allow: bool,

    #[command(flatten)]
    pub(in crate::cli) listing: ListingArgs,

    #[command(flatten)]
    pub(in crate::cli) archives: ArchiveArgs,

    #[command(flatten)]
    pub(in crate::cli) rules: RuleArgs,

    #[command(flatten)]
    pub(in crate::cli) responding: VerifyArgs,

    #[command(flatten)]
    pub(in crate::cli) run: RunArgs,
}

impl SharedArgs {
    /// Returns how SARIF treats suppressed findings.
    pub(in crate::cli) fn suppressed(&self) -> Suppressed {
        if self.sarif_suppressed { Suppressed::Included } else { Suppressed::Omitted }
    }
}

/// Limits for archives.
#[derive(Clone, Copy, Debug, ClapArgs)]
#[command(next_help_heading = "Archives")]
pub(in crate::cli) struct ArchiveArgs {
    /// Do not open archives and compressed files.
    #[arg(long)]
    pub(in crate::cli) no_archives: bool,

    /// Maximum archive nesting depth.
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = 8)]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(in crate::cli) archive_depth: u8,

    /// Maximum unpacked size of one archive, including nested archives.
    #[arg(long, value_name = "SIZE", default_value = "64GiB", hide_short_help = true)]
    #[arg(allow_negative_numbers = true)]
    pub(in crate::cli) max_unpacked: Size,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Rules")]
pub(in crate::cli) struct RuleArgs {
    /// Add the rules of a .toml file or of a folder of them.
    #[arg(long = "rules", value_name = "PATH")]
    pub(in crate::cli) added: Vec<PathBuf>,

    /// Use only the rule with this id; repeatable.
    #[arg(long = "rule", value_name = "ID", hide_short_help = true)]
    pub(in crate::cli) only: Vec<String>,

    /// Also use the rules of this group; repeatable.
    ///
    /// `private-keys`: unencrypted private keys. `ddpatrol rules list` lists the groups.
    #[arg(long = "rule-group", value_name = "NAME", hide_short_help = true)]
    pub(in crate::cli) groups: Vec<String>,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Performance")]
pub(in crate::cli) struct RunArgs {
    /// Number of threads; by default one per processor.
    #[arg(long, value_name = "N", value_parser = values::threads, allow_negative_numbers = true)]
    pub(in crate::cli) threads: Option<u16>,

    /// Print only findings and errors.
    #[arg(long, short, help_heading = "Output")]
    pub(in crate::cli) quiet: bool,

    /// Color: auto, always or never.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN", help_heading = "Output")]
    #[arg(hide_possible_values = true, hide_short_help = true)]
    pub(in crate::cli) color: Color,
}

impl ArchiveArgs {
    /// Returns the options for archives; `None` if archives are not opened.
    pub(in crate::cli) fn options(self, context: Context) -> Option<ArchiveOptions> {
        let mut options = ArchiveOptions::new(context);
        options.depth = usize::from(self.archive_depth);
        options.limits.unpacked = self.max_unpacked.0;
        (!self.no_archives).then_some(options)
    }
}
