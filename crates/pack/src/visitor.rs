//! Visitors, and the objects that they receive.
//!
//! Input: the delta stack of a worker. Output: an object with its pieces, fresh bytes and base, which is
//! assembled only on request. This file walks nothing.

use crate::delta_stack::DeltaStack;
use crate::{Fault, Kind, ObjectId, PackError, Piece};
use std::io::{self, Read};
use std::ops::Range;

/// Receives the objects of one worker.
pub trait Visitor {
    /// Data about an object, stored while the deltas on it are visited.
    type BaseData: Send;

    /// Visits an object and returns data for the visits of the deltas on it. `base` is the data of its delta
    /// base, or `None` if there is no base, or this walk did not visit it.
    fn visit(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&Self::BaseData>,
    ) -> Result<Self::BaseData, Fault>;

    /// Visits an object that is too large for memory: `len` bytes from `content`.
    ///
    /// # Errors
    /// The error of reading from `content`.
    fn stream(&mut self, id: ObjectId, len: u64, content: &mut dyn Read) -> io::Result<()>;

    /// Receives the error of an object that cannot be read.
    fn failed(&mut self, error: PackError);

    /// Returns `true` if the walk must stop.
    fn is_stopped(&self) -> bool;
}

/// An object in its delta tree.
pub struct Object<'a> {
    pub(crate) id: ObjectId,
    pub(crate) kind: Kind,
    pub(crate) position: u32,
    pub(crate) is_base: bool,
    pub(crate) stack: &'a mut DeltaStack,
}

impl Object<'_> {
    /// Returns its id in the index.
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

    /// Returns `true` if other objects are deltas on it, so that it is assembled in any case.
    #[must_use]
    pub fn is_base(&self) -> bool {
        self.is_base
    }

    /// Returns its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.stack.len()
    }

    /// Returns `true` if it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns its pieces, in order, without gaps. An object that is not a delta has one fresh piece, or
    /// none if it is empty.
    #[must_use]
    #[inline]
    pub fn pieces(&self) -> &[Piece] {
        self.stack.pieces()
    }

    /// Returns all its fresh bytes, in the order of the pieces.
    #[must_use]
    #[inline]
    pub fn fresh(&self) -> &[u8] {
        self.stack.fresh()
    }

    /// Returns the bytes of the delta base. Empty for an object that is not a delta.
    #[must_use]
    #[inline]
    pub fn base(&self) -> &[u8] {
        self.stack.base()
    }

    /// Appends the bytes of a range to `out`, without assembling the object.
    ///
    /// # Panics
    /// If the range exceeds the object.
    pub fn read(&self, range: Range<usize>, out: &mut Vec<u8>) {
        self.stack.read(range, out);
    }

    /// Returns all bytes; assembles them at the first call.
    ///
    /// # Errors
    /// [`Fault`] if there is not enough memory.
    pub fn assemble(&mut self) -> Result<&[u8], Fault> {
        self.stack.assemble()
    }

    /// Returns all bytes, and the pieces.
    ///
    /// # Errors
    /// As [`Object::assemble`].
    pub fn assemble_with_pieces(&mut self) -> Result<(&[u8], &[Piece]), Fault> {
        self.stack.assemble()?;
        Ok((self.stack.top(), self.stack.pieces()))
    }
}
