//! The command line that has an error, as far as it can be understood.
//!
//! Input: the arguments. Output: the command, and the words after it. Parses no options.

use crate::cli::args::Args;
use crate::report::shell::quote;
use clap::{Command, CommandFactory};
use std::ffi::OsString;

/// The arguments after the name of the program.
pub(super) struct GivenLine {
    /// The parser of the whole program.
    pub(super) program: Command,
    /// The command that the first words name, such as `hook install`; empty if they name none.
    pub(super) command: Vec<String>,
    /// The words after the command.
    pub(super) rest: Vec<String>,
}

impl GivenLine {
    pub(super) fn new(words: &[OsString]) -> Self {
        let mut program = Args::command();
        program.build();
        let mut rest: Vec<String> =
            words.iter().map(|it| it.to_string_lossy().into_owned()).collect();
        let mut command = Vec::new();
        let mut current = &program;
        while let Some(next) = rest.first().and_then(|word| current.find_subcommand(word)) {
            current = next;
            command.push(rest.remove(0));
        }
        Self { program, command, rest }
    }

    /// Returns the first word of the command, or an empty text.
    pub(super) fn name(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// Returns the first word that is not valid text; other bytes are replaced.
    pub(super) fn not_text(&self) -> Option<&str> {
        let is_replaced = |word: &&String| word.contains(char::REPLACEMENT_CHARACTER);
        self.rest.iter().find(is_replaced).map(String::as_str)
    }

    /// Returns the words after the command, quoted for a shell.
    pub(super) fn quoted_rest(&self) -> String {
        let words: Vec<String> = self.rest.iter().map(|word| quote_word(word)).collect();
        words.join(" ")
    }
}

/// Quotes a word for a shell, if necessary. Options need no quotes.
pub(super) fn quote_word(word: &str) -> String {
    let name = word.trim_start_matches('-');
    if word.starts_with('-') && (name.is_empty() || quote(name) == name) {
        return word.to_owned();
    }
    quote(word)
}
