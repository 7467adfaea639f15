//! Repositories of `ddpatrol-test-repo` on which the built ddpatrol runs.

use crate::support::tree::{self, RunOutput};
use ddpatrol_test_repo::run_with_input;
use serde_json::Value;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;

pub(crate) use ddpatrol_test_repo::START;

/// A repository, on which ddpatrol runs without the configuration and environment of the caller.
pub(crate) struct Repo(ddpatrol_test_repo::Repo);

impl Deref for Repo {
    type Target = ddpatrol_test_repo::Repo;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Repo {
    /// Creates a repository without a commit.
    pub(crate) fn new() -> Self {
        Self(ddpatrol_test_repo::Repo::new())
    }

    /// Creates a repository with further options of `git init`.
    pub(crate) fn init(options: &[&str]) -> Self {
        Self(ddpatrol_test_repo::Repo::init(options))
    }

    /// Creates a repository with one commit of `files`.
    pub(crate) fn with_files(files: &[(&str, &str)]) -> Self {
        Self(ddpatrol_test_repo::Repo::with_files(files))
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
        self.run_in(self.path(), args, &[])
    }

    /// Runs ddpatrol in a folder with further environment variables, with `git` on PATH.
    pub(crate) fn run_in(
        &self,
        folder: &Path,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> RunOutput {
        let mut command = tree::command(self.parent(), args);
        self.set_environment(&mut command).current_dir(folder).envs(variables.iter().copied());
        RunOutput(run_with_input(&mut command, &[]))
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
        let mut command = tree::command(self.parent(), args);
        self.set_environment(&mut command).current_dir(self.path());
        RunOutput(run_with_input(command.envs(variables.iter().copied()), input.as_ref()))
    }

    /// Returns a ddpatrol command in a folder, in a minimal environment where it finds no `git`.
    pub(crate) fn ddpatrol(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = tree::command(self.parent(), args);
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
        self.run_without_git(self.path(), &[&["scan", "--report", "json"], args].concat())
    }

    /// Scans the repository with `git` on PATH and reports JSON.
    pub(crate) fn scan_with_git(&self, args: &[&str]) -> RunOutput {
        let args = [&["scan", "--report", "json"], args].concat();
        let mut command = self.ddpatrol(self.path(), &args);
        let path = std::env::var_os("PATH").expect("PATH contains git");
        RunOutput(command.env("PATH", path).output().expect("the command runs"))
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
