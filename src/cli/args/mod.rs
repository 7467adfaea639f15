//! The arguments of every command.

mod clean;
mod hooks;
mod listing;
mod saved;
mod tools;
mod values;
mod verify;

pub(super) use clean::{CleanArgs, CleanFilterArgs};
pub(super) use hooks::{
    HookArgs, HookCommand, HookPlaceArgs, HookSetArgs, MessageArgs, PushArgs, ReceiveArgs,
};
pub(super) use listing::ListingArgs;
pub(super) use saved::{
    BaselineArgs, BaselineCommand, BaselineShowArgs, DiffArgs, ReportCommandArgs,
};
pub(super) use tools::{CheckArgs, InitArgs, MaskArgs, RulesArgs, RulesCommand};
pub(super) use values::{Color, ReportArg, ReportFormat, Size};
pub(super) use verify::{ActionArgs, RevokeArgs, VerifyArgs};

use crate::config::FailLevel;
use crate::report::sarif::Suppressed;
use crate::source::archive::ArchiveOptions;
use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand};
use ddpatrol_scan::blob::Context;
use std::ffi::OsString;
use std::path::PathBuf;

/// Finds leaked access tokens and proves, offline, that they are real.
#[derive(Debug, Parser)]
#[command(name = "ddpatrol", version, max_term_width = 100)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Print help: `-h` a summary, `--help` everything.
    #[arg(long, short, action = ArgAction::Help, global = true, help_heading = "Help")]
    help: Option<bool>,

    /// Print the version.
    #[arg(long, short = 'V', action = ArgAction::Version, help_heading = "Help")]
    version: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Scan(ScanArgs),
    Staged(StagedArgs),
    Range(RangeArgs),
    Revoke(RevokeArgs),
    Clean(CleanArgs),
    #[command(hide = true)]
    CleanFilter(CleanFilterArgs),
    Report(ReportCommandArgs),
    Diff(DiffArgs),
    /// Create, update or show the baseline of known tokens.
    Baseline(BaselineArgs),
    /// Install, uninstall or show git hooks.
    Hook(HookArgs),
    PrePush(PushArgs),
    PreReceive(ReceiveArgs),
    CommitMsg(MessageArgs),
    Check(CheckArgs),
    Mask(MaskArgs),
    Init(InitArgs),
    /// List, show or check rules (token formats).
    Rules(RulesArgs),
    /// Print a shell completion script.
    Completions {
        /// Shell to print the script for.
        #[arg(help_heading = "Input")]
        shell: clap_complete::Shell,
    },
    /// Show a manual page; print it as roff if standard output is not a terminal.
    Man {
        /// Command, such as `hook install`; by default the program itself.
        #[arg(help_heading = "Input")]
        command: Vec<String>,
    },
}

/// Scan files, folders, git repositories with their history, or standard input.
///
/// Exit codes: 0, the scan is complete and has no findings at the fail level; 1, there are findings
/// at the fail level; 2, an error occurred, or some content was not scanned; 130, interrupted.
#[derive(Debug, ClapArgs)]
#[command(next_display_order = 1)]
pub(super) struct ScanArgs {
    /// Files, folders, repositories; `-`: standard input.
    ///
    /// Of a git repository, the whole history is scanned as well.
    #[arg(default_value = ".", value_name = "PATH", help_heading = "Input", display_order = 0)]
    pub(super) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) what: ScopeArgs,

    #[command(flatten)]
    pub(super) files: FileArgs,

    #[command(flatten)]
    pub(super) shared: SharedArgs,

    /// Cache file: git objects listed in it are not read again.
    ///
    /// The first scan creates the file, each further one updates it.
    #[arg(long, value_name = "FILE", conflicts_with = "files_only", help_heading = "Performance")]
    pub(super) state: Option<PathBuf>,
}

/// Scan the changes staged for the next commit.
///
/// Compares the index with HEAD; the work tree is not read. A token that HEAD's version of a changed
/// file already contains does not fail the scan. Exit codes as for `scan`.
///
/// With paths, as the pre-commit framework passes them, the staged changes of these paths are scanned;
/// a path that is not staged is scanned whole, as by `scan --files-only`. If PRE_COMMIT_FROM_REF and
/// PRE_COMMIT_TO_REF are set, the range between them is scanned instead, as by `range`.
#[derive(Debug, ClapArgs)]
#[command(next_display_order = 1)]
pub(super) struct StagedArgs {
    /// Files and folders to scan; those that are not staged are scanned whole.
    #[arg(value_name = "PATH", help_heading = "Input", display_order = 0)]
    pub(super) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,

    #[command(flatten)]
    pub(super) shared: SharedArgs,
}

