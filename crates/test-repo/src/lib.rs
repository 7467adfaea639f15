//! Git repositories for tests, built by the real `git` in a temporary folder.
//!
//! `git` reads neither the configuration nor the environment of the caller, and authors and dates are
//! fixed: the same commands create the same object ids. Failures of `git` and of the file system panic
//! with the command and its messages. Shares no code with ddpatrol.
//!
//! ```
//! use ddpatrol_test_repo::Repo;
//!
//! let repo = Repo::init(&["--object-format=sha256"]);
//! let first = repo.commit_file("a.txt", "one\n");
//! assert_eq!(first.len(), 64);
//! let clone = repo.at(repo.clone_to("clone", &["--bare"]));
//! assert_eq!(clone.id("main"), first);
//! ```

mod objects;
mod process;

pub use process::run_with_input;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// The date of the first command; each further one is a minute later.
pub const START: u64 = 1_700_000_000;

/// Variables of the caller that remain set: programs are found by the first, and do not start on Windows
/// without the others.
const INHERITED: [&str; 3] = ["PATH", "SystemRoot", "TEMP"];

/// A repository in a temporary folder that has room for more repositories.
pub struct Repo {
    sandbox: Arc<Sandbox>,
    root: PathBuf,
}

/// A temporary folder, and the clock of its repositories.
struct Sandbox {
    path: PathBuf,
    clock: AtomicU64,
    /// Deletes the folder.
    _folder: TempDir,
}

impl Repo {
    /// Creates a repository without a commit.
    #[expect(clippy::new_without_default, reason = "creates files")]
    pub fn new() -> Self {
        Self::init(&[])
    }

    /// Creates a repository with further options of `git init`, such as `--bare` or `--object-format`.
    pub fn init(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The system's temporary folder may be a link, and git prints real paths.
        let path = folder.path().canonicalize().expect("the folder exists");
        let root = path.join("repo");
        std::fs::create_dir(&root).expect("a folder");
        let clock = AtomicU64::new(START);
        let repo = Self { sandbox: Arc::new(Sandbox { path, clock, _folder: folder }), root };
        repo.git(&[&["init", "-q", "-b", "main"], options].concat());
        repo
    }

    /// Creates a repository with one commit of `files`.
    pub fn with_files(files: &[(&str, &str)]) -> Self {
        let repo = Self::new();
        repo.commit_files(files, "base");
        repo
    }

    /// Returns another repository or work tree in the same temporary folder, by its name or path. Creates
    /// nothing.
    pub fn at(&self, folder: impl AsRef<Path>) -> Self {
        Self { sandbox: Arc::clone(&self.sandbox), root: self.parent().join(folder) }
    }

    /// Clones the repository into a sibling folder, over a URL so that `--depth` takes effect.
    pub fn clone_to(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let url = format!("file://{}", self.root.display());
        self.git(&[&["clone", "-q"], arguments, &[&url, &format!("../{name}")]].concat());
        self.sibling(name)
    }

    /// Returns the root of the work tree, or the folder of a bare repository.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Returns the folder that contains the repository.
    pub fn parent(&self) -> &Path {
        &self.sandbox.path
    }

    /// Returns a path next to the repository.
    pub fn sibling(&self, name: &str) -> PathBuf {
        self.parent().join(name)
    }

    /// Writes a file and the folders that contain it.
    pub fn write(&self, name: impl AsRef<OsStr>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root.join(name.as_ref());
        std::fs::create_dir_all(path.parent().expect("a path of a file")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Removes a file.
    #[track_caller]
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.root.join(name)).expect("the file exists");
    }

    /// Sets the date of the next commit.
    pub fn set_clock(&self, seconds: u64) {
        self.sandbox.clock.store(seconds, Ordering::Relaxed);
    }

