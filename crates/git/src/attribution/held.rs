//! The sightings by the objects that hold them. Objects and tokens are numbers.

use super::super::numbers::ObjectNo;
use ddpatrol_detect::encoding::Encoding;
use ddpatrol_scan::sighting::{Sighting, TokenNo};
use std::collections::HashMap;

/// For each blob that holds tokens: the sightings in it, by token in ascending order.
#[derive(Default)]
pub(super) struct BlobSightings<'a>(HashMap<ObjectNo, Vec<&'a Sighting>>);

impl<'a> BlobSightings<'a> {
    /// Adds a sighting in a blob.
    pub(super) fn add(&mut self, blob: ObjectNo, sighting: &'a Sighting) {
        let list = self.0.entry(blob).or_default();
        let at = list.partition_point(|it| it.token <= sighting.token);
        list.insert(at, sighting);
    }

    /// Returns the sightings in a blob.
    pub(super) fn of(&self, blob: ObjectNo) -> &[&'a Sighting] {
        self.0.get(&blob).map_or(&[], Vec::as_slice)
    }

    /// Returns the sighting of a token in a blob.
    pub(super) fn find(&self, blob: ObjectNo, token: TokenNo) -> Option<&'a Sighting> {
        let list = self.of(blob);
        list.binary_search_by_key(&token, |it| it.token).ok().map(|at| list[at])
    }

    /// Returns `true` if a blob holds any token.
    pub(super) fn has(&self, blob: ObjectNo) -> bool {
        self.0.contains_key(&blob)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the numbers of the blobs.
    pub(super) fn blobs(&self) -> impl Iterator<Item = ObjectNo> {
        self.0.keys().copied()
    }
}

/// A token in the name of a tree entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NameMatch {
    /// The offset of its first byte: in the tree, or in the name.
    pub(super) offset: u32,
    pub(super) token: TokenNo,
    /// The length in bytes.
    pub(super) len: u32,
    pub(super) encoding: Encoding,
}

/// For each tree with tokens in its names: the matches, by offset in ascending order.
pub(super) type NameSightings = HashMap<ObjectNo, Vec<NameMatch>>;
