//! Finds positions where a token could begin: every occurrence of the rules' literal heads, with SIMD.
//!
//! Input: needles, then bytes. Output: hits. It does not decide whether a token begins at a hit.
//!
//! Contract: every occurrence is found, whatever surrounds it, including overlapping occurrences.

pub use super::hit::Hit;

use super::grams::GramSearcher;
use super::windows::{self, GROUPS, Window, Windows};
use aho_corasick::packed;
use aho_corasick::{AhoCorasick, BuildError, Input, MatchKind, Span};
use memchr::memmem;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

/// Searches for a fixed set of needles.
#[derive(Debug)]
pub struct Prefilter {
    searcher: Searcher,
    longest: usize,
}

/// `memmem` searches for a single needle, one packed searcher for several: with two needles that is
/// already 1.5 to 2 times as fast as two passes (`benches/record`, "switch").
#[derive(Debug)]
enum Searcher {
    Nothing,
    One(Box<memmem::Finder<'static>>),
    Windows(Box<WindowSearcher>),
    /// For many needles: the searcher, and the needle index of each of its patterns.
    Packed(Box<packed::Searcher>, Vec<usize>),
    /// For more needles than the packed searcher supports.
    Grams(Box<GramSearcher>),
    /// If no other searcher supports the needles or the processor.
    Automaton(AhoCorasick),
}

impl Prefilter {
    /// Builds a searcher. No needle may be empty, nor a prefix of another.
    ///
    /// # Errors
    /// [`BuildError`] if the needles exceed the fallback automaton's size limits.
    pub fn new<N: AsRef<[u8]>>(needles: &[N]) -> Result<Self, BuildError> {
        let longest = needles.iter().map(|needle| needle.as_ref().len()).max().unwrap_or(0);
        let searcher = match needles {
            [] => Searcher::Nothing,
            [needle] => Searcher::One(Box::new(memmem::Finder::new(needle.as_ref()).into_owned())),
            _ => match WindowSearcher::new(needles) {
                Some(searcher) => Searcher::Windows(Box::new(searcher)),
                None => Searcher::of_many(needles)?,
            },
        };
        Ok(Self { searcher, longest })
    }

    /// Calls `on_hit` for every needle that begins within `part`, in ascending order.
    #[inline]
    pub fn find(&self, bytes: &[u8], part: Range<usize>, mut on_hit: impl FnMut(Hit)) {
        if let Searcher::Windows(searcher) = &self.searcher {
            return searcher.find(bytes, part, on_hit);
        }
        if let Searcher::Grams(searcher) = &self.searcher {
            return searcher.find(bytes, part, |hit| {
                on_hit(hit);
                ControlFlow::Continue(())
            });
        }
        let limit = bytes.len().min(part.end.saturating_add(self.longest.saturating_sub(1)));
        let mut at = part.start;
        // Each search starts one byte after the last hit, so that overlapping needles are found.
        while at < part.end {
            let Some(hit) = self.next(&bytes[..limit], at) else {
                break;
            };
            if hit.start >= part.end {
                break;
            }
            on_hit(hit);
            at = hit.start + 1;
        }
    }

    /// Returns `true` if `bytes` contains a needle.
    #[must_use]
    #[inline]
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        match &self.searcher {
            Searcher::Windows(searcher) => searcher.is_match(bytes),
            Searcher::Grams(searcher) => searcher.is_match(bytes),
            _ => self.next(bytes, 0).is_some(),
        }
    }

    #[inline]
    fn next(&self, bytes: &[u8], at: usize) -> Option<Hit> {
        match &self.searcher {
            Searcher::Nothing | Searcher::Windows(_) | Searcher::Grams(_) => None,
            Searcher::One(finder) => {
                finder.find(&bytes[at..]).map(|start| Hit { start: at + start, needle: 0 })
            }
            Searcher::Packed(searcher, order) => {
                let found = searcher.find_in(bytes, Span { start: at, end: bytes.len() })?;
                Some(Hit { start: found.start(), needle: order[found.pattern().as_usize()] })
            }
            Searcher::Automaton(automaton) => {
                let found = automaton.find(Input::new(bytes).range(at..))?;
                Some(Hit { start: found.start(), needle: found.pattern().as_usize() })
            }
        }
    }
}

impl Searcher {
    /// Builds a searcher for the beginnings of the needles.
    fn of_many<N: AsRef<[u8]>>(needles: &[N]) -> Result<Self, BuildError> {
        let mut config = packed::Config::new();
        config.heuristic_pattern_limits(false);
        let order = by_similarity(needles);
        let patterns = order.iter().map(|&at| &needles[at]);
        if let Some(searcher) = config.builder().extend(patterns).build() {
            return Ok(Self::Packed(Box::new(searcher), order));
        }
        if let Some(searcher) = GramSearcher::new(needles) {
            return Ok(Self::Grams(Box::new(searcher)));
        }
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostFirst).build(needles).map(Self::Automaton)
    }
}

