//! The command line of `ddpatrold`: the only place that prints, reads the environment, or decides
//! the exit code.

mod admin;
mod database;
mod output;
mod serve;

use clap::{Parser, Subcommand};
use output::say;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// What is logged unless `RUST_LOG` says otherwise.
const LOGGED: &str = "info,sqlx=warn";

/// Issues, checks, revokes and audits personal access tokens.
#[derive(Debug, Parser)]
#[command(name = "ddpatrold", version, about, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service
    Serve(serve::Args),
    /// Manages people and tokens, directly on the database
    Admin(admin::Args),
}

/// Runs the command that the process' arguments name.
#[must_use]
pub fn run() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // A failure to print the usage cannot be reported.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match args.command {
                Command::Serve(args) => serve::serve(args).await,
                Command::Admin(args) => admin::admin(args).await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}
