//! Decides where tokens stand in bytes.
//!
//! The prefilter finds the literal heads, the shape's automaton the ends that a candidate can
//! have, the format's checksum decides.
//!
//! Contract:
//! - No false negative: a token of a rule's format is found wherever it stands, at the first or
//!   last byte, in binary data, glued to other text on either side, back to back with others.
//! - Every *proven* match has a correct checksum. What stands around it never vetoes that.
//! - *Shaped* is a look-alike whose checksum fails (or whose format has none); a base62 character
//!   or `_` directly before it, or a base62 character directly after it, makes it no match at all.
//! - Of the candidates that begin at one place, at most one per rule is reported: a proven one if
//!   there is any, else the longest.

pub mod prefilter;
mod shape;
pub mod version;

use crate::rules::RuleSet;
use ddpatrol_token::{ByteSet, Check};
use prefilter::Prefilter;
use regex_automata::hybrid::dfa::Cache;
use serde::{Deserialize, Serialize};
use shape::Shapes;
use std::ops::Range;
use std::sync::Arc;
use version::Junctions;

/// How sure a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Shape and ranges hold, the checksum does not.
    Shaped,
    /// Shape, ranges and checksum hold.
    Proven,
}

impl Evidence {
    /// Returns the word for it in reports: `shaped`, `proven`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shaped => "shaped",
            Self::Proven => "proven",
        }
    }
}

/// A token found in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The index of its rule.
    pub rule: usize,
    /// The offset of its first byte.
    pub start: usize,
    /// The offset after its last byte.
    pub end: usize,
    /// How sure it is.
    pub evidence: Evidence,
}

/// What one worker needs to search; reused from blob to blob.
#[derive(Debug, Default)]
pub struct Scratch {
    cache: Option<Cache>,
    ends: Vec<usize>,
    window: Vec<u8>,
}

/// Finds the tokens of a rule set; immutable and shared by all workers.
#[derive(Debug)]
pub struct Detector {
    rules: Arc<RuleSet>,
    prefilter: Prefilter,
    /// For each needle the rules whose head begins with it.
    by_needle: Vec<Vec<usize>>,
    shapes: Shapes,
    junctions: Junctions,
}

/// The needles of a rule set could not be searched for.
#[derive(Debug, thiserror::Error)]
#[error("the heads of the rules cannot be searched for: {0}")]
pub struct DetectorError(#[from] aho_corasick::BuildError);

impl Detector {
    /// Prepares the search for the tokens of `rules`.
    ///
    /// # Errors
    /// [`DetectorError`] if there are more rules than can be searched for at once.
    pub fn new(rules: Arc<RuleSet>) -> Result<Self, DetectorError> {
        let mut heads: Vec<&[u8]> = rules.rules().iter().map(|rule| rule.format.head()).collect();
        heads.sort_unstable();
        // A head that begins with another is found through it.
        heads.dedup_by(|longer, shorter| longer.starts_with(shorter));
        let by_needle = heads
            .iter()
            .map(|needle| {
                let begins = |&rule: &usize| rules.rules()[rule].format.head().starts_with(needle);
                (0..rules.rules().len()).filter(begins).collect()
            })
            .collect();
        let prefilter = Prefilter::new(&heads)?;
        let junctions = Junctions::new(&heads);
        Ok(Self { rules, prefilter, by_needle, shapes: Shapes::default(), junctions })
    }

    /// Returns the rules that the indices in matches refer to.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Returns how many bytes must follow the place where a token begins so that the search can
    /// decide there: the longest token and the byte after it.
    #[must_use]
    pub fn lookahead(&self) -> usize {
        self.rules.max_len() + 1
    }

    /// Calls `on_match` for every token that begins within `own`.
    ///
    /// The bytes before and after `own` are context: one before, [`Detector::lookahead`] after,
    /// fewer only where the input itself begins or ends.
    #[inline]
    pub fn find(
        &self,
        bytes: &[u8],
        own: Range<usize>,
        scratch: &mut Scratch,
        mut on_match: impl FnMut(Match),
    ) {
        self.prefilter.find(bytes, own, |hit| {
            for &rule in &self.by_needle[hit.needle] {
                if let Some(found) = self.decide(rule, bytes, hit.start, scratch) {
                    on_match(found);
                }
            }
        });
    }

    /// Calls `on_place` with every rule and place where one of its tokens could begin, and the
    /// longest end that such a token could have, whatever its checksum and its surroundings.
    pub fn candidates(
        &self,
        bytes: &[u8],
        scratch: &mut Scratch,
        mut on_place: impl FnMut(usize, usize, Option<usize>),
    ) {
        self.prefilter.find(bytes, 0..bytes.len(), |hit| {
            for &rule in &self.by_needle[hit.needle] {
                self.shapes.ends(&self.rules, rule, (bytes, hit.start), scratch);
                on_place(rule, hit.start, scratch.ends.last().copied());
            }
        });
    }

    /// Decides on one candidate: a rule and the place where its head may stand.
    fn decide(
        &self,
        rule: usize,
        bytes: &[u8],
        start: usize,
        scratch: &mut Scratch,
    ) -> Option<Match> {
        let description = &self.rules.rules()[rule];
        let free_before = start == 0 || !is_word(bytes[start - 1]);
        // Without a checksum nothing can overrule the boundary, so that the walk can be spared.
        if !description.provable && description.format.checksum().is_none() && !free_before {
            return None;
        }
        self.shapes.ends(&self.rules, rule, (bytes, start), scratch);
        let matched = |end, evidence| Match { rule, start, end, evidence };
        if description.provable {
            let proven = |&&end: &&usize| {
                matches!(description.format.check(&bytes[start..end]), Check::Proven { .. })
            };
            if let Some(&end) = scratch.ends.iter().find(proven) {
                return Some(matched(end, Evidence::Proven));
            }
        }
        if !free_before {
            return None;
        }
        let shaped = |&&end: &&usize| {
            let free_after = bytes.get(end).is_none_or(|&byte| !ByteSet::BASE62.contains(byte));
            free_after && description.format.check(&bytes[start..end]) != Check::Unlike
        };
        scratch.ends.iter().rev().find(shaped).map(|&end| matched(end, Evidence::Shaped))
    }
}

/// Tells whether `byte` directly before a head makes an unproven look-alike part of a word.
fn is_word(byte: u8) -> bool {
    byte == b'_' || ByteSet::BASE62.contains(byte)
}
