//! Output of the program: results on standard output, messages on standard error. Does not choose
//! the exit code or write the log.

use super::log::{LogFormat, format};
use crate::redact::{holds_token, redact};
use std::io::{self, Write as _};

/// Prints a redacted message for the operator on standard error.
pub(super) fn print_message(text: &str) {
    print("INFO", text);
}

/// Prints a redacted error for the operator on standard error.
pub(super) fn print_error(text: &str) {
    print("ERROR", text);
}

/// Prints the help, or an error of the arguments, which may contain a token.
pub(super) fn print_usage(error: &clap::Error) {
    let text = error.render().to_string();
    if error.use_stderr() && holds_token(&text) {
        let _ = write!(io::stderr(), "{}", redact(&text));
    } else {
        // A failure to print cannot be reported.
        let _ = error.print();
    }
}

/// Prints a line in the format of the log.
fn print(level: &str, text: &str) {
    let text = redact(text);
    let line = match format() {
        LogFormat::Text => format!("ddpatrold: {text}"),
        LogFormat::Json => {
            let timestamp = crate::clock::wall().to_string();
            serde_json::json!({"timestamp": timestamp, "level": level, "message": text, "target": "ddpatrold"})
                .to_string()
        }
    };
    // A failure to write to standard error cannot be reported.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints a line on standard output.
pub(super) fn print_line(line: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line)?;
    out.write_all(b"\n")?;
    out.flush()
}
