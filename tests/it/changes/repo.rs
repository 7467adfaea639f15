//! A repository made by the real `git`, without the caller's configuration.

use crate::support::tree::{RunOutput, Tree};
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A repository's work tree in a temporary folder.
pub(crate) struct Repo {
    tree: Tree,
    pub(crate) root: PathBuf,
}

impl Repo {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// Makes one with further arguments of `git init`.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let tree = Tree::new();
        let root = tree.path().join("repo");
        let repo = Self { tree, root };
        std::fs::create_dir(&repo.root).expect("a folder");
        repo.git(&[&["init", "-q", "-b", "main"], arguments].concat());
        repo
    }

    /// Makes one that has a commit of `files`.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let repo = Self::new();
        repo.commit(files, "base");
        repo
    }

    /// Clones this one into a folder beside it, over a URL so that `--depth` counts.
    pub(crate) fn clone_to(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let url = format!("file://{}", self.root.display());
        self.git(&[&["clone", "-q"], arguments, &[&url, &format!("../{name}")]].concat());
        self.tree.path().join(name)
    }

    /// The folder around the work tree.
    pub(crate) fn outside(&self) -> &Path {
        self.tree.path()
    }

    pub(crate) fn write(&self, name: impl AsRef<OsStr>, content: impl AsRef<[u8]>) {
        let path = self.root.join(name.as_ref());
        std::fs::create_dir_all(path.parent().expect("it lies in the tree")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
    }

    /// Writes files and stages everything.
    pub(crate) fn stage(&self, files: &[(&str, &str)]) {
        for (name, content) in files {
            self.write(name, content);
        }
        self.git(&["add", "-A"]);
    }

    /// Writes files, commits everything and returns the commit's id.
    pub(crate) fn commit(&self, files: &[(&str, &str)], message: &str) -> String {
        self.stage(files);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.id("HEAD")
    }

    pub(crate) fn id(&self, revision: &str) -> String {
        self.git(&["rev-parse", "--verify", revision])
    }

    /// Runs `git`, which must succeed, and returns what it prints.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = self.try_git(&self.root, arguments, "");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
    }

    /// Runs `git` in a folder.
    pub(crate) fn try_git(&self, folder: &Path, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new("git");
        self.scrub(&mut command).current_dir(folder).args(arguments);
        feed(&mut command, input)
    }

    /// Runs the command in the work tree.
    pub(crate) fn run(&self, arguments: &[&str]) -> RunOutput {
        self.run_in(&self.root, arguments, &[])
    }

    /// Runs the command in a folder with further variables.
    pub(crate) fn run_in(
        &self,
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> RunOutput {
        let mut command = self.tree.command(arguments);
        self.scrub(&mut command).current_dir(folder).envs(variables.iter().copied());
        RunOutput(feed(&mut command, ""))
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> RunOutput {
        self.run_with(arguments, input, &[])
    }

    /// Runs the command in the work tree with standard input and further variables.
    pub(crate) fn run_with(
        &self,
        arguments: &[&str],
        input: impl AsRef<[u8]>,
        variables: &[(&str, &str)],
    ) -> RunOutput {
        let mut command = self.tree.command(arguments);
        self.scrub(&mut command).current_dir(&self.root).envs(variables.iter().copied());
        RunOutput(feed(&mut command, input))
    }

    /// Runs `git` in a folder with further variables.
    pub(crate) fn try_git_with(
        &self,
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Output {
        let mut command = Command::new("git");
        self.scrub(&mut command)
            .current_dir(folder)
            .args(arguments)
            .envs(variables.iter().copied());
        feed(&mut command, "")
    }

    /// Makes the built command the hook of that name.
    pub(crate) fn hook(&self, name: &str, arguments: &str) {
        let hooks = self.git(&["rev-parse", "--path-format=absolute", "--git-path", "hooks"]);
        let path = Path::new(&hooks).join(name);
        std::fs::create_dir_all(&hooks).expect("a folder");
        let text = format!("#!/bin/sh\nexec '{}' {arguments}\n", env!("CARGO_BIN_EXE_ddpatrol"));
        std::fs::write(&path, text).expect("a file");
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("its mode is set");
    }

    /// Removes a loose object.
    pub(crate) fn lose(&self, revision: &str) {
        std::fs::remove_file(self.loose(revision)).expect("a loose object");
    }

    /// Overwrites a loose object.
    pub(crate) fn spoil(&self, revision: &str) {
        let path = self.loose(revision);
        std::fs::remove_file(&path).expect("a loose object");
        std::fs::write(&path, "rubbish").expect("a file");
    }

    fn loose(&self, revision: &str) -> PathBuf {
        let id = self.id(revision);
        self.root.join(".git/objects").join(&id[..2]).join(&id[2..])
    }

    fn scrub<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let date = "2026-01-02T03:04:05Z";
        command.env_clear().envs([
            ("PATH", std::env::var("PATH").unwrap_or_default().as_str()),
            ("HOME", &self.tree.path().to_string_lossy()),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_EDITOR", "true"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_AUTHOR_NAME", "Ada"),
            ("GIT_AUTHOR_EMAIL", "ada@example.org"),
            ("GIT_AUTHOR_DATE", date),
            ("GIT_COMMITTER_NAME", "Ada"),
            ("GIT_COMMITTER_EMAIL", "ada@example.org"),
            ("GIT_COMMITTER_DATE", date),
            // Adding a submodule by a path is refused otherwise.
            ("GIT_ALLOW_PROTOCOL", "file"),
        ])
    }
}

fn feed(command: &mut Command, input: impl AsRef<[u8]>) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    // It may end before it has read everything; what is written here fits a pipe.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_ref());
    child.wait_with_output().expect("it ends")
}
