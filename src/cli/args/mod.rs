//! The arguments of every command.

mod hooks;
mod respond;
mod saved;
mod values;

pub(super) use hooks::{
    HookArgs, HookCommand, HookPlaceArgs, HookSetArgs, MessageArgs, PushArgs, ReceiveArgs,
};
pub(super) use respond::{ActingArgs, RespondingArgs, RevokeArgs};
pub(super) use saved::{
    BaselineArgs, BaselineCommand, BaselineShowArgs, DiffArgs, ReportCommandArgs,
};
pub(super) use values::{Color, ReportArg, ReportFormat, Size};

use crate::config::Level;
use crate::report::sarif::Suppressed;
use crate::source::archive::ArchiveOptions;
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand};
use ddpatrol_scan::blob::Context;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

/// Finds leaked access tokens that prove themselves: prefix, shape and checksum.
#[derive(Debug, Parser)]
#[command(name = "ddpatrol", version, max_term_width = 100)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Scan files, folders, git repositories with their history, or standard input.
    Scan(ScanArgs),
    /// Scan what the next commit will hold.
    Staged(StagedArgs),
    /// Scan what a range of commits brings.
    Range(RangeArgs),
    /// Revoke what a saved report found.
    Revoke(RevokeArgs),
    /// Write a saved report in other formats.
    Report(ReportCommandArgs),
    /// Compare two saved reports: what is new, gone, unchanged.
    Diff(DiffArgs),
    /// Make, renew or show the file of known tokens.
    Baseline(BaselineArgs),
    /// Install, uninstall or show git hooks.
    Hook(HookArgs),
    /// Scan what a push sends; run by git as a pre-push hook.
    PrePush(PushArgs),
    /// Scan what a push has brought to this server; run by git as a pre-receive hook.
    PreReceive(ReceiveArgs),
    /// Scan the message of a commit; run by git as a commit-msg hook.
    CommitMsg(MessageArgs),
    /// Explain tokens, offline, read from standard input or a prompt.
    Check(CheckArgs),
    /// List, show or check the token formats.
    Rules(RulesArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program, or of one command.
    Man {
        /// The command, with that below it: `man hook install`.
        command: Vec<String>,
    },
}

/// Scan files, folders, git repositories with their history, or standard input for tokens.
///
/// Exit codes: 0, everything was looked at and nothing was found; 1, there are findings at the
/// fail level; 2, something failed or was not looked at; 130, interrupted.
#[derive(Debug, ClapArgs)]
pub(super) struct ScanArgs {
    /// Files, folders and git repositories, of which the whole history is scanned, too; `-` is
    /// standard input.
    #[arg(default_value = ".", value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) what: WhatArgs,

    #[command(flatten)]
    pub(super) files: FileArgs,

    #[command(flatten)]
    pub(super) telling: TellingArgs,
}

/// Scan what the next commit will hold.
///
/// The index is compared with HEAD; what lies in the work tree does not matter. A token that HEAD's
/// version of a changed file holds already does not fail. Exit codes as for `scan`.
///
/// With paths, as the pre-commit framework passes them: of a staged path the staged change is judged,
/// a path that is not staged is scanned whole, as `scan --files-only` does. If PRE_COMMIT_FROM_REF and
/// PRE_COMMIT_TO_REF are set, the range between them is scanned instead, as `range` does.
#[derive(Debug, ClapArgs)]
pub(super) struct StagedArgs {
    /// Restrict the scan to these files and folders; those that are not staged are scanned whole.
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,

    #[command(flatten)]
    pub(super) telling: TellingArgs,
}

/// Scan what a range of commits brings.
///
/// Every commit that HEAD reaches and BASE does not is looked at, merges too: its content, names and
/// message, even if a later commit takes it away again. A token that BASE's version of a changed
/// file holds already does not fail. Exit codes as for `scan`.
#[derive(Debug, ClapArgs)]
pub(super) struct RangeArgs {
    /// `BASE..HEAD`; or commits, each alone; or commits and bases, `HEAD ^BASE`. A BASE of all zeros
    /// stands for a new branch.
    #[arg(value_name = "REVISION", required_unless_present = "stdin")]
    pub(super) revisions: Vec<OsString>,

