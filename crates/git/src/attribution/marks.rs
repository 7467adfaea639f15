//! Sets of objects, and the trees that may hold one of a set's objects.
//!
//! Input: the links that were collected while the objects were read. No object is read here.

use super::super::numbers::ObjectNo;
use super::super::objects::Objects;
use super::super::objects::tree_records::{TreeRecord, TreeRecords};

/// A set of objects, by number.
#[derive(Clone, Debug)]
pub(super) struct Marks(Vec<u64>);

impl Marks {
    pub(super) fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    #[inline]
    pub(super) fn has(&self, number: ObjectNo) -> bool {
        self.0[number.index() >> 6] >> (number.index() & 63) & 1 == 1
    }

    /// Adds a number; returns `true` if it is new.
    #[inline]
    pub(super) fn add(&mut self, number: ObjectNo) -> bool {
        let is_new = !self.has(number);
        self.0[number.index() >> 6] |= 1 << (number.index() & 63);
        is_new
    }
}

/// The records of all trees, by the worker that has read them.
pub(super) struct TreeTable<'a>(pub(super) Vec<(&'a TreeRecords, Vec<TreeRecord>)>);

impl<'a> TreeTable<'a> {
    pub(super) fn new(objects: &'a Objects) -> Self {
        Self(objects.links.trees.iter().map(|records| (records, records.records())).collect())
    }

    /// Marks objects and every tree that may hold one of them, at any depth; `len` is the number of all
    /// objects.
    ///
    /// A tree is marked with its delta base: too many are marked, never too few.
    pub(super) fn marked(&self, len: usize, seeds: impl Iterator<Item = ObjectNo>) -> Marks {
        let mut marks = Marks::new(len);
        seeds.for_each(|seed| {
            marks.add(seed);
        });
        // The trees that are not marked yet, and may be because of another tree: the number of the worker
        // and that of the record.
        let mut open: Vec<(u32, u32)> = Vec::new();
        for (worker, (records, list)) in (0..).zip(&self.0) {
            for (number, record) in (0..).zip(list) {
                let fresh = records.fresh(record);
                if marks.has(record.tree) {
                    continue;
                }
                let has_marked = || fresh.iter().any(|it| it.child.is_some_and(|it| marks.has(it)));
                if is_base_marked(list, record, &marks) || has_marked() {
                    marks.add(record.tree);
                } else if record.base.is_some() || fresh.iter().any(|it| it.name.is_some()) {
                    open.push((worker, number));
                }
            }
        }
        // Only trees are marked from here on: entries of other kinds cannot change.
        let mut grows = true;
        while grows {
            grows = false;
            open.retain(|&(worker, number)| {
                let (records, list) = &self.0[worker as usize];
                let record = &list[number as usize];
                let mut subtrees = records.fresh(record).iter().filter(|it| it.name.is_some());
                let is_marked = is_base_marked(list, record, &marks)
                    || subtrees.any(|it| it.child.is_some_and(|it| marks.has(it)));
                if is_marked {
                    grows |= marks.add(record.tree);
                }
                !is_marked
            });
        }
        marks
    }
}

/// Returns `true` if the delta base of a tree is marked; `list` contains its record.
#[inline]
fn is_base_marked(list: &[TreeRecord], record: &TreeRecord, marks: &Marks) -> bool {
    record.base.is_some_and(|base| marks.has(list[base as usize].tree))
}
