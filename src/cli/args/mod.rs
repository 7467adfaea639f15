//! The arguments of every command.

mod hooks;
mod listing;
mod saved;
mod values;
mod verify;

pub(super) use hooks::{
    HookArgs, HookCommand, HookPlaceArgs, HookSetArgs, MessageArgs, PushArgs, ReceiveArgs,
};
pub(super) use listing::ListingArgs;
pub(super) use saved::{
    BaselineArgs, BaselineCommand, BaselineShowArgs, DiffArgs, ReportCommandArgs,
};
pub(super) use values::{Color, ReportArg, ReportFormat, Size};
pub(super) use verify::{ActionArgs, RevokeArgs, VerifyArgs};

use crate::config::FailLevel;
use crate::report::sarif::Suppressed;
use crate::source::archive::ArchiveOptions;
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand};
use ddpatrol_scan::blob::Context;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

/// Finds leaked access tokens and proves, offline, that they are real.
#[derive(Debug, Parser)]
#[command(name = "ddpatrol", version, max_term_width = 100)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Scan(ScanArgs),
    Staged(StagedArgs),
    Range(RangeArgs),
    Revoke(RevokeArgs),
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
    /// List, show or check rules (token formats).
    Rules(RulesArgs),
    /// Print a shell completion script.
    Completions {
        /// Shell to print the script for.
        shell: clap_complete::Shell,
    },
    /// Print a manual page.
    Man {
        /// Command, such as `hook install`; by default the program itself.
        command: Vec<String>,
    },
}

/// Scan files, folders, git repositories with their history, or standard input.
///
/// Exit codes: 0, the scan is complete and has no findings at the fail level; 1, there are findings
/// at the fail level; 2, an error occurred, or some content was not scanned; 130, interrupted.
#[derive(Debug, ClapArgs)]
pub(super) struct ScanArgs {
    /// Files, folders and git repositories to scan, repositories with their whole history; `-` reads
    /// standard input.
    #[arg(default_value = ".", value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) what: ScopeArgs,

    #[command(flatten)]
    pub(super) files: FileArgs,

    #[command(flatten)]
    pub(super) shared: SharedArgs,
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
pub(super) struct StagedArgs {
    /// Files and folders to scan; those that are not staged are scanned whole.
    #[arg(value_name = "PATH")]
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
pub(super) struct RangeArgs {
    /// `BASE..HEAD`, single commits, or commits and bases (`HEAD ^BASE`). An all-zero BASE means a new
    /// branch.
    #[arg(value_name = "REVISION", required_unless_present = "stdin")]
    pub(super) revisions: Vec<OsString>,

    /// Exclude commits reachable from this revision.
    #[arg(long, value_name = "REVISION")]
    pub(super) not: Vec<OsString>,

    /// Read more revisions from standard input, one per line.
    #[arg(long)]
    pub(super) stdin: bool,

    /// Use the configuration, rules, baseline and `ddpatrol:allow` comments of the work tree, for
    /// changes that you trust. By default those of the base apply, so that a change cannot alter the
    /// policy it is judged by.
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
    #[arg(long, value_name = "PATH")]
    pub(super) repo: Option<PathBuf>,

    /// Also report tokens that the base already contains, and fail on them.
    #[arg(long)]
    pub(super) all: bool,
}

/// Arguments that all commands that scan share.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Output")]
pub(super) struct SharedArgs {
    /// Write a report: text, json, jsonl, sarif, html, markdown or github (annotations); to standard
    /// output, or atomically to a file.
    #[arg(long = "report", value_name = "FORMAT[=PATH]")]
    pub(super) reports: Vec<ReportArg>,

    /// Folder that paths in SARIF and annotations are relative to; by default the root of the repository,
    /// or the folder that contains all scanned repositories.
    #[arg(long, value_name = "DIR")]
    pub(super) path_base: Option<PathBuf>,

    /// Minimum evidence of findings that make the exit code 1; by default `proven`.
    #[arg(long, value_enum, value_name = "LEVEL", help_heading = "Policy")]
    pub(super) fail_on: Option<FailLevel>,

    /// Also list shaped matches: their checksum fails, or their format has none.
    #[arg(long)]
    pub(super) show_shaped: bool,

    /// Do not redact tokens. Reports then contain secrets.
    #[arg(long)]
    pub(super) show_secrets: bool,

    /// Include suppressed findings in SARIF, as suppressed results. GitHub ignores suppressions.
    #[arg(long)]
    pub(super) sarif_suppressed: bool,

    /// Treat opaque (such as encrypted) or oversized content as an error (exit code 2).
    #[arg(long, help_heading = "Policy")]
    pub(super) strict: bool,

