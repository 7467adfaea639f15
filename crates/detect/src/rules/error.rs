//! Why rules cannot be used: wrong files, and ids that are unknown or taken.
//!
//! Input: the file and what is wrong with it. Output: a message. This file detects no errors.

use std::path::PathBuf;

/// Why rules could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A rule file is wrong.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// Two rules have one id.
    #[error("{}: rule `{id}` exists already; give it an id of its own", path.display())]
    Twice {
        /// The file of the second.
        path: PathBuf,
        /// The id.
        id: String,
    },
    /// No rule has this id.
    #[error("there is no rule `{id}`; `ddpatrol rules list` shows them{}", suggestion(near))]
    Unknown {
        /// The id.
        id: String,
        /// The ids that resemble it.
        near: Vec<String>,
    },
}

fn suggestion(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(", did you mean {}?", near.join(" or ")) }
}