/// Searches for needles by a window of each ([`windows`]).
#[derive(Debug)]
struct WindowSearcher {
    searcher: packed::Searcher,
    /// The needles that each pattern of the searcher is a window of.
    by_pattern: Vec<Vec<Anchor>>,
    /// The longest distance from the start of a needle to its window.
    reach: usize,
    width: usize,
}

/// A needle, found by its window.
#[derive(Clone, Debug)]
struct Anchor {
    needle: usize,
    text: Box<[u8]>,
    beginning: Beginning,
    /// The distance from the start of the needle to the window.
    offset: usize,
}

impl Anchor {
    /// Returns the needle whose window is at `at`.
    #[inline]
    fn hit(&self, bytes: &[u8], at: usize) -> Option<Hit> {
        let start = at.checked_sub(self.offset)?;
        let rest = &bytes[start..];
        let is_hit = self.beginning.may_begin(rest) && rest.starts_with(&self.text);
        is_hit.then_some(Hit { start, needle: self.needle })
    }
}

/// The first bytes of a needle as one number: most positions are ruled out without a call to compare bytes.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    bytes: u64,
    mask: u64,
}

impl Beginning {
    fn of(text: &[u8]) -> Self {
        let (mut bytes, mut mask) = ([0; 8], [0; 8]);
        for (at, &byte) in text.iter().take(8).enumerate() {
            (bytes[at], mask[at]) = (byte, u8::MAX);
        }
        Self { bytes: u64::from_le_bytes(bytes), mask: u64::from_le_bytes(mask) }
    }

    /// Returns `false` if the needle does not begin here. Fewer than eight bytes are not compared.
    #[inline]
    fn may_begin(self, rest: &[u8]) -> bool {
        rest.first_chunk().is_none_or(|first| u64::from_le_bytes(*first) & self.mask == self.bytes)
    }
}

impl WindowSearcher {
    fn new<N: AsRef<[u8]>>(needles: &[N]) -> Option<Self> {
        let Windows { width, by_needle } = windows::choose(needles)?;
        let mut groups: [BTreeMap<&[u8], Vec<Anchor>>; GROUPS] = Default::default();
        for (needle, (text, &window)) in needles.iter().zip(&by_needle).enumerate() {
            let (text, Window { offset, group }) = (text.as_ref(), window);
            let anchor =
                Anchor { needle, text: text.into(), beginning: Beginning::of(text), offset };
            let window = &text[offset..offset + width];
            let same = groups.iter().position(|group| group.contains_key(window));
            groups[same.unwrap_or(group)].entry(window).or_default().push(anchor);
        }
        let mut config = packed::Config::new();
        // Twice as many buckets, the default for more than 32 patterns, halve the speed.
        config.heuristic_pattern_limits(false).only_teddy_fat(Some(false));
        let mut builder = config.builder();
        let mut by_pattern = Vec::new();
        // The searcher distributes the patterns among its buckets in turn. A window that is added again stays
        // in its bucket.
        let filler = groups.iter().find(|group| !group.is_empty())?;
        let rows = groups.iter().map(BTreeMap::len).max()?;
        for row in 0..rows {
            for group in &groups {
                let group = if group.is_empty() { filler } else { group };
                let (window, anchors) = group.iter().nth(row % group.len())?;
                builder.add(window);
                by_pattern.push(anchors.clone());
            }
        }
        let searcher = builder.build()?;
        let reach = by_needle.iter().map(|window| window.offset).max()?;
        Some(Self { searcher, by_pattern, reach, width })
    }

    fn find(&self, bytes: &[u8], part: Range<usize>, mut on_hit: impl FnMut(Hit)) {
        let end = bytes.len().min(part.end.saturating_add(self.reach + self.width - 1));
        let mut at = part.start;
        // The windows of two needles may be in the other order than the needles.
        let mut pending: Vec<Hit> = Vec::new();
        while at < end {
            let Some(found) = self.searcher.find_in(bytes, Span { start: at, end }) else { break };
            let decided = pending.partition_point(|hit| hit.start + self.reach <= found.start());
            pending.drain(..decided).for_each(&mut on_hit);
            let anchors = &self.by_pattern[found.pattern().as_usize()];
            for hit in anchors.iter().filter_map(|anchor| anchor.hit(bytes, found.start())) {
                if part.contains(&hit.start) {
                    let place = pending.partition_point(|other| other.start <= hit.start);
                    pending.insert(place, hit);
                }
            }
            at = found.start() + 1;
        }
        pending.into_iter().for_each(on_hit);
    }

