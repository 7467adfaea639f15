//! A repository made by the real `git` in a temporary folder, and the built command run on it.

use crate::tree::{Ran, Tree};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// The moment of the first commit; each further one is a minute later.
pub(crate) const START: u64 = 1_700_000_000;

/// A repository, with room beside it for others.
pub(crate) struct Repo {
    tree: Tree,
    top: PathBuf,
    clock: AtomicU64,
}

/// The settings of `git` wherever it runs.
fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).env_clear();
    command.env("PATH", search_path()).env("HOME", "/nonexistent").env("LC_ALL", "C");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command.args(["-c", "protocol.file.allow=always", "-c", "gc.auto=0"]);
    command.args(["-c", "core.fsync=none", "-c", "advice.detachedHead=false"]);
    command
}

fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").expect("git lies on PATH")
}

impl Repo {
    /// A repository without a commit.
    pub(crate) fn new() -> Self {
        Self::init(&[])
    }

    /// A repository made with further options of `git init`.
    pub(crate) fn init(options: &[&str]) -> Self {
        let tree = Tree::new();
        let top = tree.path().canonicalize().expect("it exists").join("repo");
        std::fs::create_dir(&top).expect("a folder");
        let repo = Self { tree, top, clock: AtomicU64::new(START) };
        repo.git(&[&["init", "-q", "-b", "main"], options].concat());
        repo
    }

    pub(crate) fn path(&self) -> &Path {
        &self.top
    }

    /// A path next to the repository.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.top.with_file_name(name)
    }

    pub(crate) fn write(&self, name: impl AsRef<OsStr>, content: impl AsRef<[u8]>) -> PathBuf {
        self.tree.write(self.top.join(name.as_ref()), content)
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.top.join(name)).expect("it is there");
    }

    /// Sets the clock that commits are made by.
    pub(crate) fn set_clock(&self, seconds: u64) {
        self.clock.store(seconds, Ordering::Relaxed);
    }

    /// The command in a folder: as a fixed person, at a moment of its own.
    pub(crate) fn command(&self, folder: &Path, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = git_command(folder);
        let date = format!("{} +0100", self.clock.fetch_add(60, Ordering::Relaxed));
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), format!("Ann {who}"));
            command.env(format!("GIT_{who}_EMAIL"), "ann@example.com");
            command.env(format!("GIT_{who}_DATE"), &date);
        }
        command.args(args);
        command
    }

    /// Runs git and returns what it printed, without the last end of line.
    #[track_caller]
    pub(crate) fn git(&self, args: &[impl AsRef<OsStr>]) -> String {
        self.git_at(&self.top, args)
    }

    #[track_caller]
    pub(crate) fn git_at(&self, folder: &Path, args: &[impl AsRef<OsStr>]) -> String {
        text(checked(self.command(folder, args).output().expect("git runs")))
    }

    /// Runs git with bytes as standard input.
    #[track_caller]
    pub(crate) fn feed(&self, args: &[&str], input: impl AsRef<[u8]>) -> String {
        let mut command = self.command(&self.top, args);
        text(checked(feed(&mut command, input.as_ref())))
    }

    /// Runs git with bytes as standard input and returns the bytes that it printed.
    #[track_caller]
    pub(crate) fn bytes(&self, args: &[&str], input: impl AsRef<[u8]>) -> Vec<u8> {
        let mut command = self.command(&self.top, args);
        checked(feed(&mut command, input.as_ref())).stdout
    }

    /// Commits the whole work tree and returns the commit's id.
    #[track_caller]
    pub(crate) fn commit(&self, message: impl AsRef<[u8]>) -> String {
        self.git(&["add", "-A"]);
        let message = OsStr::from_bytes(message.as_ref());
        self.git(&[
            OsStr::new("commit"),
            "-q".as_ref(),
            "--allow-empty".as_ref(),
            "-m".as_ref(),
            message,
        ]);
        self.id("HEAD")
    }

    /// Commits one file.
    #[track_caller]
    pub(crate) fn commit_file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        self.write(name, content);
        self.commit(format!("change {name}"))
    }

    /// Commits without one file.
    #[track_caller]
    pub(crate) fn commit_removal(&self, name: &str) -> String {
        self.remove(name);
        self.commit(format!("remove {name}"))
    }

    #[track_caller]
    pub(crate) fn id(&self, revision: &str) -> String {
        self.git(&["rev-parse", "--verify", revision])
    }

    /// The file of a loose object.
    pub(crate) fn loose(&self, id: &str) -> PathBuf {
        self.top.join(".git/objects").join(&id[..2]).join(&id[2..])
    }

    /// The files of the pack folder whose names end so.
    pub(crate) fn packs(&self, end: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.top.join(".git/objects/pack")).expect("a folder");
        let mut paths: Vec<_> = entries.map(|it| it.expect("an entry").path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(end));
        paths.sort();
        paths
    }

    /// The command in a folder, without the caller's environment: it finds no `git`.
    pub(crate) fn ddpatrol(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = self.tree.command(args);
        // Without any PATH the system would look where it is usually installed.
        command.current_dir(folder).env("PATH", "/nonexistent");
        command
    }

    pub(crate) fn run_at(&self, folder: &Path, args: &[&str]) -> Ran {
        Ran(self.ddpatrol(folder, args).output().expect("the command runs"))
    }

    /// Scans the repository to JSON.
    pub(crate) fn scan(&self, args: &[&str]) -> Ran {
        self.run_at(&self.top, &[&["scan", "--report", "json"], args].concat())
    }

    /// Scans with `git` on PATH.
    pub(crate) fn scan_with_git(&self, args: &[&str]) -> Ran {
        let args = [&["scan", "--report", "json"], args].concat();
        let mut command = self.ddpatrol(&self.top, &args);
        Ran(command.env("PATH", search_path()).output().expect("the command runs"))
    }

    /// Scans the history alone; nothing may be left unread.
    #[track_caller]
    pub(crate) fn history(&self) -> Ran {
        let ran = self.scan(&["--history-only"]);
        assert_eq!(ran.json()["complete"], true, "{}", ran.stdout());
        let expected = i32::from(ran.json()["findings"] != serde_json::json!([]));
        assert_eq!(ran.code(), Some(expected), "{ran:?}");
        ran
    }
}

