//! The `ddpatrol-sweep` program, which runs [`ddpatrol_sweep::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddpatrol_sweep::cli::main(std::env::args_os())
}
