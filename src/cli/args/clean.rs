//! The arguments of `ddpatrol clean`.

use clap::Args as ClapArgs;
use ddpatrol_scan::finding::FingerprintPrefix;
use std::path::PathBuf;

/// Remove the tokens of a saved report from the history of a repository.
///
/// Prints what would be done. With `--yes`, rewrites a fresh clone beside the repository with
/// git-filter-repo, scans it, and prints the command that pushes it; the repository itself is not
/// changed. Tokens are recognized by their fingerprints and are written nowhere. Revoke them first:
/// copies of the old history remain elsewhere.
///
/// Exit codes: 0, everything can be cleaned or is clean; 2, an error occurred, or a token cannot be
/// removed; 130, interrupted.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct CleanArgs {
    /// Saved JSON report (`--report json`); `-` reads standard input.
    #[arg(long, value_name = "REPORT", help_heading = "Input")]
    pub(in crate::cli) from: PathBuf,

    /// Remove only the token with this fingerprint; repeatable.
    ///
    /// As in reports: at least 12 digits, such as fp:73d0e47b7fb4. By default all proven tokens.
    #[arg(long = "fingerprint", value_name = "FINGERPRINT", help_heading = "Input")]
    pub(in crate::cli) fingerprints: Vec<FingerprintPrefix>,

    /// Repository to clean.
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = "Input")]
    pub(in crate::cli) repo: PathBuf,

    /// Rewrite a fresh clone instead of printing the plan.
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) yes: bool,

    /// Replace archives that contain a token by a line of text.
    #[arg(long, help_heading = "Archives")]
    pub(in crate::cli) drop_archives: bool,

    /// Add the rules of a .toml file, or of all .toml files in a folder.
    #[arg(long = "rules", value_name = "PATH", help_heading = "Rules")]
    pub(in crate::cli) rules: Vec<PathBuf>,
}

/// Answer the requests of the callbacks that `clean` passes to git-filter-repo.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct CleanFilterArgs {
    /// File of the fingerprints and objects to remove.
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub(in crate::cli) targets: PathBuf,

    /// Add the rules of a .toml file, or of all .toml files in a folder.
    #[arg(long = "rules", value_name = "PATH", help_heading = "Rules")]
    pub(in crate::cli) rules: Vec<PathBuf>,
}
