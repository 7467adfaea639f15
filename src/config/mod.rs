//! The configuration of a project, `.ddpatrol.toml`.
//!
//! Input: its text. Output: its settings. Reads no files: the caller reads them, from disk or from a
//! commit. Paths in a configuration are relative to its folder. A configuration contains neither endpoints
//! nor credentials, because scanned content must not determine where tokens are sent.

mod file;
mod settings;

pub use ddpatrol_engine::{
    AcknowledgeEntry, Acknowledgments, Exclude, ExcludePatternError, FolderExcludes, IssueTarget,
    PathKind, UnusedAcknowledgment,
};
pub use settings::{Config, ConfigError, ConfigPosition, FailLevel, Located};

use std::path::Path;

/// The file's name.
pub const NAME: &str = ".ddpatrol.toml";

/// The name of the baseline that is used if neither a flag nor a configuration names one.
pub const BASELINE_NAME: &str = ".ddpatrol-baseline.json";

/// A configuration with every key as a commented example. Lines that begin with `#` and a blank explain,
/// lines that begin with `#` and another character are examples.
pub const TEMPLATE: &str = include_str!("template.toml");

impl Config {
    /// Parses the text of a configuration; `path` is for errors.
    ///
    /// # Errors
    /// The first problem, with file, line, column and how to fix it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        file::parse(path, text)
    }
}

#[cfg(test)]
mod tests;
