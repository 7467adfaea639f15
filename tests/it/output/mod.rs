//! Snapshots of all output of the program: help, manual pages, reports and error messages.
//!
//! A change of wording or layout appears as a reviewed diff of a file in `snapshots/`. Review with
//! `cargo insta review`, or run with `INSTA_UPDATE=always` and read the diff.

mod errors;
mod fixture;
mod help;
mod init;
mod mistakes;
mod reports;
mod terminal;
mod token_formats;

use crate::support::tree::RunOutput;
use std::path::Path;

/// Asserts that a text equals its snapshot. Replaces text that differs between runs: the
/// temporary folder, the version, and durations.
#[track_caller]
fn assert_text(name: &str, folder: &Path, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    let canonical = folder.canonicalize().expect("the folder exists");
    for path in [canonical.as_path(), folder] {
        settings.add_filter(&regex_of(path), "[TMP]");
    }
    settings.add_filter(r"\b\d+(\.\d+)? (ms|s)\b", "[TIME]");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "[NOW]");
    settings.add_filter(
        &format!(r"\b{}\b", env!("CARGO_PKG_VERSION").replace('.', r"\.")),
        "[VERSION]",
    );
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Asserts the exit code and the output of a command.
#[track_caller]
fn assert_ran(name: &str, folder: &Path, ran: &RunOutput) {
    let code = ran.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
    let text = format!(
        "exit code: {code}\n----- standard output -----\n{}\n----- standard error -----\n{}",
        ran.stdout(),
        ran.stderr()
    );
    assert_text(name, folder, &text);
}

/// Escapes a path for a regular expression.
fn regex_of(path: &Path) -> String {
    let text = path.to_str().expect("temporary folders have UTF-8 names");
    text.chars()
        .flat_map(|c| if c.is_ascii_punctuation() { vec!['\\', c] } else { vec![c] })
        .collect()
}
