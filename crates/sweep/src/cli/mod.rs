//! The command line: the only place that prints, reads the environment, or decides the exit code.

mod args;
mod exit;
mod issuer_args;
mod list;
mod list_args;
mod messages;
mod report;
mod run;
mod setup;
mod signals;
mod status;
mod task;
mod values;
mod verify_args;

use args::{Arguments, Command};
use clap::Parser;
use exit::Exit;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command given by `args`, which begin with the program's name, and returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            messages::print_usage(&error);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // Fails only if a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::new).and_then(|runtime| {
        runtime.block_on(async {
            match arguments.command {
                Command::List(args) => list::run(args).await,
                Command::Run(args) => run::run(args).await,
                Command::Task(args) => task::run(args).await,
                Command::Status(args) => status::run(args).await,
                Command::Report(args) => report::run(args).await,
            }
        })
    });
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            messages::print_error(&error);
            Exit::Incomplete.into()
        }
    }
}
