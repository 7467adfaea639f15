//! Searches for many needles at once, by three of their bytes.
//!
//! Input: needles, then bytes. Output: hits. A packed searcher supports at most 128 patterns, and an automaton
//! reads every byte in turn. Here a table of bits rules out most positions, and if no needle is shorter than
//! four bytes, every second position is enough: one of the first two triples of a needle is there.

use super::hit::Hit;
use std::ops::{ControlFlow, Range};

/// Number of bytes that are looked up at once.
const GRAM: usize = 3;

/// A set of triples of bytes, by their hash.
#[derive(Clone, Debug)]
struct Grams(Box<[u64; 1024]>);

impl Grams {
    fn new() -> Self {
        Self(Box::new([0; 1024]))
    }

    #[inline(always)]
    fn index(bytes: u32) -> usize {
        // The fourth byte does not count. The multiplier is the golden ratio.
        ((bytes << 8).wrapping_mul(0x9e37_79b1) >> 16) as usize
    }

    fn add(&mut self, bytes: u32) {
        let at = Self::index(bytes);
        self.0[at >> 6] |= 1 << (at & 63);
    }

    #[inline(always)]
    fn contains(&self, bytes: u32) -> bool {
        let at = Self::index(bytes);
        self.0[at >> 6] >> (at & 63) & 1 == 1
    }
}

/// Returns the three bytes at an offset as a number.
#[inline]
fn gram(bytes: &[u8], at: usize) -> Option<u32> {
    let &[first, second, third] = bytes.get(at..)?.first_chunk::<GRAM>()?;
    Some(u32::from_le_bytes([first, second, third, 0]))
}

/// Searches for a fixed set of many needles.
#[derive(Clone, Debug)]
pub(super) struct GramSearcher {
    /// The triples of which one is at an inspected position if a needle is there.
    inspected: Grams,
    /// The first three bytes of each needle.
    first: Grams,
    /// The needles by their first byte, in ascending order, each with its index.
    by_first: Vec<Vec<(Box<[u8]>, usize)>>,
    longest: usize,
    /// The distance between two inspected positions: 1 or 2.
    step: usize,
}

impl GramSearcher {
    /// Builds a searcher. Returns `None` if a needle is too short. No needle may be a prefix of another.
    pub(super) fn new<N: AsRef<[u8]>>(needles: &[N]) -> Option<Self> {
        let lens = needles.iter().map(|needle| needle.as_ref().len());
        let (shortest, longest) = (lens.clone().min()?, lens.max()?);
        let step = shortest.checked_sub(GRAM - 1).filter(|&step| step > 0)?.min(2);
        let (mut inspected, mut first) = (Grams::new(), Grams::new());
        for needle in needles.iter().map(AsRef::as_ref) {
            first.add(gram(needle, 0)?);
            for at in 0..step {
                inspected.add(gram(needle, at)?);
            }
        }
        let mut by_first: Vec<Vec<(Box<[u8]>, usize)>> = vec![Vec::new(); 256];
        for (needle, index) in needles.iter().map(AsRef::as_ref).zip(0..) {
            by_first[usize::from(needle[0])].push((needle.into(), index));
        }
        by_first.iter_mut().for_each(|same| same.sort());
        Some(Self { inspected, first, by_first, longest, step })
    }

    /// Calls `on_hit` for every needle that begins within `part`, in ascending order.
    #[inline]
    pub(super) fn find(
        &self,
        bytes: &[u8],
        part: Range<usize>,
        mut on_hit: impl FnMut(Hit) -> ControlFlow<()>,
    ) {
        let last = bytes.len().saturating_sub(GRAM - 1).min(part.end.saturating_add(self.step - 1));
        let mut at = part.start + self.step - 1;
        while at < last {
            let four = bytes[at..].first_chunk().map(|four| u32::from_le_bytes(*four));
            let is_candidate =
                four.or_else(|| gram(bytes, at)).is_some_and(|it| self.inspected.contains(it));
            if is_candidate {
                for start in at + 1 - self.step..=at {
                    let hit = self.hit(bytes, start).filter(|hit| hit.start < part.end);
                    if hit.is_some_and(|hit| on_hit(hit).is_break()) {
                        return;
                    }
                }
            }
            at += self.step;
        }
    }

    /// Returns `true` if `bytes` contains a needle.
    pub(super) fn is_match(&self, bytes: &[u8]) -> bool {
        let mut is_found = false;
        self.find(bytes, 0..bytes.len(), |_| {
            is_found = true;
            ControlFlow::Break(())
        });
        is_found
    }

    /// Returns the needle that begins at an offset.
    fn hit(&self, bytes: &[u8], start: usize) -> Option<Hit> {
        if !self.first.contains(gram(bytes, start)?) {
            return None;
        }
        let rest = &bytes[start..bytes.len().min(start + self.longest)];
        // No needle begins with another, so only the last one that is not greater may be here.
        let same = &self.by_first[usize::from(rest[0])];
        let after = same.partition_point(|(needle, _)| **needle <= *rest);
        let (needle, index) = &same[after.checked_sub(1)?];
        rest.starts_with(needle).then_some(Hit { start, needle: *index })
    }
}
