//! Errors of repositories, of the `git` program and of libgit2.

use super::guard::SpecialFile;
use std::path::PathBuf;
use std::process::ExitStatus;

/// An error of a repository.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// There is no repository.
    #[error("no git repository at {} or above it: start inside one, or set GIT_DIR", start.display())]
    NotFound {
        /// The folder at which the search began.
        start: PathBuf,
    },
    /// A repository or a part of it is broken.
    #[error("{}: broken git repository: {why}; repair or remove it", path.display())]
    Broken {
        /// The part.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A configuration file is malformed.
    #[error("{}: line {line} is not valid git configuration; correct it", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A file or folder cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A revision names no commit.
    #[error(
        "unknown revision `{revision}` in {}{}; correct the name or fetch the commit",
        git_dir.display(), in_parentheses(.words)
    )]
    Revision {
        /// The revision.
        revision: String,
        /// The repository.
        git_dir: PathBuf,
        /// Why, or nothing.
        words: String,
    },
    /// The repository has no commit.
    #[error("{} has no commits yet: there is nothing to scan", git_dir.display())]
    NoCommits {
        /// The repository.
        git_dir: PathBuf,
    },
    /// The `git` program fails.
    #[error("cannot {task} of {}: {program}", git_dir.display())]
    Program {
        /// The task.
        task: &'static str,
        /// The repository.
        git_dir: PathBuf,
        /// The error of `git`.
        program: ProgramError,
    },
    /// Both `git` and libgit2 fail.
    #[error("cannot {task} of {}: git: {program}; libgit2: {library}", git_dir.display())]
    Neither {
        /// The task.
        task: &'static str,
        /// The repository.
        git_dir: PathBuf,
        /// The error of `git`.
        program: ProgramError,
        /// The error of libgit2.
        library: LibraryError,
    },
}

/// An error of the `git` program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be started.
    #[error("cannot be started ({0}); install git, or put it on PATH")]
    Start(std::io::Error),
    /// It was started, and reading from or writing to it failed.
    #[error("its output cannot be read ({0})")]
    Output(std::io::Error),
    /// It would block on a file of the repository.
    #[error(transparent)]
    Special(#[from] Box<SpecialFile>),
    /// It failed.
    #[error("`git {command}` failed ({status}): {words}")]
    Failed {
        /// The subcommand.
        command: String,
        /// Its exit code or signal.
        status: ExitStatus,
        /// Its error output.
        words: String,
    },
    /// Its output has an undocumented form.
    #[error("unexpected output of `git {command}`: {answer:?}")]
    Malformed {
        /// The subcommand.
        command: &'static str,
        /// The unexpected part.
        answer: String,
    },
}

fn in_parentheses(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(" ({words})") }
}

impl ProgramError {
    pub(super) fn malformed(command: &'static str, answer: &[u8]) -> Self {
        let answer = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
        Self::Malformed { command, answer }
    }
}

/// An error of libgit2.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The repository uses a feature that libgit2 does not support, or handles wrongly.
    #[error("it does not support {0}")]
    Unsupported(&'static str),
    /// It would block on a file of the repository.
    #[error(transparent)]
    Special(#[from] Box<SpecialFile>),
    /// It failed.
    #[error("{}", .0.message())]
    Failed(Box<git2::Error>),
}

impl From<git2::Error> for LibraryError {
    fn from(error: git2::Error) -> Self {
        Self::Failed(Box::new(error))
    }
}
