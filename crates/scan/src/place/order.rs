//! The order of places.
//!
//! Input: two places. Output: their order, which is that of the paths that reports show. Nothing is
//! read here.

use super::Place;
use std::cmp::Ordering;
use std::path::{Component, Path};

/// Places are in the order of the paths that reports show.
impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let shown = match (self, other) {
            (Self::File(a), Self::File(b)) => return a.cmp(b),
            (Self::Member { container: a, path }, Self::Member { container: b, path: other })
                if a == b =>
            {
                shown_parts(path).cmp(shown_parts(other))
            }
            _ => self.path().cmp(&other.path()),
        };
        shown.then_with(|| self.cmp_structure(other))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Lists the components of the name of a member that its shown path has.
fn shown_parts(path: &Path) -> impl Iterator<Item = Component<'_>> {
    path.components().filter(|it| matches!(it, Component::Normal(_) | Component::ParentDir))
}

impl Place {
    /// Compares places that are shown as the same path.
    fn cmp_structure(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::File(a), Self::File(b)) => a.cmp(b),
            (
                Self::Member { container: a, path },
                Self::Member { container: b, path: other_path },
            ) => a.cmp(b).then_with(|| path.cmp(other_path)),
            (Self::Content(a), Self::Content(b)) => a.cmp(b),
            (Self::Object(id, kind), Self::Object(other_id, other_kind)) => {
                (id, kind).cmp(&(other_id, other_kind))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::File(_) => 0,
            Self::Member { .. } => 1,
            Self::Content(_) => 2,
            Self::Stdin => 3,
            Self::Object(..) => 4,
        }
    }
}
