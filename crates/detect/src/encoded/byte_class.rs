//! Classifies many bytes at once as characters of encoded text or not.
//!
//! Input: bytes. Output: bit masks that mark where [`MIN_RUN`] such characters in a row end, and the line ends and
//! quotation marks after rows of at least [`MIN_LINE`] characters. It inspects no row.
//!
//! Two shuffles classify 32 bytes at a time ([`super::halves`]).

use super::class::{MIN_LINE, MIN_RUN};
use super::halves::{BY_HIGH, BY_LOW, GAP, NUL, STOP, classes, is_gap_start, is_in_row};

/// Number of bytes per mask.
pub(super) const WIDTH: usize = 64;

/// Number of masks per block.
const MAX_MASKS: usize = 32;

/// Number of masks that are inspected at once.
const GROUP: usize = 4;

/// Number of bytes per block.
pub(super) const BLOCK: usize = MAX_MASKS * WIDTH;

/// The zeros of UTF-32: three of four bytes, for each position of the fourth.
const UTF32_ZEROS: [u64; 4] = [
    !0x1111_1111_1111_1111,
    !0x2222_2222_2222_2222,
    !0x4444_4444_4444_4444,
    !0x8888_8888_8888_8888,
];

/// Returns `true` if bytes begin with characters of UTF-32.
pub(super) fn is_utf32(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|it| UTF32_ZEROS.contains(&bits_where(it, |byte| byte == 0)))
}

/// Masks of consecutive bytes, one bit per byte, the lowest bit for the first byte. Probe bytes are those
/// that encoded text can contain ([`is_probe`](super::class::is_probe)), and carriage returns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    /// The probe bytes, preceded by the last mask of the previous block.
    probes: [u64; MAX_MASKS + 1],
    /// The last mask of the block.
    last: u64,
    /// 1 if the last byte of the previous block is zero, else 0.
    after_zero: u64,
    /// The bytes that may begin a gap in a token, in the masks that have such bytes.
    gaps: [u64; MAX_MASKS],
    /// The masks with bytes that may begin a gap, one bit per mask.
    with_gaps: u32,
    /// The masks whose bytes are UTF-32, one bit per mask.
    utf32: u32,
}

/// The ends of rows of probe bytes in a block.
///
/// They are kept apart from [`Masks`] so that the compiler knows that they do not overlap the probe bytes.
/// Otherwise the loop that computes them is not vectorized and takes four times as long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    /// The bytes at which [`MIN_RUN`] probe bytes in a row end.
    pub(super) long: [u64; MAX_MASKS],
    /// The line ends and quotation marks after at least [`MIN_LINE`] probe bytes in a row.
    pub(super) stops: [u64; MAX_MASKS],
    /// The masks that have marks, one bit per mask.
    marked: u32,
}

impl Ends {
    /// Lists the indices of the masks that have marks.
    #[inline]
    pub(super) fn marked(&self) -> impl Iterator<Item = usize> + use<> {
        bits_of(self.marked.into())
    }
}

impl Masks {
    pub(super) fn new() -> Self {
        Self {
            probes: [0; MAX_MASKS + 1],
            last: 0,
            after_zero: 0,
            gaps: [0; MAX_MASKS],
            with_gaps: 0,
            utf32: 0,
        }
    }

    /// Lists the offsets in the last block at which a gap in a token may begin.
    pub(super) fn gaps(&self) -> impl Iterator<Item = usize> {
        bits_of(self.with_gaps.into())
            .flat_map(|at| bits_of(self.gaps[at]).map(move |bit| at * WIDTH + bit))
    }

    /// Lists the offsets in the last block of masks whose bytes are UTF-32.
    pub(super) fn utf32(&self) -> impl Iterator<Item = usize> {
        bits_of(self.utf32.into()).map(|at| at * WIDTH)
    }

    /// Returns the number of probe bytes in a row before an offset in the last block, up to 64 or a few more.
    #[inline]
    pub(super) fn row_len(&self, at: usize) -> usize {
        let (index, bit) = (at / WIDTH, at % WIDTH);
        let masks = u128::from(self.probes[1 + index]) << WIDTH | u128::from(self.probes[index]);
        (masks << (WIDTH - bit)).leading_ones() as usize
    }

    /// Marks the ends of rows in at most [`BLOCK`] bytes that follow the previous ones. Of consecutive zeros only
    /// the first probes: text has none, and binary data have many.
    pub(super) fn ends(&mut self, bytes: &[u8], ends: &mut Ends) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor supports the instructions that the function is compiled for.
            #[expect(
                unsafe_code,
                reason = "calling a function for a detected CPU feature is unsafe"
            )]
            return unsafe { avx2(self, bytes, ends) };
        }
        scalar(self, bytes, ends);
    }
}

