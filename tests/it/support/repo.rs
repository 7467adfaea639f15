//! Builds a repository with the real `git` in a temporary folder and runs the built ddpatrol on it.
//!
//! Neither reads the configuration or the environment of the caller.

use crate::support::tree::{RunOutput, Tree};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// The date of the first `git` command; each further one is a minute later.
pub(crate) const START: u64 = 1_700_000_000;

/// A repository in a temporary folder that has room for more repositories.
pub(crate) struct Repo {
    tree: Tree,
    parent: PathBuf,
    root: PathBuf,
    clock: AtomicU64,
}

fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").expect("PATH contains git")
}

impl Repo {
    /// Creates a repository without a commit.
    pub(crate) fn new() -> Self {
        Self::init(&[])
    }

    /// Creates a repository with further options of `git init`.
    pub(crate) fn init(options: &[&str]) -> Self {
        let tree = Tree::new();
        let parent = tree.path().canonicalize().expect("the folder exists");
        let root = parent.join("repo");
        std::fs::create_dir(&root).expect("a folder");
        let repo = Self { tree, parent, root, clock: AtomicU64::new(START) };
        repo.git(&[&["init", "-q", "-b", "main"], options].concat());
        repo
    }

    /// Creates a repository with one commit of `files`.
    pub(crate) fn with_files(files: &[(&str, &str)]) -> Self {
        let repo = Self::new();
        repo.commit_files(files, "base");
        repo
    }

    /// Clones the repository into a sibling folder, over a URL so that `--depth` takes effect.
    pub(crate) fn clone_to(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let url = format!("file://{}", self.root.display());
        self.git(&[&["clone", "-q"], arguments, &[&url, &format!("../{name}")]].concat());
        self.sibling(name)
    }

