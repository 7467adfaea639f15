//! The command line: the only place that prints, reads the environment, or decides the exit code.
//!
//! One file per command. Every message passes the redactor and is escaped for the terminal.

mod args;
mod baseline;
mod changes;
mod check;
mod decide;
mod hook;
mod output;
mod progress;
mod respond;
mod rules;
mod saved;
mod scan;
mod session;
mod signals;
mod staged_paths;

use crate::detect::Detector;
use crate::redact::Redactor;
use crate::regular::Links;
use crate::report::escape;
use crate::rules::RuleSet;
use anyhow::Context;
use args::{Args, Command};
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

/// The gate that all messages pass; it knows the rules that the user added, once they are loaded.
static GATE: OnceLock<Redactor> = OnceLock::new();

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Everything was looked at, and nothing speaks against it.
    Good,
    /// Findings at the fail level, or a token that is none.
    Found,
    /// Something failed, or was not looked at.
    Failed,
    /// Interrupted by the user.
    Interrupted,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Found => 1,
            Self::Failed => 2,
            Self::Interrupted => 130,
        }
    }
}

/// Runs the command that `args` name, the program's own name first, and returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => return ExitCode::from(refuse(&error)),
    };
    let exit = run(args.command).unwrap_or_else(|error| {
        if is_closed_pipe(&error) {
            return Exit::Good;
        }
        if signals::was_interrupted() {
            // The programs that were asked for an answer were stopped, so the error says nothing.
            return Exit::Interrupted;
        }
        complain(&format!("{error:#}"));
        Exit::Failed
    });
    ExitCode::from(exit.code())
}

fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Scan(args) => scan::run(&args),
        Command::Staged(args) => changes::staged(&args),
        Command::Range(args) => changes::range(&args),
        Command::Revoke(args) => respond::run(&args),
        Command::Report(args) => saved::report(&args),
        Command::Diff(args) => saved::diff(&args),
        Command::Baseline(args) => baseline::run(args),
        Command::Hook(args) => hook::run(&args),
        Command::PrePush(args) => hook::pre_push(&args),
        Command::PreReceive(args) => hook::pre_receive(&args),
        Command::CommitMsg(args) => hook::commit_msg(&args),
        Command::Check(args) => check::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "ddpatrol", &mut script);
            io::stdout().write_all(&script)?;
            Ok(Exit::Good)
        }
        Command::Man { command } => {
            let mut page = Vec::new();
            args::man_page(&command, &mut page)?;
            io::stdout().write_all(&page)?;
            Ok(Exit::Good)
        }
    }
}

/// Prints what the arguments got wrong, or the help that they asked for.
fn refuse(error: &clap::Error) -> u8 {
    use clap::error::ErrorKind;
    let code = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Good,
        _ => Exit::Failed,
    };
    if code == Exit::Good {
        // Help quotes nothing; a closed pipe is no error.
        let _ = error.print();
    } else {
        let text = error.render().to_string();
        let lines: Vec<String> = text.lines().map(clean).collect();
        let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
    }
    code.code()
}

/// Tells whether an error only means that nobody reads the output any more.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(|it| it.io_error_kind());
        io.or(json) == Some(io::ErrorKind::BrokenPipe)
    })
}

/// Prints a message to standard error, masked and escaped.
fn complain(message: &str) {
    // There is nobody left to tell if standard error is closed.
    let _ = writeln!(io::stderr(), "ddpatrol: {}", clean(message));
}

/// Prints a line to standard output, masked and escaped.
fn say(message: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", clean(message))
}

/// Masks and escapes text for a terminal.
fn clean(text: &str) -> String {
    let masked = match GATE.get() {
        Some(gate) => Some(gate.clean(text.as_bytes())),
        None => builtin_redactor().map(|redactor| redactor.clean(text.as_bytes())),
    };
    masked.map_or_else(
        // Without a gate nothing may pass.
        || "an error that cannot be shown: the built-in rules are broken".to_owned(),
        |masked| escape::terminal(&masked.text()).into_owned(),
    )
}

fn builtin_redactor() -> Option<Redactor> {
    let rules = RuleSet::builtin().ok()?;
    Detector::new(Arc::new(rules)).ok().map(Redactor::new)
}

/// Compiles the built-in rules and those that the user added.
fn load_rules(paths: &[std::path::PathBuf]) -> anyhow::Result<RuleSet> {
    let mut rules = RuleSet::builtin().context("the built-in rules are broken")?;
    for path in paths {
        rules.add_path(path, Links::Follow)?;
    }
    Ok(rules)
}
