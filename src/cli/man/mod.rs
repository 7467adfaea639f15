//! `ddpatrol man`: manual pages.
//!
//! Input: the name of a command. Output: its page, shown by the system's manual viewer on a terminal, else as
//! roff. The texts are in `sections`.

mod page;
mod sections;

use super::args::Args;
use super::exit::Exit;
use anyhow::{Context, bail};
use clap::{Command, CommandFactory};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::{self, Stdio};

pub(super) fn run(names: &[String]) -> anyhow::Result<Exit> {
    let command = find(names)?;
    let page = page::render(&command, names)?;
    if !io::stdout().is_terminal() {
        io::stdout().write_all(&page)?;
        return Ok(Exit::Clean);
    }
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let file = folder.path().join(format!("{}.1", page::title(names)));
    std::fs::write(&file, &page).context("cannot write the manual page")?;
    if !is_shown(&file) {
        page_text(command)?;
    }
    Ok(Exit::Clean)
}

/// Returns the command that `names` lead to.
fn find(names: &[String]) -> anyhow::Result<Command> {
    let mut command = Args::command();
    command.build();
    for (at, name) in names.iter().enumerate() {
        command = match command.find_subcommand(name) {
            Some(sub) => sub.clone(),
            None => {
                let name = names[..=at].join(" ");
                bail!("unknown command `{name}`; `ddpatrol help` lists the commands")
            }
        };
    }
    Ok(command)
}

/// Shows a page with the manual viewer of the system. A path with a slash is a file for every `man`.
fn is_shown(page: &Path) -> bool {
    let man = process::Command::new("man").arg(page).stderr(Stdio::null()).status();
    if man.is_ok_and(|status| status.success()) {
        return true;
    }
    let mandoc = process::Command::new("mandoc").arg("-l").arg(page).stderr(Stdio::null()).status();
    mandoc.is_ok_and(|status| status.success())
}

/// Shows the help of a command with the user's pager, or without one.
fn page_text(mut command: Command) -> anyhow::Result<()> {
    let text = command.render_long_help().to_string();
    let named = std::env::var("PAGER").ok().filter(|name| !name.trim().is_empty());
    let pager = named.unwrap_or_else(|| "less".to_owned());
    let mut words = pager.split_whitespace();
    let program = words.next().unwrap_or("less");
    let child = process::Command::new(program).args(words).stdin(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        io::stdout().write_all(text.as_bytes())?;
        return Ok(());
    };
    if let Some(mut input) = child.stdin.take() {
        // The user may leave the pager before its end.
        let _ = input.write_all(text.as_bytes());
    }
    child.wait().context("cannot wait for the pager")?;
    Ok(())
}
