//! The detector: one search for plain tokens, encoded tokens, and tokens in delta objects.
//!
//! Input: a rule set, then bytes. Output: matches, candidates, or spans to mask. The state of a search is
//! in a [`Scratch`], one per worker.

use super::budget;
use super::candidate::{Candidate, Evidence, Match, OnCandidate, PossibleToken};
use super::delta::junctions::{DeltaCheck, Junctions, has_new_zero};
use super::delta::{self, DeltaCandidates, DeltaObject, DerivedCandidates, parts};
use super::encoded::base64_run::LINES_LOOKBEHIND;
use super::encoded::breaks::{is_piece, repeated_before};
use super::encoded::broken::MAX_BACK;
use super::encoded::decode::LOOKBEHIND;
use super::encoded::literals::Literals;
use super::encoded::mask_spans::MaskSpans;
use super::encoded::nested::NestedSearch;
use super::encoded::pending::Pending;
use super::encoded::short_lines::CONTINUED_LOOKBEHIND;
use super::encoded::start::{MAX_BEFORE_MIDDLE, decode_after_head, is_cut_short};
use super::encoded::{self, EncodedSearch};
use super::encoding::{Encoding, Layer};
use super::matcher::{HeadHit, Matcher};
use super::middle;
use super::pem::{self, BlockContent, PemBlock};
use super::scratch::Scratch;
use super::search::{ContentKind, Haystack, Level, Search};
use super::words;
use crate::rules::{RuleIndex, RuleSet};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

/// Number of bytes searched between two checks for an exceeded budget or an interruption.
const CHUNK: usize = 64 * 1024;

/// Finds the tokens of a rule set. Immutable; all workers share it.
#[derive(Debug)]
pub struct Detector {
    matcher: Matcher,
    literals: Literals,
    junctions: Junctions,
}

