//! Runs the `git` program.
//!
//! Input: arguments and standard input. Output: its whole output. Git runs without the user's settings and
//! with no other `GIT_*` variables than those set here. It runs no hook or other program that the
//! repository's configuration names, fetches nothing and locks nothing.

use super::discover;
use super::error::ProgramError;
use super::repository::Repository;
use ddpatrol_scan::lock::lock;
use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};

/// Settings that override those of the repository.
const SETTINGS: [&str; 9] = [
    "safe.directory=*",
    // Git would warn that the graft file, /dev/null, is deprecated.
    "advice.graftFileDeprecated=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.warnAmbiguousRefs=false",
    "gc.auto=0",
    "maintenance.auto=false",
    // Versions before 2.44 do not support GIT_NO_LAZY_FETCH; this setting keeps them from fetching.
    "protocol.allow=never",
];

const VARIABLES: [(&str, &str); 9] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C"),
];

/// The output of `git`.
pub(super) struct Output {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Runs `git` on a repository and waits for it. An exit code other than 0 is an error.
pub(super) fn run<A: AsRef<OsStr>>(
    repository: &Repository,
    arguments: &[A],
    input: &[u8],
) -> Result<Output, ProgramError> {
    repository.check()?;
    repository.check_refs()?;
    let mut command = command(repository);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    let mut child = command.spawn().map_err(ProgramError::Start)?;
    let _running = Running::new(child.id());
    let stdin = child.stdin.take();
    let (written, output) = std::thread::scope(|scope| {
        // Write and read concurrently, since either pipe may be full.
        let write = stdin.map(|mut stdin| scope.spawn(move || stdin.write_all(input)));
        let output = child.wait_with_output();
        let written = write.map(|thread| thread.join());
        (written, output)
    });
    let output = output.map_err(ProgramError::Output)?;
    if !output.status.success() {
        return Err(ProgramError::Failed {
            command: arguments
                .first()
                .map(|name| name.as_ref().to_string_lossy().into_owned())
                .unwrap_or_default(),
            status: output.status,
            words: String::from_utf8_lossy(output.stderr.trim_ascii()).into_owned(),
        });
    }
    match written {
        Some(Ok(Err(error))) => Err(ProgramError::Output(error)),
        Some(Err(_)) => Err(ProgramError::Output(std::io::Error::other("its input was lost"))),
        _ => Ok(Output { stdout: output.stdout, stderr: output.stderr }),
    }
}

/// The `git` processes that are running.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A process in [`RUNNING`], as long as this value exists.
struct Running(u32);

impl Running {
    fn new(process: u32) -> Self {
        running().push(process);
        Self(process)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        running().retain(|process| *process != self.0);
    }
}

fn running() -> MutexGuard<'static, Vec<u32>> {
    lock(&RUNNING)
}

/// Terminates every running `git` process, so that callers that wait for one get an error.
pub fn stop_programs() {
    #[cfg(unix)]
    for process in running().iter() {
        use rustix::process::{Pid, Signal, kill_process};
        if let Some(process) = i32::try_from(*process).ok().and_then(Pid::from_raw) {
            // The process may have ended already.
            let _ = kill_process(process, Signal::TERM);
        }
    }
}

fn command(repository: &Repository) -> Command {
    let mut command = Command::new("git");
    // Variables are removed, never read: those that git sets for a hook must not affect this child.
    for (name, _) in std::env::vars_os() {
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b"GIT_") || bytes == b"LANGUAGE" {
            command.env_remove(&name);
        }
    }
    command.envs(VARIABLES).env("GIT_INDEX_FILE", repository.index_file());
    let overrides = &repository.overrides;
    if let Some(objects) = &overrides.objects {
        command.env("GIT_OBJECT_DIRECTORY", objects);
    }
    if !overrides.alternates.is_empty() {
        command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", discover::join(&overrides.alternates));
    }
    if overrides.common_dir {
        command.env("GIT_COMMON_DIR", &repository.common_dir);
    }
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    // If a work tree contains the git directory, git would list only the entries of the current
    // folder.
    command.args(["--no-pager", "--literal-pathspecs", "--git-dir=.", "--work-tree=."]);
    command.current_dir(&repository.git_dir);
    command
}
