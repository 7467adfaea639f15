//! The place of a policy: a folder, or the base of a change.
//!
//! Plain data; `loader` reads the files.

use crate::source::git::changes::Snapshot;
use std::path::PathBuf;

/// The place from which a command reads its policy.
#[derive(Debug)]
pub(in crate::cli) enum PolicySource {
    /// A folder, and the folders above it up to the top of its work tree.
    Folder(PathBuf),
    /// The files of a commit, for paths below `top`.
    Commit {
        /// The commit from which the policy is read.
        base: Box<Snapshot>,
        /// The commit that is scanned.
        head: Option<Box<Snapshot>>,
        /// The top of the work tree.
        top: PathBuf,
    },
    /// No commit: the change has no base. Files below `top` are not read.
    NoBase {
        /// The commit that is scanned.
        head: Option<Box<Snapshot>>,
        /// The top of the work tree.
        top: PathBuf,
    },
}

/// Whether a command applies the baseline, or ignores it because it writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum BaselineMode {
    Apply,
    Ignore,
}
