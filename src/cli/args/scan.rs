//! The arguments of the commands that scan: `scan`, `staged` and `range`.

use super::{SharedArgs, Size, values};
use clap::Args as ClapArgs;
use std::ffi::OsString;
use std::path::PathBuf;

/// Scan files, folders, git repositories with their history, or standard input.
///
/// Exit codes: 0, the scan is complete and has no findings at the fail level; 1, there are findings
/// at the fail level; 2, an error occurred, or some content was not scanned; 130, interrupted.
#[derive(Debug, ClapArgs)]
#[command(next_display_order = 1)]
pub(in crate::cli) struct ScanArgs {
    /// Files, folders, repositories; `-`: standard input.
    ///
    /// Of a git repository, the whole history is scanned as well.
    #[arg(default_value = ".", value_name = "PATH", help_heading = "Input", display_order = 0)]
    pub(in crate::cli) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) what: ScopeArgs,

    #[command(flatten)]
    pub(in crate::cli) files: FileArgs,

    #[command(flatten)]
    pub(in crate::cli) shared: SharedArgs,

    /// Cache file: git objects listed in it are not read again.
    ///
    /// The first scan creates the file, each further one updates it.
    #[arg(long, value_name = "FILE", conflicts_with = "files_only", help_heading = "Performance")]
    pub(in crate::cli) state: Option<PathBuf>,
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
pub(in crate::cli) struct StagedArgs {
    /// Files and folders to scan; those that are not staged are scanned whole.
    #[arg(value_name = "PATH", help_heading = "Input", display_order = 0)]
    pub(in crate::cli) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) change: ChangeArgs,

    #[command(flatten)]
    pub(in crate::cli) shared: SharedArgs,
}

/// Scan the commits of a range.
///
/// Scans every commit that is reachable from HEAD but not from BASE, including merges: contents, file
/// names and message, even if a later commit removes them again. A token that BASE's version of a
/// changed file already contains does not fail the scan. Exit codes as for `scan`.
#[derive(Debug, ClapArgs)]
#[command(next_display_order = 1)]
pub(in crate::cli) struct RangeArgs {
    /// `BASE..HEAD`, single commits, or commits and bases (`HEAD ^BASE`).
    ///
    /// An all-zero BASE means a new branch.
    #[arg(value_name = "REVISION", required_unless_present = "stdin")]
    #[arg(help_heading = "Input", display_order = 0)]
    pub(in crate::cli) revisions: Vec<OsString>,

    /// Exclude commits reachable from this revision.
    #[arg(long, value_name = "REVISION", help_heading = "Input")]
    pub(in crate::cli) not: Vec<OsString>,

    /// Read more revisions from standard input, one per line.
    #[arg(long, help_heading = "Input")]
    pub(in crate::cli) stdin: bool,

    /// Use the policy of the work tree, for changes that you trust.
    ///
    /// By default the configuration, rules, baseline and `ddpatrol:allow` comments of the base apply, so
    /// that a change cannot alter the policy it is judged by.
    #[arg(long, help_heading = "Policy")]
    pub(in crate::cli) trust_head: bool,

    #[command(flatten)]
    pub(in crate::cli) change: ChangeArgs,

    #[command(flatten)]
    pub(in crate::cli) shared: SharedArgs,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ChangeArgs {
    /// Repository to scan; by default that of the current folder.
    #[arg(long, value_name = "PATH", help_heading = "Input")]
    pub(in crate::cli) repo: Option<PathBuf>,

    /// Also report tokens that the base already contains, and fail on them.
    #[arg(long, help_heading = "Policy")]
    pub(in crate::cli) all: bool,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Input")]
pub(in crate::cli) struct ScopeArgs {
    /// Scan only the files, not the history.
    #[arg(long, conflicts_with = "history_only")]
    pub(in crate::cli) files_only: bool,

    /// Scan only the history, not the files.
    ///
    /// The configuration and hooks of the repositories are scanned as well. Each PATH must be a
    /// repository.
    #[arg(long)]
    pub(in crate::cli) history_only: bool,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Input")]
pub(in crate::cli) struct FileArgs {
    /// Do not respect ignore files such as .gitignore.
    #[arg(long)]
    pub(in crate::cli) no_ignore: bool,

    /// Skip paths that match, as in .gitignore.
    ///
    /// Patterns apply to the files below each PATH, not to the history; repeatable.
    #[arg(long, value_name = "GLOB", value_parser = values::pattern)]
    pub(in crate::cli) exclude: Vec<String>,

    /// Skip larger files; 10M, 512k or 1GiB.
    ///
    /// Skipped files are counted.
    #[arg(long, value_name = "SIZE", hide_short_help = true, allow_negative_numbers = true)]
    pub(in crate::cli) max_file_size: Option<Size>,
}