    /// Leave out what this reaches.
    #[arg(long, value_name = "REVISION")]
    pub(super) not: Vec<OsString>,

    /// Read further revisions from standard input, one a line.
    #[arg(long)]
    pub(super) stdin: bool,

    /// Take configuration, rules, baseline and `ddpatrol:allow` as the work tree has them: for changes
    /// of your own. Otherwise they are what the base has, so that no change decides about itself.
    #[arg(long, help_heading = "What counts")]
    pub(super) trust_head: bool,

    #[command(flatten)]
    pub(super) change: ChangeArgs,

    #[command(flatten)]
    pub(super) telling: TellingArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ChangeArgs {
    /// The repository; by default the one that the current folder lies in.
    #[arg(long, value_name = "PATH")]
    pub(super) repo: Option<PathBuf>,

    /// List tokens that were already there, and let them fail, too.
    #[arg(long)]
    pub(super) all: bool,
}

/// How results are told: the same for all commands that scan.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct TellingArgs {
    /// Write a report: text, json, jsonl, sarif, html, markdown or github (annotations); to standard
    /// output, or whole to a file.
    #[arg(long = "report", value_name = "FORMAT[=PATH]")]
    pub(super) reports: Vec<ReportArg>,

    /// Make paths in SARIF and annotations relative to this folder; by default the root of the repository,
    /// or the folder that holds all scanned repositories.
    #[arg(long, value_name = "DIR")]
    pub(super) path_base: Option<PathBuf>,

    /// What makes the exit code 1; proven tokens by default.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(super) fail_on: Option<Level>,

    /// List look-alikes whose checksum fails or whose format has none, too.
    #[arg(long)]
    pub(super) show_shaped: bool,

    /// Print the tokens themselves. Reports then are secrets.
    #[arg(long)]
    pub(super) show_secrets: bool,

    /// Keep what does not count in SARIF, as suppressed results. GitHub does not heed suppressions.
    #[arg(long)]
    pub(super) sarif_suppressed: bool,

    /// Count what cannot be read by its nature, or exceeds a limit, as incomplete (exit code 2).
    #[arg(long)]
    pub(super) strict: bool,

    /// The configuration; by default `.ddpatrol.toml`, from the scanned folder upwards. A change is
    /// judged by what its base has, so a path in its work tree is read from the base.
    #[arg(long, value_name = "FILE", help_heading = "What counts")]
    pub(super) config: Option<PathBuf>,

    /// Use no configuration.
    #[arg(long, conflicts_with = "config", help_heading = "What counts")]
    pub(super) no_config: bool,

    /// Known tokens, which do not count; as `ddpatrol baseline create` writes them.
    #[arg(long, value_name = "FILE", help_heading = "What counts")]
    pub(super) baseline: Option<PathBuf>,

    /// Do not heed `ddpatrol:allow REASON` in a token's line.
    #[arg(long, help_heading = "What counts")]
    pub(super) no_inline_allow: bool,

    #[command(flatten)]
    pub(super) archives: ArchiveArgs,

    #[command(flatten)]
    pub(super) rules: RuleArgs,

    #[command(flatten)]
    pub(super) responding: RespondingArgs,

    #[command(flatten)]
    pub(super) run: RunArgs,
}

impl TellingArgs {
    /// Returns how SARIF treats suppressed findings.
    pub(super) fn suppressed(&self) -> Suppressed {
        if self.sarif_suppressed { Suppressed::Included } else { Suppressed::Omitted }
    }
}

#[derive(Debug, ClapArgs)]
pub(super) struct WhatArgs {
    /// Scan files only, no histories of git repositories.
    #[arg(long, conflicts_with = "history_only")]
    pub(super) files_only: bool,

    /// Scan the histories of git repositories only, with their configuration and hooks; each PATH must be
    /// a repository.
    #[arg(long)]
    pub(super) history_only: bool,

