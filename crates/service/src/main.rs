//! The `ddpatrold` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ddpatrol_service::cli::run()
}
