//! Decides which paths of a walk are excluded by `--exclude` or the configuration, and which are
//! reports that this scan is writing.
//!
//! Input: a path and its depth below the path that the user named. Ignore files are not considered.

use super::options::FilesOptions;
use crate::PathKind;
use ddpatrol_scan::path::lexical;
use ignore::DirEntry;
use ignore::overrides::{Override, OverrideBuilder};
use std::path::{Path, PathBuf};

/// An invalid glob of `--exclude`.
#[derive(Debug, thiserror::Error)]
#[error("--exclude {glob}: {reason}")]
pub struct GlobError {
    glob: String,
    reason: String,
}

/// Compiles the globs of `--exclude`.
pub(super) fn compile(globs: &[String]) -> Result<Override, GlobError> {
    let mut builder = OverrideBuilder::new("");
    for glob in globs {
        let error = |reason| GlobError { glob: glob.clone(), reason };
        if glob.starts_with('!') {
            return Err(error("negated globs have no effect; remove the `!`".to_owned()));
        }
        builder.add(&format!("!{glob}")).map_err(|source| {
            error(match source {
                ignore::Error::Glob { err, .. } => err,
                other => other.to_string(),
            })
        })?;
    }
    builder
        .build()
        .map_err(|source| GlobError { glob: globs.join(" "), reason: source.to_string() })
}

/// The exclusions of one walk.
#[derive(Clone, Copy)]
pub(super) struct Exclusion<'a> {
    pub(super) options: &'a FilesOptions,
    /// The compiled globs of `--exclude`.
    pub(super) globs: &'a Override,
}

impl Exclusion<'_> {
    /// Returns `true` if an entry at this depth is itself excluded.
    pub(super) fn has(&self, entry: &DirEntry, depth: usize) -> bool {
        self.has_itself(entry.path(), depth, PathKind::of(entry))
    }

    fn has_itself(&self, path: &Path, depth: usize, kind: PathKind) -> bool {
        if depth == 0 {
            return false;
        }
        let FilesOptions { configured, here, .. } = self.options;
        let kind_of_path = if kind.is_folder() { PathKind::Folder } else { PathKind::File };
        if !configured.is_empty() && configured.has_itself(&lexical(&here.join(path)), kind_of_path)
        {
            return true;
        }
        if self.globs.is_empty() {
            return false;
        }
        let mut below: Vec<_> = path.components().rev().take(depth).collect();
        below.reverse();
        self.globs.matched(below.iter().collect::<PathBuf>(), kind.is_folder()).is_ignore()
    }

    /// Returns `true` if a file at this depth is excluded, or a folder that contains it.
    pub(super) fn has_below(&self, path: &Path, depth: usize) -> bool {
        let mut above = path.ancestors().take(depth).enumerate();
        above.any(|(up, path)| {
            let kind = if up > 0 { PathKind::Folder } else { PathKind::File };
            self.has_itself(path, depth - up, kind)
        })
    }

    /// Returns `true` if a path is a report that this scan is writing.
    pub(super) fn is_own(&self, path: &Path) -> bool {
        let same_name = |own: &&PathBuf| own.file_name() == path.file_name();
        let same = |own: &PathBuf| std::fs::canonicalize(path).is_ok_and(|it| it == *own);
        self.options.own.iter().filter(same_name).any(same)
    }
}
