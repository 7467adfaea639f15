//! Errors in rules: invalid files, and unknown or duplicate ids.
//!
//! Input: the file and the error in it. Output: a message. This file detects no errors.

use super::quote::abbreviated;
use std::borrow::Cow;
use std::path::PathBuf;

/// Rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A rule file is invalid.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The error and how to fix it.
        message: String,
    },
    /// Two rules have the same id.
    #[error("{}: duplicate rule id `{id}`; choose another id", path.display())]
    Duplicate {
        /// The file of the second rule.
        path: PathBuf,
        /// The id.
        id: String,
    },
    /// No rule has this group.
    #[error("unknown group `{}`; use {}", abbreviated(name), known.join(" or "))]
    UnknownGroup {
        /// The name.
        name: String,
        /// The groups.
        known: Vec<String>,
    },
    /// No rule has this id.
    #[error(
        "unknown rule `{}`; `ddpatrol rules list` lists all rules{}",
        name(id, near),
        suggestion(near)
    )]
    Unknown {
        /// The id.
        id: String,
        /// The ids that resemble it.
        near: Vec<String>,
    },
}

/// Returns the id for a message. One that resembles no rule may be a secret.
fn name<'a>(id: &'a str, near: &[String]) -> Cow<'a, str> {
    if near.is_empty() { abbreviated(id) } else { id.into() }
}

fn suggestion(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(", did you mean {}?", near.join(" or ")) }
}
