//! Decides where tokens stand in bytes.
//!
//! The prefilter finds the literal heads, the shape's automaton the ends that a candidate can
//! have, the format's checksum decides. What is encoded is found by the literals of encoded heads in
//! runs long enough to hide a token, and decoded from there (`encoded`).
//!
//! Contract:
//! - No false negative: a token of a rule's format is found wherever it stands, at the first or
//!   last byte, in binary data, glued to other text on either side, back to back with others.
//! - Every *proven* match has a correct checksum. What stands around it never vetoes that.
//! - *Shaped* is a look-alike whose checksum fails (or whose format has none); a base62 character
//!   or `_` directly before it, or a base62 character directly after it, makes it no match at all.
//! - Of the candidates that begin at one place, at most one per rule is reported: a proven one if
//!   there is any, else the longest.

mod encoded;
pub mod encoding;
pub mod prefilter;
mod shape;
pub mod version;

use crate::rules::RuleSet;
use ddpatrol_token::{ByteSet, Check};
use encoded::decode::Decoded;
use encoded::needles;
use encoded::{Encoded, FURTHEST_BACK, OnCandidate, WIDEST_CHARACTER, WIDEST_LOOK};
pub(crate) use encoded::{is_open, looks_like_base64};
use encoding::Encoding;
use prefilter::Prefilter;
use regex_automata::hybrid::dfa::Cache;
use serde::{Deserialize, Serialize};
use shape::Shapes;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Match {
    /// The index of its rule.
    pub rule: usize,
    /// The offset of its first byte, encoded as it may be.
    pub start: usize,
    /// The offset after its last byte.
    pub end: usize,
    /// How sure it is.
    pub evidence: Evidence,
    /// In what it is encoded.
    pub encoding: Encoding,
}

/// A place that was looked at, and what was found there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    /// The offset of the first byte that had a say.
    from: usize,
    /// Where a token begins, or would.
    start: usize,
    /// The offset after the last byte that had a say.
    reach: usize,
    found: Option<Match>,
}

/// What kind of bytes are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// Content of any kind, of which so many bytes come before.
    Text {
        /// The offset of the first byte in the whole.
        offset: u64,
    },
    /// A tree of git, of which only the names count.
    Names,
}

/// What is to be searched.
#[derive(Clone, Debug)]
struct Search<'a> {
    bytes: &'a [u8],
    own: Range<usize>,
    /// How many times what is encoded whole is still decoded.
    depth: usize,
    within: Within,
}

/// How often base64 of base64 is decoded.
const DEPTH: usize = 3;

/// What one worker needs to search; reused from blob to blob.
#[derive(Debug, Default)]
pub struct Scratch {
    cache: Option<Cache>,
    ends: Vec<usize>,
    window: Vec<u8>,
    decoded: Decoded,
    /// Whether there was something whose disguise could go on beyond what was looked at.
    is_intricate: bool,
    /// How many bytes were unpacked in this call.
    unpacked: u64,
    /// Whether more is packed than was unpacked.
    has_overrun: bool,
}

impl Scratch {
    /// Tells, once, whether something was packed so that it was not unpacked to its end.
    pub fn take_overrun(&mut self) -> bool {
        std::mem::take(&mut self.has_overrun)
    }
}

/// Finds the tokens of a rule set; immutable and shared by all workers.
#[derive(Debug)]
pub struct Detector {
    rules: Arc<RuleSet>,
    /// The rules that encoded tokens are looked for of.
    provable: Vec<usize>,
    longest_provable: usize,
    /// For each byte the heads in which it tells of escaping, as a rule that has it, and where.
    telling: Vec<Vec<(usize, usize)>>,
    prefilter: Prefilter,
    /// For each needle the rules whose head begins with it.
    by_needle: Vec<Vec<usize>>,
    encoded: Encoded,
    shapes: Shapes,
    junctions: Junctions,
}