    /// Sets the environment of `git`, and of ddpatrol where it may call `git`.
    fn set_environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env_clear().env("PATH", search_path()).env("HOME", &self.parent);
        command.envs([
            ("LC_ALL", "C"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_EDITOR", "true"),
            ("GIT_TERMINAL_PROMPT", "0"),
            // Git refuses to add a submodule by its path otherwise.
            ("GIT_ALLOW_PROTOCOL", "file"),
        ]);
        let date = format!("{} +0100", self.clock.fetch_add(60, Ordering::Relaxed));
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), format!("Ann {role}"));
            command.env(format!("GIT_{role}_EMAIL"), "ann@example.com");
            command.env(format!("GIT_{role}_DATE"), &date);
        }
        command
    }

    /// Returns the root of the work tree.
    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// Returns the folder that contains the work tree.
    pub(crate) fn parent(&self) -> &Path {
        &self.parent
    }

    /// Returns a path next to the work tree.
    pub(crate) fn sibling(&self, name: &str) -> PathBuf {
        self.parent.join(name)
    }

    pub(crate) fn write(&self, name: impl AsRef<OsStr>, content: impl AsRef<[u8]>) -> PathBuf {
        self.tree.write(self.root.join(name.as_ref()), content)
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.root.join(name)).expect("the file exists");
    }

    /// Sets the date of the next commit.
    pub(crate) fn set_clock(&self, seconds: u64) {
        self.clock.store(seconds, Ordering::Relaxed);
    }

    /// Returns a `git` command in a folder, with a fixed author and a date of its own.
    pub(crate) fn command(&self, folder: &Path, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new("git");
        self.set_environment(&mut command).current_dir(folder);
        command.args(["-c", "gc.auto=0", "-c", "core.fsync=none"]);
        command.args(["-c", "advice.detachedHead=false"]).args(args);
        command
    }

    /// Runs `git`, which must succeed, and returns its output without the final newline.
    #[track_caller]
    pub(crate) fn git(&self, args: &[impl AsRef<OsStr>]) -> String {
        self.git_at(&self.root, args)
    }

    #[track_caller]
    pub(crate) fn git_at(&self, folder: &Path, args: &[impl AsRef<OsStr>]) -> String {
        text(checked(self.command(folder, args).output().expect("git runs")))
    }

    /// Runs `git` with standard input and returns its output without the final newline.
    #[track_caller]
    pub(crate) fn git_with_input(&self, args: &[&str], input: impl AsRef<[u8]>) -> String {
        let mut command = self.command(&self.root, args);
        text(checked(feed(&mut command, input.as_ref())))
    }

    /// Runs `git` with standard input and returns its output as bytes.
    #[track_caller]
    pub(crate) fn git_bytes(&self, args: &[&str], input: impl AsRef<[u8]>) -> Vec<u8> {
        let mut command = self.command(&self.root, args);
        checked(feed(&mut command, input.as_ref())).stdout
    }

    /// Runs `git`, which may fail, in a folder with standard input.
    pub(crate) fn try_git(&self, folder: &Path, args: &[&str], input: &str) -> Output {
        feed(&mut self.command(folder, args), input.as_ref())
    }

    /// Runs `git`, which may fail, in a folder with further environment variables.
    pub(crate) fn try_git_with(
        &self,
        folder: &Path,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Output {
        let mut command = self.command(folder, args);
        feed(command.envs(variables.iter().copied()), &[])
    }

    /// Writes files and stages the whole work tree.
    pub(crate) fn stage(&self, files: &[(&str, &str)]) {
        for (name, content) in files {
            self.write(name, content);
        }
        self.git(&["add", "-A"]);
    }

    /// Writes files, commits the whole work tree and returns the id of the commit.
    #[track_caller]
    pub(crate) fn commit_files(&self, files: &[(&str, &str)], message: &str) -> String {
        self.stage(files);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.id("HEAD")
    }

    /// Commits the whole work tree and returns the id of the commit.
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

    /// Writes one file, commits the whole work tree and returns the id of the commit.
    #[track_caller]
    pub(crate) fn commit_file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        self.write(name, content);
        self.commit(format!("change {name}"))
    }

    /// Removes one file, commits the whole work tree and returns the id of the commit.
    #[track_caller]
    pub(crate) fn commit_removal(&self, name: &str) -> String {
        self.remove(name);
        self.commit(format!("remove {name}"))
    }

    #[track_caller]
    pub(crate) fn id(&self, revision: &str) -> String {
        self.git(&["rev-parse", "--verify", revision])
    }

    /// Returns the file of a loose object with this id.
    pub(crate) fn loose(&self, id: &str) -> PathBuf {
        self.root.join(".git/objects").join(&id[..2]).join(&id[2..])
    }

    /// Returns the files of the pack folder whose names end with `end`.
    pub(crate) fn packs(&self, end: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.root.join(".git/objects/pack")).expect("a folder");
        let mut paths: Vec<_> = entries.map(|it| it.expect("an entry").path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(end));
        paths.sort();
        paths
    }

    /// Deletes a loose object.
    pub(crate) fn delete_object(&self, revision: &str) {
        std::fs::remove_file(self.loose(&self.id(revision))).expect("a loose object");
    }

    /// Overwrites a loose object.
    pub(crate) fn corrupt_object(&self, revision: &str) {
        let path = self.loose(&self.id(revision));
        std::fs::remove_file(&path).expect("a loose object");
        std::fs::write(&path, "rubbish").expect("a file");
    }

    /// Installs the built program as a hook.
    pub(crate) fn hook(&self, name: &str, arguments: &str) {
        use std::os::unix::fs::PermissionsExt;
        let hooks = self.git(&["rev-parse", "--path-format=absolute", "--git-path", "hooks"]);
        let path = Path::new(&hooks).join(name);
        std::fs::create_dir_all(&hooks).expect("a folder");
        let text = format!("#!/bin/sh\nexec '{}' {arguments}\n", env!("CARGO_BIN_EXE_ddpatrol"));
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("an executable");
    }

    /// Runs ddpatrol in the work tree, with `git` on PATH.
    pub(crate) fn run(&self, args: &[&str]) -> RunOutput {
        self.run_in(&self.root, args, &[])
    }

    /// Runs ddpatrol in a folder with further environment variables, with `git` on PATH.
    pub(crate) fn run_in(
        &self,
        folder: &Path,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> RunOutput {
        let mut command = self.tree.command(args);
        self.set_environment(&mut command).current_dir(folder).envs(variables.iter().copied());
        RunOutput(feed(&mut command, &[]))
    }

    pub(crate) fn run_with_input(&self, args: &[&str], input: impl AsRef<[u8]>) -> RunOutput {
        self.run_with(args, input, &[])
    }

    /// Runs ddpatrol in the work tree with standard input and further environment variables, with `git`
    /// on PATH.
    pub(crate) fn run_with(
        &self,
        args: &[&str],
        input: impl AsRef<[u8]>,
        variables: &[(&str, &str)],
    ) -> RunOutput {
        let mut command = self.tree.command(args);
        self.set_environment(&mut command).current_dir(&self.root);
        RunOutput(feed(command.envs(variables.iter().copied()), input.as_ref()))
    }

    /// Returns a ddpatrol command in a folder, in a minimal environment where it finds no `git`.
    pub(crate) fn ddpatrol(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = self.tree.command(args);
        // Without PATH, the system would search its default folders.
        command.current_dir(folder).env("PATH", "/nonexistent");
        command
    }

    /// Runs ddpatrol in a folder where it finds no `git`.
    pub(crate) fn run_without_git(&self, folder: &Path, args: &[&str]) -> RunOutput {
        RunOutput(self.ddpatrol(folder, args).output().expect("the command runs"))
    }

    /// Scans the repository without `git` and reports JSON.
    pub(crate) fn scan(&self, args: &[&str]) -> RunOutput {
        self.run_without_git(&self.root, &[&["scan", "--report", "json"], args].concat())
    }

    /// Scans the repository with `git` on PATH and reports JSON.
    pub(crate) fn scan_with_git(&self, args: &[&str]) -> RunOutput {
        let args = [&["scan", "--report", "json"], args].concat();
        let mut command = self.ddpatrol(&self.root, &args);
        RunOutput(command.env("PATH", search_path()).output().expect("the command runs"))
    }

    /// Scans only the history, which must be complete.
    #[track_caller]
    pub(crate) fn scan_history(&self) -> RunOutput {
        let ran = self.scan(&["--history-only"]);
        assert_eq!(ran.json()["complete"], true, "{}", ran.stdout());
        let expected = i32::from(ran.json()["findings"] != serde_json::json!([]));
        assert_eq!(ran.code(), Some(expected), "{ran:?}");
        ran
    }
}

