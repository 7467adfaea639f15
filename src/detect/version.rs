//! Decides what a version of something holds, given what its delta base holds.
//!
//! Contract: what comes out is what a search of the whole version would find. A version is searched
//! as a whole unless nothing in it can differ from its base: no literal that is searched for stands in
//! its fresh bytes or across a junction of two pieces, no run that may hide a token is new or touches
//! a junction, and every place of the base that was looked at and is copied is copied with all the
//! bytes that were looked at there.

use super::encoded::runs::{self, Found as Long, LEAST};
use super::{Candidate, Detector, Evidence, Match, Scratch, Search, Within};
use ddpatrol_pack::{From, Kind, Object};

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

/// Knows which two bytes can stand on both sides of a junction within a literal.
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

    /// Tells whether `is_match` holds of the bytes around a junction of two pieces that a literal may
    /// stand across.
    fn any(
        &self,
        object: &Object<'_>,
        window: &mut Vec<u8>,
        is_match: impl Fn(&[u8]) -> bool,
    ) -> bool {
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
                if is_match(window) {
                    return true;
                }
            }
            before = Some(last);
        }
        false
    }
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
        if base.is_intricate
            || self.prefilter.is_match(object.fresh())
            || self.encoded.may_escape(object.fresh())
            || self.has_new_literal(object, &mut scratch.window)
            || self.has_new_runs(object, &mut scratch.window)
        {
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

    /// Tells whether a literal that is searched for stands across a junction of two pieces.
    fn has_new_literal(&self, object: &Object<'_>, window: &mut Vec<u8>) -> bool {
        self.junctions.any(object, window, |bytes| {
            self.prefilter.is_match(bytes) || self.encoded.may_escape(bytes)
        })
    }

    /// Tells whether a run that may hide a token is fresh or touches a junction of two pieces.
    fn has_new_runs(&self, object: &Object<'_>, window: &mut Vec<u8>) -> bool {
        let (fresh, base) = (object.fresh(), object.base());
        let is_text = object.kind() != Kind::Tree;
        // UTF-16 is told by its zeros; what has none near a change has none that is new.
        if is_text && memchr::memchr(0, fresh).is_some() {
            return true;
        }
        let mut concerns = |from: usize, to: usize| {
            if to - from < LEAST {
                return false;
            }
            window.clear();
            object.read(from..to, window);
            self.encoded.concerns(window)
        };
        // How long the run is that ends where the last piece ended, and the byte it ended with.
        let (mut run, mut before) = (0, None);
        for piece in object.pieces() {
            let (bytes, start, is_fresh) = match piece.from {
                From::Fresh(at) => (fresh, at as usize, true),
                From::Base(at) => (base, at as usize, false),
            };
            let bytes = &bytes[start..start + piece.len as usize];
            let at = piece.at as usize;
            if is_text && before.is_some() && (before == Some(0) || bytes[0] == 0) {
                return true;
            }
            let head = bytes.iter().take_while(|&&byte| runs::is_text(byte)).count();
            before = bytes.last().copied();
            if head == bytes.len() {
                run += head;
                continue;
            }
            if concerns(at - run, at + head) {
                return true;
            }
            if is_fresh {
                let mut is_new = false;
                runs::walk(bytes, 0..bytes.len(), |long| {
                    let (Long::Run(long) | Long::Escaped(long) | Long::Utf16(long)) = long;
                    is_new = is_new || concerns(at + long.start, at + long.end);
                });
                if is_new {
                    return true;
                }
            }
            run = bytes.iter().rev().take_while(|&&byte| runs::is_text(byte)).count();
        }
        let end = object.len() as usize;
        concerns(end - run, end)
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
        let search = Search { bytes, own, depth: super::DEPTH, within };
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
