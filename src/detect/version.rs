//! Decides what a version of something holds, given what its delta base holds.
//!
//! Contract: what comes out is what a search of the whole version would find. A version is searched
//! as a whole unless nothing in it can differ from its base: no head of a rule stands in its fresh
//! bytes or across a junction of two pieces, and every head of the base that it copies is copied
//! with all the bytes that were looked at to decide on it.

use super::prefilter::Prefilter;
use super::{Detector, Evidence, Match, Scratch};
use ddpatrol_pack::{From, Object};

/// A place in a version where the head of a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The offset of the head.
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
    /// Its length in bytes.
    pub len: u32,
}

/// The heads of a version, in ascending order.
pub type Heads = Vec<Head>;

/// Knows which two bytes can stand on both sides of a junction within a head.
#[derive(Debug)]
pub(super) struct Junctions {
    pairs: Box<[u64; 1024]>,
    longest: usize,
}

impl Junctions {
    pub(super) fn new<N: AsRef<[u8]>>(needles: &[N]) -> Self {
        let mut pairs = Box::new([0; 1024]);
        for pair in needles.iter().flat_map(|needle| needle.as_ref().windows(2)) {
            let at = usize::from(pair[0]) << 8 | usize::from(pair[1]);
            pairs[at >> 6] |= 1 << (at & 63);
        }
        let longest = needles.iter().map(|needle| needle.as_ref().len()).max().unwrap_or(0);
        Self { pairs, longest }
    }

    #[inline]
    fn could_be(&self, before: u8, after: u8) -> bool {
        let at = usize::from(before) << 8 | usize::from(after);
        self.pairs[at >> 6] >> (at & 63) & 1 == 1
    }

    /// Tells whether a head stands across a junction of two pieces.
    fn any(&self, object: &Object<'_>, prefilter: &Prefilter, window: &mut Vec<u8>) -> bool {
        let (fresh, base) = (object.fresh(), object.base());
        let mut before = None;
        for piece in object.pieces() {
            let (bytes, start) = match piece.from {
                From::Fresh(at) => (fresh, at as usize),
                From::Base(at) => (base, at as usize),
            };
            let (first, last) = (bytes[start], bytes[start + piece.len as usize - 1]);
            if before.is_some_and(|before| self.could_be(before, first)) {
                let at = piece.at as usize;
                let from = at.saturating_sub(self.longest);
                let to = (at + self.longest).min(object.len() as usize);
                window.clear();
                object.read(from..to, window);
                if prefilter.is_match(window) {
                    return true;
                }
            }
            before = Some(last);
        }
        false
    }
}

impl Detector {
    /// Returns the heads of a version if they follow from those of its base; `None` if the whole
    /// version is to be searched, with [`Detector::heads`].
    #[must_use]
    pub fn inherit(
        &self,
        object: &Object<'_>,
        base: &Heads,
        scratch: &mut Scratch,
    ) -> Option<Heads> {
        if self.prefilter.is_match(object.fresh())
            || self.junctions.any(object, &self.prefilter, &mut scratch.window)
        {
            return None;
        }
        let mut heads = Heads::new();
        if base.is_empty() {
            return Some(heads);
        }
        for piece in object.pieces() {
            let From::Base(from) = piece.from else { continue };
            let end = from + piece.len;
            let first = base.partition_point(|head| head.start < from);
            for head in base[first..].iter().take_while(|head| head.start < end) {
                // One byte before was looked at too. A head cut by the end of the piece may go on.
                if head.start == from || head.reach > end {
                    return None;
                }
                let shift = |at: u32| at - from + piece.at;
                let (start, reach) = (shift(head.start), shift(head.reach));
                heads.push(Head { start, reach, ..*head });
            }
        }
        Some(heads)
    }

    /// Calls `on_head` for every head in `bytes`: its offset, how far the decision on it looks, and
    /// what was found there.
    pub fn heads(
        &self,
        bytes: &[u8],
        own: std::ops::Range<usize>,
        scratch: &mut Scratch,
        mut on_head: impl FnMut(usize, usize, Option<Match>),
    ) {
        self.prefilter.find(bytes, own, |hit| {
            let rules = &self.by_needle[hit.needle];
            let longest = rules.iter().map(|&it| self.rules.rules()[it].format.max_len()).max();
            let reach = hit.start + longest.unwrap_or(0) + 1;
            let mut is_bare = true;
            for &rule in rules {
                if let Some(found) = self.decide(rule, bytes, hit.start, scratch) {
                    is_bare = false;
                    on_head(hit.start, reach, Some(found));
                }
            }
            if is_bare {
                on_head(hit.start, reach, None);
            }
        });
    }
}

impl Match {
    /// Tells whether the checksum holds.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.evidence == Evidence::Proven
    }
}
