//! Borrowed places.
//!
//! Input: paths and places. Output: references to them, and owned copies. Nothing is formatted
//! here.

use super::{Place, plain};
use std::path::{Path, PathBuf};

/// A borrowed place: a file needs no allocation until something is found in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceRef<'a> {
    /// A file or folder.
    File(&'a Path),
    /// Any place.
    Place(&'a Place),
}

impl PlaceRef<'_> {
    /// Returns an owned copy.
    #[must_use]
    pub fn to_place(self) -> Place {
        match self {
            Self::File(path) => Place::File(path.to_owned()),
            Self::Place(place) => place.clone(),
        }
    }

    /// Returns an owned copy without the `./` that a walk of `.` puts before every path.
    #[must_use]
    pub fn plain(self) -> Place {
        match self {
            Self::File(path) => Place::File(plain(path)),
            Self::Place(place) => place.plain(),
        }
    }
}

impl<'a> From<&'a Path> for PlaceRef<'a> {
    fn from(path: &'a Path) -> Self {
        Self::File(path)
    }
}

impl<'a> From<&'a PathBuf> for PlaceRef<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::File(path)
    }
}

impl<'a> From<&'a Place> for PlaceRef<'a> {
    fn from(place: &'a Place) -> Self {
        Self::Place(place)
    }
}
