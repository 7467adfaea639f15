//! The command line: the only place that prints, reads the environment, or decides the exit code.
//!
//! One file per command. Every message is redacted and escaped for the terminal.

mod answers;
mod args;
mod baseline;
mod changes;
mod check;
mod clean;
mod consent;
mod exit;
mod hidden_prompt;
mod hook;
mod init;
mod known_verdicts;
mod man;
mod mask;
mod messages;
mod next_steps;
mod output;
mod policy;
mod progress;
mod revocations;
mod revoke;
mod rule_files;
mod rules;
mod saved;
mod scan;
mod scan_run;
mod signals;
mod staged_paths;
mod sweep;
mod terminal;
mod urls;
mod usage;
mod verify;

use args::{Args, Command};
use clap::CommandFactory;
use exit::{Exit, is_closed_pipe};
use messages::print_error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// The help for a user who types the name of the program only.
const FIRST_STEPS: &str = "\
ddpatrol finds leaked access tokens and proves, offline, that they are real.

  ddpatrol scan           scan this folder, and the whole history if it is a git repository
  ddpatrol hook install   stop tokens before they are committed
  ddpatrol scan --verify  also ask the issuers which of the tokens are live

`ddpatrol --help` lists all commands, `ddpatrol COMMAND -h` the options of one.
";

/// Runs the command given by `args`, which begin with the program's name, and returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = args.into_iter().collect();
    if words.len() < 2 {
        // Nothing can be reported if standard error is closed.
        let _ = io::stderr().write_all(FIRST_STEPS.as_bytes());
        return ExitCode::from(Exit::Failed.code());
    }
    let command = match args::parse(&words) {
        Ok(command) => command,
        Err(error) => {
            return ExitCode::from(usage::print(error, words.get(1..).unwrap_or_default()));
        }
    };
    let exit = run(command, words.get(1..).unwrap_or_default()).unwrap_or_else(|error| {
        if is_closed_pipe(&error) {
            return Exit::Clean;
        }
        if signals::was_interrupted() {
            // Child processes were stopped, so the error is only a consequence.
            return Exit::Interrupted;
        }
        print_error(&format!("{error:#}"));
        Exit::Failed
    });
    ExitCode::from(exit.code())
}

/// Runs a command; `words` are the arguments that it was parsed from.
fn run(command: Command, words: &[OsString]) -> anyhow::Result<Exit> {
    match command {
        Command::Scan(args) => scan::run(&args, words),
        Command::Staged(args) => changes::staged(&args),
        Command::Range(args) => changes::range(&args, words),
        Command::Revoke(args) => revoke::run(&args),
        Command::Clean(args) => clean::run(&args),
        Command::CleanFilter(args) => clean::filter(&args),
        Command::Report(args) => saved::report(&args),
        Command::Diff(args) => saved::diff(&args),
        Command::Baseline(args) => baseline::run(args),
        Command::Hook(args) => hook::run(&args),
        Command::PrePush(args) => hook::pre_push(&args),
        Command::PreReceive(args) => hook::pre_receive(&args),
        Command::CommitMsg(args) => hook::commit_msg(&args),
        Command::Check(args) => check::run(&args),
        Command::Mask(args) => mask::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "ddpatrol", &mut script);
            io::stdout().write_all(&script)?;
            Ok(Exit::Clean)
        }
        Command::Man { command } => man::run(&command),
    }
}
