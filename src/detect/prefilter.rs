//! Finds where a token could begin: every occurrence of the rules' literal heads, by SIMD.
//!
//! Contract: no false negative, whatever stands around, before or after an occurrence, overlapping
//! occurrences included; a hit is only a place worth a look.

use aho_corasick::packed;
use aho_corasick::{AhoCorasick, BuildError, Input, MatchKind, Span};
use memchr::memmem;
use std::ops::Range;

/// A place where one of the needles stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The offset of its first byte.
    pub start: usize,
    /// The index of the needle.
    pub needle: usize,
}

/// Searches for a fixed set of needles.
#[derive(Debug)]
pub struct Prefilter {
    searcher: Searcher,
    longest: usize,
}

/// One needle goes to `memmem`, more to one packed searcher: two needles already run 1.5 to 2
/// times as fast packed as in two passes (`benches/record`, "switch").
#[derive(Debug)]
enum Searcher {
    Nothing,
    One(Box<memmem::Finder<'static>>),
    Packed(packed::Searcher),
    /// Where the processor has no vector instructions that the packed searcher knows.
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
            _ => {
                let mut config = packed::Config::new();
                config.heuristic_pattern_limits(false);
                match config.builder().extend(needles).build() {
                    Some(searcher) => Searcher::Packed(searcher),
                    None => Searcher::Automaton(
                        AhoCorasick::builder()
                            .match_kind(MatchKind::LeftmostFirst)
                            .build(needles)?,
                    ),
                }
            }
        };
        Ok(Self { searcher, longest })
    }

    /// Calls `on_hit` for every needle that begins within `own`, in ascending order.
    #[inline]
    pub fn find(&self, bytes: &[u8], own: Range<usize>, mut on_hit: impl FnMut(Hit)) {
        let limit = bytes.len().min(own.end.saturating_add(self.longest.saturating_sub(1)));
        let mut at = own.start;
        // Each search starts one byte after the last hit, so that overlapping needles are found.
        while at < own.end {
            let Some(hit) = self.next(&bytes[..limit], at) else {
                break;
            };
            if hit.start >= own.end {
                break;
            }
            on_hit(hit);
            at = hit.start + 1;
        }
    }

    /// Tells whether any needle stands in `bytes`.
    #[must_use]
    #[inline]
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.next(bytes, 0).is_some()
    }

    #[inline]
    fn next(&self, bytes: &[u8], at: usize) -> Option<Hit> {
        match &self.searcher {
            Searcher::Nothing => None,
            Searcher::One(finder) => {
                finder.find(&bytes[at..]).map(|start| Hit { start: at + start, needle: 0 })
            }
            Searcher::Packed(searcher) => {
                let found = searcher.find_in(bytes, Span { start: at, end: bytes.len() })?;
                Some(Hit { start: found.start(), needle: found.pattern().as_usize() })
            }
            Searcher::Automaton(automaton) => {
                let found = automaton.find(Input::new(bytes).range(at..))?;
                Some(Hit { start: found.start(), needle: found.pattern().as_usize() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hits(needles: &[&str], bytes: &[u8], own: Range<usize>) -> Vec<(usize, usize)> {
        let mut hits = Vec::new();
        let prefilter = Prefilter::new(needles).expect("few needles");
        prefilter.find(bytes, own, |hit| hits.push((hit.start, hit.needle)));
        hits
    }

    fn oracle(needles: &[&str], bytes: &[u8], own: Range<usize>) -> Vec<(usize, usize)> {
        own.flat_map(|at| {
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

    proptest! {
        #[test]
        fn hits_are_those_of_the_oracle(
            bytes in "[abc_]{0,200}", from in 0_usize..200, to in 0_usize..200,
        ) {
            let bytes = bytes.as_bytes();
            let own = from.min(bytes.len())..to.min(bytes.len());
            for needles in [&["aba"][..], &["ab", "ba_", "cab", "c_c"]] {
                prop_assert_eq!(
                    hits(needles, bytes, own.clone()),
                    oracle(needles, bytes, own.clone())
                );
            }
        }
    }
}
