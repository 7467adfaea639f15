//! Errors in the arguments, with tips that correct common mistakes.
//!
//! Input: an error of the argument parser and the arguments. Output: its message on standard error, redacted,
//! with a command that does what was probably intended. [`paths`] does the same for paths that do not exist.

mod commands;
mod line;
mod options;
pub(super) mod paths;
mod values;

use super::exit::Exit;
use super::messages::clean;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use line::GivenLine;
use std::ffi::OsString;
use std::io::{self, Write};

/// Prints an error in the arguments, or the requested help; returns the exit code. `words` are the arguments
/// after the name of the program.
pub(super) fn print(mut error: clap::Error, words: &[OsString]) -> u8 {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Help contains no user input, so it needs no redaction; a closed pipe is not an error.
        let _ = error.print();
        return Exit::Clean.code();
    }
    add_tip(&mut error, &GivenLine::new(words));
    let text = error.render().to_string();
    let lines: Vec<String> = text.lines().map(clean).collect();
    // Nothing can be reported if standard error is closed.
    let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
    Exit::Failed.code()
}

/// Replaces the parser's suggestions, which compare spellings only, if a better one is known.
fn add_tip(error: &mut clap::Error, line: &GivenLine) {
    let string = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (argument, value) = (string(ContextKind::InvalidArg), string(ContextKind::InvalidValue));
    let tip = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            commands::tip(&string(ContextKind::InvalidSubcommand), line)
        }
        ErrorKind::UnknownArgument => options::tip(&argument, line),
        ErrorKind::MissingRequiredArgument => commands::missing(line),
        ErrorKind::InvalidValue if value.is_empty() => values::missing(&argument),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => values::tip(&argument, &value),
        ErrorKind::InvalidUtf8 => values::not_text(line),
        ErrorKind::TooManyValues => values::superfluous(&argument, &value),
        _ => None,
    };
    if let Some(tip) = tip {
        for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
            error.remove(kind);
        }
        error.remove(ContextKind::Usage);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    } else if argument.starts_with('-') {
        // "To pass it as a value" is not a mistake that users make.
        error.remove(ContextKind::Suggested);
    }
}
