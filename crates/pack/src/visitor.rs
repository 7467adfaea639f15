//! Visitors, and the objects that they are shown.
//!
//! Input: the levels of a worker. Output: one object with its pieces, its fresh bytes and its base; it is
//! put together only when the visitor asks. Nothing is walked here.

use crate::levels::Levels;
use crate::{Fault, Kind, ObjectId, PackError, Piece};
use std::io::{self, Read};
use std::ops::Range;

/// Takes the objects of one worker.
pub trait Visitor {
    /// What is remembered of an object while those made from it are visited.
    type Kept: Send;

    /// Visits an object. `base` is what was kept of its delta base; `None` if there is no base, or if
    /// this walk did not visit it: then all bytes are new.
    fn visit(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&Self::Kept>,
    ) -> Result<Self::Kept, Fault>;

    /// Visits an object that is too large to be held: `len` bytes from `content`.
    ///
    /// # Errors
    /// The error of reading from `content`.
    fn stream(&mut self, id: ObjectId, len: u64, content: &mut dyn Read) -> io::Result<()>;

    /// Receives an object that cannot be read.
    fn failed(&mut self, error: PackError);

    /// Returns `true` if the walk is to stop.
    fn is_stopped(&self) -> bool;
}

/// An object in its place in a family.
pub struct Object<'a> {
    pub(crate) id: ObjectId,
    pub(crate) kind: Kind,
    pub(crate) position: u32,
    pub(crate) is_base: bool,
    pub(crate) levels: &'a mut Levels,
}

impl Object<'_> {
    /// Returns its id, as the index has it.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// Returns its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns its position in the index.
    #[must_use]
    pub fn position(&self) -> u32 {
        self.position
    }

    /// Returns `true` if other objects are deltas on it, so that it is put together in any case.
    #[must_use]
    pub fn is_base(&self) -> bool {
        self.is_base
    }

    /// Returns its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.levels.len()
    }

    /// Returns `true` if it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the pieces that it is made of, in order, without gaps. An object that is no delta
    /// has one fresh piece, or none if it is empty.
    #[must_use]
    #[inline]
    pub fn pieces(&self) -> &[Piece] {
        self.levels.pieces()
    }

    /// Returns all its fresh bytes, in the order of the pieces.
    #[must_use]
    #[inline]
    pub fn fresh(&self) -> &[u8] {
        self.levels.fresh()
    }

    /// Returns the bytes of the delta base; empty for an object that is no delta.
    #[must_use]
    #[inline]
    pub fn base(&self) -> &[u8] {
        self.levels.base()
    }

    /// Appends the bytes of a range to `out`, without putting the object together.
    ///
    /// # Panics
    /// If the range exceeds the object.
    pub fn read(&self, range: Range<usize>, out: &mut Vec<u8>) {
        self.levels.read(range, out);
    }

    /// Returns all bytes. They are put together once.
    ///
    /// # Errors
    /// [`Fault`] if memory does not suffice.
    pub fn whole(&mut self) -> Result<&[u8], Fault> {
        self.levels.whole()
    }

    /// Returns all bytes, and the pieces.
    ///
    /// # Errors
    /// As [`Object::whole`].
    pub fn whole_with_pieces(&mut self) -> Result<(&[u8], &[Piece]), Fault> {
        self.levels.whole()?;
        Ok((self.levels.top(), self.levels.pieces()))
    }
}
