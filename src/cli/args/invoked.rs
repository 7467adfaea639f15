//! Parses the commands that hooks and scripts run often, without building the parsers of all others.
//!
//! Input: the words of the command line. Output: the command. Whatever these parsers do not accept, such as
//! a request for help, is left to the parser of the whole program, which words the messages.

use super::{Args, Command};
use clap::Parser;
use std::ffi::OsString;

/// Parses the words of the command line, which begin with the program's name.
///
/// # Errors
/// The error of the parser of the whole program.
pub(in crate::cli) fn parse(words: &[OsString]) -> Result<Command, clap::Error> {
    match parse_frequent(words) {
        Some(command) => Ok(command),
        None => Args::try_parse_from(words).map(|args| args.command),
    }
}

/// Parses a frequent command; returns `None` for another one or invalid arguments.
fn parse_frequent(words: &[OsString]) -> Option<Command> {
    let words = words.get(1..)?;
    match words.first()?.to_str()? {
        "scan" => arguments(words).map(Command::Scan),
        "staged" => arguments(words).map(Command::Staged),
        "range" => arguments(words).map(Command::Range),
        "pre-push" => arguments(words).map(Command::PrePush),
        "pre-receive" => arguments(words).map(Command::PreReceive),
        "commit-msg" => arguments(words).map(Command::CommitMsg),
        _ => None,
    }
}

fn arguments<A: clap::Args>(words: &[OsString]) -> Option<A> {
    let command = clap::Command::new("ddpatrol").disable_help_flag(true);
    let matches = A::augment_args(command).try_get_matches_from(words).ok()?;
    A::from_arg_matches(&matches).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMANDS: [&str; 6] =
        ["scan", "staged", "range", "pre-push", "pre-receive", "commit-msg"];

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn both_parsers_read_the_same_arguments() {
        let options = [
            "",
            " a b",
            " --strict --threads 2 --report json=a.json --report text",
            " --no-config --show-shaped -q",
            " --max-archive-depth -1",
            " --threads none",
            " -- --strict -h",
            " --unknown",
            " --help",
            " -h a",
        ];
        let mut accepted = 0;
        for command in COMMANDS {
            for options in options {
                let words = words(&format!("ddpatrol {command}{options}"));
                let whole = Args::try_parse_from(&words).map(|args| format!("{:?}", args.command));
                let frequent = parse_frequent(&words).map(|command| format!("{command:?}"));
                accepted += usize::from(frequent.is_some());
                assert_eq!(frequent, whole.ok(), "{words:?}");
            }
        }
        assert!(accepted > 2 * COMMANDS.len(), "{accepted}");
    }

    #[test]
    fn other_commands_are_left_to_the_parser_of_the_program() {
        for line in ["ddpatrol", "ddpatrol rules list", "ddpatrol --version", "ddpatrol scam"] {
            assert!(parse_frequent(&words(line)).is_none(), "{line}");
        }
    }
}
