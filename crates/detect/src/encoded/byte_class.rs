//! Classifies many bytes at once as characters of encoded text or not.
//!
//! Input: bytes. Output: bit masks that mark where [`MIN_RUN`] such characters in a row end. It finds no
//! beginnings.
//!
//! Two shuffles classify 32 bytes at a time, one by their upper and one by their lower four bits, as in
//! simdjson (Langdale, Lemire: "Parsing Gigabytes of JSON per Second").

use super::class::{MIN_RUN, is_probe};

/// Number of bytes per mask.
pub(super) const WIDTH: usize = 64;

/// Number of masks per block.
const MAX_MASKS: usize = 32;

/// Number of bytes per block.
pub(super) const BLOCK: usize = MAX_MASKS * WIDTH;

/// The class of a byte that may begin a gap, of NUL, and of a probe byte with this upper half. The upper
/// halves of upper and lower case letters share a class. All are below 128, so that they can be compared as
/// signed numbers.
const GAP: u8 = 1;
const NUL: u8 = 2;
const BY_HALF: [u8; 8] = [NUL, 0, 4, 8, 16, 32, 16, 64];

/// For each lower half of a byte, the classes of the bytes with this lower half.
static BY_LOW: [u8; 16] = {
    let mut by_low = [0; 16];
    let mut at = 0;
    while at < 128 {
        if is_probe(at as u8) {
            by_low[at & 15] |= BY_HALF[at >> 4];
        }
        at += 1;
    }
    // ESC, and the first bytes of UTF-8 for characters without a width: C2, E2, EF. Other bytes with
    // these halves are rare in text, or are ruled out later.
    let mut at = 0;
    while at < GAP_STARTS.len() {
        by_low[GAP_STARTS[at] as usize & 15] |= GAP;
        at += 1;
    }
    by_low
};

/// The bytes at which a gap in a token may begin.
const GAP_STARTS: [u8; 4] = [0x1b, 0xc2, 0xe2, 0xef];

/// For each upper half of a byte, its classes.
static BY_HIGH: [u8; 16] = {
    let mut by_high = [0; 16];
    let mut at = 0;
    while at < 8 {
        by_high[at] = BY_HALF[at];
        at += 1;
    }
    let mut at = 0;
    while at < GAP_STARTS.len() {
        by_high[GAP_STARTS[at] as usize >> 4] |= GAP;
        at += 1;
    }
    by_high
};

/// Returns `true` if a byte may begin a gap: also those that share their halves with [`GAP_STARTS`].
const fn is_gap_start(byte: u8) -> bool {
    BY_LOW[byte as usize & 15] & BY_HIGH[byte as usize >> 4] == GAP
}

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
/// that encoded text can contain ([`is_probe`]).
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    /// The probe bytes, preceded by the last mask of the previous block.
    probes: [u64; MAX_MASKS + 1],
    /// The bytes at which [`MIN_RUN`] probe bytes in a row end.
    ends: [u64; MAX_MASKS],
    /// 1 if the last byte of the previous block is zero, else 0.
    after_zero: u64,
    /// The bytes that may begin a gap in a token.
    gaps: [u64; MAX_MASKS],
    has_gaps: bool,
    /// The masks whose bytes are UTF-32, one bit per mask.
    utf32: u32,
}

impl Masks {
    pub(super) fn new() -> Self {
        Self {
            probes: [0; MAX_MASKS + 1],
            ends: [0; MAX_MASKS],
            after_zero: 0,
            gaps: [0; MAX_MASKS],
            has_gaps: false,
            utf32: 0,
        }
    }

    /// Returns the masks of the last block, which [`Masks::ends`] returned.
    pub(super) fn last_ends(&self, len: usize) -> &[u64] {
        &self.ends[..len]
    }