/// Builds the masks byte by byte.
fn scalar(masks: &mut Masks, bytes: &[u8], ends: &mut Ends) {
    build(masks, bytes, ends, |block| {
        let zeros = bits_where(block, |byte| byte == 0);
        let gaps = bits_where(block, is_gap_start);
        let is_special = zeros | gaps != 0;
        let stops = bits_where(block, |byte| classes(byte) & STOP != 0);
        Marks { probes: bits_where(block, is_in_row), stops, is_special, zeros, gaps }
    });
    masks.mark(bytes.len().div_ceil(WIDTH), ends);
}

/// Lists the indices of the set bits.
pub(super) fn bits_of(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (bit < u64::BITS).then_some(bit as usize)
    })
}

/// Returns a mask of the bytes that match.
#[inline(always)]
fn bits_where(block: &[u8; WIDTH], is_match: impl Fn(u8) -> bool) -> u64 {
    block.iter().rev().fold(0, |marks, &byte| marks << 1 | u64::from(is_match(byte)))
}

/// The marked bytes of one mask.
struct Marks {
    probes: u64,
    /// The bytes that may end a short line.
    stops: u64,
    /// Whether there are zeros or bytes that may begin a gap.
    is_special: bool,
    zeros: u64,
    /// The bytes that may begin a gap.
    gaps: u64,
}

/// Builds the masks with `mask`.
#[inline(always)]
fn build(masks: &mut Masks, bytes: &[u8], ends: &mut Ends, mask: impl Fn(&[u8; WIDTH]) -> Marks) {
    masks.with_gaps = 0;
    masks.utf32 = 0;
    masks.probes[0] = masks.last;
    let (blocks, rest) = bytes.as_chunks::<WIDTH>();
    for (at, block) in blocks.iter().enumerate().take(MAX_MASKS) {
        let marks = mask(block);
        ends.stops[at] = marks.stops;
        masks.set(at, marks);
    }
    if !rest.is_empty() && blocks.len() < MAX_MASKS {
        // The last row ends with the input.
        let mut block = [b'\n'; WIDTH];
        block[..rest.len()].copy_from_slice(rest);
        let marks = mask(&block);
        ends.stops[blocks.len()] = marks.stops;
        masks.set(blocks.len(), marks);
    }
    let len = bytes.len().div_ceil(WIDTH);
    // Masks are inspected in groups.
    let unused = len..len.next_multiple_of(GROUP);
    ends.stops[unused.clone()].fill(0);
    masks.probes[1..][unused].fill(0);
    masks.last = masks.probes[len];
}

impl Masks {
    /// Sets the mask at an index.
    #[inline(always)]
    fn set(&mut self, at: usize, marks: Marks) {
        let Marks { probes, is_special, zeros, gaps, .. } = marks;
        if !is_special {
            self.probes[1 + at] = probes;
            self.after_zero = 0;
            return;
        }
        self.probes[1 + at] = probes & !(zeros & (zeros << 1 | self.after_zero));
        self.after_zero = zeros >> (WIDTH - 1);
        self.gaps[at] = gaps;
        self.with_gaps |= u32::from(gaps != 0) << at;
        if zeros != 0 && UTF32_ZEROS.contains(&zeros) {
            self.utf32 |= 1 << at;
        }
    }
}

/// Marks the bits at which [`MIN_RUN`] set bits in a row end, and those of `stops` after at least [`MIN_LINE`] set
/// bits in a row; `before` is the previous mask.
#[inline(always)]
fn ends_of(bits: u64, before: u64, stops: u64) -> (u64, u64) {
    const { assert!(MIN_LINE == 16 + 4 && MIN_RUN == 2 * MIN_LINE && MIN_RUN < WIDTH) };
    let one = RowEnds { bits, before };
    let two = one.after(one, 1);
    let four = two.after(two, 2);
    let eight = four.after(four, 4);
    let short = eight.after(eight, 8).after(four, 16);
    let long = short.after(short, MIN_LINE as u32);
    (long.bits, (short.bits << 1 | short.before >> 63) & stops)
}

impl Masks {
    /// Marks the ends of rows in the first masks, one by one.
    fn mark(&self, len: usize, ends: &mut Ends) {
        ends.marked = 0;
        for at in 0..len {
            let (before, bits, stops) = (self.probes[at], self.probes[1 + at], ends.stops[at]);
            (ends.long[at], ends.stops[at]) = ends_of(bits, before, stops);
            ends.marked |= u32::from(ends.long[at] | ends.stops[at] != 0) << at;
        }
    }
}

/// The ends of rows of some length in a mask and in the previous one.
#[derive(Clone, Copy)]
struct RowEnds {
    bits: u64,
    /// Only the last bits count: the rows that end there do not begin before this mask.
    before: u64,
}

