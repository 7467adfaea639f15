//! The links between the objects of a store: parents of commits, targets of tags, entries of trees, and
//! pointers to Git LFS objects.
//!
//! Input: parsed commits, tags and entries. Output: pairs of numbers of the object index. Objects are not
//! read here.

use super::tree_records::TreeRecords;
use crate::commits::Node;
use crate::lfs::{FoundPointer, Pointer};
use crate::numbers::ObjectNo;
use crate::object_index::{ObjectIndex, Pending, PendingEntry};
use ddpatrol_pack::ObjectId;

/// The links between objects.
#[derive(Debug, Default)]
pub(crate) struct ObjectLinks {
    /// The commits.
    pub(crate) nodes: Vec<Node>,
    /// Tags and their targets.
    pub(crate) tags: Vec<(ObjectNo, ObjectId)>,
    /// The trees, by the worker that has read them.
    pub(crate) trees: Vec<TreeRecords>,
    /// Missing objects, each with the object that names it.
    pub(crate) missing: Vec<(ObjectId, ObjectNo)>,
    /// The Git LFS pointers among the blobs.
    pub(crate) pointers: Vec<FoundPointer>,
}

impl ObjectLinks {
    /// Adds a blob if it is a Git LFS pointer.
    pub(super) fn add_pointer(&mut self, id: ObjectId, blob: &[u8]) {
        let pointer = Pointer::parse(blob);
        self.pointers.extend(pointer.map(|pointer| FoundPointer { pointer, blob: Some(id) }));
    }

    /// Adds the links that another worker has collected.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.nodes.append(&mut other.nodes);
        self.tags.append(&mut other.tags);
        self.trees.append(&mut other.trees);
        self.missing.append(&mut other.missing);
        self.pointers.append(&mut other.pointers);
    }

    /// Looks up the entries of `trees` that are pending, and adds their links.
    pub(super) fn add(
        &mut self,
        pending: &mut Pending,
        trees: &mut TreeRecords,
        index: &ObjectIndex,
    ) {
        pending.resolve(index, |id, PendingEntry { tree, slot }, child| match child {
            Some(child) => trees.set_child(slot, child),
            None => self.missing.extend(ObjectId::from_bytes(id).map(|id| (id, tree))),
        });
    }
}
