//! Checks the new parts of a delta object: its fresh bytes, and the junctions of its pieces.
//!
//! Input: an object as pieces of its delta base and fresh bytes. Output: whether it may contain a token
//! that its base does not. It does not search for the tokens.
//!
//! A few bytes on either side decide most junctions, without a branch that depends on the text: objects
//! have dozens of pieces, and few of them can contain a token.

use crate::delta::{DeltaObject, Piece, PieceSource};
use crate::encoded::broken::{CONTENT_HEAD, DocumentKind};
use crate::encoded::literals::Literals;
use crate::encoded::pairs::Pairs;
use crate::encoded::runs::{self, EncodedRun};
use crate::encoded::{MIN_LINE, MIN_RUN, is_after_line, is_text, may_end_as_line, may_join_line};
use crate::matcher::Matcher;
use crate::search::ContentKind;
use crate::words;
use std::ops::Range;

/// The pairs of adjacent bytes that occur in needles, to rule out junctions that no needle crosses.
#[derive(Debug)]
pub(crate) struct Junctions {
    pairs: Pairs,
    longest: usize,
}

impl Junctions {
    pub(crate) fn new<N: AsRef<[u8]>>(needles: &[N]) -> Self {
        let mut pairs = Pairs::new();
        for pair in needles.iter().flat_map(|needle| needle.as_ref().windows(2)) {
            pairs.add(pair[0], pair[1]);
        }
        let longest = needles.iter().map(|needle| needle.as_ref().len()).max().unwrap_or(0);
        let longest = longest.max(MIN_WINDOW);
        Self { pairs, longest }
    }

    /// Returns the length of the longest needle, at least [`MIN_WINDOW`].
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }
}

/// Minimum number of bytes on either side of a junction that are searched for a gap in a head.
const MIN_WINDOW: usize = 8;

/// Number of bytes on either side of a junction that are inspected at once.
const PROBE_LEN: usize = 16;

/// Marks the bytes that no run contains, the first byte in the lowest bit: those below `#`, and those that
/// are not ASCII.
#[cfg(target_feature = "sse2")]
#[inline]
fn non_run_bytes(bytes: [u8; PROBE_LEN]) -> u16 {
    use std::arch::x86_64::{_mm_cmpgt_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    let bytes = u128::from_le_bytes(bytes);
    let (low, high) = (bytes as i64, (bytes >> 64) as i64);
    // SAFETY: the compilation target supports these instructions.
    #[expect(unsafe_code, reason = "the intrinsics are unsafe although the target supports them")]
    let enough = unsafe {
        // As signed numbers, bytes that are not ASCII are negative.
        let least = _mm_set1_epi8(b'#' as i8 - 1);
        _mm_movemask_epi8(_mm_cmpgt_epi8(_mm_set_epi64x(high, low), least))
    };
    !enough as u16
}

/// Marks the bytes that no run contains, byte by byte.
#[cfg(not(target_feature = "sse2"))]
#[inline]
fn non_run_bytes(bytes: [u8; PROBE_LEN]) -> u16 {
    let marks = |marks: u16, byte: &u8| marks << 1 | u16::from(!(b'#'..0x80).contains(byte));
    bytes.iter().rev().fold(0, marks)
}

/// Returns the bytes before `end`, padded with zeros on the left.
#[inline]
fn before(bytes: &[u8], end: usize) -> [u8; PROBE_LEN] {
    if let Some(near) = bytes[..end].last_chunk() {
        return *near;
    }
    let mut near = [0; PROBE_LEN];
    near[PROBE_LEN - end..].copy_from_slice(&bytes[..end]);
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

/// The bytes before a junction.
#[derive(Clone, Copy, Debug)]
struct PieceEnd<'a> {
    /// The piece before the junction.
    bytes: &'a [u8],
    /// The number of bytes before that may belong to a run, at most [`MIN_RUN`].
    run: usize,
}

/// The check whether an object may contain a token that its base does not.
#[derive(Clone, Copy)]
pub(crate) struct DeltaCheck<'a> {
    pub(crate) matcher: &'a Matcher,
    pub(crate) literals: &'a Literals,
    pub(crate) junctions: &'a Junctions,
}

