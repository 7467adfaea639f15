//! Finds the anchors of the rules and decides whether a token is there.
//!
//! Input: the rules; then bytes and a position. Output: the positions of the rules' anchors, and the
//! token of a rule that begins at a position, by the shape and the checksum of its format. It decodes
//! nothing and has no limits.

use super::anchor::AnchorKind;
use super::candidate::{Evidence, Match};
use super::encoded::MIN_RUN;
use super::encoded::breaks::{MAX_BREAK, is_piece};
use super::encoded::decode::{DECODE_LOOKAHEAD, MAX_BROKEN, MAX_ENCODED_LEN};
use super::encoded::line_prefix::{LINE_LOOKAHEAD, USUAL_AFFIXES};
use super::encoding::Encoding;
use super::prefilter::Prefilter;
use super::scratch::Scratch;
use super::shape::{CandidateStart, Shapes};
use super::word_rule::WordRule;
use crate::rules::{Rule, RuleIndex, RuleSet};
use aho_corasick::BuildError;
use ddpatrol_token::format::{Anchor, Layout, Piece};
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
    prefilter: Prefilter,
    by_needle: Vec<NeedleRules>,
    /// The longest distance from the start of a token to its anchor.
    longest_offset: usize,
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

/// The rules whose anchor begins with a needle.
#[derive(Debug)]
struct NeedleRules {
    /// Those whose tokens begin with it.
    heads: Vec<RuleIndex>,
    /// The others.
    middles: Vec<RuleIndex>,
    /// The length of the shortest token that begins with the needle, if its tokens have no other
    /// characters than those of runs.
    shortest: Option<usize>,
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

/// A hit of the prefilter.
#[derive(Clone, Copy, Debug)]
pub(super) enum AnchorHit<'a> {
    Head(HeadHit<'a>),
    Middle(MiddleHit),
}

impl Matcher {
    pub(super) fn new(rules: Arc<RuleSet>) -> Result<Self, BuildError> {
        let all = rules.rules();
        let provable: Vec<RuleIndex> = rules.indices().filter(|&at| rules[at].provable).collect();
        let anchors = rule_anchors(&rules, &provable);
        let longest_provable = anchors.iter().map(|it| it.longest).max().unwrap_or(0);
        let (heads, middles): (Vec<RuleAnchor>, Vec<RuleAnchor>) =
            anchors.into_iter().partition(|it| it.anchor.is_head());
        let end = |anchors: &[RuleAnchor]| anchors.iter().map(RuleAnchor::end).max().unwrap_or(0);
        let (heads_end, middles_end) = (end(&heads), end(&middles));
        let needles = needles(all);
        let by_needle = needles.iter().map(|needle| NeedleRules::of(needle, &rules)).collect();
        let prefilter = Prefilter::new(&needles)?;
        let heads = by_byte(heads, |it| it.anchor.text[0]);
        let (by_middle, by_head): (Vec<RuleIndex>, Vec<RuleIndex>) = provable
            .iter()
            .filter(|&&rule| rules[rule].format.anchor().is_some())
            .partition(|&&rule| rules[rule].format.has_middle());
        let first = |&rule: &RuleIndex| rules[rule].format.anchor().map_or(0, |it| it.text[0]);
        let by_first = by_byte(by_head, first);
        let offsets = all.iter().filter_map(|rule| Some(rule.format.anchor()?.offset));
        let longest_offset = offsets.max().unwrap_or(0);
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
            prefilter,
            by_needle,
            longest_offset,
            shapes,
        })
    }

    pub(super) fn rules(&self) -> &RuleSet {
        &self.rules
    }

    pub(super) fn rule(&self, rule: RuleIndex) -> &Rule {
        &self.rules[rule]
    }

    /// Returns the needles by which anchors are found.
    pub(super) fn needles(&self) -> Vec<&[u8]> {
        needles(self.rules.rules())
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
    /// left to the rule of the anchor.
    pub(super) fn rule_of_word(&self, word: &[u8]) -> Option<RuleIndex> {
        let is_proven = |it: &&WordRule| {
            it.may_match(word) && self.rule(it.rule).format.check(word).is_proven()
        };
        let found = self.words.iter().find(is_proven)?;
        (!self.prefilter.is_match(word)).then_some(found.rule)
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
        let lines = 2 * self.longest_provable / MIN_RUN + 2;
        let folded = lines * (MIN_RUN + USUAL_AFFIXES) + LINE_LOOKAHEAD;
        (self.rules.max_len() + 1).max(widest).max(folded).max(MAX_BROKEN + MAX_BREAK)
    }

    /// Calls `on_head` with every head that begins within `part`, in ascending order.
    pub(super) fn each_head(
        &self,
        bytes: &[u8],
        part: Range<usize>,
        mut on_head: impl FnMut(HeadHit<'_>),
    ) {
        self.each_anchor(bytes, part, |hit| match hit {
            AnchorHit::Head(head) => on_head(head),
            AnchorHit::Middle(_) => {}
        });
    }

    /// Calls `on_hit` with every head that begins within `part`, and with every anchor in the middle of a
    /// plain token that would begin there, in ascending order.
    #[inline]
    pub(super) fn each_anchor(
        &self,
        bytes: &[u8],
        part: Range<usize>,
        mut on_hit: impl FnMut(AnchorHit<'_>),
    ) {
        let Range { start: first, end } = part;
        self.prefilter.find(bytes, first..end.saturating_add(self.longest_offset), |hit| {
            let NeedleRules { heads, middles, shortest } = &self.by_needle[hit.needle];
            if !heads.is_empty() && hit.start < end {
                let head = HeadHit { rules: heads, start: hit.start, shortest: *shortest };
                on_hit(AnchorHit::Head(head));
            }
            for &rule in middles {
                let Some(Anchor { text, offset: back }) = self.rule(rule).format.anchor() else {
                    continue;
                };
                let start = hit.start.checked_sub(*back);
                if start.is_some_and(|start| (first..end).contains(&start))
                    && bytes[hit.start..].starts_with(text)
                {
                    let (anchor, back) = (hit.start, *back);
                    on_hit(AnchorHit::Middle(MiddleHit { rule, anchor, back }));
                }
            }
        });
    }

    /// Calls `on_middle` with every anchor in the middle of a token, even if the bytes before it are fewer than
    /// a token has there.
    pub(super) fn each_middle(&self, bytes: &[u8], mut on_middle: impl FnMut(MiddleHit)) {
        self.prefilter.find(bytes, 0..bytes.len(), |hit| {
            let (anchor, rest) = (hit.start, &bytes[hit.start..]);
            for &rule in &self.by_needle[hit.needle].middles {
                let Some(Anchor { text, offset }) = self.rule(rule).format.anchor() else {
                    continue;
                };
                if rest.starts_with(text) {
                    on_middle(MiddleHit { rule, anchor, back: anchor.min(*offset) });
                }
            }
        });
    }

    /// Returns `true` if `bytes` contains an anchor.
    #[inline]
    pub(super) fn has_anchor(&self, bytes: &[u8]) -> bool {
        self.prefilter.is_match(bytes)
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

impl NeedleRules {
    fn of(needle: &[u8], rules: &RuleSet) -> Self {
        let has_needle = |&rule: &RuleIndex| {
            rules[rule].format.anchor().is_some_and(|anchor| anchor.text.starts_with(needle))
        };
        let (middles, heads): (Vec<RuleIndex>, Vec<RuleIndex>) =
            rules.indices().filter(has_needle).partition(|&rule| rules[rule].format.has_middle());
        let shortest = shortest(heads.iter().map(|&at| &rules[at]));
        Self { heads, middles, shortest }
    }
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
fn shortest<'a>(rules: impl Iterator<Item = &'a Rule>) -> Option<usize> {
    let shortest = |rule: &Rule| {
        let format = &rule.format;
        let is_plain = |piece: &Piece| match piece {
            Piece::Literal(text) => text.iter().all(|&byte| is_piece(byte)),
            Piece::Segment { index, .. } => {
                (0..=u8::MAX).all(|it| is_piece(it) || !format.segments()[*index].set.contains(it))
            }
        };
        let layouts = format.layouts();
        let is_run = layouts.iter().all(|layout| layout.pieces().iter().all(is_plain));
        layouts.iter().map(Layout::min_len).min().filter(|_| is_run)
    };
    rules.map(shortest).try_fold(usize::MAX, |least, it| it.map(|it| least.min(it)))
}

/// Returns the anchors of the rules, without those that begin with another: the shorter one finds them.
fn needles(rules: &[Rule]) -> Vec<&[u8]> {
    let anchors = rules.iter().filter_map(|rule| rule.format.anchor());
    let mut needles: Vec<&[u8]> = anchors.map(|anchor| &*anchor.text).collect();
    needles.sort_unstable();
    needles.dedup_by(|longer, shorter| longer.starts_with(shorter));
    needles
}

/// Returns `true` if `byte`, directly before a head, makes an unproven candidate part of a word.
fn is_word(byte: u8) -> bool {
    byte == b'_' || ByteSet::BASE62.contains(byte)
}
