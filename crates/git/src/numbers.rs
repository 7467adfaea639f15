//! Numbers of objects and commits. An `Option` of a number takes four bytes, like the number itself.

use std::num::NonZeroU32;

/// The number of an object in an object index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectNo(NonZeroU32);

/// The number of a commit in a graph. Parents have lower numbers than their children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CommitNo(NonZeroU32);

impl ObjectNo {
    /// The number of the first object.
    pub(crate) const FIRST: Self = Self::new(0);

    /// Creates a number from an index, which is less than `u32::MAX`.
    #[inline]
    pub(crate) const fn new(index: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index))
    }

    /// Returns the number of the object at a position after this one.
    #[inline]
    pub(crate) const fn plus(self, position: u32) -> Self {
        Self(self.0.saturating_add(position))
    }

    /// Returns the index.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl CommitNo {
    /// Creates a number from an index, which is less than `u32::MAX`.
    #[inline]
    pub(crate) const fn new(index: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index))
    }

    /// Returns the index.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}
