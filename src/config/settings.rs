//! The settings of a project, and the error of a configuration.

use ddpatrol_engine::AcknowledgeEntry;
use ddpatrol_scan::finding::suppression::AllowlistEntry;
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
    pub rules: Vec<PathBuf>,
    /// Rules to leave out.
    pub leave_out: Vec<NamedRule>,
    /// Groups of rules to use.
    pub groups: Vec<NamedRule>,
    /// Patterns of paths to skip, in the syntax of `.gitignore`.
    pub exclude: Vec<String>,
    /// The findings that make the exit code 1.
    pub fail_on: Option<FailLevel>,
    /// The file of known tokens.
    pub baseline: Option<PathBuf>,
    /// AllowlistEntry tokens.
    pub allowed: Vec<AllowlistEntry>,
    /// Acknowledged issues.
    pub acknowledged: Vec<AcknowledgeEntry>,
}

/// The id of a rule, or the name of a group, and its position, for errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRule {
    /// The id or name.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// An invalid configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The problem, and how to fix it.
    pub message: String,
}
