//! The folders of policy files.
//!
//! Input: the scanned folder. Output: where its configuration is, and where its baseline is or would be
//! written. Reads no files.

use crate::config::{BASELINE_NAME, NAME};
use std::path::{Path, PathBuf};

/// Returns the folder of the baseline that is used without a name: the top of the work tree; outside of a
/// work tree the scanned folder, or the current one if it contains the scanned one.
pub(super) fn baseline_folder(scanned: &Path) -> PathBuf {
    let top = repository_top(scanned);
    if top.join(".git").exists() || top.join(BASELINE_NAME).exists() {
        return top.to_owned();
    }
    let here = std::env::current_dir().and_then(std::fs::canonicalize);
    here.ok().filter(|here| scanned.starts_with(here)).unwrap_or_else(|| top.to_owned())
}

/// Returns the top of the work tree that contains a folder, or the folder outside of a work tree.
pub(in crate::cli) fn repository_top(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(folder)
}

/// Finds the folder with the configuration: `folder` or the nearest folder above it, up to the top of
/// a work tree.
pub(super) fn find(folder: &Path) -> Option<&Path> {
    for folder in folder.ancestors() {
        if folder.join(NAME).symlink_metadata().is_ok() {
            return Some(folder);
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    None
}