/// Scan the commits of a range.
///
/// Scans every commit that is reachable from HEAD but not from BASE, including merges: contents, file
/// names and message, even if a later commit removes them again. A token that BASE's version of a
/// changed file already contains does not fail the scan. Exit codes as for `scan`.
#[derive(Debug, ClapArgs)]
#[command(next_display_order = 1)]
pub(super) struct RangeArgs {
    /// `BASE..HEAD`, single commits, or commits and bases (`HEAD ^BASE`).
    ///
    /// An all-zero BASE means a new branch.
    #[arg(value_name = "REVISION", required_unless_present = "stdin")]
    #[arg(help_heading = "Input", display_order = 0)]
    pub(super) revisions: Vec<OsString>,

    /// Exclude commits reachable from this revision.
    #[arg(long, value_name = "REVISION", help_heading = "Input")]
    pub(super) not: Vec<OsString>,

    /// Read more revisions from standard input, one per line.
    #[arg(long, help_heading = "Input")]
    pub(super) stdin: bool,

    /// Use the policy of the work tree, for changes that you trust.
    ///
    /// By default the configuration, rules, baseline and `ddpatrol:allow` comments of the base apply, so
    /// that a change cannot alter the policy it is judged by.
    #[arg(long, help_heading = "Policy")]
    pub(super) trust_head: bool,

    #[command(flatten)]
    pub(super) change: ChangeArgs,

    #[command(flatten)]
    pub(super) shared: SharedArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ChangeArgs {
    /// Repository to scan; by default that of the current folder.
    #[arg(long, value_name = "PATH", help_heading = "Input")]
    pub(super) repo: Option<PathBuf>,

    /// Also report tokens that the base already contains, and fail on them.
    #[arg(long, help_heading = "Policy")]
    pub(super) all: bool,
}

/// Arguments that all commands that scan share.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Output")]
pub(super) struct SharedArgs {
    /// Write a report; repeatable.
    ///
    /// FORMAT is text, json, jsonl, sarif, html, markdown, github (annotations), csv, junit or gitlab
    /// (secret detection). Without PATH the report goes to standard output; a file is replaced atomically.
    #[arg(long = "report", value_name = "FORMAT[=PATH]")]
    pub(super) reports: Vec<ReportArg>,

    /// Write a JSON report, as `--report json`.
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,

    /// Write a report in this format, as `--report FORMAT`.
    #[arg(long, short = 'f', value_name = "FORMAT", hide_short_help = true)]
    pub(super) format: Option<ReportFormat>,

    /// Write the report of `--format` or `--json` to this file.
    #[arg(long, short = 'o', value_name = "FILE", hide_short_help = true)]
    pub(super) output: Option<PathBuf>,

    /// Folder that paths in SARIF and annotations are relative to.
    ///
    /// By default the root of the repository, or the folder that contains all scanned repositories.
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub(super) path_base: Option<PathBuf>,

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
    pub(super) fail_on: Option<FailLevel>,

    /// Also list matches without a valid checksum.
    ///
    /// Their checksum fails, or their format has none.
    #[arg(long)]
    pub(super) show_shaped: bool,

    /// Do not redact tokens: reports contain secrets.
    #[arg(long)]
    pub(super) show_secrets: bool,

    /// Include suppressed findings in SARIF, as suppressed results. GitHub ignores suppressions.
    #[arg(long, hide_short_help = true)]
    pub(super) sarif_suppressed: bool,

    /// Exit with code 2 if content is encrypted or too large.
    ///
    /// Treats opaque (such as encrypted) or oversized content as an error. By default it is only reported.
    #[arg(long, help_heading = "Policy")]
    pub(super) strict: bool,

    /// Configuration file; by default `.ddpatrol.toml`.
    ///
    /// By default it is searched in the scanned folder and the folders above it, up to the top of the
    /// repository. For a change, a path in the work tree is read from the base of the change.
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub(super) config: Option<PathBuf>,

    /// Ignore configuration files.
    #[arg(long, conflicts_with = "config", help_heading = "Policy")]
    pub(super) no_config: bool,

    /// File of known tokens, which do not fail the scan.
    ///
    /// `ddpatrol baseline create` writes one.
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub(super) baseline: Option<PathBuf>,

    /// Ignore inline `ddpatrol:allow REASON` comments.
    #[arg(long, help_heading = "Policy", hide_short_help = true)]
    pub(super) no_inline_allow: bool,

    #[command(flatten)]
    pub(super) listing: ListingArgs,

    #[command(flatten)]
    pub(super) archives: ArchiveArgs,

    #[command(flatten)]
    pub(super) rules: RuleArgs,

    #[command(flatten)]
    pub(super) responding: VerifyArgs,

