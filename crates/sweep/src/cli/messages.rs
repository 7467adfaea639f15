//! Messages to the user. Each is redacted, and escaped for the terminal.

use crate::cli::setup;
use ddpatrol::redact::Redactor;
use ddpatrol::report::escape::terminal;
use std::io::{self, Write};
use std::sync::OnceLock;

/// Prints an error with its causes to standard error.
pub(super) fn print_error(error: &anyhow::Error) {
    print_note(&format!("ddpatrol-sweep: {error:#}"));
}

/// Prints the help, or an error of the arguments, which may contain a token.
pub(super) fn print_usage(error: &clap::Error) {
    if !error.use_stderr() {
        // Nothing can be reported if the output is closed.
        let _ = error.print();
        return;
    }
    for line in error.render().to_string().lines() {
        print_note(line);
    }
}

/// Prints a line to standard error.
pub(super) fn print_note(line: &str) {
    // Nothing can be reported if standard error is closed.
    let _ = writeln!(io::stderr(), "{}", clean(line));
}

/// Prints a line to standard output.
pub(super) fn print_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", clean(line))
}

/// The redactor of all messages; `None` if the built-in rules are invalid.
static REDACTOR: OnceLock<Option<Redactor>> = OnceLock::new();

fn clean(text: &str) -> String {
    let Some(redactor) = REDACTOR.get_or_init(|| setup::redactor().ok()) else {
        return "message withheld: the built-in rules are invalid, so it cannot be redacted"
            .to_owned();
    };
    terminal(&redactor.clean(text.as_bytes()).text()).into_owned()
}
