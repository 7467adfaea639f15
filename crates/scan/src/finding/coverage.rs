//! The places of a baseline that a scan covered.
//!
//! Input: the scanned paths, and the places of known tokens. Output: whether the scan would have
//! found a token at a place. Nothing is read here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The places that a scan covered: tokens that it did not find there are gone, those elsewhere may
/// remain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// Every place that the baseline may list.
    All,
    /// The places at and below these paths.
    Below(Vec<CoveredPath>),
    /// Unknown.
    #[default]
    Unknown,
}

/// A scanned path, as a baseline names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoveredPath {
    /// A folder, with everything below it.
    Folder(PathBuf),
    /// A file; with its members if it is an archive.
    File(PathBuf),
}

impl Coverage {
    /// Returns `true` if the scan covered a place of a baseline.
    #[must_use]
    pub fn covers(&self, place: &str) -> bool {
        match self {
            Self::All => true,
            Self::Below(paths) => paths.iter().any(|path| path.covers(Path::new(place))),
            Self::Unknown => false,
        }
    }

    /// Returns `true` if the scan covered all places of a token.
    #[must_use]
    pub fn covers_all(&self, places: &BTreeSet<String>) -> bool {
        *self == Self::All || !places.is_empty() && places.iter().all(|place| self.covers(place))
    }
}

impl CoveredPath {
    fn covers(&self, place: &Path) -> bool {
        match self {
            Self::Folder(folder) => place.starts_with(folder),
            Self::File(file) => place == file || is_member(place, file),
        }
    }
}

/// Returns `true` if a place is in an archive.
fn is_member(place: &Path, archive: &Path) -> bool {
    let [place, archive] = [place, archive].map(|it| it.as_os_str().as_encoded_bytes());
    place.strip_prefix(archive).is_some_and(|rest| rest.starts_with(b"!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_covers_what_is_below_it_and_not_its_namesakes() {
        let coverage = Coverage::Below(vec![CoveredPath::Folder("a/b".into())]);
        for place in ["a/b", "a/b/c", "a/b/c.zip!/d"] {
            assert!(coverage.covers(place), "{place}");
        }
        // The folder `b!` is another one.
        for place in ["a", "a/bc", "a/b!/c", "b/c", "(a commit message)", "/a/b/c"] {
            assert!(!coverage.covers(place), "{place}");
        }
    }

    #[test]
    fn a_file_covers_itself_and_its_members() {
        let coverage = Coverage::Below(vec![CoveredPath::File("a.zip".into())]);
        for place in ["a.zip", "a.zip!/b", "a.zip!/b.gz!/c", "a.zip!"] {
            assert!(coverage.covers(place), "{place}");
        }
        for place in ["a.zip.bak", "a.zi", "a.zip/b", "b/a.zip"] {
            assert!(!coverage.covers(place), "{place}");
        }
    }
}