impl DeltaCheck<'_> {
    /// Returns `true` if an object may contain a token that its base does not: if a needle, or a run that
    /// may be an encoded token, is in the fresh bytes or crosses a junction, or if zeros in or next to the
    /// fresh bytes may be part of UTF-16.
    pub(crate) fn may_differ(self, object: &impl DeltaObject, window: &mut Vec<u8>) -> bool {
        let (fresh, base) = (object.fresh(), object.base());
        let is_text = object.kind() != ContentKind::TreeNames;
        // UTF-16 contains zeros: without zeros in or next to the fresh bytes, no UTF-16 is new.
        if self.matcher.has_head(fresh)
            || is_text && memchr::memchr(0, fresh).is_some()
            || self.has_new_runs(fresh, object.kind())
        {
            return true;
        }
        let pieces = object.piece_count();
        let mut near = PieceEnd { bytes: &[], run: 0 };
        // The runs before this offset were searched.
        let mut searched = 0;
        for index in 0..pieces {
            let piece = object.piece(index);
            let (source, start) = match piece.from {
                PieceSource::Fresh(at) => (fresh, at as usize),
                PieceSource::Base(at) => (base, at as usize),
            };
            let (at, len) = (piece.at as usize, piece.len as usize);
            let bytes = &source[start..start + len];
            let tail = non_run_bytes(before(source, start + len));
            let head = match bytes.first_chunk().map(|head| non_run_bytes(*head)) {
                Some(0) => bytes.iter().take(MIN_RUN).take_while(is_run_byte).count(),
                Some(strange) => strange.trailing_zeros() as usize,
                None => len,
            };
            let run = near.run + head;
            if run >= MIN_RUN || run >= MIN_LINE && may_join_line(near.bytes, bytes) {
                let Some(end) = self.has_new_run(object, index, searched, window) else {
                    return true;
                };
                searched = end;
            }
            let first = bytes[0];
            let junction = |last| Junction { at, last, first };
            let last = near.bytes.last().copied();
            if last.is_some_and(|last| self.is_new_literal(object, junction(last), window))
                || is_text && last.is_some_and(|last| last == 0 || first == 0)
            {
                return true;
            }
            near.bytes = bytes;
            // In a short piece only its own bytes count.
            let own = u16::MAX << PROBE_LEN.saturating_sub(len);
            near.run = match tail & own {
                0 => match bytes.iter().rev().take(MIN_RUN).take_while(is_run_byte).count() {
                    all if all == len => MIN_RUN.min(near.run + len),
                    some => some,
                },
                strange => strange.leading_zeros() as usize,
            };
        }
        near.run >= MIN_LINE && self.has_new_run(object, pieces, searched, window).is_none()
    }

    /// Returns `true` if an object and its base are content of different kinds. Tags within heads are searched
    /// for only in markup, so the result of a base that is none does not include them.
    pub(crate) fn differs_in_kind(self, object: &impl DeltaObject, window: &mut Vec<u8>) -> bool {
        let is_copied = object.piece_count() > 0 && {
            let Piece { len, from, .. } = object.piece(0);
            from == PieceSource::Base(0) && len as usize >= CONTENT_HEAD
        };
        let head = 0..CONTENT_HEAD.min(object.size());
        !is_copied
            && object.kind() != ContentKind::TreeNames
            && DocumentKind::of(read(object, head, window)) != DocumentKind::of(object.base())
    }

    /// Returns `true` if a needle may cross the junction: one is in the bytes around it.
    #[inline]
    fn is_new_literal(
        &self,
        object: &impl DeltaObject,
        Junction { at, last, first }: Junction,
        window: &mut Vec<u8>,
    ) -> bool {
        let longest = self.junctions.longest;
        self.junctions.pairs.contains(last, first) && {
            let from = at.saturating_sub(longest);
            let to = (at + longest).min(object.size());
            let near = read(object, from..to, window);
            self.matcher.has_head(near) || self.literals.broken.has_gap(near)
        }
    }

    /// Searches the run around the beginning of a piece, unless it ends before `searched`. Returns `None`
    /// if it may be an encoded token, else the end of the run.
    fn has_new_run(
        &self,
        object: &impl DeltaObject,
        index: usize,
        searched: usize,
        window: &mut Vec<u8>,
    ) -> Option<usize> {
        let pieces = object.piece_count();
        let at = if index < pieces { object.piece(index).at as usize } else { object.size() };
        if at < searched {
            return Some(searched);
        }
        let (start, end) = (at - run_before(object, index), at + run_after(object, index));
        let len = end - start;
        let may_contain_token = len >= MIN_LINE && {
            let run = read(object, start..end, window);
            self.literals.may_contain_token(run)
                || len >= MIN_RUN
                    && (self.matcher.has_middle(run) || words::is_in(self.matcher, run))
        };
        (!may_contain_token).then_some(end)
    }

    /// Returns `true` if the fresh bytes may contain an encoded or broken token. Here all fresh bytes count as
    /// adjacent, which can only make runs longer.
    #[inline]
    fn has_new_runs(&self, fresh: &[u8], kind: ContentKind) -> bool {
        let (broken, is_text) = (&self.literals.broken, kind != ContentKind::TreeNames);
        if fresh.len() < MIN_RUN && !has_line(fresh) {
            return is_text && broken.has_gap(fresh);
        }
        self.search_runs(fresh, kind) || is_text && broken.has_tag(fresh)
    }

    /// Returns `true` if a run in `bytes` may be an encoded token, or if a gap that is no tag may begin in a
    /// head.
    fn search_runs(&self, bytes: &[u8], kind: ContentKind) -> bool {
        let (literals, is_text) = (self.literals, kind != ContentKind::TreeNames);
        let mut is_new = false;
        runs::walk(bytes, 0..bytes.len(), |found| {
            is_new = is_new
                || match found {
                    EncodedRun::Base64OrHex(run) => {
                        let run = &bytes[run];
                        literals.may_contain_encoded(run) || words::is_in(self.matcher, run)
                    }
                    EncodedRun::ShortLine(run) => literals.has_part(&bytes[run]),
                    EncodedRun::Escaped(run) => literals.may_contain_escaped(&bytes[run]),
                    EncodedRun::Text(run) => {
                        let run = &bytes[run];
                        self.matcher.has_middle(run) || literals.broken.is_rest(run)
                    }
                    EncodedRun::Utf16(stretch) => literals.may_contain_token(&bytes[stretch]),
                    EncodedRun::Gap(at) => is_text && literals.broken.is_gap(bytes, at),
                    // Zeros are searched for separately.
                    EncodedRun::Utf32(_) => false,
                };
        });
        is_new
    }
}