    #[command(flatten)]
    pub(super) run: RunArgs,
}

impl SharedArgs {
    /// Returns the reports that the user requests.
    ///
    /// # Errors
    /// There is a file and no format for it.
    pub(super) fn reports(&self) -> anyhow::Result<Vec<ReportArg>> {
        let format = self.json.then_some(ReportFormat::Json).or(self.format);
        let mut reports = self.reports.clone();
        match (format, &self.output) {
            (Some(format), path) => {
                let path = path.clone().filter(|path| path.as_os_str() != "-");
                reports.push(ReportArg { format, path });
            }
            (None, Some(_)) => {
                anyhow::bail!("--output has no format: add --format FORMAT, such as -f sarif")
            }
            (None, None) => {}
        }
        Ok(reports)
    }

    /// Returns how SARIF treats suppressed findings.
    pub(super) fn suppressed(&self) -> Suppressed {
        if self.sarif_suppressed { Suppressed::Included } else { Suppressed::Omitted }
    }
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Input")]
pub(super) struct ScopeArgs {
    /// Scan only the files, not the history.
    #[arg(long, conflicts_with = "history_only")]
    pub(super) files_only: bool,

    /// Scan only the history, not the files.
    ///
    /// The configuration and hooks of the repositories are scanned as well. Each PATH must be a
    /// repository.
    #[arg(long)]
    pub(super) history_only: bool,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Input")]
pub(super) struct FileArgs {
    /// Do not respect ignore files such as .gitignore.
    #[arg(long)]
    pub(super) no_ignore: bool,

    /// Skip paths that match, as in .gitignore.
    ///
    /// Patterns apply below each PATH; repeatable.
    #[arg(long, value_name = "GLOB")]
    pub(super) exclude: Vec<String>,

    /// Skip larger files; 10M, 512k or 1GiB.
    ///
    /// Skipped files are counted.
    #[arg(long, value_name = "SIZE", hide_short_help = true)]
    pub(super) max_file_size: Option<Size>,
}

/// Limits for archives.
#[derive(Clone, Copy, Debug, ClapArgs)]
#[command(next_help_heading = "Archives")]
pub(super) struct ArchiveArgs {
    /// Do not open archives and compressed files.
    #[arg(long)]
    pub(super) no_archives: bool,

    /// Maximum archive nesting depth.
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) archive_depth: u8,

    /// Maximum unpacked size of one archive, including nested archives.
    #[arg(long, value_name = "SIZE", default_value = "64GiB", hide_short_help = true)]
    pub(super) max_unpacked: Size,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Rules")]
pub(super) struct RuleArgs {
    /// Add the rules of a .toml file or of a folder of them.
    #[arg(long = "rules", value_name = "PATH")]
    pub(super) added: Vec<PathBuf>,

    /// Use only the rule with this id; repeatable.
    #[arg(long = "rule", value_name = "ID", hide_short_help = true)]
    pub(super) only: Vec<String>,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Performance")]
pub(super) struct RunArgs {
    /// Number of threads; by default one per processor.
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub(super) threads: Option<u16>,

    /// Print only findings and errors.
    #[arg(long, short, help_heading = "Output")]
    pub(super) quiet: bool,

    /// Color: auto, always or never.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN", help_heading = "Output")]
    #[arg(hide_possible_values = true, hide_short_help = true)]
    pub(super) color: Color,
}

impl ArchiveArgs {
    /// Returns the options for archives; `None` if archives are not opened.
    pub(super) fn options(self, context: Context) -> Option<ArchiveOptions> {
        let mut options = ArchiveOptions::new(context);
        options.depth = usize::from(self.archive_depth);
        options.limits.unpacked = self.max_unpacked.0;
        (!self.no_archives).then_some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    const HEADINGS: [&str; 8] =
        ["Input", "Output", "Policy", "Archives", "Rules", "Verification", "Performance", "Help"];

    #[test]
    fn the_arguments_are_well_formed() {
        Args::command().debug_assert();
    }

    /// Lists the visible arguments of a command and its subcommands that have none of the headings.
    fn misplaced(command: &clap::Command, found: &mut Vec<String>) {
        for argument in command.get_arguments().filter(|it| !it.is_hide_set()) {
            if !argument.get_help_heading().is_some_and(|it| HEADINGS.contains(&it)) {
                found.push(format!("{} {}", command.get_name(), argument.get_id()));
            }
        }
        for subcommand in command.get_subcommands().filter(|it| it.get_name() != "help") {
            misplaced(subcommand, found);
        }
    }

    #[test]
    fn every_option_has_one_of_the_headings() {
        let mut command = Args::command();
        command.build();
        let mut found = Vec::new();
        misplaced(&command, &mut found);
        assert_eq!(found, Vec::<String>::new());
    }
}
