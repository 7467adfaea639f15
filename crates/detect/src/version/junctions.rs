//! Searches what is new in a version: its fresh bytes, and the junctions of its pieces.
//!
//! Input: a version as pieces of its delta base and fresh bytes. Output: whether it may contain a token
//! that its base does not. It does not search for the tokens.
//!
//! Most junctions are decided by a few bytes on either side, without a branch that depends on the kind
//! of text: versions have dozens of pieces, and nearly none of them matters.

use crate::encoded::literals::Literals;
use crate::encoded::runs::{self, Found as Long};
use crate::encoded::{LEAST, is_text};
use crate::matcher::Matcher;
use crate::search::Within;
use crate::version::{From, Piece, Version};
use std::ops::Range;

/// The pairs of bytes that can be on the two sides of a junction within a literal.
#[derive(Debug)]
pub(crate) struct Junctions {
    pairs: Box<[u64; 1024]>,
    longest: usize,
}

impl Junctions {
    pub(crate) fn new<N: AsRef<[u8]>>(needles: &[N]) -> Self {
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
}

/// How many bytes on either side of a junction are looked at first, all at once.
const NEAR: usize = 16;

/// Marks the bytes that no run has, the first by the lowest bit: all below `#`, and those that are not
/// ASCII.
#[cfg(target_feature = "sse2")]
#[inline]
fn strange(bytes: [u8; NEAR]) -> u16 {
    use std::arch::x86_64::{_mm_cmpgt_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    let bytes = u128::from_le_bytes(bytes);
    let (low, high) = (bytes as i64, (bytes >> 64) as i64);
    // SAFETY: what this is compiled for has these instructions.
    #[expect(unsafe_code, reason = "the compiler does not see what it compiles for")]
    let enough = unsafe {
        // As signed numbers those that are not ASCII are negative.
        let least = _mm_set1_epi8(b'#' as i8 - 1);
        _mm_movemask_epi8(_mm_cmpgt_epi8(_mm_set_epi64x(high, low), least))
    };
    !enough as u16
}

/// As above, byte by byte.
#[cfg(not(target_feature = "sse2"))]
#[inline]
fn strange(bytes: [u8; NEAR]) -> u16 {
    let marks = |marks: u16, byte: &u8| marks << 1 | u16::from(!(b'#'..0x80).contains(byte));
    bytes.iter().rev().fold(0, marks)
}

/// The bytes that end at `end`, the last of them last; what would lie before the first is zero.
#[inline]
fn before(bytes: &[u8], end: usize) -> [u8; NEAR] {
    if let Some(near) = bytes[..end].last_chunk() {
        return *near;
    }
    let mut near = [0; NEAR];
    near[NEAR - end..].copy_from_slice(&bytes[..end]);
    near
}

/// The border between two pieces.
#[derive(Clone, Copy, Debug)]
struct Junction {
    /// The offset of the second piece.
    at: usize,
    /// The last byte of the first piece.
    last: u8,
    /// The first byte of the second piece.
    first: u8,
}

/// What two pieces that meet have near the junction.
#[derive(Clone, Copy, Debug)]
struct Near {
    /// The last byte before.
    last: Option<u8>,
    /// How many bytes before may belong to a run, at most [`LEAST`].
    run: usize,
}

/// The search for what a version may contain and its base does not.
#[derive(Clone, Copy)]
pub(crate) struct News<'a> {
    pub(crate) matcher: &'a Matcher,
    pub(crate) literals: &'a Literals,
    pub(crate) junctions: &'a Junctions,
}

impl News<'_> {
    /// Returns `true` if a version may contain something that is searched for and its base does not: a
    /// literal or a run that may be an encoded token, in the fresh bytes or across a junction.
    pub(crate) fn may_be_in(self, version: &impl Version, window: &mut Vec<u8>) -> bool {
        let (fresh, base) = (version.fresh(), version.base());
        let is_text = version.within() != Within::Names;
        // UTF-16 has zeros: without any in or beside the fresh bytes, none is new.
        if self.matcher.has_head(fresh)
            || is_text && memchr::memchr(0, fresh).is_some()
            || self.has_new_runs(fresh)
        {
            return true;
        }
        let pieces = version.piece_count();
        let mut near = Near { last: None, run: 0 };
        // The runs before this were searched.
        let mut seen = 0;
        for index in 0..pieces {
            let piece = version.piece(index);
            let (source, start) = match piece.from {
                From::Fresh(at) => (fresh, at as usize),
                From::Base(at) => (base, at as usize),
            };
            let (at, len) = (piece.at as usize, piece.len as usize);
            let bytes = &source[start..start + len];
            let tail = strange(before(source, start + len));
            let head = match bytes.first_chunk().map(|head| strange(*head)) {
                Some(0) => bytes.iter().take(LEAST).take_while(is_its).count(),
                Some(strange) => strange.trailing_zeros() as usize,
                None => len,
            };
            if near.run + head >= LEAST {
                let Some(end) = self.has_new_run(version, index, seen, window) else { return true };
                seen = end;
            }
            let first = bytes[0];
            let junction = |last| Junction { at, last, first };
            if near.last.is_some_and(|last| self.is_new_literal(version, junction(last), window))
                || is_text && near.last.is_some_and(|last| last == 0 || first == 0)
            {
                return true;
            }
            near.last = bytes.last().copied();
            // Of a short piece only its own bytes count.
            let own = u16::MAX << NEAR.saturating_sub(len);
            near.run = match tail & own {
                0 => match bytes.iter().rev().take(LEAST).take_while(is_its).count() {
                    all if all == len => LEAST.min(near.run + len),
                    some => some,
                },
                strange => strange.leading_zeros() as usize,
            };
        }
        near.run >= LEAST && self.has_new_run(version, pieces, seen, window).is_none()
    }

