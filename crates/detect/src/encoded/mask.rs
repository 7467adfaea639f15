//! Classifies many bytes at once: which of them can be part of encoded text.
//!
//! Input: bytes. Output: bit masks of where enough of them in a row end.
//!
//! A byte is looked up in two tables, by its upper and by its lower four bits, with one instruction for
//! 32 bytes each: the way of simdjson (Langdale, Lemire: "Parsing Gigabytes of JSON per Second").

use super::class::{LEAST, is_probe};

/// How many bytes a mask stands for.
pub(super) const WIDTH: usize = 64;

/// How many masks are made at a time.
const MOST: usize = 32;

/// How many bytes are looked at at a time.
pub(super) const BLOCK: usize = MOST * WIDTH;

/// For each lower half of a byte the upper halves with which it makes a byte that counts.
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

/// Masks of consecutive bytes: one bit for each, the lowest for the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    /// The bytes that count, behind the last ones of the block before.
    counts: [u64; MOST + 1],
    /// The bytes with which [`LEAST`] that count end.
    ends: [u64; MOST],
    /// Whether the byte before the next ones is zero.
    after_zero: u64,
}

impl Masks {
    pub(super) fn new() -> Self {
        Self { counts: [0; MOST + 1], ends: [0; MOST], after_zero: 0 }
    }

    /// Marks the bytes with which [`LEAST`] in a row end, of at most [`BLOCK`] bytes that follow those
    /// before. Of zeros in a row only the first counts: text has none, and binary data have many.
    pub(super) fn ends(&mut self, bytes: &[u8]) -> &[u64] {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has what the function is compiled for.
            #[expect(unsafe_code, reason = "there is no other way to use what was detected")]
            return unsafe { wide(self, bytes) };
        }
        plain(self, bytes)
    }
}

/// Makes the masks byte by byte.
fn plain<'a>(masks: &'a mut Masks, bytes: &[u8]) -> &'a [u64] {
    each(masks, bytes, |block| {
        let counts = mark(block, is_probe);
        (counts, if block.contains(&0) { mark(block, |byte| byte == 0) } else { 0 })
    })
}

/// Marks the bytes that are what is asked for.
#[inline(always)]
fn mark(block: &[u8; WIDTH], is_it: impl Fn(u8) -> bool) -> u64 {
    block.iter().rev().fold(0, |marks, &byte| marks << 1 | u64::from(is_it(byte)))
}

/// Makes the masks with `mask`, which returns the bytes that count and those that are zero.
#[inline(always)]
fn each<'a>(
    masks: &'a mut Masks,
    bytes: &[u8],
    mask: impl Fn(&[u8; WIDTH]) -> (u64, u64),
) -> &'a [u64] {
    let Masks { counts, ends, .. } = masks;
    let mut after_zero = masks.after_zero;
    let mut set = |word: &mut u64, (counts, zeros): (u64, u64)| {
        *word = counts & !(zeros & (zeros << 1 | after_zero));
        after_zero = zeros >> (WIDTH - 1);
    };
    let (blocks, rest) = bytes.as_chunks::<WIDTH>();
    let mut words = counts[1..].iter_mut();
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
    for (end, pair) in ends[..len].iter_mut().zip(counts[..=len].windows(2)) {
        *end = ends_of(pair[1], pair[0]);
    }
    counts[0] = counts[len];
    &ends[..len]
}

