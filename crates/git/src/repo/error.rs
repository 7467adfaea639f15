//! Errors of repositories, and of the two programs that read them.

use super::guard::SpecialFile;
use std::path::PathBuf;
use std::process::ExitStatus;

/// What can be wrong with a repository.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// There is no repository.
    #[error("no git repository at {} or above it: start inside one, or set GIT_DIR", start.display())]
    NotFound {
        /// Where the search began.
        start: PathBuf,
    },
    /// Something that should be a repository, or a part of one, is not.
    #[error("{} is a broken part of a git repository: {why}; repair or remove it", path.display())]
    Broken {
        /// The part.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A configuration file is malformed.
    #[error("{}: line {line} is no git configuration: correct it", path.display())]
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
        "no commit is called {revision:?} in {} ({words}): correct the name or fetch the commit",
        git_dir.display()
    )]
    Revision {
        /// What was asked for.
        revision: String,
        /// The repository.
        git_dir: PathBuf,
        /// What git says.
        words: String,
    },
    /// `git` cannot do it.
    #[error("cannot {task} of {}: {program}", git_dir.display())]
    Program {
        /// What was to be done.
        task: &'static str,
        /// The repository.
        git_dir: PathBuf,
        /// Why not.
        program: ProgramError,
    },
    /// Neither `git` nor libgit2 can do it.
    #[error("cannot {task} of {}: git: {program}; libgit2: {library}", git_dir.display())]
    Neither {
        /// What was to be done.
        task: &'static str,
        /// The repository.
        git_dir: PathBuf,
        /// Why the program cannot.
        program: ProgramError,
        /// Why the library cannot.
        library: LibraryError,
    },
}

/// Why the `git` program cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be started.
    #[error("cannot be started ({0}); install git, or put it on PATH")]
    Start(std::io::Error),
    /// It was started, and reading from or writing to it failed.
    #[error("its output cannot be read ({0})")]
    Output(std::io::Error),
    /// It would wait for a file of the repository forever.
    #[error(transparent)]
    Special(#[from] Box<SpecialFile>),
    /// It says that it failed.
    #[error("`git {command}` failed ({status}): {words}")]
    Failed {
        /// The subcommand.
        command: String,
        /// Its exit code or signal.
        status: ExitStatus,
        /// Its words.
        words: String,
    },
    /// It says something that its manual does not.
    #[error("`git {command}` answered what is not understood: {answer:?}")]
    Malformed {
        /// The subcommand.
        command: &'static str,
        /// The part that is not understood.
        answer: String,
    },
}

impl ProgramError {
    pub(super) fn malformed(command: &'static str, answer: &[u8]) -> Self {
        let answer = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
        Self::Malformed { command, answer }
    }
}

/// Why libgit2 cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The repository has something that libgit2 does not know, or would get wrong.
    #[error("it does not know {0}")]
    Unsupported(&'static str),
    /// It would wait for a file of the repository forever.
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