impl RowEnds {
    /// Returns the ends of the rows that consist of a row of `first` and then one of these, which have `len` bits.
    #[inline(always)]
    fn after(self, first: Self, len: u32) -> Self {
        let bits = self.bits & (first.bits << len | first.before >> (64 - len));
        Self { bits, before: self.before & first.before << len }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(masks: &mut Masks, bytes: &[u8], ends: &mut Ends) {
    use std::arch::x86_64::*;
    let lane =
        |low: u64, high: u64| _mm256_set_epi64x(high as i64, low as i64, high as i64, low as i64);
    let halves = |table: [u8; 16]| {
        let table = u128::from_le_bytes(table);
        lane(table as u64, (table >> 64) as u64)
    };
    let by_low = halves(BY_LOW);
    let by_high = halves(BY_HIGH);
    let half = _mm256_set1_epi8(15);
    let (one, two) = (_mm256_set1_epi8(GAP as i8), _mm256_set1_epi8(NUL as i8));
    let load = |half_block: &[u8; 32]| {
        let (words, _) = half_block.as_chunks::<8>();
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| i64::from_le_bytes(words[at]));
        _mm256_set_epi64x(d, c, b, a)
    };
    let classes = |bytes: __m256i| {
        let low = _mm256_shuffle_epi8(by_low, _mm256_and_si256(bytes, half));
        let high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
        _mm256_and_si256(low, _mm256_shuffle_epi8(by_high, high))
    };
    let others = |classes| _mm256_movemask_epi8(_mm256_cmpgt_epi8(two, classes)) as u32;
    let pair = |first: i32, second: i32| u64::from(first as u32) | u64::from(second as u32) << 32;
    build(masks, bytes, ends, |block| {
        let (halves, _) = block.as_chunks::<32>();
        let (first, second) = (load(&halves[0]), load(&halves[1]));
        let (first, second) = (classes(first), classes(second));
        let stops = pair(_mm256_movemask_epi8(first), _mm256_movemask_epi8(second));
        let probes = !(u64::from(others(first)) | u64::from(others(second)) << 32);
        // Text has no zeros, and few bytes that begin a gap: less one, both are at most one.
        let least = _mm256_min_epu8(_mm256_sub_epi8(first, one), _mm256_sub_epi8(second, one));
        let special = _mm256_cmpeq_epi8(_mm256_max_epu8(least, one), one);
        let (mut zeros, mut gaps) = (0, 0);
        let is_special = _mm256_movemask_epi8(special) != 0;
        if is_special {
            let of = |class, classes| _mm256_movemask_epi8(_mm256_cmpeq_epi8(classes, class));
            zeros = pair(of(two, first), of(two, second));
            gaps = pair(of(one, first), of(one, second));
        }
        Marks { probes, stops, is_special, zeros, gaps }
    });
    // As `ends_of`, for four masks at a time.
    let load = |masks: &[u64]| match *masks {
        [a, b, c, d, ..] => _mm256_set_epi64x(d as i64, c as i64, b as i64, a as i64),
        _ => _mm256_setzero_si256(),
    };
    ends.marked = 0;
    for at in (0..bytes.len().div_ceil(WIDTH)).step_by(GROUP) {
        let (bits, before) = (load(&masks.probes[1 + at..]), load(&masks.probes[at..]));
        macro_rules! after {
            ($rows:expr, $first:expr, $len:literal) => {{
                let ((bits, before), (first, first_before)) = ($rows, $first);
                let carried = _mm256_srli_epi64::<{ 64 - $len }>(first_before);
                let first = _mm256_or_si256(_mm256_slli_epi64::<$len>(first), carried);
                let first_before = _mm256_slli_epi64::<$len>(first_before);
                (_mm256_and_si256(bits, first), _mm256_and_si256(before, first_before))
            }};
        }
        let one = (bits, before);
        let two = after!(one, one, 1);
        let four = after!(two, two, 2);
        let eight = after!(four, four, 4);
        let short = after!(after!(eight, eight, 8), four, 16);
        let (long, _) = after!(short, short, 20);
        let next =
            _mm256_or_si256(_mm256_slli_epi64::<1>(short.0), _mm256_srli_epi64::<63>(short.1));
        let stops = _mm256_and_si256(next, load(&ends.stops[at..]));
        let unmarked = _mm256_cmpeq_epi64(_mm256_or_si256(long, stops), _mm256_setzero_si256());
        let unmarked = _mm256_movemask_pd(_mm256_castsi256_pd(unmarked)) as u32;
        ends.marked |= (unmarked ^ 15) << at;
        let to_long = ends.long[at..at + GROUP].as_mut_ptr().cast();
        let to_stops = ends.stops[at..at + GROUP].as_mut_ptr().cast();
        // SAFETY: both slices have 32 bytes.
        #[expect(unsafe_code, reason = "there is no safe function that stores a vector")]
        unsafe {
            _mm256_storeu_si256(to_long, long);
            _mm256_storeu_si256(to_stops, stops);
        }
    }
}

#[cfg(test)]
mod tests;