/// Marks the bits with which [`LEAST`] set ones end, where `before` are those before the lowest.
#[inline(always)]
fn ends_of(bits: u64, before: u64) -> u64 {
    const { assert!(LEAST == 32 + 8 && LEAST < WIDTH) };
    // Those that end a row twice as long, of those that end one, with what the word before has.
    let twice = |(bits, before): (u64, u64), len: u32| {
        (bits & (bits << len | before >> (64 - len)), before & before << len)
    };
    let eight = twice(twice(twice((bits, before), 1), 2), 4);
    let (all, _) = twice(twice(eight, 8), 16);
    all & (eight.0 << 32 | eight.1 >> 32)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide<'a>(masks: &'a mut Masks, bytes: &[u8]) -> &'a [u64] {
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
    let strange = |bytes: __m256i| {
        // What is not ASCII has its highest bit set, and then no entry of the first table.
        let low = _mm256_shuffle_epi8(by_low, bytes);
        let high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
        let both = _mm256_and_si256(low, _mm256_shuffle_epi8(by_high, high));
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(both, zero)) as u32
    };
    each(masks, bytes, |block| {
        let (halves, _) = block.as_chunks::<32>();
        let (first, second) = (load(&halves[0]), load(&halves[1]));
        let counts = !(u64::from(strange(first)) | u64::from(strange(second)) << 32);
        // Text has no zeros.
        let least = _mm256_cmpeq_epi8(_mm256_min_epu8(first, second), zero);
        let mut zeros = 0;
        if _mm256_movemask_epi8(least) != 0 {
            let of = |bytes| _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, zero)) as u32;
            zeros = u64::from(of(first)) | u64::from(of(second)) << 32;
        }
        (counts, zeros)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_the_bytes_that_count() {
        let mut bytes: Vec<u8> = (0..=255).flat_map(|byte| [byte, b' ', byte, byte]).collect();
        bytes.extend([b'a', 0, b'b', 0, 0, 0, b'c']);
        for len in [bytes.len(), 1000, 64, 63, 1] {
            let bytes = &bytes[..len];
            let mut masks = Masks::new();
            masks.ends(bytes);
            for (at, &byte) in bytes.iter().enumerate() {
                let is_second = byte == 0 && at > 0 && bytes[at - 1] == 0;
                let expected = is_probe(byte) && !is_second;
                let found = masks.counts[1 + at / WIDTH] >> (at % WIDTH) & 1 == 1;
                assert_eq!(found, expected, "{byte} at {at} of {len}");
            }
            let rest = len % WIDTH;
            assert!(rest == 0 || masks.counts[1 + len / WIDTH] >> rest == 0);
        }
    }

    #[test]
    fn zeros_in_a_row_are_known_across_masks() {
        let mut masks = Masks::new();
        masks.ends(&[0; WIDTH]);
        assert_eq!(masks.counts[1], 1);
        masks.ends(&[0; WIDTH]);
        assert_eq!(masks.counts[1], 0);
    }

    #[test]
    fn rows_end_where_enough_bytes_stand_wherever_blocks_meet() {
        for from in 0..3 * WIDTH {
            for len in [LEAST - 1, LEAST, LEAST + 1, 3 * WIDTH] {
                let mut bytes = vec![b' '; from];
                bytes.resize(from + len, b'a');
                bytes.resize(BLOCK, b' ');
                for first in [WIDTH, 2 * WIDTH, BLOCK] {
                    let mut masks = Masks::new();
                    let mut ends = masks.ends(&bytes[..first]).to_vec();
                    ends.extend(masks.ends(&bytes[first..]));
                    for at in 0..bytes.len() {
                        let found = ends[at / WIDTH] >> (at % WIDTH) & 1 == 1;
                        let expected = (from + LEAST - 1..from + len).contains(&at);
                        assert_eq!(found, expected, "{at} of {len} from {from}, {first}");
                    }
                }
            }
        }
    }

    #[test]
    fn byte_by_byte_the_masks_are_the_same() {
        let bytes: Vec<u8> = (0..BLOCK as u32).map(|at| (at * at / 7 % 131) as u8).collect();
        for len in [BLOCK, 777, 40] {
            let (mut wide, mut narrow) = (Masks::new(), Masks::new());
            assert_eq!(wide.ends(&bytes[..len]), plain(&mut narrow, &bytes[..len]));
            assert_eq!(wide.counts, narrow.counts);
        }
    }
}
