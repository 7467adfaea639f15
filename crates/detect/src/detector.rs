//! The detector: one search for plain and encoded tokens, and for the tokens of versions.
//!
//! Input: a rule set, then bytes. Output: matches, candidates, or spans to mask. What it needs to
//! search is in a [`Scratch`], of which each worker has its own.

use super::budget;
use super::candidate::{Candidate, Evidence, Match, OnCandidate, PossibleToken};
use super::encoded::EncodedSearch;
use super::encoded::decode::FURTHEST_BACK;
use super::encoded::disguised::MaskSpans;
use super::encoded::literals::Literals;
use super::encoded::nested::NestedSearch;
use super::encoded::start::continued;
use super::matcher::{HeadPlace, Matcher};
use super::scratch::Scratch;
use super::search::{Haystack, Level, Search};
use super::version::junctions::{Junctions, News};
use super::version::{self, Heads, Version};
use crate::rules::RuleSet;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

/// How many bytes are searched between two checks of the budget and of an interruption.
const STRETCH: usize = 64 * 1024;

/// Finds the tokens of a rule set; immutable and shared by all workers.
#[derive(Debug)]
pub struct Detector {
    matcher: Matcher,
    literals: Literals,
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
        let matcher = Matcher::new(rules)?;
        let literals = Literals::new(matcher.provable_heads())?;
        let junctions = Junctions::new(&matcher.needles());
        Ok(Self { matcher, literals, junctions })
    }

    /// Returns the rules that the indices in matches refer to.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        self.matcher.rules()
    }

    /// Returns how many bytes must follow a place so that the search can decide there: the longest
    /// token, in its widest encoding, and the byte after it.
    #[must_use]
    pub fn lookahead(&self) -> usize {
        self.matcher.lookahead()
    }

    /// Returns how many bytes before a place must be known, so that a token that is recognized there
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
    /// is not encoded is recognized where it begins, and such tokens come in ascending order; an encoded
    /// one may begin before the place where it is recognized.
    pub fn find(
        &self,
        haystack: Haystack<'_>,
        own: Range<usize>,
        scratch: &mut Scratch,
        on_match: impl FnMut(Match, &[u8]),
    ) {
        let search = Search::raw(haystack, own);
        self.each_match(&search, scratch, on_match);
    }

    /// Calls `on_match` with every match of a search, each once.
    fn each_match(
        &self,
        search: &Search<'_>,
        scratch: &mut Scratch,
        mut on_match: impl FnMut(Match, &[u8]),
    ) {
        self.each_once(search, scratch, &mut |candidate, token| {
            if let Some(found) = candidate.found {
                on_match(found, token);
            }
        });
    }

    /// Calls `on_head` with every candidate in `own`: the bytes that the decision on it depends on, and
    /// the token found there.
    ///
    /// Returns `true` if something may be encoded beyond these bytes.
    pub fn heads(
        &self,
        haystack: Haystack<'_>,
        own: Range<usize>,
        scratch: &mut Scratch,
        mut on_head: impl FnMut(version::Range, Option<(Match, &[u8])>),
    ) -> bool {
        scratch.is_intricate = false;
        let search = Search::raw(haystack, own);
        self.each_once(&search, scratch, &mut |candidate, token| {
            let Candidate { from, start, reach, found } = candidate;
            on_head(version::Range { from, start, reach }, found.map(|found| (found, token)));
        });
        scratch.is_intricate
    }

    /// Returns the places of a version if they follow from those of its base; `None` if the whole
    /// version is to be searched, with [`Detector::heads`].
    #[must_use]
    pub fn inherit(
        &self,
        version: &impl Version,
        base: &Heads,
        scratch: &mut Scratch,
    ) -> Option<Heads> {
        let Self { matcher, literals, junctions } = self;
        let news = News { matcher, literals, junctions };
        if base.is_intricate || news.may_be_in(version, &mut scratch.window) {
            return None;
        }
        base.inherited((0..version.piece_count()).map(|index| version.piece(index)))
    }

    /// Lists everything that decodes to the head of a rule and further characters: what may be an
    /// encoded token, proven or not, cut off or not.
    #[must_use]
    pub fn disguised(&self, bytes: &[u8], scratch: &mut Scratch) -> Vec<Range<usize>> {
        MaskSpans { matcher: &self.matcher, literals: &self.literals }.list(bytes, scratch)
    }

    /// Calls `on_place` with every rule and place where one of its tokens could begin, whatever its
    /// checksum and the text around it.
    pub(super) fn candidates(
        &self,
        bytes: &[u8],
        scratch: &mut Scratch,
        mut on_place: impl FnMut(PossibleToken),
    ) {
        self.matcher.each_head(bytes, 0..bytes.len(), |head| {
            for &rule in head.rules {
                self.matcher.ends(rule, bytes, head.start, scratch);
                let longest_end = scratch.ends.last().copied();
                on_place(PossibleToken { rule, start: head.start, longest_end });
            }
        });
    }

    /// Calls `on` with every candidate, and only once with a match to which several literals lead.
    fn each_once(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        let mut reported: HashSet<(Match, u64)> = HashSet::new();
        scratch.budget.start(search.bytes.len());
        self.sweep(search, scratch, &mut |candidate, token| {
            if let Some(found) = candidate.found.filter(|found| !found.encoding.is_plain()) {
                let mut hasher = DefaultHasher::new();
                token.hash(&mut hasher);
                if !reported.insert((found, hasher.finish())) {
                    return;
                }
            }
            on(candidate, token);
        });
    }

    /// Searches a part stretch by stretch, until the scan is interrupted or, in decoded content, the
    /// budget is spent.
    fn sweep(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        let outer = std::mem::take(&mut scratch.progress);
        let is_decoded = search.level == Level::Decoded;
        let Range { start, end } = search.own;
        for start in (start..end).step_by(STRETCH) {
            let own = start..end.min(start + STRETCH);
            if scratch.budget.is_interrupted() || is_decoded && scratch.budget.is_spent() {
                break;
            }
            self.each(&Search { own, ..search.clone() }, scratch, on);
        }
        scratch.progress = outer;
    }

    /// Searches every place where a token may be.
    fn each(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        self.matcher.each_head(search.bytes, search.own.clone(), |head| {
            self.plain(search, head, scratch, on);
        });
        let sweep = |search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>| {
            self.sweep(search, scratch, on);
        };
        let (matcher, literals) = (&self.matcher, &self.literals);
        let nested = NestedSearch { search_bytes: &sweep };
        EncodedSearch { matcher, literals, nested }.run(search, scratch, on);
    }

    /// Decides on a place where a head is that is not encoded.
    fn plain(
        &self,
        search: &Search<'_>,
        HeadPlace { rules, start }: HeadPlace<'_>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        search.spend(&mut scratch.budget, budget::PLACE);
        let longest = rules.iter().map(|&it| self.matcher.rule(it).format.max_len()).max();
        let longest = longest.unwrap_or(0);
        let mut reach = start + longest + 1;
        let from = start.saturating_sub(1);
        let (mut shaped, mut is_proven) = (Vec::new(), false);
        for &rule in rules {
            let Some(found) = self.matcher.decide(rule, bytes, start, scratch) else { continue };
            if found.evidence == Evidence::Proven {
                is_proven = true;
                let candidate = Candidate { from, start, reach, found: Some(found) };
                on(candidate, &bytes[found.start..found.end]);
            } else {
                shaped.push(found);
            }
        }
        if !is_proven {
            let looked = continued(&self.matcher, search, start..start + longest, scratch, on);
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
}
