//! Finds the anchors of the rules and decides whether a token is there.
//!
//! Input: the rules; then bytes and a position. Output: the positions of the rules' anchors, and the
//! token of a rule that begins at a position, by the shape and the checksum of its format. It decodes
//! nothing and has no limits.

use super::anchor::AnchorKind;
use super::anchor_search::AnchorSearch;
use super::candidate::{Evidence, Match};
use super::encoded::MIN_LINE;
use super::encoded::breaks::{MAX_BREAK, is_piece};
use super::encoded::decode::{DECODE_LOOKAHEAD, MAX_BROKEN, MAX_ENCODED_LEN};
use super::encoded::line_prefix::{LINE_LOOKAHEAD, USUAL_AFFIXES};
use super::encoding::Encoding;
use super::prefilter::Hit;
use super::scratch::Scratch;
use super::shape::{CandidateStart, Shapes};
use super::word_rule::WordRule;
use crate::rules::{Rule, RuleIndex, RuleSet};
use aho_corasick::BuildError;
use ddpatrol_token::format::{Anchor, Format};
use ddpatrol_token::{ByteSet, Check};
use std::ops::Range;
use std::sync::Arc;

/// The rules, prepared for checking candidates.
#[derive(Debug)]
pub(super) struct Matcher {
    rules: Arc<RuleSet>,
    /// The rules whose tokens are also searched for in encoded text.
    provable: Vec<RuleIndex>,
    longest_provable: usize,
    /// The heads of these rules, by their first byte: most decoded bytes begin no head, and are compared with few.
    heads: Vec<Vec<RuleAnchor>>,
    /// The rules of these heads, by their first byte.
    by_first: Vec<Vec<RuleIndex>>,
    /// The rules whose anchor is in the middle of their tokens.
    by_middle: Vec<RuleIndex>,
    /// The anchors of these rules that are in the middle of their tokens.
    middles: Vec<RuleAnchor>,
    /// The number of bytes at the beginning of tokens that contain every head.
    heads_end: usize,
    /// The number of bytes at the beginning of tokens that contain every anchor in their middle.
    middles_end: usize,
    /// The rules without an anchor.
    words: Vec<WordRule>,
    head_search: AnchorSearch,
    /// The length of the shortest token with each needle of the heads, if its tokens have no other characters
    /// than those of runs.
    shortest: Vec<Option<usize>>,
    middle_search: AnchorSearch,
    shapes: Shapes,
}

/// The anchor of one or more rules.
#[derive(Debug)]
struct RuleAnchor {
    anchor: Anchor,
    /// The length of the longest token that has it.
    longest: usize,
}

impl RuleAnchor {
    /// Returns the offset of its end in a token.
    fn end(&self) -> usize {
        self.anchor.offset + self.anchor.text.len()
    }
}

/// A proven token at the beginning of decoded bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct DecodedToken {
    pub(super) rule: RuleIndex,
    pub(super) len: usize,
}

/// A hit of the prefilter, and the rules whose head may be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadHit<'a> {
    pub(super) rules: &'a [RuleIndex],
    pub(super) start: usize,
    /// The length of the shortest token, if tokens have no other characters than those of runs.
    pub(super) shortest: Option<usize>,
}

/// An anchor in the middle of a possible token.
#[derive(Clone, Copy, Debug)]
pub(super) struct MiddleHit {
    pub(super) rule: RuleIndex,
    /// The offset of the anchor.
    pub(super) anchor: usize,
    /// The distance from the start of the token to the anchor, in characters.
    pub(super) back: usize,
}

impl Matcher {
    pub(super) fn new(rules: Arc<RuleSet>) -> Result<Self, BuildError> {
        let provable: Vec<RuleIndex> = rules.indices().filter(|&at| rules[at].provable).collect();
        let anchors = rule_anchors(&rules, &provable);
        let longest_provable = anchors.iter().map(|it| it.longest).max().unwrap_or(0);
        let (heads, middles): (Vec<RuleAnchor>, Vec<RuleAnchor>) =
            anchors.into_iter().partition(|it| it.anchor.is_head());
        let end = |anchors: &[RuleAnchor]| anchors.iter().map(RuleAnchor::end).max().unwrap_or(0);
        let (heads_end, middles_end) = (end(&heads), end(&middles));
        let (middle, head): (Vec<RuleIndex>, Vec<RuleIndex>) =
            rules.indices().partition(|&rule| rules[rule].format.has_middle());
        let head_search = AnchorSearch::new(&rules, &head)?;
        let middle_search = AnchorSearch::new(&rules, &middle)?;
        let shortest = head_search.rules.iter().map(|it| shortest(&rules, it)).collect();
        let heads = by_byte(heads, |it| it.anchor.text[0]);
        let (by_middle, by_head): (Vec<RuleIndex>, Vec<RuleIndex>) = provable
            .iter()
            .filter(|&&rule| rules[rule].format.anchor().is_some())
            .partition(|&&rule| rules[rule].format.has_middle());
        let first = |&rule: &RuleIndex| rules[rule].format.anchor().map_or(0, |it| it.text[0]);
        let by_first = by_byte(by_head, first);
        let is_word = |&rule: &RuleIndex| rules[rule].format.anchor().is_none();
        let words = provable.iter().copied().filter(is_word);
        let words = words.map(|rule| WordRule::new(rule, &rules[rule].format)).collect();
        let shapes = Shapes::default();
        Ok(Self {
            rules,
            provable,
            longest_provable,
            heads,
            by_first,
            by_middle,
            middles,
            heads_end,
            middles_end,
            words,
            head_search,
            shortest,
            middle_search,
            shapes,
        })
    }

