//! The arguments of the commands for saved reports and baselines.

use super::{Color, ListingArgs, OutputArgs, ScanArgs};
use crate::report::sarif::Suppressed;
use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

/// Convert a saved report to other formats.
///
/// Reads a report of `--report json`. Its texts are redacted again, and tokens in it are dropped.
/// Exit codes: 0, all reports are written; 2, a report cannot be read or written.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ReportCommandArgs {
    /// Saved JSON report (`--report json`); `-` reads standard input.
    #[arg(long, value_name = "REPORT", help_heading = "Input")]
    pub(in crate::cli) from: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,

    /// Include suppressed findings in SARIF, as suppressed results.
    #[arg(long, help_heading = "Output")]
    sarif_suppressed: bool,

    /// Color: auto, always or never.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN", help_heading = "Output")]
    #[arg(hide_possible_values = true)]
    pub(in crate::cli) color: Color,

    /// Add the rules of a .toml file or of a folder of them.
    #[arg(long = "rules", value_name = "PATH", help_heading = "Rules")]
    pub(in crate::cli) rules: Vec<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) listing: ListingArgs,
}

impl ReportCommandArgs {
    /// Returns how SARIF treats suppressed findings.
    pub(in crate::cli) fn suppressed(&self) -> Suppressed {
        if self.sarif_suppressed { Suppressed::Included } else { Suppressed::Omitted }
    }
}

/// Compare two saved reports.
///
/// Lists new, removed and unchanged tokens, compared by fingerprint, and changes of their liveness
/// (`--verify`); suppressed findings are skipped. The difference is written as text or json.
/// Exit codes: 0, no proven token is new; 1, a proven token is new; 2, a report cannot be read, or no
/// proven token is new and one of the reports is incomplete.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct DiffArgs {
    /// Old JSON report (`--report json`); `-` reads standard input.
    #[arg(value_name = "OLD", help_heading = "Input", display_order = 0)]
    pub(in crate::cli) old: PathBuf,

    /// New JSON report.
    #[arg(value_name = "NEW", help_heading = "Input", display_order = 1)]
    pub(in crate::cli) new: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,

    /// Add the rules of a .toml file or of a folder of them.
    #[arg(long = "rules", value_name = "PATH", help_heading = "Rules")]
    pub(in crate::cli) rules: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct BaselineArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BaselineCommand {
    /// Scan like `ddpatrol scan`, and write the findings to a new baseline.
    Create(Box<ScanArgs>),
    /// Scan again: add new tokens, drop those gone if the scan is complete, keep reasons.
    Update(Box<ScanArgs>),
    /// List the known tokens.
    Show(BaselineShowArgs),
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct BaselineShowArgs {
    /// Baseline file; by default the configured one, or `.ddpatrol-baseline.json`.
    #[arg(value_name = "FILE", help_heading = "Input")]
    pub(in crate::cli) file: Option<PathBuf>,
}
