//! Signals: the first one interrupts the run of this process, the second one ends the process.
//!
//! Output: the run that workers poll. Reports are written by the commands, not here.

use super::exit::Exit;
use super::messages::print_error;
use crate::report_file::remove_temporary;
use crate::source::Run;
use crate::source::git::repo::stop_programs;
use anyhow::Context;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The run of this process.
static RUN: OnceLock<Arc<Run>> = OnceLock::new();

/// Returns the run of this process, which the first signal interrupts. The first call starts it.
pub(super) fn begin() -> anyhow::Result<Arc<Run>> {
    if let Some(run) = RUN.get() {
        return Ok(Arc::clone(run));
    }
    let run = RUN.get_or_init(Arc::default);
    stop_on_signal(run)?;
    Ok(Arc::clone(run))
}

/// Returns `true` if the user interrupted the command.
pub(super) fn was_interrupted() -> bool {
    RUN.get().is_some_and(|run| run.is_interrupted())
}

/// The time that workers have to stop after the first signal. A worker that is blocked in a system
/// call (a network file system, a stuck device) does not stop by itself.
const PATIENCE: Duration = Duration::from_millis(900);

/// Handles SIGINT, SIGTERM and SIGHUP: the first stops the workers, and partial reports are written;
/// the second ends the process at once.
fn stop_on_signal(run: &Arc<Run>) -> anyhow::Result<()> {
    let run = Arc::clone(run);
    ctrlc::set_handler(move || {
        if run.is_interrupted() {
            quit();
        }
        run.interrupt();
        stop_programs();
        let run = Arc::clone(&run);
        std::thread::spawn(move || quit_unless_finished(&run));
    })
    .context("cannot handle signals")
}

/// Ends the process if its workers have not stopped after [`PATIENCE`].
///
/// On a busy machine they may not have had enough processor time. The processor time that the process
/// used shows this: a blocked process uses none, a process that keeps computing uses all of it.
fn quit_unless_finished(run: &Run) {
    for _ in 0..MAX_EXTENSIONS {
        let before = processor_time();
        std::thread::sleep(PATIENCE);
        if run.is_finished() {
            return;
        }
        let used = processor_time().saturating_sub(before);
        if used < PATIENCE / 20 || used > PATIENCE / 2 {
            break;
        }
    }
    print_error("interrupted, but a worker did not stop: no report is written");
    quit();
}

/// How often [`PATIENCE`] is granted to a process that gets little processor time.
const MAX_EXTENSIONS: usize = 10;

/// Returns the processor time that all threads of this process have used.
#[cfg(unix)]
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns zero: the time is unknown on this platform, so a process counts as blocked.
#[cfg(not(unix))]
fn processor_time() -> Duration {
    Duration::ZERO
}

/// Ends the process without reports.
fn quit() -> ! {
    stop_programs();
    remove_temporary();
    #[expect(clippy::exit, reason = "workers that do not stop cannot be waited for")]
    std::process::exit(i32::from(Exit::Interrupted.code()));
}
