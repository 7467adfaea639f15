//! The arguments of the commands that scan no files: `check`, `mask`, `init`, `sweep` and
//! `rules`.

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

/// Write a rule file for a token format of your own.
///
/// Asks for what the options do not give, if standard input is a terminal. Sample tokens are not shown and not
/// written: they show which checksum the format has. The vector of the file is minted from the description,
/// unless you choose a token that is revoked. At the end the file is checked as by `rules check`.
///
/// Exit codes: 0, the file is written and its rule is valid; 2, an error occurred.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Rules")]
pub(in crate::cli) struct NewRuleArgs {
    /// File to write; by default `ID.toml`.
    #[arg(value_name = "FILE", help_heading = "Output")]
    pub(in crate::cli) file: Option<PathBuf>,

    /// Replace an existing file.
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) force: bool,

    /// Id of the rule, such as `example-key`.
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) id: Option<String>,

    /// Name of the tokens in reports; by default `ISSUER Token`.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,

    /// Issuer of the tokens.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) issuer: Option<String>,

    /// Characters that every token begins with, such as `exk_`.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(in crate::cli) prefix: Option<String>,

    /// Alphabet of the secret part: base62, hex or another of rule files, or a class such as `[A-Za-z0-9-]`.
    #[arg(long, value_name = "ALPHABET")]
    pub(in crate::cli) alphabet: Option<String>,

    /// Length of the secret part in characters; repeatable.
    #[arg(long = "length", value_name = "N")]
    pub(in crate::cli) lengths: Vec<usize>,

    /// Checksum after the secret part: none, crc32 or sha256.
    #[arg(long, value_name = "ALGORITHM")]
    pub(in crate::cli) checksum: Option<String>,

    /// Encoding of the checksum; by default base62.
    #[arg(long, value_name = "ENCODING")]
    pub(in crate::cli) encoding: Option<String>,

    /// Length of the checksum in characters; by default that of its encoding.
    #[arg(long, value_name = "N")]
    pub(in crate::cli) checksum_length: Option<usize>,

    /// Characters between the secret part and the checksum.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(in crate::cli) separator: Option<String>,

    /// Part that the checksum covers: secret, prefix-and-secret or all.
    ///
    /// `all` is everything before the checksum, with the separator. By default `secret`.
    #[arg(long, value_name = "PART")]
    pub(in crate::cli) over: Option<String>,

    /// Read sample tokens from standard input, one per line, and find the checksum that verifies them.
    #[arg(long, conflicts_with_all = ["alphabet", "lengths", "checksum", "encoding", "checksum_length", "separator", "over"])]
    pub(in crate::cli) samples: bool,

    /// Write the first sample into the file: it must be revoked.
    ///
    /// By default the file contains a token that is minted from the description.
    #[arg(long, requires = "samples")]
    pub(in crate::cli) revoked_sample: bool,
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
    New(Box<NewRuleArgs>),
}

/// Copy standard input to standard output and mask the tokens in it.
///
/// For logs and CI: `command 2>&1 | ddpatrol mask`. Every proven token is replaced by its prefix and `***`,
/// an encoded token by `***`; all other bytes are unchanged. Lines are passed on as soon as they are
/// complete, and an incomplete line as soon as no more input arrives, except for its last word and text that
/// may be the beginning of a token: lines of base64, for example, are passed on when the base64 ends.
///
/// Base64 of text, gzip or zlib is decoded and searched, too. If it has more than 8 MiB or takes too much work
/// to decode, it is replaced by `***` as a whole, with a message on standard error. Exit codes: 0, only tokens
/// were replaced; 1, a token was masked, with --fail; 2, an error occurred, or base64 was too long.
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

    /// Also use the rules of this group, such as `private-keys`; repeatable.
    #[arg(long = "rule-group", value_name = "NAME", help_heading = "Rules")]
    pub(in crate::cli) groups: Vec<String>,
}

/// Scan thousands of repositories, resumable, with one report.
///
/// Runs the program `ddpatrol-sweep`, which the packages for Linux and macOS contain: `ddpatrol sweep run
/// --help` is `ddpatrol-sweep run --help`. Exits with the exit code of that program, or with 2 if it is not
/// installed.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct SweepArgs {
    /// Arguments of `ddpatrol-sweep`: a command (`run`, `status`, `report`, …) and its options.
    #[arg(
        value_name = "ARGUMENT",
        help_heading = "Input",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true
    )]
    pub(in crate::cli) words: Vec<OsString>,
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