/// The searcher for the needles of a rule set could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the heads of the rules cannot be compiled: {0}")]
pub struct DetectorError(#[from] aho_corasick::BuildError);

impl Detector {
    /// Prepares the search for the tokens of `rules`.
    ///
    /// # Errors
    /// [`DetectorError`] if there are more rules than one searcher supports.
    pub fn new(rules: Arc<RuleSet>) -> Result<Self, DetectorError> {
        let matcher = Matcher::new(rules)?;
        let literals = Literals::new(matcher.provable_anchors())?;
        let mut needles = matcher.head_needles().to_vec();
        needles.extend(literals.broken.needles().iter().map(|pair| (*pair).into()));
        let junctions = Junctions::new(&needles);
        Ok(Self { matcher, literals, junctions })
    }

    /// Returns the rules that the indices in matches refer to.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        self.matcher.rules()
    }

    /// Returns the number of bytes after a position that the search needs to decide there: the longest
    /// token, in its widest encoding, and the byte after it.
    #[must_use]
    pub fn lookahead(&self) -> usize {
        let block = if self.rules().has_verifier() { pem::MAX_BLOCK } else { 0 };
        self.matcher.lookahead().max(block)
    }

    /// Returns the number of bytes around displayed text that are inspected for tokens. Private keys, which
    /// can be longer, are masked without their first line, too.
    pub(super) fn token_lookahead(&self) -> usize {
        self.matcher.lookahead()
    }

    /// Returns the number of bytes before a position that the search needs: an encoded token that is
    /// recognized there may begin before it.
    #[must_use]
    pub fn lookbehind(&self) -> usize {
        let broken = MAX_BACK + self.matcher.longest_head();
        (LOOKBEHIND + CONTINUED_LOOKBEHIND).max(broken).max(MAX_BEFORE_MIDDLE).max(LINES_LOOKBEHIND)
    }

    /// Lists the parts of a match that encode the token, without the prefixes of the lines into which it is
    /// folded.
    #[must_use]
    pub fn pieces(&self, bytes: &[u8], found: &Match) -> Vec<Range<usize>> {
        encoded::pieces(bytes, found)
    }

    /// Calls `on_match` with every token that is recognized within `part`, and its decoded bytes.
    ///
    /// The bytes around `part` are context: [`Detector::lookbehind`] bytes before it and
    /// [`Detector::lookahead`] after it, fewer only at the beginning and end of the input. A plain token
    /// is recognized where it begins, and plain tokens with a head are reported in ascending order. An encoded token
    /// may begin before the position where it is recognized.
    pub fn find(
        &self,
        haystack: Haystack<'_>,
        part: Range<usize>,
        scratch: &mut Scratch,
        on_match: impl FnMut(Match, &[u8]),
    ) {
        let search = Search::raw(haystack, part);
        self.each_match(&search, scratch, on_match);
    }

    /// Calls `on_match` once with every match of a search.
    fn each_match(
        &self,
        search: &Search<'_>,
        scratch: &mut Scratch,
        mut on_match: impl FnMut(Match, &[u8]),
    ) {
        self.each_distinct(search, scratch, &mut |candidate, token| {
            if let Some(found) = candidate.found {
                on_match(found, token);
            }
        });
    }

    /// Calls `on_candidate` with every candidate in `part`: the range that the decision depends on, and the
    /// token found there.
    ///
    /// Returns `true` if encoded content may depend on bytes outside these ranges.
    pub fn find_candidates(
        &self,
        haystack: Haystack<'_>,
        part: Range<usize>,
        scratch: &mut Scratch,
        mut on_candidate: impl FnMut(delta::InspectedRange, Option<(Match, &[u8])>),
    ) -> bool {
        scratch.needs_full_scan = false;
        let search = Search::raw(haystack, part);
        self.each_distinct(&search, scratch, &mut |candidate, token| {
            let Candidate { inspected_start, start, inspected_end, found } = candidate;
            on_candidate(
                delta::InspectedRange { inspected_start, start, inspected_end },
                found.map(|found| (found, token)),
            );
        });
        scratch.needs_full_scan
    }

    /// Returns the candidates of a delta object that follow from those of its base, and the parts in which
    /// [`Detector::find_candidates`] finds the others. Returns `None` if the whole object must be searched, as it
    /// must if the search of a part returns `true`.
    #[must_use]
    pub fn derive_candidates(
        &self,
        object: &impl DeltaObject,
        base: &DeltaCandidates,
        scratch: &mut Scratch,
    ) -> Option<DerivedCandidates> {
        let Self { matcher, literals, junctions } = self;
        let check = DeltaCheck { matcher, literals, junctions };
        let window = &mut scratch.window;
        if base.needs_full_scan {
            return None;
        }
        let may_differ = check.may_differ(object, window);
        let is_text = object.kind() != ContentKind::TreeNames;
        let is_searched_whole = || !is_text || parts::are_too_many(object) || has_new_zero(object);
        if may_differ && is_searched_whole() || check.differs_in_kind(object, window) {
            return None;
        }
        let mut derived = DerivedCandidates::default();
        let DerivedCandidates { candidates, parts } = &mut derived;
        let pieces = (0..object.piece_count()).map(|index| object.piece(index));
        candidates.list = base.copied(pieces, parts);
        if may_differ {
            parts::add_new(object, junctions.longest(), parts);
        }
        if !parts.is_empty() {
            parts::join(parts, object.size());
            let searched: usize = parts.iter().map(ExactSizeIterator::len).sum();
            if !is_text || parts::are_too_long(searched, object) {
                return None;
            }
            parts::remove_searched(&mut candidates.list, parts);
        }
        Some(derived)
    }

    /// Lists the spans that decode to the head of a rule and further characters: possible encoded tokens,
    /// proven or not, complete or cut off.
    #[must_use]
    pub fn mask_spans(&self, bytes: &[u8], scratch: &mut Scratch) -> Vec<Range<usize>> {
        MaskSpans { matcher: &self.matcher, literals: &self.literals }.list(bytes, scratch)
    }

    /// Returns the number of bytes whose tokens do not depend on what follows. The rest is the lines that
    /// may contain the beginning of a token: a head whose token may continue, or a long run of base64 whose
    /// lines or string literals extend to the end.
    ///
    /// `bytes` is a stream up to the end of a word. Its first `decided` bytes are context; no token that is
    /// still open begins there.
    #[must_use]
    pub fn decided_len(&self, bytes: &[u8], decided: usize, scratch: &mut Scratch) -> usize {
        let pending = Pending { matcher: &self.matcher, literals: &self.literals };
        pending.start(bytes, decided, scratch)
    }

    /// Calls `on_token` with every position of a head, where a token of a rule could begin, whatever its
    /// checksum and the text around it.
    pub(super) fn possible_tokens(
        &self,
        bytes: &[u8],
        scratch: &mut Scratch,
        mut on_token: impl FnMut(PossibleToken),
    ) {
        self.matcher.each_head(bytes, 0..bytes.len(), |head| {
            for &rule in head.rules {
                self.matcher.ends(rule, bytes, head.start, scratch);
                let longest_end = scratch.ends.last().copied();
                on_token(PossibleToken { rule, start: head.start, longest_end });
            }
        });
    }

    /// Lists the spans of possible tokens with an anchor in their middle, and of tokens without an anchor.
    pub(super) fn headless_spans(&self, bytes: &[u8], scratch: &mut Scratch) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        self.matcher.each_middle(bytes, 0..bytes.len(), |hit| {
            spans.extend(middle::possible_span(&self.matcher, bytes, hit, scratch));
        });
        if self.matcher.has_words() {
            words::each_token(&self.matcher, bytes, 0..bytes.len(), |_, word| spans.push(word));
        }
        spans
    }

    /// Returns the rule among these whose matches a verifier decides.
    fn verified(&self, rules: &[RuleIndex]) -> Option<RuleIndex> {
        rules.iter().copied().find(|&rule| self.matcher.rule(rule).verifier.is_some())
    }

    /// Calls `on` with every candidate, but only once with an encoded match that several literals find.
    fn each_distinct(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        let mut reported: HashSet<(Match, u64)> = HashSet::new();
        scratch.budget.start(search.bytes.len());
        self.search_chunks(search, scratch, &mut |candidate, token| {
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

    /// Searches a part chunk by chunk, until the scan is interrupted or, in decoded content, the budget is
    /// spent.
    fn search_chunks(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        let outer = std::mem::take(&mut scratch.progress);
        let is_decoded = search.level == Level::Decoded;
        let Range { start, end } = search.part;
        for start in (start..end).step_by(CHUNK) {
            let part = start..end.min(start + CHUNK);
            if scratch.budget.is_interrupted() || is_decoded && scratch.budget.is_spent() {
                break;
            }
            self.search_chunk(&Search { part, ..search.clone() }, scratch, on);
        }
        scratch.progress = outer;
    }

    /// Searches one chunk for plain and encoded tokens.
    fn search_chunk(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        self.matcher.each_head(search.bytes, search.part.clone(), |head| {
            self.decide_head(search, head, scratch, on);
        });
        let search_chunks = |search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>| {
            self.search_chunks(search, scratch, on);
        };
        let (matcher, literals) = (&self.matcher, &self.literals);
        let nested = NestedSearch { search_bytes: &search_chunks, matcher };
        EncodedSearch { matcher, literals, nested }.run(search, scratch, on);
    }

    /// Checks a plain head for the tokens of its rules.
    fn decide_head(
        &self,
        search: &Search<'_>,
        HeadHit { rules, start, shortest }: HeadHit<'_>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        search.spend(&mut scratch.budget, budget::PLACE);
        if let Some(rule) = self.verified(rules) {
            let read = decide_block(rule, bytes, start, on);
            search.spend(&mut scratch.budget, read as u64);
            if rules.len() == 1 {
                return;
            }
        }
        if let Some(sequence) = repeated_before(bytes, start) {
            let (inspected_start, inspected_end) = (sequence - 1, start + 1);
            on(Candidate { inspected_start, start, inspected_end, found: None }, &[]);
            return;
        }
        let longest = rules.iter().map(|&it| self.matcher.rule(it).format.max_len()).max();
        let longest = longest.unwrap_or(0);
        let mut inspected_end = start + longest + 1;
        let inspected_start = start.saturating_sub(1);
        if shortest.is_some_and(|shortest| is_cut_short(bytes, start, shortest)) {
            on(Candidate { inspected_start, start, inspected_end, found: None }, &[]);
            return;
        }
        let (mut shaped, mut is_proven) = (Vec::new(), false);
        // If what follows is too short for a plain token, no rule is tried.
        let may_be_plain = shortest.is_none_or(|shortest| {
            bytes.get(start..start + shortest).is_some_and(|it| it.iter().copied().all(is_piece))
        });
        let tried = if may_be_plain { rules } else { &[] };
        for &rule in tried {
            let Some(found) = self.matcher.decide(rule, bytes, start, scratch) else { continue };
            if found.evidence == Evidence::Proven {
                is_proven = true;
                let candidate =
                    Candidate { inspected_start, start, inspected_end, found: Some(found) };
                on(candidate, &bytes[found.start..found.end]);
            } else if shaped.iter().all(|other: &Match| other.end != found.end) {
                // Of several rules that a candidate has the shape of, the first one is reported.
                shaped.push(found);
            }
        }
        if is_proven {
            // A rule without a checksum adds nothing to the proof of another.
            shaped.clear();
        } else {
            let read_end =
                decode_after_head(&self.matcher, search, start..start + longest, scratch, on);
            inspected_end = read_end.map_or(inspected_end, |read_end| inspected_end.max(read_end));
        }
        for found in &shaped {
            let candidate =
                Candidate { inspected_start, start, inspected_end, found: Some(*found) };
            on(candidate, &bytes[found.start..found.end]);
        }
        if !is_proven && shaped.is_empty() {
            on(Candidate { inspected_start, start, inspected_end, found: None }, &[]);
        }
    }
}

/// Checks whether the block of a private key begins at `start`; returns the number of bytes that were read.
fn decide_block(rule: RuleIndex, bytes: &[u8], start: usize, on: OnCandidate<'_>) -> usize {
    let PemBlock { read_end: inspected_end, content } = PemBlock::read(bytes, start);
    let mut candidate = Candidate { inspected_start: start, start, inspected_end, found: None };
    match content {
        BlockContent::Key(key, end) => {
            let evidence = if key.is_proven() { Evidence::Proven } else { Evidence::Shaped };
            let encoding = Encoding::PLAIN.with([Layer::Pem]);
            candidate.found = Some(Match { rule, start, end, evidence, encoding });
            on(candidate, key.description().as_bytes());
        }
        BlockContent::Damaged(_) | BlockContent::Other => on(candidate, &[]),
    }
    inspected_end - start
}
