//! Builds the parallel walk over folders, and recognizes the folders that it does not enter.
//!
//! Input: paths, or an entry. Output: a walk, or whether to skip the entry. This file applies no ignore rules.

use ignore::{DirEntry, WalkBuilder};
use std::path::PathBuf;

/// Returns a walk over files and folders, or `None` for no paths. It does not follow links or apply ignore
/// rules.
pub(super) fn walk(paths: &[PathBuf], threads: usize) -> Option<WalkBuilder> {
    let (first, rest) = paths.split_first()?;
    let mut builder = WalkBuilder::new(first);
    rest.iter().for_each(|path| {
        builder.add(path);
    });
    builder.standard_filters(false).follow_links(false).threads(threads);
    Some(builder)
}

/// Returns `true` for a `.git` folder or a bare repository, unless the user named it.
pub(super) fn is_git_folder(entry: &DirEntry) -> bool {
    let is_folder = entry.depth() > 0 && entry.file_type().is_some_and(|kind| kind.is_dir());
    let has = |name: &str| entry.path().join(name).exists();
    let is_bare = || has("HEAD") && has("objects") && has("refs");
    let name = entry.file_name().as_encoded_bytes();
    is_folder && (name == b".git" || is_bare())
}
