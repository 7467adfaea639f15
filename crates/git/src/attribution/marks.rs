//! Sets of objects, and the trees that may hold one of a set's objects.
//!
//! Input: the links that were collected while the objects were read. No object is read here.

use super::super::numbers::ObjectNo;
use super::super::objects::Objects;
use ddpatrol_pack::Kind;

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

/// Marks objects and every tree that may hold one of them, at any depth.
///
/// The links contain only those entries of a tree that its delta base does not have, so a tree is
/// marked with its base: too many are marked, never too few.
pub(super) fn marked(objects: &Objects, seeds: impl Iterator<Item = ObjectNo>) -> Marks {
    let mut marks = Marks::new(objects.index.len());
    seeds.for_each(|seed| {
        marks.add(seed);
    });
    for &(child, parent) in objects.links.blobs.iter().flatten() {
        if marks.has(child) {
            marks.add(parent);
        }
    }
    let mut grows = true;
    while grows {
        grows = false;
        for &(child, parent) in objects.links.subtrees.iter().flatten() {
            if marks.has(child) {
                grows |= marks.add(parent);
            }
        }
        for (forest, first) in &objects.packs {
            for (position, base) in forest.deltas(Kind::Tree) {
                if marks.has(first.plus(base)) {
                    grows |= marks.add(first.plus(position));
                }
            }
        }
    }
    marks
}
