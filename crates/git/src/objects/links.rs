//! The links between the objects of a store: parents of commits, targets of tags, entries of trees, and
//! pointers to Git LFS objects.
//!
//! Input: what the workers parse. Output: pairs of numbers of the catalog. Objects are not read here.

use crate::catalog::{Catalog, Pending};
use crate::commits::Node;
use crate::lfs::Pointer;
use ddpatrol_pack::ObjectId;

/// The links between objects.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// The commits.
    pub(crate) nodes: Vec<Node>,
    /// Tags and what they point to.
    pub(crate) tags: Vec<(u32, ObjectId)>,
    /// Child and parent of every tree entry that is a subtree and that the tree's delta base does not
    /// have.
    pub(crate) subtrees: Vec<Vec<(u32, u32)>>,
    /// The same for entries that are blobs.
    pub(crate) blobs: Vec<Vec<(u32, u32)>>,
    /// Missing objects, each with the object that names it.
    pub(crate) missing: Vec<(ObjectId, u32)>,
    /// The Git LFS pointers among the blobs.
    pub(crate) pointers: Vec<Pointer>,
}

impl Links {
    /// Adds the links that another worker has collected.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.nodes.append(&mut other.nodes);
        self.tags.append(&mut other.tags);
        self.subtrees.append(&mut other.subtrees);
        self.blobs.append(&mut other.blobs);
        self.missing.append(&mut other.missing);
        self.pointers.append(&mut other.pointers);
    }

    /// Looks up the entries of trees that are pending, and adds their links.
    pub(super) fn add(&mut self, pending: &mut Pending, catalog: &Catalog) {
        pending.resolve(catalog, |id, tree, is_tree, child| match child {
            Some(child) if is_tree => self.subtrees[0].push((child, tree)),
            Some(child) => self.blobs[0].push((child, tree)),
            None => self.missing.extend(ObjectId::from_bytes(id).map(|id| (id, tree))),
        });
    }
}