fn feed(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("git runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || pipe.write_all(&input).expect("git reads"));
    let output = child.wait_with_output().expect("git ends");
    writer.join().expect("the writer ends");
    output
}

#[track_caller]
fn checked(output: Output) -> Output {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn text(output: Output) -> String {
    String::from_utf8(output.stdout).expect("git prints UTF-8").trim_end().to_owned()
}

impl Ran {
    /// The finding of a Datadog token.
    pub(crate) fn finding(&self, token: &str) -> Option<Value> {
        let redacted = format!("{}***", &token[..29]);
        let report = self.json();
        let findings = report["findings"].as_array().expect("a list");
        let mut same = findings.iter().filter(|it| it["token"]["redacted"] == redacted);
        let found = same.next().cloned();
        assert!(same.next().is_none(), "one finding per token: {report}");
        found
    }

    /// The places of a Datadog token; none if it was not found.
    pub(crate) fn found(&self, token: &str) -> Vec<Value> {
        let finding = self.finding(token);
        finding.map_or_else(Vec::new, |it| it["locations"].as_array().expect("a list").clone())
    }

    /// The one place of a Datadog token.
    #[track_caller]
    pub(crate) fn place(&self, token: &str) -> Value {
        let mut places = self.found(token);
        assert_eq!(places.len(), 1, "{}", self.stdout());
        places.remove(0)
    }

    /// The messages of what was not scanned, of one kind.
    pub(crate) fn gaps(&self, kind: &str) -> Vec<String> {
        let report = self.json();
        let notes = report["diagnostics"].as_array().expect("a list").iter();
        let text = |it: &Value| it["message"].as_str().expect("text").to_owned();
        notes.filter(|it| it["kind"] == kind).map(text).collect()
    }
}
