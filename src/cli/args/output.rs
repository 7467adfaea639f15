//! The arguments that request reports.

use super::{ReportArg, ReportFormat};
use clap::Args as ClapArgs;
use std::path::{Path, PathBuf};

/// The requested reports.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct OutputArgs {
    /// Write a report; repeatable.
    ///
    /// FORMAT is text, json, jsonl, sarif, html, markdown, github (annotations), csv, junit or gitlab
    /// (secret detection); `diff` and `revoke` write text or json. Without PATH the report goes to standard
    /// output; a file is replaced atomically.
    #[arg(long = "report", value_name = "FORMAT[=PATH]")]
    requested: Vec<ReportArg>,

    /// Write a JSON report, as `--report json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Write a report in this format, as `--report FORMAT`.
    #[arg(long, short = 'f', value_name = "FORMAT", hide_short_help = true)]
    format: Option<ReportFormat>,

    /// Write the report of `--format` or `--json` to this file.
    #[arg(long, short = 'o', value_name = "FILE", hide_short_help = true)]
    output: Option<PathBuf>,
}

impl OutputArgs {
    /// Returns the file of a report without a format.
    pub(in crate::cli) fn file_without_format(&self) -> Option<&Path> {
        self.output.as_deref().filter(|_| !self.json && self.format.is_none())
    }

    /// Returns the reports that the user requests.
    ///
    /// # Errors
    /// There is a file and no format for it.
    pub(in crate::cli) fn reports(&self) -> anyhow::Result<Vec<ReportArg>> {
        let format = self.json.then_some(ReportFormat::Json).or(self.format);
        let mut reports = self.requested.clone();
        match (format, &self.output) {
            (Some(format), path) => {
                let path = path.clone().filter(|path| path.as_os_str() != "-");
                reports.push(ReportArg { format, path });
            }
            (None, Some(path)) => {
                let format = ReportFormat::of_file(path).map_or("sarif", ReportFormat::name);
                anyhow::bail!("--output has no format: add --format FORMAT, such as -f {format}")
            }
            (None, None) => {}
        }
        Ok(reports)
    }
}