    /// Lists the offsets in the last block at which a gap in a token may begin.
    pub(super) fn gaps(&self) -> impl Iterator<Item = usize> {
        let words = if self.has_gaps { &self.gaps[..] } else { &[] };
        words.iter().enumerate().flat_map(|(at, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest.wrapping_sub(1);
                (bit < WIDTH).then_some(at * WIDTH + bit)
            })
        })
    }

    /// Lists the offsets in the last block of masks whose bytes are UTF-32.
    pub(super) fn utf32(&self) -> impl Iterator<Item = usize> {
        let masks = self.utf32;
        (0..MAX_MASKS).filter(move |at| masks >> at & 1 == 1).map(|at| at * WIDTH)
    }

    /// Marks the bytes at which [`MIN_RUN`] probe bytes in a row end, in at most [`BLOCK`] bytes that follow the
    /// previous ones. Of consecutive zeros only the first probes: text has none, and binary data have many.
    pub(super) fn ends(&mut self, bytes: &[u8]) -> &[u64] {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor supports the instructions that the function is compiled for.
            #[expect(
                unsafe_code,
                reason = "calling a function for a detected CPU feature is unsafe"
            )]
            return unsafe { avx2(self, bytes) };
        }
        scalar(self, bytes)
    }
}

/// Builds the masks byte by byte.
fn scalar<'a>(masks: &'a mut Masks, bytes: &[u8]) -> &'a [u64] {
    build(masks, bytes, |block| {
        let zeros = bits_where(block, |byte| byte == 0);
        let gaps = bits_where(block, is_gap_start);
        let is_special = zeros | gaps != 0;
        Marks { probes: bits_where(block, is_probe), is_special, zeros, gaps }
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
    /// Whether there are zeros or bytes that may begin a gap.
    is_special: bool,
    zeros: u64,
    /// The bytes that may begin a gap.
    gaps: u64,
}

/// Builds the masks with `mask`.
#[inline(always)]
fn build<'a>(
    masks: &'a mut Masks,
    bytes: &[u8],
    mask: impl Fn(&[u8; WIDTH]) -> Marks,
) -> &'a [u64] {
    if std::mem::take(&mut masks.has_gaps) {
        masks.gaps.fill(0);
    }
    masks.utf32 = 0;
    let (blocks, rest) = bytes.as_chunks::<WIDTH>();
    for (at, block) in blocks.iter().enumerate().take(MAX_MASKS) {
        masks.set(at, mask(block));
    }
    if !rest.is_empty() && blocks.len() < MAX_MASKS {
        let mut block = [b' '; WIDTH];
        block[..rest.len()].copy_from_slice(rest);
        masks.set(blocks.len(), mask(&block));
    }
    let len = bytes.len().div_ceil(WIDTH);
    let Masks { probes, ends, .. } = masks;
    for (end, pair) in ends[..len].iter_mut().zip(probes[..=len].windows(2)) {
        *end = ends_of(pair[1], pair[0]);
    }
    probes[0] = probes[len];
    &ends[..len]
}

impl Masks {
    /// Sets the mask at an index.
    #[inline(always)]
    fn set(&mut self, at: usize, marks: Marks) {
        let Marks { probes, is_special, zeros, gaps } = marks;
        if !is_special {
            self.probes[1 + at] = probes;
            self.after_zero = 0;
            return;
        }
        self.probes[1 + at] = probes & !(zeros & (zeros << 1 | self.after_zero));
        self.after_zero = zeros >> (WIDTH - 1);
        self.gaps[at] = gaps;
        self.has_gaps |= gaps != 0;
        if zeros != 0 && UTF32_ZEROS.contains(&zeros) {
            self.utf32 |= 1 << at;
        }
    }
}

