//! The command line of `ddpatrold`: the only module that prints, reads the environment, or chooses
//! the exit code.

mod admin;
mod backup;
mod bulk;
mod database;
mod handover;
mod log;
mod lookup;
mod notify;
mod operator;
mod output;
mod serve;
mod serve_args;
mod values;
mod web;

use clap::{Parser, Subcommand};
use output::print_error;
use rustix::fs::Mode;
use std::process::ExitCode;

/// Issue, check, revoke and audit personal access tokens.
#[derive(Debug, Parser)]
#[command(name = "ddpatrold", version, about, max_term_width = 100)]
struct Cli {
    /// Format of the log and of messages on standard error
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        env = "DDPATROLD_LOG_FORMAT"
    )]
    log_format: log::LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(Box<serve_args::ServeArgs>),
    /// Manage users and tokens directly in the database
    Admin(admin::AdminArgs),
}

/// Returns `true` if the reader of a list has seen enough, such as `head`. An error with a context is one.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    error.chain().count() == 1
        && cause.is_some_and(|it| it.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Runs the command given by the process arguments.
#[must_use]
pub fn run() -> ExitCode {
    let args = match Cli::try_parse() {
        Ok(args) => args,
        Err(error) => {
            output::print_usage(&error);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // Databases, backups and files with secrets are for their owner alone.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    log::start(args.log_format);
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
        Err(error) if is_closed_pipe(&error) => ExitCode::from(2),
        Err(error) => {
            print_error(&chain(&error));
            ExitCode::from(2)
        }
    }
}

/// Returns an error with its causes, without those that its text contains already.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}
