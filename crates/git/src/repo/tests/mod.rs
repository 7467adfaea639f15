//! Repositories created by the real `git`, read with libgit2 and with the git program.
//!
//! Has its own repository builder: that of the integration tests runs the built program, which the unit
//! tests of this crate cannot.

mod layout;
mod range;
mod refs;
mod staged;

use super::*;
use ddpatrol_pack::ObjectId;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A temporary folder for the repositories of a test.
struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        // The system's temporary folder may be a link, and git prints real paths.
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Creates a repository named `repo`.
    fn init(&self, options: &[&str]) -> Work {
        let arguments: Vec<&str> =
            ["init", "--quiet", "--initial-branch=main"].iter().chain(options).copied().collect();
        let work = Work(self.path("repo"));
        fs::create_dir(&work.0).unwrap();
        work.git(&arguments);
        work
    }

    /// Creates a repository with one commit of a file `old.txt` of ten lines.
    fn with_commit(&self) -> Work {
        self.with_commit_in(&[])
    }

    fn with_commit_in(&self, options: &[&str]) -> Work {
        let work = self.init(options);
        work.write("old.txt", &ten_lines("old"));
        work.git(&["add", "."]);
        work.commit("first");
        work
    }
}

fn ten_lines(word: &str) -> String {
    (0..10).map(|number| format!("{word} line {number} of the file\n")).collect()
}

/// A folder in which `git` runs.
struct Work(PathBuf);

impl Work {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command
            .envs([
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GIT_CONFIG_SYSTEM", "/dev/null"),
                ("GIT_AUTHOR_DATE", "2025-01-01T00:00:00Z"),
                ("GIT_COMMITTER_DATE", "2025-01-01T00:00:00Z"),
                ("GIT_AUTHOR_NAME", "A"),
                ("GIT_AUTHOR_EMAIL", "a@example.com"),
                ("GIT_COMMITTER_NAME", "A"),
                ("GIT_COMMITTER_EMAIL", "a@example.com"),
                ("LC_ALL", "C"),
            ])
            .args(["-c", "protocol.file.allow=always", "-c", "advice.addEmbeddedRepo=false"])
            .args(arguments)
            .current_dir(&self.0);
        command
    }

    /// Runs git and returns its output without the last line end.
    #[track_caller]
    fn git(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {words}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    #[track_caller]
    fn id(&self, revision: &str) -> ObjectId {
        self.git(&["rev-parse", "--verify", revision]).parse().unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[track_caller]
    fn commit(&self, message: &str) -> ObjectId {
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.id("HEAD")
    }

    #[track_caller]
    fn open(&self) -> Repository {
        Repository::at(&self.0).unwrap().unwrap()
    }
}
