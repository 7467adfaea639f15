//! The names of places in a baseline.
//!
//! Input: locations, and the folders that a scan was given. Output: paths that do not depend on the
//! current directory, with tokens masked. Nothing is read here.

use super::{Location, Part};
use crate::path::lexical;
use ddpatrol_detect::redact::Masker;
use std::path::{Path, PathBuf};

/// The folders that paths in a baseline are relative to: the roots of the scanned work trees, so
/// that paths do not depend on the current directory.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// The current directory of the scan.
    pub here: PathBuf,
    /// The roots of the scanned work trees.
    pub tops: Vec<PathBuf>,
}

impl Roots {
    /// Returns the name of a place in a baseline; tokens in paths are masked.
    #[must_use]
    pub fn key(&self, place: &Location, masker: &mut Masker<'_>) -> String {
        match (&place.path, place.part) {
            // A commit's id would not survive a rebase.
            (_, Part::Commit) => "(a commit message)".to_owned(),
            (_, Part::Tag) => "(a tag message)".to_owned(),
            (_, Part::Ref) => "(a reference's name)".to_owned(),
            (Some(path), _) => masked(&self.below(&path.path()), masker),
            (None, _) if place.trace.is_some() => "(no path)".to_owned(),
            (None, _) => "(standard input)".to_owned(),
        }
    }

    /// Returns the absolute path.
    #[must_use]
    pub fn whole(&self, path: &Path) -> PathBuf {
        lexical(&self.here.join(path))
    }

    /// Returns the name of a path in a baseline.
    #[must_use]
    pub fn below(&self, path: &Path) -> String {
        let whole = self.whole(path);
        let below = self.tops.iter().filter_map(|top| whole.strip_prefix(top).ok());
        let below = below.min_by_key(|below| below.as_os_str().len());
        let below = below.filter(|below| !below.as_os_str().is_empty()).unwrap_or(path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/").replacen("//", "/", 1)
    }
}

/// Returns the name of a place with tokens masked.
pub(super) fn masked(place: &str, masker: &mut Masker<'_>) -> String {
    masker.clean(place.as_bytes()).text().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_root_of_the_work_tree() {
        let roots = Roots { here: "/w/tree/sub".into(), tops: vec!["/w/tree".into()] };
        assert_eq!(roots.below(Path::new("a")), "sub/a");
        assert_eq!(roots.below(Path::new("../b")), "b");
        assert_eq!(roots.below(Path::new("/w/tree/sub/a")), "sub/a");
        assert_eq!(roots.below(Path::new("/elsewhere/a")), "/elsewhere/a");
    }
}
