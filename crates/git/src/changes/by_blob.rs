//! Sightings by the blob that contains them.

use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_scan::sighting::{Holder, Sighting, TokenNo};
use std::collections::{HashMap, HashSet};

/// The sightings in each blob, in its own bytes and in the Git LFS object that it points to.
#[derive(Default)]
pub(super) struct ByBlob<'a> {
    sightings: HashMap<ObjectId, Vec<&'a Sighting>>,
    tokens: HashSet<(ObjectId, TokenNo)>,
}

impl<'a> ByBlob<'a> {
    pub(super) fn new(sightings: &'a [Sighting]) -> Self {
        let mut all = Self::default();
        for sighting in sightings {
            if let Holder::Object(id, Kind::Blob) | Holder::Lfs(id) = sighting.holder {
                all.sightings.entry(id).or_default().push(sighting);
                all.tokens.insert((id, sighting.token));
            }
        }
        all
    }

    /// Returns the sightings in a blob.
    pub(super) fn of(&self, blob: &ObjectId) -> &[&'a Sighting] {
        self.sightings.get(blob).map_or(&[], Vec::as_slice)
    }

    /// Returns `true` if a blob contains a token.
    pub(super) fn holds(&self, blob: &ObjectId, token: TokenNo) -> bool {
        self.tokens.contains(&(*blob, token))
    }
}
