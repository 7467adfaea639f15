//! The command line of `ddpatrold`: the only module that prints, reads the environment, or chooses
//! the exit code.

mod admin;
mod bulk;
mod database;
mod lookup;
mod output;
mod serve;

use clap::{Parser, Subcommand};
use output::print_message;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// The log filter unless `RUST_LOG` is set.
const LOG_FILTER: &str = "info,sqlx=warn";

/// Issue, check, revoke and audit personal access tokens.
#[derive(Debug, Parser)]
#[command(name = "ddpatrold", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(Box<serve::ServeArgs>),
    /// Manage users and tokens directly in the database
    Admin(admin::AdminArgs),
}

/// Runs the command given by the process arguments.
#[must_use]
pub fn run() -> ExitCode {
    let args = match Cli::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // A failure to print the usage cannot be reported.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match args.command {
                Command::Serve(args) => serve::serve(*args).await,
                Command::Admin(args) => admin::admin(args).await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_message(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}