/// Returns `true` if a line of at least [`MIN_LINE`] characters of encoded text may be in `bytes`, and its end.
fn has_line(bytes: &[u8]) -> bool {
    let ends = (MIN_LINE..bytes.len()).filter(|&end| is_after_line(bytes[end]));
    let mut texts = ends.map(|end| {
        let len = bytes[..end].iter().rev().take_while(is_run_byte).count();
        &bytes[end - len..end]
    });
    texts.any(|text| text.len() >= MIN_LINE && may_end_as_line(text))
}

/// Returns `true` if a zero is in the fresh bytes of an object, or next to a junction.
pub(crate) fn has_new_zero(object: &impl DeltaObject) -> bool {
    let mut pieces = (0..object.piece_count()).map(|index| bytes_of(object, object.piece(index)));
    let is_zero = |byte: Option<&u8>| byte == Some(&0);
    memchr::memchr(0, object.fresh()).is_some()
        || pieces.any(|bytes| is_zero(bytes.first()) || is_zero(bytes.last()))
}

/// Returns the number of bytes directly before a piece that a run may contain.
pub(super) fn run_before(object: &impl DeltaObject, index: usize) -> usize {
    let pieces = (0..index).rev().map(|before| bytes_of(object, object.piece(before)));
    run_len(pieces, |bytes| bytes.iter().rev().take_while(is_run_byte).count())
}

/// Returns the number of bytes that a run may contain from the beginning of a piece.
pub(super) fn run_after(object: &impl DeltaObject, index: usize) -> usize {
    let pieces = (index..object.piece_count()).map(|after| bytes_of(object, object.piece(after)));
    run_len(pieces, |bytes| bytes.iter().take_while(is_run_byte).count())
}

/// Adds up the parts of a run in successive pieces.
fn run_len<'a>(pieces: impl Iterator<Item = &'a [u8]>, run_in: impl Fn(&[u8]) -> usize) -> usize {
    let mut all = 0;
    for bytes in pieces {
        let len = run_in(bytes);
        all += len;
        if len < bytes.len() {
            break;
        }
    }
    all
}

#[inline]
fn is_run_byte(byte: &&u8) -> bool {
    is_text(**byte)
}

fn bytes_of(object: &impl DeltaObject, piece: Piece) -> &[u8] {
    let (source, start) = match piece.from {
        PieceSource::Fresh(at) => (object.fresh(), at as usize),
        PieceSource::Base(at) => (object.base(), at as usize),
    };
    &source[start..start + piece.len as usize]
}

fn read<'a>(object: &impl DeltaObject, range: Range<usize>, window: &'a mut Vec<u8>) -> &'a [u8] {
    window.clear();
    object.read(range, window);
    window
}
