//! The configuration of a project: `.ddpatrol.toml`, its text in, its settings out.
//!
//! Paths in it count from its own folder; whoever reads the files says where they are from (the
//! disk, or a commit). It names neither endpoints nor credentials: what is scanned must not decide
//! where tokens are sent.

mod exclude;
mod file;
mod settings;

pub use exclude::{Exclude, ExcludePatternError, PathKind};
pub use settings::{Config, ConfigError, FailLevel, NamedRule};

use std::path::Path;

/// The file's name.
pub const NAME: &str = ".ddpatrol.toml";

impl Config {
    /// Reads the text of a configuration; `path` is for errors.
    ///
    /// # Errors
    /// The first fault, with file, line, column and what would be right.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        file::parse(path, text)
    }
}

#[cfg(test)]
mod tests;
