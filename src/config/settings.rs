//! The settings of a project, and the error of a configuration.

use ddpatrol_scan::finding::suppression::Allowed;
use std::path::PathBuf;

/// From what on findings make the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailLevel {
    /// Proven tokens.
    Proven,
    /// Look-alikes, too.
    Shaped,
    /// Nothing.
    Never,
}

/// The settings of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Rule files, or folders of them, to add.
    pub rules: Vec<PathBuf>,
    /// Rules to leave out.
    pub leave_out: Vec<NamedRule>,
    /// Patterns of paths to skip, in the syntax of `.gitignore`.
    pub exclude: Vec<String>,
    /// The level from which on findings make the exit code 1.
    pub fail_on: Option<FailLevel>,
    /// The file of known tokens.
    pub baseline: Option<PathBuf>,
    /// Tokens that do not count.
    pub allowed: Vec<Allowed>,
}

/// A name and where it stands, for errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRule {
    /// The name.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A configuration is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The fault, and what would be right.
    pub message: String,
}
