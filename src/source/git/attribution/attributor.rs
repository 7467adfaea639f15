//! What attribution reads: the objects and references of a repository, and where to report.

use super::super::objects::{Means, Objects};
use super::super::repo::{Refs, Repository};
use super::super::store::Store;
use crate::source::Run;
use ddpatrol_pack::ObjectId;
use std::path::Path;

/// Finds the commits and paths of tokens in the objects of a repository.
pub(in crate::source::git) struct Attributor<'a> {
    pub(in crate::source::git) repository: &'a Repository,
    pub(in crate::source::git) root: &'a Path,
    pub(in crate::source::git) store: &'a Store,
    pub(in crate::source::git) objects: &'a Objects,
    pub(in crate::source::git) refs: &'a Refs,
    pub(in crate::source::git) shallow: &'a [ObjectId],
    pub(in crate::source::git) run: &'a Run,
    pub(in crate::source::git) means: Means<'a>,
}

impl Attributor<'_> {
    /// Returns the number of an object, if it was read.
    pub(super) fn number(&self, id: &ObjectId) -> Option<u32> {
        self.objects.catalog.find(id.as_bytes())
    }
}
