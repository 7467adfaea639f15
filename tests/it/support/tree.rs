//! A temporary folder in which the built ddpatrol runs in a minimal environment.

use ddpatrol_test_repo::{Repo, run_with_input};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) struct Tree(tempfile::TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: impl AsRef<OsStr>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name.as_ref());
        std::fs::create_dir_all(path.parent().expect("a path in the tree")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Makes the folder the root of a git work tree.
    pub(crate) fn git_init(&self) {
        Repo::new().git_at(self.path(), &["init", "-q"]);
    }

    /// Returns a ddpatrol command in this folder, without the caller's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        command(self.path(), args)
    }

    pub(crate) fn run(&self, args: &[&str]) -> RunOutput {
        RunOutput(self.command(args).output().expect("the command runs"))
    }

    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> RunOutput {
        let mut command = self.command(args);
        RunOutput(run_with_input(&mut command, input))
    }
}

/// Returns a ddpatrol command in a folder, which is its home, without the caller's environment.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddpatrol"));
    command.current_dir(folder).env_clear().env("HOME", folder).args(args);
    command.stdin(Stdio::null());
    command
}

/// Exit status and output of a run of ddpatrol.
#[derive(Debug)]
pub(crate) struct RunOutput(pub(crate) Output);

impl RunOutput {
    pub(crate) fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    /// Returns standard output, with [`NOW`] for the start and end of the scan, the only values that differ
    /// between two runs.
    pub(crate) fn stdout(&self) -> String {
        without_times(String::from_utf8(self.0.stdout.clone()).expect("reports are UTF-8"))
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("messages are UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the locations of a JSON report: rule, path, line and column, sorted.
    pub(crate) fn places(&self) -> Vec<(String, String, u64, u64)> {
        let report = self.json();
        let mut places = Vec::new();
        for finding in report["findings"].as_array().expect("a list") {
            for place in finding["locations"].as_array().expect("a list") {
                let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
                let number = |value: &serde_json::Value| value.as_u64().expect("a number");
                places.push((
                    text(&finding["rule"]),
                    text(&place["path"]),
                    number(&place["line"]),
                    number(&place["column"]),
                ));
            }
        }
        places.sort();
        places
    }
}

/// The start and end of every scan in [`RunOutput::stdout`].
pub(crate) const NOW: &str = "2026-01-01T00:00:00.000Z";

/// Replaces the start and end of a scan. Only they have milliseconds.
pub(crate) fn without_times(mut text: String) -> String {
    let mut at = 0;
    while let Some(found) = text[at..].find('T') {
        let t = at + found;
        let range = t.saturating_sub(10)..t + 14;
        let is_time = |time: &str| {
            time.len() == NOW.len()
                && time
                    .bytes()
                    .zip(NOW.bytes())
                    .all(|(a, b)| if b.is_ascii_digit() { a.is_ascii_digit() } else { a == b })
        };
        if text.get(range.clone()).is_some_and(is_time) {
            text.replace_range(range, NOW);
        }
        at = t + 1;
    }
    for field in ["\"start_time\": \"", "\"end_time\": \""] {
        let Some(start) = text.find(field).map(|at| at + field.len()) else { continue };
        // GitLab's report has no milliseconds and no zone.
        if text.get(start + 19..).is_some_and(|rest| rest.starts_with('"')) {
            text.replace_range(start..start + 19, &NOW[..19]);
        }
    }
    text
}

/// Returns a file name of any bytes.
pub(crate) fn raw_name(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes.to_vec())
}

/// Waits until the program of `child` handles SIGINT. Before, the signal would end it without a report.
pub(crate) fn wait_until_interruptible(child: &std::process::Child) {
    let handles_interrupts = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
        Some(mask & 1 << (nix::sys::signal::Signal::SIGINT as u32 - 1) != 0)
    };
    while !handles_interrupts().expect("the program runs") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