    /// Returns `true` if a literal that is searched for crosses the junction.
    #[inline]
    fn is_new_literal(
        &self,
        version: &impl Version,
        Junction { at, last, first }: Junction,
        window: &mut Vec<u8>,
    ) -> bool {
        let longest = self.junctions.longest;
        self.junctions.could_be(last, first) && {
            let from = at.saturating_sub(longest);
            let to = (at + longest).min(version.size());
            self.matcher.has_head(read(version, from..to, window))
        }
    }

    /// Searches the run around the beginning of a piece, unless it ends before `seen`. Returns `None` if
    /// it may be an encoded token, else where it ends.
    fn has_new_run(
        &self,
        version: &impl Version,
        index: usize,
        seen: usize,
        window: &mut Vec<u8>,
    ) -> Option<usize> {
        let pieces = version.piece_count();
        let at = if index < pieces { version.piece(index).at as usize } else { version.size() };
        if at < seen {
            return Some(seen);
        }
        let (mut start, mut end) = (at, at);
        for before in (0..index).rev() {
            let bytes = bytes_of(version, version.piece(before));
            let len = bytes.iter().rev().take_while(is_its).count();
            start -= len;
            if len < bytes.len() {
                break;
            }
        }
        for after in index..pieces {
            let bytes = bytes_of(version, version.piece(after));
            let len = bytes.iter().take_while(is_its).count();
            end += len;
            if len < bytes.len() {
                break;
            }
        }
        let is_long = end - start >= LEAST;
        (!is_long || !self.literals.concerns(read(version, start..end, window))).then_some(end)
    }

    /// Returns `true` if a run within fresh bytes may be an encoded token. Pieces that do not follow each
    /// other in the version are taken for one here: a longer run may be whatever a part of it may be.
    #[inline]
    fn has_new_runs(&self, fresh: &[u8]) -> bool {
        fresh.len() >= LEAST && self.search_runs(fresh)
    }

    /// Returns `true` if a run in `bytes` may be an encoded token.
    fn search_runs(&self, bytes: &[u8]) -> bool {
        let mut is_new = false;
        runs::walk(bytes, 0..bytes.len(), |long| {
            let (Long::Run(long) | Long::Escaped(long) | Long::Utf16(long)) = long;
            is_new = is_new || self.literals.concerns(&bytes[long]);
        });
        is_new
    }
}

#[inline]
fn is_its(byte: &&u8) -> bool {
    is_text(**byte)
}

fn bytes_of(version: &impl Version, piece: Piece) -> &[u8] {
    let (source, start) = match piece.from {
        From::Fresh(at) => (version.fresh(), at as usize),
        From::Base(at) => (version.base(), at as usize),
    };
    &source[start..start + piece.len as usize]
}

fn read<'a>(version: &impl Version, range: Range<usize>, window: &'a mut Vec<u8>) -> &'a [u8] {
    window.clear();
    version.read(range, window);
    window
}