fn feed(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The program may end before it has read everything.
        let _ = pipe.write_all(&input);
    });
    let output = child.wait_with_output().expect("the program ends");
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

impl RunOutput {
    /// Returns the finding of a Datadog token.
    pub(crate) fn finding(&self, token: &str) -> Option<Value> {
        let redacted = format!("{}***", &token[..29]);
        let report = self.json();
        let findings = report["findings"].as_array().expect("a list");
        let mut same = findings.iter().filter(|it| it["token"]["redacted"] == redacted);
        let found = same.next().cloned();
        assert!(same.next().is_none(), "one finding per token: {report}");
        found
    }

    /// Returns the locations of a Datadog token, none if it was not found.
    pub(crate) fn locations(&self, token: &str) -> Vec<Value> {
        let finding = self.finding(token);
        finding.map_or_else(Vec::new, |it| it["locations"].as_array().expect("a list").clone())
    }

    /// Returns the only location of a Datadog token.
    #[track_caller]
    pub(crate) fn only_location(&self, token: &str) -> Value {
        let mut locations = self.locations(token);
        assert_eq!(locations.len(), 1, "{}", self.stdout());
        locations.remove(0)
    }

    /// Returns the messages of all issues of one kind.
    pub(crate) fn issue_messages(&self, kind: &str) -> Vec<String> {
        let report = self.json();
        let notes = report["diagnostics"].as_array().expect("a list").iter();
        let text = |it: &Value| it["message"].as_str().expect("text").to_owned();
        notes.filter(|it| it["kind"] == kind).map(text).collect()
    }
}