    /// Configuration file; by default `.ddpatrol.toml` in the scanned folder or the nearest folder above
    /// it. For a change, a path in the work tree is read from the base of the change.
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub(super) config: Option<PathBuf>,

    /// Ignore configuration files.
    #[arg(long, conflicts_with = "config", help_heading = "Policy")]
    pub(super) no_config: bool,

    /// File of known tokens, which do not fail the scan; see `ddpatrol baseline create`.
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub(super) baseline: Option<PathBuf>,

    /// Ignore inline `ddpatrol:allow REASON` comments.
    #[arg(long, help_heading = "Policy")]
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
    /// Returns how SARIF treats suppressed findings.
    pub(super) fn suppressed(&self) -> Suppressed {
        if self.sarif_suppressed { Suppressed::Included } else { Suppressed::Omitted }
    }
}

#[derive(Debug, ClapArgs)]
pub(super) struct ScopeArgs {
    /// Scan only files, not the history of git repositories.
    #[arg(long, conflicts_with = "history_only")]
    pub(super) files_only: bool,

    /// Scan only the history, configuration and hooks of git repositories; each PATH must be a
    /// repository.
    #[arg(long)]
    pub(super) history_only: bool,

    /// Cache file for incremental scans: only git objects that it does not list are read.
    #[arg(long, value_name = "FILE", conflicts_with = "files_only")]
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Files")]
pub(super) struct FileArgs {
    /// Do not respect ignore files such as .gitignore.
    #[arg(long)]
    pub(super) no_ignore: bool,

    /// Skip files and folders below the paths that match GLOB, in .gitignore syntax.
    #[arg(long, value_name = "GLOB")]
    pub(super) exclude: Vec<String>,

    /// Skip files larger than SIZE, such as 10M or 512k; skipped files are counted.
    #[arg(long, value_name = "SIZE")]
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
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) archive_depth: u8,

    /// Maximum unpacked size of one archive, including nested archives.
    #[arg(long, value_name = "SIZE", default_value = "64GiB")]
    pub(super) max_unpacked: Size,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Rules")]
pub(super) struct RuleArgs {
    /// Add the rules of a .toml file, or of all .toml files in a folder.
    #[arg(long = "rules", value_name = "PATH")]
    pub(super) added: Vec<PathBuf>,

    /// Use only the rule with this id; repeatable.
    #[arg(long = "rule", value_name = "ID")]
    pub(super) only: Vec<String>,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "General")]
pub(super) struct RunArgs {
    /// Number of worker threads; by default one per processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,

    /// Print only findings and errors.
    #[arg(long, short, help_heading = "Output")]
    pub(super) quiet: bool,

    /// When to color the text report.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN", help_heading = "Output")]
    pub(super) color: Color,
}

/// Explain tokens offline, read from standard input or a prompt.
///
/// Reads a token, or lines that contain tokens (`KEY=…`, JSON, a URL). Tokens are not accepted as arguments,
/// which end up in shell histories and logs. Exit codes: 0, all tokens are valid; 1, a token is invalid, or
/// there is none; 2, an error occurred.
#[derive(Debug, ClapArgs)]
pub(super) struct CheckArgs {
    /// Add the rules of a .toml file, or of all .toml files in a folder.
    #[arg(long = "rules", value_name = "PATH")]
    pub(super) rules: Vec<PathBuf>,

    /// Accepts any arguments, to refuse them without printing them.
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) refused: Vec<OsString>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    pub(super) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// List all rules.
    List {
        /// Add the rules of a .toml file, or of all .toml files in a folder.
        #[arg(long = "rules", value_name = "PATH")]
        rules: Vec<PathBuf>,
    },
    /// Show one rule.
    Show {
        /// Id of the rule.
        id: String,
        /// Add the rules of a .toml file, or of all .toml files in a folder.
        #[arg(long = "rules", value_name = "PATH")]
        rules: Vec<PathBuf>,
    },
    /// Check rules: generated samples verify, corrupted ones do not, published vectors match.
    Check {
        /// Rule file or folder; by default the built-in rules.
        path: Option<PathBuf>,
    },
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

/// Writes the manual page of the program, or of the command that `names` lead to.
pub(super) fn man_page(names: &[String], out: &mut dyn Write) -> anyhow::Result<()> {
    let mut page = Args::command();
    page.build();
    for (at, name) in names.iter().enumerate() {
        page = match page.find_subcommand(name) {
            Some(sub) => sub.clone(),
            None => {
                let name = names[..=at].join(" ");
                anyhow::bail!("unknown command `{name}`; `ddpatrol help` lists the commands")
            }
        };
    }
    Ok(clap_mangen::Man::new(page).render(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Args::command().debug_assert();
    }
}
