//! `sweep`: runs the program `ddpatrol-sweep`, as `git` and `cargo` run external commands.
//!
//! The program is separate because it needs an async runtime and clients of object stores. Every package of ddpatrol
//! for Linux and macOS contains it, except the container image, which has no git.

use super::args::SweepArgs;
use super::exit::Exit;
use anyhow::{Context, bail};
use std::path::PathBuf;
use std::process::Command;

const NAME: &str = "ddpatrol-sweep";

/// Replaces this process with `ddpatrol-sweep`.
pub(super) fn run(args: &SweepArgs) -> anyhow::Result<Exit> {
    let Some(program) = find() else { bail!("{}", missing()) };
    let mut command = Command::new(&program);
    command.args(&args.words);
    start(command).with_context(|| format!("cannot run `{}`", program.display()))
}

#[cfg(unix)]
fn start(mut command: Command) -> std::io::Result<Exit> {
    use std::os::unix::process::CommandExt;
    // It returns only if the program cannot be run.
    Err(command.exec())
}

#[cfg(not(unix))]
fn start(mut command: Command) -> std::io::Result<Exit> {
    Ok(match command.status()?.code() {
        Some(0) => Exit::Clean,
        Some(130) => Exit::Interrupted,
        _ => Exit::Failed,
    })
}

/// Explains how to install the program.
fn missing() -> String {
    if cfg!(windows) {
        return "sweeps are not available on Windows: use Linux or macOS".to_owned();
    }
    format!(
        "the program `{NAME}` is neither beside this program nor in the search path: the packages of ddpatrol \
         contain it, except the container image: use `ghcr.io/ddpatrol/{NAME}`; from source, it is installed with \
         `cargo install --locked --git https://github.com/ddpatrol/ddpatrol {NAME}`"
    )
}

/// Returns the program beside this one, else the one in the search path.
fn find() -> Option<PathBuf> {
    let file = format!("{NAME}{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(&file));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).map(|folder| folder.join(&file)).collect::<Vec<_>>();
    beside.into_iter().chain(others).find(|it| it.is_file())
}
