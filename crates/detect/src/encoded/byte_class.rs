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

/// For each lower half of a byte, the set of upper halves that make a probe byte.
static BY_LOW: [u8; 16] = {
    let mut by_low = [0; 16];
    let mut at = 0;
    while at < 128 {
        if is_probe(at as u8) {
            by_low[at & 15] |= 1 << (at >> 4);
        }
        at += 1;
    }
    by_low
};

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
}

impl Masks {
    pub(super) fn new() -> Self {
        Self { probes: [0; MAX_MASKS + 1], ends: [0; MAX_MASKS], after_zero: 0 }
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
        let probes = bits_where(block, is_probe);
        (probes, if block.contains(&0) { bits_where(block, |byte| byte == 0) } else { 0 })
    })
}

/// Returns a mask of the bytes that match.
#[inline(always)]
fn bits_where(block: &[u8; WIDTH], is_match: impl Fn(u8) -> bool) -> u64 {
    block.iter().rev().fold(0, |marks, &byte| marks << 1 | u64::from(is_match(byte)))
}

/// Builds the masks with `mask`, which returns the probe bytes and the zero bytes.
#[inline(always)]
fn build<'a>(
    masks: &'a mut Masks,
    bytes: &[u8],
    mask: impl Fn(&[u8; WIDTH]) -> (u64, u64),
) -> &'a [u64] {
    let Masks { probes, ends, .. } = masks;
    let mut after_zero = masks.after_zero;
    let mut set = |word: &mut u64, (probes, zeros): (u64, u64)| {
        *word = probes & !(zeros & (zeros << 1 | after_zero));
        after_zero = zeros >> (WIDTH - 1);
    };
    let (blocks, rest) = bytes.as_chunks::<WIDTH>();
    let mut words = probes[1..].iter_mut();
    for (block, word) in blocks.iter().zip(&mut words) {
        set(word, mask(block));
    }
    if let (false, Some(word)) = (rest.is_empty(), words.next()) {
        let mut block = [b' '; WIDTH];
        block[..rest.len()].copy_from_slice(rest);
        set(word, mask(&block));
    }
    masks.after_zero = after_zero;
    let len = bytes.len().div_ceil(WIDTH);
    for (end, pair) in ends[..len].iter_mut().zip(probes[..=len].windows(2)) {
        *end = ends_of(pair[1], pair[0]);
    }
    probes[0] = probes[len];
    &ends[..len]
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
    let by_high = halves([1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0]);
    let (half, zero) = (_mm256_set1_epi8(15), _mm256_setzero_si256());
    let load = |half_block: &[u8; 32]| {
        let (words, _) = half_block.as_chunks::<8>();
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| i64::from_le_bytes(words[at]));
        _mm256_set_epi64x(d, c, b, a)
    };
    let others = |bytes: __m256i| {
        // A byte that is not ASCII has its highest bit set, for which the first shuffle yields zero.
        let low = _mm256_shuffle_epi8(by_low, bytes);
        let high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
        let both = _mm256_and_si256(low, _mm256_shuffle_epi8(by_high, high));
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(both, zero)) as u32
    };
    build(masks, bytes, |block| {
        let (halves, _) = block.as_chunks::<32>();
        let (first, second) = (load(&halves[0]), load(&halves[1]));
        let probes = !(u64::from(others(first)) | u64::from(others(second)) << 32);
        // Text has no zeros.
        let least = _mm256_cmpeq_epi8(_mm256_min_epu8(first, second), zero);
        let mut zeros = 0;
        if _mm256_movemask_epi8(least) != 0 {
            let of = |bytes| _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, zero)) as u32;
            zeros = u64::from(of(first)) | u64::from(of(second)) << 32;
        }
        (probes, zeros)
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
        let bytes: Vec<u8> = (0..BLOCK as u32).map(|at| (at * at / 7 % 131) as u8).collect();
        for len in [BLOCK, 777, 40] {
            let (mut wide, mut narrow) = (Masks::new(), Masks::new());
            assert_eq!(wide.ends(&bytes[..len]), scalar(&mut narrow, &bytes[..len]));
            assert_eq!(wide.probes, narrow.probes);
        }
    }
}
