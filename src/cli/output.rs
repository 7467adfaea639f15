//! Destinations of reports: standard output, or files, which are written atomically.

use super::args::{Color, ListingArgs, ReportArg, ReportFormat};
use super::messages::print_error;
use super::terminal::{self, TerminalSize};
use crate::report::document::Document;
use crate::report::next_steps::{HookKind, NextStepsContext, Surface};
use crate::report::sarif::{self, Suppressed};
use crate::report::text::{self, StoppedCommand, TextOptions};
use crate::report::{csv, github, gitlab, html, json, junit, markdown};
use crate::report_file::ReportFile;
use anyhow::{Context, bail};
use ddpatrol_scan::quantity::count;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options for writing reports.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReportOptions<'a> {
    pub(super) color: Color,
    pub(super) quiet: bool,
    /// The duration of the scan; `None` without a scan.
    pub(super) elapsed: Option<Duration>,
    pub(super) suppressed: Suppressed,
    pub(super) listing: ListingArgs,
    /// The number of tokens that fail the run.
    pub(super) failing: usize,
    /// The context of the next steps, such as the command line.
    pub(super) context: &'a NextStepsContext,
}

impl Color {
    /// Returns `true` if a report is colored.
    fn applies_to(self, output: &Output) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                output.is_stdout() && io::stdout().is_terminal() && !refused && !dumb
            }
        }
    }
}

/// A report's destination, open for writing.
pub(super) struct Output {
    pub(super) format: ReportFormat,
    /// The path as the user gave it.
    path: Option<PathBuf>,
    destination: Destination,
}

enum Destination {
    Stdout(BufWriter<io::Stdout>),
    File(ReportFile),
}

impl Output {
    /// Opens the destinations of all reports before the scan, so that a wrong path fails early.
    pub(super) fn open_all(
        reports: &[ReportArg],
        default: Option<ReportFormat>,
    ) -> anyhow::Result<Vec<Self>> {
        if reports.iter().filter(|report| report.path.is_none()).count() > 1 {
            bail!("two reports go to standard output: give all but one a path, FORMAT=PATH");
        }
        let paths: Vec<PathBuf> = reports
            .iter()
            .filter_map(|it| it.path.as_ref())
            .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            .collect();
        for (at, path) in paths.iter().enumerate() {
            if paths[..at].contains(path) {
                bail!("two reports go to the same file: give each its own path");
            }
        }
        let default: Vec<ReportArg> =
            default.into_iter().map(|format| ReportArg { format, path: None }).collect();
        let reports = if reports.is_empty() { &default } else { reports };
        reports.iter().map(Self::open).collect()
    }

    fn open(report: &ReportArg) -> anyhow::Result<Self> {
        let destination = match &report.path {
            None => Destination::Stdout(BufWriter::new(io::stdout())),
            Some(path) => {
                Destination::File(ReportFile::open(path).with_context(|| write_failure(path))?)
            }
        };
        Ok(Self { format: report.format, path: report.path.clone(), destination })
    }

    pub(super) fn is_stdout(&self) -> bool {
        matches!(self.destination, Destination::Stdout(_))
    }

    /// Returns `true` if the report shows the issues of the scan on standard output.
    pub(super) fn shows_issues(&self) -> bool {
        let formats = [ReportFormat::Text, ReportFormat::Markdown, ReportFormat::Github];
        self.is_stdout() && formats.contains(&self.format)
    }

    /// Returns the path of the temporary file, if there is one.
    pub(super) fn temporary(&self) -> Option<PathBuf> {
        match &self.destination {
            Destination::File(file) => std::fs::canonicalize(file.temporary()?).ok(),
            Destination::Stdout(_) => None,
        }
    }

    pub(super) fn writer(&mut self) -> &mut dyn Write {
        match &mut self.destination {
            Destination::Stdout(out) => out,
            Destination::File(file) => file,
        }
    }