    fn is_match(&self, bytes: &[u8]) -> bool {
        let (mut at, end) = (0, bytes.len());
        while let Some(found) = self.searcher.find_in(bytes, Span { start: at, end }) {
            let anchors = &self.by_pattern[found.pattern().as_usize()];
            if anchors.iter().any(|anchor| anchor.hit(bytes, found.start()).is_some()) {
                return true;
            }
            at = found.start() + 1;
        }
        false
    }
}

/// Orders needles so that the packed searcher groups those with similar beginnings.
///
/// The searcher puts every eighth pattern (every sixteenth, if there are more than 32) into the same
/// bucket. It verifies a position if each of its first bytes occurs there in any pattern of the bucket:
/// `ghm_`, too, if `ghp_` and `npm_` share a bucket. Similar patterns in a bucket make that rare.
fn by_similarity<N: AsRef<[u8]>>(needles: &[N]) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..needles.len()).collect();
    sorted.sort_by_key(|&at| needles[at].as_ref());
    let buckets = if needles.len() > 32 { 16 } else { 8 };
    let (least, more) = (needles.len() / buckets, needles.len() % buckets);
    let first = |bucket: usize| bucket * least + bucket.min(more);
    let row = |row: usize| {
        let whole = move |&bucket: &usize| first(bucket) + row < first(bucket + 1);
        (0..buckets).filter(whole).map(move |bucket| first(bucket) + row)
    };
    (0..=least).flat_map(row).map(|at| sorted[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hits(needles: &[&str], bytes: &[u8], part: Range<usize>) -> Vec<(usize, usize)> {
        let mut hits = Vec::new();
        let prefilter = Prefilter::new(needles).expect("few needles");
        prefilter.find(bytes, part, |hit| hits.push((hit.start, hit.needle)));
        hits
    }

    fn oracle(needles: &[&str], bytes: &[u8], part: Range<usize>) -> Vec<(usize, usize)> {
        part.flat_map(|at| {
            let begins =
                move |(_, needle): &(usize, &&str)| bytes[at..].starts_with(needle.as_bytes());
            needles.iter().enumerate().filter(begins).map(move |(index, _)| (at, index))
        })
        .collect()
    }

    #[test]
    fn needles_are_found_at_every_alignment() {
        for needles in [&["aba"][..], &["aba", "bab", "c_"], &["npm_", "_npm", "pm_n"]] {
            for len in 0..150 {
                for at in 0..len {
                    let mut bytes = vec![b'.'; len];
                    for (byte, new) in bytes[at..].iter_mut().zip(needles[0].bytes().cycle()) {
                        *byte = new;
                    }
                    assert_eq!(hits(needles, &bytes, 0..len), oracle(needles, &bytes, 0..len));
                }
            }
        }
    }

    #[test]
    fn needles_that_begin_alike_share_a_bucket() {
        for (len, buckets) in [(2, 8), (8, 8), (17, 8), (32, 8), (33, 16), (100, 16)] {
            let needles: Vec<String> = (0..len).map(|at| format!("{:03}", at * 7 % len)).collect();
            let order = by_similarity(&needles);
            let mut all = order.clone();
            all.sort_unstable();
            assert_eq!(all, (0..len).collect::<Vec<_>>());
            for bucket in 0..buckets.min(len) {
                let part = order.iter().skip(bucket).step_by(buckets).map(|&at| &needles[at]);
                let part: Vec<usize> = part.map(|it| it.parse().expect("digits")).collect();
                assert!(part.windows(2).all(|pair| pair[1] == pair[0] + 1), "{len}: {part:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn hits_are_those_of_the_oracle(
            bytes in "[abc_]{0,200}", from in 0_usize..200, to in 0_usize..200,
        ) {
            let bytes = bytes.as_bytes();
            let part = from.min(bytes.len())..to.min(bytes.len());
            let digit = |at: usize, place: u32| &"abc_"[at / 4_usize.pow(place) % 4..][..1];
            let many: Vec<String> =
                (0..64).map(|at| [0, 1, 2].map(|place| digit(at, place)).concat()).collect();
            let many: Vec<&str> = many.iter().map(|it| &**it).collect();
            let words: Vec<String> =
                many.iter().flat_map(|it| ["a", "bc", "_"].map(|end| format!("{it}{end}"))).collect();
            let words: Vec<&str> = words.iter().map(|it| &**it).collect();
            for needles in
                [&["aba"][..], &["ab", "ba_", "cab", "c_c"], &many[7..27], &many[3..50], &words]
            {
                prop_assert_eq!(
                    hits(needles, bytes, part.clone()),
                    oracle(needles, bytes, part.clone())
                );
            }
        }
    }
}
