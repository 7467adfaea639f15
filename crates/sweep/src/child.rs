//! Child processes with limits on time and memory.
//!
//! Each child is the leader of a process group, so that the whole group can be killed, and so that Ctrl-C in
//! the terminal reaches the sweep only.

use anyhow::Context;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use std::fs::File;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// Maximum size of the error output that is kept, in bytes.
const MAX_ERRORS: usize = 1 << 14;

/// Limits of a child.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When the child is killed.
    pub deadline: Instant,
    /// Maximum private memory in bytes; `None` for no limit.
    pub memory: Option<u64>,
}

impl Limits {
    /// Creates limits that end `timeout` from now.
    pub fn new(timeout: Duration, memory: Option<u64>) -> Self {
        Self { deadline: Instant::now() + timeout, memory }
    }
}

/// The end of a child.
#[derive(Debug)]
pub enum Ended {
    /// It ended by itself, or was killed by somebody else.
    Exited {
        /// How.
        status: ExitStatus,
        /// Its standard output.
        output: Vec<u8>,
        /// The last part of its standard error.
        errors: String,
    },
    /// The deadline passed, and it was killed.
    TimedOut,
}

/// Runs `command` until its end or its deadline. `lock` becomes its standard input: while the child is alive, a
/// lock on that file is held, even if this process is killed.
///
/// # Errors
/// Returns an error if the program cannot be started.
pub async fn run(
    mut command: Command,
    limits: Limits,
    lock: Option<&File>,
) -> anyhow::Result<Ended> {
    let stdin = match lock {
        Some(lock) => Stdio::from(lock.try_clone().context("cannot duplicate a lock")?),
        None => Stdio::null(),
    };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("cannot run `{program}`"))?;
    let mut group = Group::of(&child);
    group.limit_memory(limits.memory);
    let output = child.stdout.take();
    let errors = child.stderr.take();
    let ended = async {
        let (output, errors) = tokio::join!(read_all(output), read_tail(errors));
        let status = child.wait().await.context("cannot wait for a child process")?;
        anyhow::Ok(Ended::Exited { status, output, errors })
    };
    match tokio::time::timeout_at(limits.deadline, ended).await {
        Ok(ended) => {
            // The id of the group may belong to another process by now.
            group.0 = None;
            ended
        }
        Err(_) => Ok(Ended::TimedOut),
    }
}

/// The process group of a child; killed when it is dropped before the child has ended.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    /// Limits the private memory of the child and of the processes that it starts.
    fn limit_memory(&self, bytes: Option<u64>) {
        #[cfg(target_os = "linux")]
        if let (Some(child), Some(bytes)) = (self.0, bytes) {
            let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
            // The child may have ended already.
            let _ = rustix::process::prlimit(Some(child), Resource::Data, limit);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = bytes;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It fails if no process of the group is left.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

async fn read_all(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut content = Vec::new();
    if let Some(mut pipe) = pipe {
        // A broken pipe ends the output; the exit status shows the failure.
        let _ = pipe.read_to_end(&mut content).await;
    }
    content
}

async fn read_tail(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut tail = Vec::new();
    if let Some(mut pipe) = pipe {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = pipe.read(&mut buffer).await {
            tail.extend_from_slice(&buffer[..len]);
            if tail.len() > 2 * MAX_ERRORS {
                tail.drain(..tail.len() - MAX_ERRORS);
            }
        }
    }
    String::from_utf8_lossy(&tail).into_owned()
}
