//! The arguments of the commands on saved reports and baselines.

use super::{Color, ReportArg, ScanArgs};
use crate::report::sarif::Suppressed;
use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

/// Write a saved report in other formats.
///
/// The report is one of `--report json`. Its strings are masked again; tokens that it holds are
/// dropped. Exit codes: 0, written; 2, the report cannot be read or another one not written.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ReportCommandArgs {
    /// A report of `--report json`; `-` is standard input.
    #[arg(long, value_name = "REPORT")]
    pub(in crate::cli) from: PathBuf,

    /// Write a report, as for `scan`.
    #[arg(long = "report", value_name = "FORMAT[=PATH]")]
    pub(in crate::cli) reports: Vec<ReportArg>,

    /// Keep what does not count in SARIF, as suppressed results.
    #[arg(long)]
    sarif_suppressed: bool,

    /// Whether to colour the text report.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(in crate::cli) color: Color,

    /// Add the rules of a file, or of a folder's .toml files.
    #[arg(long = "rules", value_name = "PATH")]
    pub(in crate::cli) rules: Vec<PathBuf>,
}

impl ReportCommandArgs {
    /// Returns how SARIF treats suppressed findings.
    pub(in crate::cli) fn suppressed(&self) -> Suppressed {
        if self.sarif_suppressed { Suppressed::Included } else { Suppressed::Omitted }
    }
}

/// Compare two saved reports.
///
/// Tokens are compared by fingerprint; what does not count is left out. Exit codes: 0, nothing is
/// new; 1, a proven token is new; 2, a report cannot be read, or nothing is new and one of them is
/// incomplete.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct DiffArgs {
    /// The old report, of `--report json`; `-` is standard input.
    #[arg(value_name = "OLD")]
    pub(in crate::cli) old: PathBuf,

    /// The new report.
    #[arg(value_name = "NEW")]
    pub(in crate::cli) new: PathBuf,

    /// Write the difference: text or json; to standard output, or whole to a file.
    #[arg(long = "report", value_name = "FORMAT[=PATH]")]
    pub(in crate::cli) reports: Vec<ReportArg>,

    /// Add the rules of a file, or of a folder's .toml files.
    #[arg(long = "rules", value_name = "PATH")]
    pub(in crate::cli) rules: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct BaselineArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BaselineCommand {
    /// Scan as `ddpatrol scan` does, and make what is found known.
    Create(Box<ScanArgs>),
    /// Scan again: add what is new, drop what is gone if everything was looked at, keep reasons.
    Update(Box<ScanArgs>),
    /// List the known tokens.
    Show(BaselineShowArgs),
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct BaselineShowArgs {
    /// The baseline; by default `.ddpatrol-baseline.json`.
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,
}