    /// Writes a report and completes it. A message names the file that was written.
    pub(super) fn write(
        self,
        document: &Document,
        options: &ReportOptions<'_>,
    ) -> anyhow::Result<()> {
        let is_stdout = self.is_stdout();
        let written = self.write_report(document, options);
        if is_stdout { written.context("cannot write standard output") } else { written }
    }

    fn write_report(
        mut self,
        document: &Document,
        options: &ReportOptions<'_>,
    ) -> anyhow::Result<()> {
        let rendered = self.render(document, options);
        match &self.path {
            Some(path) => rendered.with_context(|| write_failure(path))?,
            None => rendered?,
        }
        let path = self.path.clone().filter(|_| self.temporary().is_some());
        self.finish()?;
        if let Some(path) = path.filter(|_| !options.quiet && !options.context.surface.is_hook()) {
            let tokens = count(document.summary.proven, "token");
            print_error(&format!("{}: {tokens}", path.display()));
        }
        Ok(())
    }

    /// Writes a report, without completing it.
    fn render(&mut self, document: &Document, options: &ReportOptions<'_>) -> anyhow::Result<()> {
        let suppressed = options.suppressed;
        let text_options = self.text_options(options, options.context);
        let format = self.format;
        let out = self.writer();
        match format {
            ReportFormat::Text => text::write(document, &text_options, out)?,
            ReportFormat::Json => json::write(document, out)?,
            ReportFormat::Sarif => sarif::write(document, suppressed, out)?,
            ReportFormat::Html => html::write(document, options.context, out)?,
            ReportFormat::Markdown => markdown::write(document, out)?,
            ReportFormat::Github => github::write(document, out)?,
            ReportFormat::Csv => csv::write(document, out)?,
            ReportFormat::Junit => junit::write(document, out)?,
            ReportFormat::Gitlab => gitlab::write(document, out)?,
            ReportFormat::Jsonl => json::write_lines(document, out)?,
        }
        Ok(())
    }

    /// Returns the options of the text report, which depend on the terminal if it is written to one.
    fn text_options<'a>(
        &self,
        options: &ReportOptions<'_>,
        context: &'a NextStepsContext,
    ) -> TextOptions<'a> {
        let ReportOptions { quiet, elapsed, listing, .. } = *options;
        let size = if self.is_stdout() { TerminalSize::of_stdout() } else { None };
        // An explanation has many lines, so only an explicit limit shortens it.
        let default = size.filter(|_| !listing.explain).map(TerminalSize::free_lines);
        TextOptions {
            color: options.color.applies_to(self),
            links: self.is_stdout() && terminal::shows_links(),
            quiet,
            explain: listing.explain,
            show_dead: listing.show_dead,
            limit: listing.limit.map_or(default, |limit| (limit > 0).then_some(limit)),
            width: size.map(|it| it.width),
            elapsed,
            failing: options.failing,
            stops: stopped_command(context.surface),
            context,
        }
    }

    /// Completes the report; a temporary file is renamed to its final name.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self.destination {
            Destination::Stdout(mut out) => out.flush()?,
            Destination::File(file) => {
                let finished = file.finish();
                match &self.path {
                    Some(path) => finished.with_context(|| write_failure(path))?,
                    None => finished?,
                }
            }
        }
        Ok(())
    }
}

/// Returns the message about a report that cannot be written.
fn write_failure(path: &Path) -> String {
    format!("cannot write report to {}", path.display())
}

/// Returns the git command that a failing run stops.
fn stopped_command(surface: Surface) -> Option<StoppedCommand> {
    // Users also run `ddpatrol staged` by hand. Git sets this variable for the hooks of a commit.
    let commits = || std::env::var_os("GIT_INDEX_FILE").is_some();
    match surface {
        Surface::Hook(HookKind::PreCommit) => commits().then_some(StoppedCommand::Commit),
        Surface::Hook(HookKind::CommitMsg) => Some(StoppedCommand::Message),
        Surface::Hook(HookKind::PrePush) => Some(StoppedCommand::Push),
        // `pre-receive` reports a refused push on standard error.
        Surface::Hook(HookKind::PreReceive) | Surface::Terminal | Surface::Saved | Surface::Ci => {
            None
        }
    }
}