/// The needles of a rule set could not be searched for.
#[derive(Debug, thiserror::Error)]
#[error("the heads of the rules cannot be searched for: {0}")]
pub struct DetectorError(#[from] aho_corasick::BuildError);

impl Within {
    /// Content of which nothing comes before.
    pub const WHOLE: Self = Self::Text { offset: 0 };
}

impl Detector {
    /// Prepares the search for the tokens of `rules`.
    ///
    /// # Errors
    /// [`DetectorError`] if there are more rules than can be searched for at once.
    pub fn new(rules: Arc<RuleSet>) -> Result<Self, DetectorError> {
        let all = rules.rules();
        let provable: Vec<usize> = (0..all.len()).filter(|&at| all[at].provable).collect();
        let mut heads: Vec<&[u8]> = provable.iter().map(|&at| all[at].format.head()).collect();
        heads.sort_unstable();
        heads.dedup();
        let mut telling = vec![Vec::new(); 256];
        for head in &heads {
            let rule = provable.iter().copied().find(|&at| all[at].format.head() == *head);
            let (byte, at) = needles::telling(head);
            telling[usize::from(byte)].extend(rule.map(|rule| (rule, at)));
        }
        let bytes = (0..=u8::MAX).filter(|&byte| !telling[usize::from(byte)].is_empty());
        let encoded = Encoded::new(&heads, &bytes.collect::<Vec<u8>>())?;
        let mut needles: Vec<&[u8]> = all.iter().map(|rule| rule.format.head()).collect();
        needles.sort_unstable();
        // A head that begins with another is found through it.
        needles.dedup_by(|longer, shorter| longer.starts_with(shorter));
        let by_needle = needles
            .iter()
            .map(|needle| {
                let begins = |&rule: &usize| all[rule].format.head().starts_with(needle);
                (0..all.len()).filter(begins).collect()
            })
            .collect();
        let prefilter = Prefilter::new(&needles)?;
        let junctions = Junctions::new(&needles);
        let longest = provable.iter().map(|&at| all[at].format.max_len()).max();
        let longest_provable = longest.unwrap_or(0);
        let shapes = Shapes::default();
        Ok(Self {
            rules,
            provable,
            longest_provable,
            telling,
            prefilter,
            by_needle,
            encoded,
            shapes,
            junctions,
        })
    }

    /// Returns the rules that the indices in matches refer to.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Returns how many bytes must follow a place so that the search can decide there: the longest
    /// token, in its widest encoding, and the byte after it.
    #[must_use]
    pub fn lookahead(&self) -> usize {
        let widest = WIDEST_CHARACTER * self.longest_provable + WIDEST_LOOK;
        (self.rules.max_len() + 1).max(widest)
    }

    /// Returns how many bytes before a place must be seen, so that a token that is recognized there
    /// can begin before it.
    #[must_use]
    pub fn lookbehind(&self) -> usize {
        FURTHEST_BACK
    }

    /// Calls `on_match` with every token that is recognized within `own`, and its bytes as they were
    /// issued.
    ///
    /// The bytes before and after `own` are context: [`Detector::lookbehind`] before,
    /// [`Detector::lookahead`] after, fewer only where the input itself begins or ends. A token that
    /// stands there as it is is recognized where it begins, and such tokens come in ascending order;
    /// an encoded one may begin before the place where it is recognized.
    pub fn find(
        &self,
        (bytes, within): (&[u8], Within),
        own: Range<usize>,
        scratch: &mut Scratch,
        mut on_match: impl FnMut(Match, &[u8]),
    ) {
        let search = Search { bytes, own, depth: DEPTH, within };
        self.each_once(&search, scratch, &mut |candidate, token| {
            if let Some(found) = candidate.found {
                on_match(found, token);
            }
        });
    }

    /// Looks at every place where a token may stand, and tells a match once, though several literals
    /// may lead to it.
    fn each_once(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        let mut told: HashSet<(Match, u64)> = HashSet::new();
        scratch.unpacked = 0;
        self.each(search, scratch, &mut |candidate, token| {
            if let Some(found) = candidate.found.filter(|found| !found.encoding.is_plain()) {
                let mut hasher = DefaultHasher::new();
                token.hash(&mut hasher);
                if !told.insert((found, hasher.finish())) {
                    return;
                }
            }
            on(candidate, token);
        });
    }

    /// Looks at every place where a token may stand.
    fn each(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        let bytes = search.bytes;
        self.prefilter.find(bytes, search.own.clone(), |hit| {
            self.plain(search, (&self.by_needle[hit.needle], hit.start), scratch, on);
        });
        self.each_run(search, scratch, on);
    }

    /// Looks at a place where heads stand as they are.
    fn plain(
        &self,
        search: &Search<'_>,
        (rules, start): (&[usize], usize),
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        let longest = rules.iter().map(|&it| self.rules.rules()[it].format.max_len()).max();
        let mut reach = start + longest.unwrap_or(0) + 1;
        let from = start.saturating_sub(1);
        let (mut shaped, mut is_proven) = (Vec::new(), false);
        for &rule in rules {
            let Some(found) = self.decide(rule, bytes, start, scratch) else { continue };
            if found.evidence == Evidence::Proven {
                is_proven = true;
                let candidate = Candidate { from, start, reach, found: Some(found) };
                on(candidate, &bytes[found.start..found.end]);
            } else {
                shaped.push(found);
            }
        }
        if !is_proven {
            let looked = self.continued(search, start, scratch, on);
            reach = looked.map_or(reach, |looked| reach.max(looked));
        }
        for found in &shaped {
            let candidate = Candidate { from, start, reach, found: Some(*found) };
            on(candidate, &bytes[found.start..found.end]);
        }
        if !is_proven && shaped.is_empty() {
            on(Candidate { from, start, reach, found: None }, &[]);
        }
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
        let encoding = Encoding::PLAIN;
        let matched = |end, evidence| Match { rule, start, end, evidence, encoding };
        if description.provable {
            let proven = |&&end: &&usize| description.format.check(&bytes[start..end]).is_proven();
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
