//! Messages to the user. Each is redacted and escaped for the terminal.

use crate::detect::Detector;
use crate::redact::Redactor;
use crate::report::escape;
use crate::rules::{self, RuleSet};
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

/// The redactor of all messages. It includes the user's rules once they are loaded.
pub(in crate::cli) static MESSAGE_REDACTOR: OnceLock<Redactor> = OnceLock::new();

/// Prints a message to standard error, redacted and escaped.
pub(in crate::cli) fn print_error(message: &str) {
    // Nothing can be reported if standard error is closed.
    let _ = writeln!(io::stderr(), "ddpatrol: {}", clean(message));
}

/// Prints a line to standard output, redacted and escaped.
pub(in crate::cli) fn print_line(message: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", clean(message))
}

/// Prints a line to standard error without the name of the program, redacted and escaped.
pub(in crate::cli) fn print_note(line: &str) {
    // Nothing can be reported if standard error is closed.
    let _ = writeln!(io::stderr(), "{}", clean(line));
}

/// Redacts text and escapes it for a terminal.
pub(in crate::cli) fn clean(text: &str) -> String {
    let masked = match MESSAGE_REDACTOR.get() {
        Some(redactor) => Some(redactor.clean(text.as_bytes())),
        None => builtin_redactor().map(|redactor| redactor.clean(text.as_bytes())),
    };
    masked.map_or_else(
        // Without a redactor no text may be printed.
        || {
            "error message withheld: the built-in rules are invalid, so it cannot be redacted"
                .to_owned()
        },
        |masked| escape::terminal(&masked.text()).into_owned(),
    )
}

/// Returns a redactor with the built-in rules; `None` if they are invalid.
fn builtin_redactor() -> Option<Redactor> {
    let rules = rules::builtin().ok()?;
    Detector::new(Arc::new(rules)).ok().map(Redactor::new)
}

/// Installs a redactor with these rules for all messages, unless one is installed already; returns the
/// installed one.
pub(in crate::cli) fn install_redactor(rules: &Arc<RuleSet>) -> anyhow::Result<&'static Redactor> {
    let redactor = Redactor::new(Detector::new(Arc::clone(rules))?);
    Ok(MESSAGE_REDACTOR.get_or_init(|| redactor))
}
