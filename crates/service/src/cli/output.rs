//! Output of the program: results on standard output, messages on standard error. Does not choose
//! the exit code or write the log.

use std::io::{self, Write as _};

/// Prints a redacted message for the operator on standard error.
pub(super) fn print_message(text: &str) {
    // A failure to write to standard error cannot be reported.
    let _ = writeln!(io::stderr(), "ddpatrold: {}", crate::redact::redact(text));
}

/// Prints a line on standard output.
pub(super) fn print_line(line: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line)?;
    out.write_all(b"\n")?;
    out.flush()
}
