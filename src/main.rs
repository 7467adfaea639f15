//! The `ddpatrol` program, which runs [`ddpatrol::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddpatrol::cli::main(std::env::args_os())
}
