//! The settings of a project, and the error of a configuration.

use ddpatrol_engine::AcknowledgeEntry;
use ddpatrol_scan::finding::suppression::AllowlistEntry;
use std::fmt;
use std::path::PathBuf;

/// The findings that make the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailLevel {
    /// Proven tokens.
    Proven,
    /// Shaped tokens, too.
    Shaped,
    /// Tokens that `--verify` found live.
    Live,
    /// No finding.
    Never,
}

/// The settings of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Rule files, or folders of them, to add.
    pub rules: Vec<Located<PathBuf>>,
    /// The ids of rules to leave out.
    pub leave_out: Vec<Located<String>>,
    /// The names of groups of rules to use.
    pub groups: Vec<Located<String>>,
    /// Patterns of paths to skip, in the syntax of `.gitignore`.
    pub exclude: Vec<String>,
    /// The findings that make the exit code 1.
    pub fail_on: Option<FailLevel>,
    /// The file of known tokens.
    pub baseline: Option<Located<PathBuf>>,
    /// Allowed tokens.
    pub allowed: Vec<AllowlistEntry>,
    /// Acknowledged issues.
    pub acknowledged: Vec<AcknowledgeEntry>,
}

/// A value of a configuration, with its position for errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where the configuration sets it.
    pub position: ConfigPosition,
}

/// A position in a configuration. Formats as `path:line:column`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigPosition {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for ConfigPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// An invalid configuration.
#[derive(Debug, thiserror::Error)]
#[error("{position}: {message}")]
pub struct ConfigError {
    /// The position of the problem.
    pub position: ConfigPosition,
    /// The problem, and how to fix it.
    pub message: String,
}
