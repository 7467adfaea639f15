//! Git objects of a pack as the versions that the detector compares with their delta bases.
//!
//! Input: an object. Output: the same bytes and pieces, in the detector's terms. Nothing is copied or
//! searched here.

use crate::detect::ContentKind;
use crate::detect::delta::{DeltaObject, Piece, PieceSource};
use ddpatrol_pack::{Kind, Object};
use std::ops::Range;

/// An object of a pack.
#[derive(Clone, Copy)]
pub(super) struct ObjectVersion<'a>(pub(super) &'a Object<'a>);

impl DeltaObject for ObjectVersion<'_> {
    #[inline]
    fn kind(&self) -> ContentKind {
        if self.0.kind() == Kind::Tree { ContentKind::TreeNames } else { ContentKind::WHOLE }
    }

    #[inline]
    fn size(&self) -> usize {
        self.0.len() as usize
    }

    #[inline]
    fn base(&self) -> &[u8] {
        self.0.base()
    }

    #[inline]
    fn fresh(&self) -> &[u8] {
        self.0.fresh()
    }

    #[inline]
    fn piece_count(&self) -> usize {
        self.0.pieces().len()
    }

    #[inline]
    fn piece(&self, index: usize) -> Piece {
        let ddpatrol_pack::Piece { at, len, from } = self.0.pieces()[index];
        let from = match from {
            ddpatrol_pack::PieceSource::Base(at) => PieceSource::Base(at),
            ddpatrol_pack::PieceSource::Fresh(at) => PieceSource::Fresh(at),
        };
        Piece { at, len, from }
    }

    #[inline]
    fn read(&self, range: Range<usize>, out: &mut Vec<u8>) {
        self.0.read(range, out);
    }
}