/// Marks the bits at which [`MIN_RUN`] set bits in a row end; `before` is the previous mask.
#[inline(always)]
fn ends_of(bits: u64, before: u64) -> u64 {
    const { assert!(MIN_RUN == 32 + 8 && MIN_RUN < WIDTH) };
    // From the ends of rows of one length to the ends of rows of twice that length, in both masks.
    let twice = |(bits, before): (u64, u64), len: u32| {
        (bits & (bits << len | before >> (64 - len)), before & before << len)
    };
    let eight = twice(twice(twice((bits, before), 1), 2), 4);
    let (all, _) = twice(twice(eight, 8), 16);
    all & (eight.0 << 32 | eight.1 >> 32)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<'a>(masks: &'a mut Masks, bytes: &[u8]) -> &'a [u64] {
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
    build(masks, bytes, |block| {
        let (halves, _) = block.as_chunks::<32>();
        let (first, second) = (load(&halves[0]), load(&halves[1]));
        let (first, second) = (classes(first), classes(second));
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
        Marks { probes, is_special, zeros, gaps }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_the_probe_bytes() {
        let mut bytes: Vec<u8> = (0..=255).flat_map(|byte| [byte, b' ', byte, byte]).collect();
        bytes.extend([b'a', 0, b'b', 0, 0, 0, b'c']);
        for len in [bytes.len(), 1000, 64, 63, 1] {
            let bytes = &bytes[..len];
            let mut masks = Masks::new();
            masks.ends(bytes);
            for (at, &byte) in bytes.iter().enumerate() {
                let is_second = byte == 0 && at > 0 && bytes[at - 1] == 0;
                let expected = is_probe(byte) && !is_second;
                let found = masks.probes[1 + at / WIDTH] >> (at % WIDTH) & 1 == 1;
                assert_eq!(found, expected, "{byte} at {at} of {len}");
            }
            let rest = len % WIDTH;
            assert!(rest == 0 || masks.probes[1 + len / WIDTH] >> rest == 0);
        }
    }

    #[test]
    fn consecutive_zeros_are_recognized_across_masks() {
        let mut masks = Masks::new();
        masks.ends(&[0; WIDTH]);
        assert_eq!(masks.probes[1], 1);
        masks.ends(&[0; WIDTH]);
        assert_eq!(masks.probes[1], 0);
    }

    #[test]
    fn gap_starts_and_utf32_are_marked() {
        let mut bytes = vec![b'a'; BLOCK];
        bytes[70] = 0x1b;
        bytes[129] = 0xe2;
        bytes[BLOCK - 1] = 0xc2;
        for at in 0..64 {
            bytes[192 + at] = if at % 4 == 2 { b'd' } else { 0 };
        }
        let mut masks = Masks::new();
        masks.ends(&bytes);
        assert_eq!(masks.gaps().collect::<Vec<_>>(), [70, 129, BLOCK - 1]);
        assert_eq!(masks.utf32().collect::<Vec<_>>(), [192]);
        masks.ends(&bytes[..100]);
        assert_eq!(masks.gaps().collect::<Vec<_>>(), [70]);
        assert_eq!(masks.utf32().count(), 0);
    }

    #[test]
    fn ends_of_rows_are_found_across_blocks() {
        for from in 0..3 * WIDTH {
            for len in [MIN_RUN - 1, MIN_RUN, MIN_RUN + 1, 3 * WIDTH] {
                let mut bytes = vec![b' '; from];
                bytes.resize(from + len, b'a');
                bytes.resize(BLOCK, b' ');
                for first in [WIDTH, 2 * WIDTH, BLOCK] {
                    let mut masks = Masks::new();
                    let mut ends = masks.ends(&bytes[..first]).to_vec();
                    ends.extend(masks.ends(&bytes[first..]));
                    for at in 0..bytes.len() {
                        let found = ends[at / WIDTH] >> (at % WIDTH) & 1 == 1;
                        let expected = (from + MIN_RUN - 1..from + len).contains(&at);
                        assert_eq!(found, expected, "{at} of {len} from {from}, {first}");
                    }
                }
            }
        }
    }

    #[test]
    fn vector_and_scalar_masks_are_equal() {
        let bytes: Vec<u8> = (0..BLOCK as u32).map(|at| (at * at / 7 % 256) as u8).collect();
        for len in [BLOCK, 777, 40] {
            let (mut wide, mut narrow) = (Masks::new(), Masks::new());
            assert_eq!(wide.ends(&bytes[..len]), scalar(&mut narrow, &bytes[..len]));
            assert_eq!(wide.probes, narrow.probes);
            assert_eq!((wide.gaps, wide.utf32), (narrow.gaps, narrow.utf32));
        }
    }
}
