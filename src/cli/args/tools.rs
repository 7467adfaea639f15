//! The arguments of the commands that scan no files: `check`, `mask`, `init` and `rules`.

use clap::{Args as ClapArgs, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Explain tokens offline, read from standard input or a prompt.
///
/// Reads a token, or lines that contain tokens (`KEY=…`, JSON, a URL). Tokens are not accepted as arguments,
/// which end up in shell histories and logs. Exit codes: 0, all tokens are valid; 1, a token is invalid, or
/// there is none; 2, an error occurred.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct CheckArgs {
    /// Add the rules of a .toml file or of a folder of them.
    #[arg(long = "rules", value_name = "PATH", help_heading = "Rules")]
    pub(in crate::cli) rules: Vec<PathBuf>,

    /// Accepts any arguments, to refuse them without printing them.
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(in crate::cli) refused: Vec<OsString>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct RulesArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RulesCommand {
    /// List all rules.
    List {
        /// Add the rules of a .toml file or of a folder of them.
        #[arg(long = "rules", value_name = "PATH", help_heading = "Rules")]
        rules: Vec<PathBuf>,
    },
    /// Show one rule.
    Show {
        /// Id of the rule.
        #[arg(help_heading = "Rules")]
        id: String,
        /// Add the rules of a .toml file or of a folder of them.
        #[arg(long = "rules", value_name = "PATH", help_heading = "Rules")]
        rules: Vec<PathBuf>,
    },
    /// Check rules: generated samples verify, corrupted ones do not, published vectors match.
    Check {
        /// Rule file or folder; by default the built-in rules.
        #[arg(help_heading = "Rules")]
        path: Option<PathBuf>,
    },
}

/// Copy standard input to standard output and mask the tokens in it.
///
/// For logs and CI: `command 2>&1 | ddpatrol mask`. Every proven token is replaced by its prefix and `***`,
/// an encoded token by `***`; all other bytes are unchanged. Lines are passed on as soon as they are
/// complete, and an incomplete line as soon as no more input arrives, except for its last word and text that
/// may be the beginning of a token: lines of base64, for example, are passed on when the base64 ends.
///
/// A token in base64 within base64 of more than 8 MiB may be missed: a warning is printed. Exit codes: 0,
/// everything is copied; 1, a token was masked, with --fail; 2, an error occurred, or encoded text was too
/// long to be decoded.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct MaskArgs {
    /// Exit with code 1 if a token was masked.
    #[arg(long, help_heading = "Policy")]
    pub(in crate::cli) fail: bool,

    /// Also mask text that has the shape of a token, but no valid checksum.
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) shaped: bool,

    /// Add the rules of a .toml file or of a folder of them.
    #[arg(long = "rules", value_name = "PATH", help_heading = "Rules")]
    pub(in crate::cli) rules: Vec<PathBuf>,

    /// Use only the rule with this id; repeatable.
    #[arg(long = "rule", value_name = "ID", help_heading = "Rules")]
    pub(in crate::cli) only: Vec<String>,
}

/// Write a commented configuration, `.ddpatrol.toml`.
///
/// The file is written at the top of the repository, or in the current folder outside of a repository. Every
/// key is a commented example. Exit codes: 0, the file is written; 2, it exists or cannot be written.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct InitArgs {
    /// Replace an existing file.
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) force: bool,
}