    pub(super) fn rules(&self) -> &RuleSet {
        &self.rules
    }

    pub(super) fn rule(&self, rule: RuleIndex) -> &Rule {
        &self.rules[rule]
    }

    /// Returns the needles by which heads are found.
    pub(super) fn head_needles(&self) -> &[Box<[u8]>] {
        &self.head_search.needles
    }

    /// Returns the heads of the rules whose tokens are also searched for in encoded text.
    pub(super) fn provable_heads(&self) -> impl Iterator<Item = &[u8]> {
        self.heads.iter().flatten().map(|it| &*it.anchor.text)
    }

    /// Returns the anchors of the rules whose tokens are also searched for in encoded text.
    pub(super) fn provable_anchors(&self) -> impl Iterator<Item = &Anchor> {
        self.heads.iter().flatten().chain(&self.middles).map(|it| &it.anchor)
    }

    /// Returns the anchors in the middle of tokens that are also searched for in encoded text.
    pub(super) fn provable_middles(&self) -> impl Iterator<Item = &Anchor> {
        self.middles.iter().map(|it| &it.anchor)
    }

    /// Returns the rules whose tokens are also searched for in encoded text.
    pub(super) fn provable_rules(&self) -> impl Iterator<Item = RuleIndex> {
        self.provable.iter().copied()
    }

    /// Returns `true` if there are rules without an anchor.
    #[inline]
    pub(super) fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    /// Returns the rule without an anchor that a word is a proven token of. A word that contains an anchor is
    /// left to the rule of the anchor, unless the tokens of the rule have one length.
    pub(super) fn rule_of_word(&self, word: &[u8]) -> Option<RuleIndex> {
        let is_proven = |it: &&WordRule| {
            it.may_match(word) && self.rule(it.rule).format.check(word).is_proven()
        };
        let found = self.words.iter().find(is_proven)?;
        let is_left = found.yields_to_anchors() && (self.has_head(word) || self.has_middle(word));
        (!is_left).then_some(found.rule)
    }

    pub(super) fn longest_head(&self) -> usize {
        self.anchors_end(AnchorKind::Head)
    }

    /// Lists the anchors of a kind that decoded bytes may have.
    #[inline]
    fn anchors(&self, kind: AnchorKind, bytes: &[u8]) -> &[RuleAnchor] {
        match (kind, bytes.first()) {
            (AnchorKind::Head, Some(&first)) => &self.heads[usize::from(first)],
            (AnchorKind::Head, None) => &[],
            (AnchorKind::Middle, _) => &self.middles,
        }
    }

    /// Returns the number of bytes at the beginning of tokens that contain every anchor of a kind.
    pub(super) fn anchors_end(&self, kind: AnchorKind) -> usize {
        match kind {
            AnchorKind::Head => self.heads_end,
            AnchorKind::Middle => self.middles_end,
        }
    }

    /// Returns the maximum number of bytes after a position that the decision there depends on: the
    /// longest token, in its widest encoding, and the byte after it.
    pub(super) fn lookahead(&self) -> usize {
        let widest = MAX_ENCODED_LEN * self.longest_provable + DECODE_LOOKAHEAD;
        // Two characters of hex per byte; base64 has fewer.
        let lines = 2 * self.longest_provable / MIN_LINE + 2;
        let folded = lines * (MIN_LINE + USUAL_AFFIXES) + LINE_LOOKAHEAD;
        (self.rules.max_len() + 1).max(widest).max(folded).max(MAX_BROKEN + MAX_BREAK)
    }

