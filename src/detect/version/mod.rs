//! Decides what a version of something holds, given what its delta base holds.
//!
//! Contract: what comes out is what a search of the whole version would find. A version is searched
//! as a whole unless nothing in it can differ from its base: no literal that is searched for stands in
//! its fresh bytes or across a junction of two pieces, no run that may hide a token is new or touches
//! a junction, and every place of the base that was looked at and is copied is copied with all the
//! bytes that were looked at there.

mod junctions;

pub(super) use junctions::Junctions;

use super::{Candidate, Detector, Evidence, Level, Match, Scratch, Search, Within};
use ddpatrol_pack::{From, Object};

/// A place in a version that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The offset of the first byte that had a say.
    pub from: u32,
    /// The offset of the token, or of what might have been one.
    pub start: u32,
    /// How far was looked to decide, at the most.
    pub reach: u32,
    /// What was found there, if anything.
    pub found: Option<Found>,
}

/// A token found in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number under which the visitor knows the token.
    pub token: u32,
    /// The length in bytes of what spells it.
    pub len: u32,
}

/// The places of a version that were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// The places, in ascending order of their starts.
    pub list: Vec<Head>,
    /// Whether there is something whose disguise may go on beyond what was looked at, so that versions
    /// must be searched whole.
    pub is_intricate: bool,
}

impl Detector {
    /// Returns the places of a version if they follow from those of its base; `None` if the whole
    /// version is to be searched, with [`Detector::heads`].
    #[must_use]
    pub fn inherit(
        &self,
        object: &Object<'_>,
        base: &Heads,
        scratch: &mut Scratch,
    ) -> Option<Heads> {
        if base.is_intricate || self.has_news(object, &mut scratch.window) {
            return None;
        }
        let mut heads = Heads::default();
        if base.list.is_empty() {
            return Some(heads);
        }
        for piece in object.pieces() {
            let From::Base(from) = piece.from else { continue };
            let end = from + piece.len;
            let first = base.list.partition_point(|head| head.start < from);
            for head in base.list[first..].iter().take_while(|head| head.start < end) {
                // What stands before the first byte matters, too. A head cut by the end of the piece
                // may go on.
                if head.from < from || head.start == from || head.reach > end {
                    return None;
                }
                let shift = |at: u32| at - from + piece.at;
                let (start, reach) = (shift(head.start), shift(head.reach));
                heads.list.push(Head { from: shift(head.from), start, reach, ..*head });
            }
        }
        heads.list.sort_by_key(|head| head.start);
        Some(heads)
    }

    /// Calls `on_head` with every place in `own` that is looked at: where it begins, from where and how
    /// far the decision on it looks, and what was found there.
    ///
    /// Returns whether there is something whose disguise may go on beyond what was looked at.
    pub fn heads(
        &self,
        (bytes, within): (&[u8], Within),
        own: std::ops::Range<usize>,
        scratch: &mut Scratch,
        mut on_head: impl FnMut(Range, Option<(Match, &[u8])>),
    ) -> bool {
        scratch.is_intricate = false;
        let search = Search { bytes, own, depth: super::DEPTH, within, level: Level::Raw };
        self.each_once(&search, scratch, &mut |candidate, token| {
            let Candidate { from, start, reach, found } = candidate;
            on_head(Range { from, start, reach }, found.map(|found| (found, token)));
        });
        scratch.is_intricate
    }
}

/// Where a place that was looked at lies: from the first byte that had a say to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The offset of the first byte that had a say.
    pub from: usize,
    /// The offset of what might be a token.
    pub start: usize,
    /// The offset after the last byte that had a say.
    pub reach: usize,
}

impl Match {
    /// Tells whether the checksum holds.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.evidence == Evidence::Proven
    }
}
