//! The places of issues in git objects.
//!
//! A scan reports an issue in a git object with a synthetic place, before the commits of the object are
//! known: `git/blob/ID!/a.zip`. Input: such a place, and the places of the object. Output: the path of the
//! object in the tree of a commit, and that commit. Nothing is read here.

use crate::finding::Trace;
use crate::place::Place;
use ddpatrol_pack::{Kind, ObjectId};
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum number of further paths that are kept for an object.
const MAX_PATHS: usize = 50;

/// The places of objects, by their ids.
pub type PlacesByObject = HashMap<ObjectId, Vec<IssuePlace>>;

/// One place of a git object.
#[derive(Clone, Debug)]
pub struct IssuePlace {
    /// The path; `None` if no commit contains the object, and for commits and tags.
    pub path: Option<Place>,
    /// The commits that introduced and removed it; `None` for uncommitted content.
    pub trace: Option<Arc<Trace>>,
}

/// The git object that an issue concerns, with its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueObject {
    /// The object.
    pub id: ObjectId,
    /// The synthetic path of the content: `git/blob/ID!/a.zip`.
    pub synthetic: Place,
    /// The commits that introduced and removed it at its first path; `None` for uncommitted content.
    pub trace: Option<Arc<Trace>>,
    /// Further paths of the content.
    pub other_paths: Vec<Place>,
}

impl IssueObject {
    /// Returns the object that contains a synthetic place.
    #[must_use]
    pub fn of_place(synthetic: &Place) -> Option<(ObjectId, Kind)> {
        match synthetic.outermost() {
            Place::Object(id, kind) => Some((*id, *kind)),
            _ => None,
        }
    }

    /// Returns `true` if it has every path of the content: their number is limited.
    #[must_use]
    pub fn has_all_paths(&self) -> bool {
        self.other_paths.len() < MAX_PATHS
    }

    /// Returns the first path of content in an object, and the object; `synthetic` names the content.
    /// Returns `None` if it does not name an object.
    pub(crate) fn new(synthetic: &Place, places: &[IssuePlace]) -> Option<(Place, Self)> {
        let (id, _) = Self::of_place(synthetic)?;
        let mut places: Vec<&IssuePlace> = places.iter().collect();
        places.sort_by_key(|place| {
            let trace = place.trace.as_deref();
            (place.path.is_none(), trace.map_or(0, |trace| trace.date), &place.path)
        });
        let trace = places.first().and_then(|place| place.trace.clone());
        let mut paths: Vec<Place> = Vec::new();
        for path in places.iter().filter_map(|place| place.path.as_ref()) {
            let path = synthetic.with_outermost(path);
            if !paths.contains(&path) && paths.len() <= MAX_PATHS {
                paths.push(path);
            }
        }
        let other_paths = paths.split_off(paths.len().min(1));
        let first = paths.pop().unwrap_or_else(|| synthetic.clone());
        let synthetic = synthetic.clone();
        Some((first, Self { id, synthetic, trace, other_paths }))
    }
}
