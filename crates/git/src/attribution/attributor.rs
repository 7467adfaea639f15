//! The input of attribution: the objects and references of a repository. Nothing is read here.

use super::super::numbers::ObjectNo;
use super::super::objects::{Objects, WalkResources};
use super::super::repo::{Refs, Repository};
use super::super::store::Store;
use ddpatrol_pack::ObjectId;
use ddpatrol_scan::Run;
use ddpatrol_scan::place::Place;

/// Finds the commits and paths of tokens in the objects of a repository.
pub(crate) struct Attributor<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) root: &'a Place,
    pub(crate) store: &'a Store,
    pub(crate) objects: &'a Objects,
    pub(crate) refs: &'a Refs,
    pub(crate) shallow: &'a [ObjectId],
    pub(crate) run: &'a Run,
    pub(crate) resources: WalkResources<'a>,
}

impl Attributor<'_> {
    /// Returns the number of an object, if it was read.
    pub(super) fn number(&self, id: &ObjectId) -> Option<ObjectNo> {
        self.objects.index.find(id.as_bytes())
    }
}
