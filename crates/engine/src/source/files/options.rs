//! Settings of the walk over files and folders.

use super::ignored::UserRules;
use crate::Exclude;
use crate::source::archive::ArchiveSettings;
use ddpatrol_scan::blob::Context;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Which files to read, and how.
#[derive(Clone, Debug)]
pub struct FilesOptions {
    /// The files and folders to read.
    pub paths: Vec<PathBuf>,
    /// Whether to read files that ignore rules exclude.
    pub no_ignore: bool,
    /// The user's own ignore rules.
    pub user_rules: UserRules,
    /// Globs of files to exclude, in the syntax of `.gitignore`.
    pub exclude: Vec<String>,
    /// The exclusions of the configuration.
    pub configured: Exclude,
    /// The folder to which relative paths refer.
    pub here: PathBuf,
    /// The largest file to read, in bytes.
    pub max_file_size: Option<u64>,
    /// Reports that this scan is writing, which are not read.
    pub own: Vec<PathBuf>,
    /// The number of workers.
    pub threads: usize,
    /// The context that windows keep.
    pub context: Context,
    /// How archives are unpacked; without it only their own bytes are scanned.
    pub archives: Option<ArchiveSettings>,
    /// List for the repositories that the walk discovers; without it they are counted as skipped.
    pub repositories: Option<Discovered>,
    /// Whether the paths are administrative files of a repository, which are counted separately.
    pub is_store: bool,
}

impl FilesOptions {
    /// Returns `true` if git has removed one of its administrative files, which can happen at any
    /// time.
    pub(super) fn is_removed_by_git(&self, error: &io::Error) -> bool {
        self.is_store && error.kind() == io::ErrorKind::NotFound
    }
}

/// Repositories that a walk discovered: their `.git` folders or files, and bare repositories.
pub type Discovered = Arc<Mutex<Vec<PathBuf>>>;