    /// Remember in this file what was read of repositories, and read only what is new the next time.
    #[arg(long, value_name = "FILE", conflicts_with = "files_only")]
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Which files")]
pub(super) struct FileArgs {
    /// Read files that .gitignore excludes, too.
    #[arg(long)]
    pub(super) no_ignore: bool,

    /// Leave out what matches below the paths, written as in .gitignore.
    #[arg(long, value_name = "GLOB")]
    pub(super) exclude: Vec<String>,

    /// Leave out larger files, such as 10M or 512k; they are counted.
    #[arg(long, value_name = "SIZE")]
    pub(super) max_file_size: Option<Size>,
}

/// How far archives are read.
#[derive(Clone, Copy, Debug, ClapArgs)]
#[command(next_help_heading = "Archives")]
pub(super) struct ArchiveArgs {
    /// Look at archives and compressed files as they are, not at what they hold.
    #[arg(long)]
    pub(super) no_archives: bool,

    /// How many archives within each other are opened.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) archive_depth: u8,

    /// The most that one archive may unpack to, with all that it holds.
    #[arg(long, value_name = "SIZE", default_value = "64GiB")]
    pub(super) max_unpacked: Size,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Which tokens")]
pub(super) struct RuleArgs {
    /// Add the rules of a file, or of a folder's .toml files.
    #[arg(long = "rules", value_name = "PATH")]
    pub(super) added: Vec<PathBuf>,

    /// Search for the tokens of these rules only.
    #[arg(long = "rule", value_name = "ID")]
    pub(super) only: Vec<String>,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "How")]
pub(super) struct RunArgs {
    /// How many workers; all processors by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,

    /// Print findings and errors only.
    #[arg(long, short)]
    pub(super) quiet: bool,

    /// Whether to colour the text report.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(super) color: Color,
}

/// Explain the tokens in a short text, offline.
///
/// Reads a token, or lines that hold tokens (`KEY=…`, JSON, a URL), from standard input or a prompt. Takes no
/// token as an argument: arguments end up in histories and logs. Exit codes: 0, all tokens are valid; 1, one
/// is not, or there is none; 2, an error.
#[derive(Debug, ClapArgs)]
pub(super) struct CheckArgs {
    /// Add the rules of a file, or of a folder's .toml files.
    #[arg(long = "rules", value_name = "PATH")]
    pub(super) rules: Vec<PathBuf>,

    /// Takes what must not be given, to refuse it without repeating it.
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
    /// List the rules.
    List {
        /// Add the rules of a file, or of a folder's .toml files.
        #[arg(long = "rules", value_name = "PATH")]
        rules: Vec<PathBuf>,
    },
    /// Show one rule.
    Show {
        /// Its identifier.
        id: String,
        /// Add the rules of a file, or of a folder's .toml files.
        #[arg(long = "rules", value_name = "PATH")]
        rules: Vec<PathBuf>,
    },
    /// Check rules: minted samples verify, damaged ones do not, published vectors hold.
    Check {
        /// A rule file or folder; the built-in rules by default.
        path: Option<PathBuf>,
    },
}

impl ArchiveArgs {
    /// Says how archives are read in windows with this context, if they are.
    pub(super) fn options(self, context: Context) -> Option<ArchiveOptions> {
        let mut options = ArchiveOptions::new(context);
        options.depth = usize::from(self.archive_depth);
        options.limits.unpacked = self.max_unpacked.0;
        (!self.no_archives).then_some(options)
    }
}

/// Writes the manual page of the program, or of one of its commands.
pub(super) fn man_page(names: &[String], out: &mut dyn Write) -> anyhow::Result<()> {
    let mut page = Args::command();
    page.build();
    for (at, name) in names.iter().enumerate() {
        page = match page.find_subcommand(name) {
            Some(sub) => sub.clone(),
            None => {
                let name = names[..=at].join(" ");
                anyhow::bail!("there is no command `{name}`; `ddpatrol help` lists them")
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