    /// Calls `on_head` with every head that begins within `part`, in ascending order.
    #[inline]
    pub(super) fn each_head(
        &self,
        bytes: &[u8],
        part: Range<usize>,
        mut on_head: impl FnMut(HeadHit<'_>),
    ) {
        let AnchorSearch { prefilter, rules, .. } = &self.head_search;
        prefilter.find(bytes, part, |Hit { start, needle }| {
            on_head(HeadHit { rules: &rules[needle], start, shortest: self.shortest[needle] });
        });
    }

    /// Calls `on_middle` with every anchor in `range` that is in the middle of a token, even if the bytes before it
    /// are fewer than a token has there.
    ///
    /// Tokens with such an anchor are parts of runs of at least [`MIN_RUN`](super::encoded::MIN_RUN) characters, so
    /// that other text need not be searched.
    #[inline]
    pub(super) fn each_middle(
        &self,
        bytes: &[u8],
        range: Range<usize>,
        mut on_middle: impl FnMut(MiddleHit),
    ) {
        let AnchorSearch { prefilter, rules, .. } = &self.middle_search;
        prefilter.find(bytes, range, |Hit { start: anchor, needle }| {
            for &rule in &rules[needle] {
                let Some(Anchor { text, offset }) = self.rule(rule).format.anchor() else {
                    continue;
                };
                if bytes[anchor..].starts_with(text) {
                    on_middle(MiddleHit { rule, anchor, back: anchor.min(*offset) });
                }
            }
        });
    }

    /// Returns `true` if `bytes` contains a head.
    #[inline]
    pub(super) fn has_head(&self, bytes: &[u8]) -> bool {
        self.head_search.prefilter.is_match(bytes)
    }

    /// Returns `true` if a run contains an anchor in the middle of a token.
    #[inline]
    pub(super) fn has_middle(&self, run: &[u8]) -> bool {
        self.middle_search.prefilter.is_match(run)
    }

    /// Writes to `scratch.ends` every offset at which a token of a rule that begins at `start` could
    /// end, in ascending order.
    pub(super) fn ends(&self, rule: RuleIndex, bytes: &[u8], start: usize, scratch: &mut Scratch) {
        self.shapes.ends(&self.rules, rule, CandidateStart { bytes, start }, scratch);
    }

    /// Checks one candidate: a rule, and the position where its head may be.
    pub(super) fn decide(
        &self,
        rule: RuleIndex,
        bytes: &[u8],
        start: usize,
        scratch: &mut Scratch,
    ) -> Option<Match> {
        let description = self.rule(rule);
        let free_before = start == 0 || !is_word(bytes[start - 1]);
        // Without a checksum no proof can override the word boundary: skip the automaton.
        if !description.provable && description.format.checksum().is_none() && !free_before {
            return None;
        }
        self.ends(rule, bytes, start, scratch);
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
            free_after
                && match description.format.check(&bytes[start..end]) {
                    Check::Proven { .. } => true,
                    Check::Shaped { .. } => !description.weak,
                    Check::NoMatch => false,
                }
        };
        scratch.ends.iter().rev().find(shaped).map(|&end| matched(end, Evidence::Shaped))
    }

    /// Returns the maximum length of tokens that begin with these decoded bytes and have an anchor of this
    /// kind.
    pub(super) fn longest_from(&self, kind: AnchorKind, bytes: &[u8]) -> Option<usize> {
        let anchors = self.anchors(kind, bytes).iter().filter(|it| it.anchor.is_in(bytes));
        anchors.map(|it| it.longest).max()
    }

    /// Returns the offset of the end of the anchor of this kind in decoded bytes.
    pub(super) fn anchor_end(&self, kind: AnchorKind, bytes: &[u8]) -> Option<usize> {
        self.anchors(kind, bytes).iter().find(|it| it.anchor.is_in(bytes)).map(RuleAnchor::end)
    }

    /// Finds a proven token at the beginning of decoded bytes.
    pub(super) fn decide_decoded(
        &self,
        bytes: &[u8],
        scratch: &mut Scratch,
    ) -> Option<DecodedToken> {
        let first = usize::from(*bytes.first()?);
        self.by_first[first].iter().chain(&self.by_middle).find_map(|&rule| {
            let format = &self.rule(rule).format;
            if !format.has_anchor_in(bytes) {
                return None;
            }
            self.ends(rule, bytes, 0, scratch);
            let proven = |&&end: &&usize| format.check(&bytes[..end]).is_proven();
            scratch.ends.iter().find(proven).map(|&len| DecodedToken { rule, len })
        })
    }
}

/// Groups items by a byte. They keep their order.
fn by_byte<T>(items: Vec<T>, byte: impl Fn(&T) -> u8) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = (0..=u8::MAX).map(|_| Vec::new()).collect();
    for item in items {
        let group = usize::from(byte(&item));
        groups[group].push(item);
    }
    groups
}

/// Lists the anchors of rules, each once.
fn rule_anchors(rules: &RuleSet, provable: &[RuleIndex]) -> Vec<RuleAnchor> {
    let mut anchors: Vec<RuleAnchor> = Vec::new();
    for format in provable.iter().map(|&at| &rules[at].format) {
        let (Some(anchor), longest) = (format.anchor(), format.max_len()) else { continue };
        match anchors.iter_mut().find(|it| it.anchor == *anchor) {
            Some(known) => known.longest = known.longest.max(longest),
            None => anchors.push(RuleAnchor { anchor: anchor.clone(), longest }),
        }
    }
    anchors
}

/// Returns the length of the shortest token of some rules. Returns `None` if a token can contain characters
/// that runs do not.
fn shortest(rules: &RuleSet, indices: &[RuleIndex]) -> Option<usize> {
    let formats = indices.iter().map(|&rule| &rules[rule].format);
    let shortest = |format: &Format| format.consists_of(is_piece).then(|| format.min_len());
    formats.map(shortest).try_fold(usize::MAX, |least, it| it.map(|it| least.min(it)))
}

/// Returns `true` if `byte`, directly before a head, makes an unproven candidate part of a word.
fn is_word(byte: u8) -> bool {
    byte == b'_' || ByteSet::BASE62.contains(byte)
}