    /// Replaces the environment of a command by a fixed one for `git`, with a date of its own.
    pub fn set_environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env_clear().env("HOME", self.parent());
        for name in INHERITED {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs([
            ("LC_ALL", "C"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_EDITOR", "true"),
            ("GIT_TERMINAL_PROMPT", "0"),
            // Git refuses to add a submodule by its path otherwise.
            ("GIT_ALLOW_PROTOCOL", "file"),
        ]);
        let date = format!("{} +0100", self.sandbox.clock.fetch_add(60, Ordering::Relaxed));
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), format!("Ann {role}"));
            command.env(format!("GIT_{role}_EMAIL"), "ann@example.com");
            command.env(format!("GIT_{role}_DATE"), &date);
        }
        command
    }

    /// Returns a `git` command in a folder, with a fixed author and a date of its own.
    pub fn command(&self, folder: &Path, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new("git");
        self.set_environment(&mut command).current_dir(folder);
        command.args(["-c", "gc.auto=0", "-c", "core.fsync=none"]);
        command.args(["-c", "advice.detachedHead=false", "-c", "advice.addEmbeddedRepo=false"]);
        command.args(args);
        command
    }

    /// Runs `git`, which must succeed, and returns its output without the final newline.
    #[track_caller]
    pub fn git(&self, args: &[impl AsRef<OsStr>]) -> String {
        self.git_at(&self.root, args)
    }

    /// Runs `git`, which must succeed, in a folder and returns its output without the final newline.
    #[track_caller]
    pub fn git_at(&self, folder: &Path, args: &[impl AsRef<OsStr>]) -> String {
        process::text(process::checked(&mut self.command(folder, args), &[]))
    }

    /// Runs `git` with standard input and returns its output without the final newline.
    #[track_caller]
    pub fn git_with_input(&self, args: &[&str], input: impl AsRef<[u8]>) -> String {
        process::text(process::checked(&mut self.command(&self.root, args), input.as_ref()))
    }

    /// Runs `git` with standard input and returns its output as bytes.
    #[track_caller]
    pub fn git_bytes(&self, args: &[&str], input: impl AsRef<[u8]>) -> Vec<u8> {
        process::checked(&mut self.command(&self.root, args), input.as_ref())
    }

    /// Runs `git`, which may fail, in a folder with standard input.
    pub fn try_git(&self, folder: &Path, args: &[&str], input: &str) -> Output {
        run_with_input(&mut self.command(folder, args), input.as_ref())
    }

    /// Runs `git`, which may fail, in a folder with further environment variables.
    pub fn try_git_with(&self, folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = self.command(folder, args);
        run_with_input(command.envs(variables.iter().copied()), &[])
    }

    /// Writes files and stages the whole work tree.
    #[track_caller]
    pub fn stage(&self, files: &[(&str, &str)]) {
        for (name, content) in files {
            self.write(name, content);
        }
        self.git(&["add", "-A"]);
    }

    /// Writes files, commits the whole work tree and returns the id of the commit.
    #[track_caller]
    pub fn commit_files(&self, files: &[(&str, &str)], message: &str) -> String {
        for (name, content) in files {
            self.write(name, content);
        }
        self.commit(message)
    }

    /// Commits the whole work tree and returns the id of the commit.
    #[track_caller]
    pub fn commit(&self, message: impl AsRef<[u8]>) -> String {
        self.git(&["add", "-A"]);
        // Messages that are not UTF-8 cannot be arguments on every system.
        self.git_with_input(&["commit", "-q", "--allow-empty", "-F", "-"], message);
        self.id("HEAD")
    }

    /// Writes one file, commits the whole work tree and returns the id of the commit.
    #[track_caller]
    pub fn commit_file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        self.write(name, content);
        self.commit(format!("change {name}"))
    }

    /// Removes one file, commits the whole work tree and returns the id of the commit.
    #[track_caller]
    pub fn commit_removal(&self, name: &str) -> String {
        self.remove(name);
        self.commit(format!("remove {name}"))
    }

    /// Returns the id of a revision, which must exist.
    #[track_caller]
    pub fn id(&self, revision: &str) -> String {
        self.git(&["rev-parse", "--verify", revision])
    }
}

#[cfg(test)]
mod tests;
