//! Finds the heads of the rules and decides whether a token begins there.
//!
//! Input: the rules; then bytes and a position. Output: the positions of the rules' literal heads, and the
//! token of a rule that begins at a position, by the shape and the checksum of its format. It decodes
//! nothing and has no limits.

use super::candidate::{Evidence, Match};
use super::encoded::MIN_RUN;
use super::encoded::breaks::{MAX_BREAK, is_piece};
use super::encoded::decode::{DECODE_LOOKAHEAD, MAX_BROKEN, MAX_ENCODED_LEN};
use super::encoded::line_prefix::{LINE_LOOKAHEAD, USUAL_AFFIXES};
use super::encoding::Encoding;
use super::prefilter::Prefilter;
use super::scratch::Scratch;
use super::shape::{CandidateStart, Shapes};
use crate::rules::{Rule, RuleIndex, RuleSet};
use aho_corasick::BuildError;
use ddpatrol_token::format::{Layout, Piece};
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
    /// The heads of these rules.
    heads: Vec<RuleHead>,
    longest_head: usize,
    prefilter: Prefilter,
    /// For each needle, the rules whose head begins with it.
    by_needle: Vec<Vec<RuleIndex>>,
    /// For each needle, the length of the shortest token that begins with it, if its tokens have no other
    /// characters than those of runs.
    shortest: Vec<Option<usize>>,
    shapes: Shapes,
}

/// The literal head of one or more rules.
#[derive(Debug)]
struct RuleHead {
    text: Box<[u8]>,
    /// The length of the longest token that begins with it.
    longest: usize,
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

impl Matcher {
    pub(super) fn new(rules: Arc<RuleSet>) -> Result<Self, BuildError> {
        let provable: Vec<RuleIndex> = rules.indices().filter(|&at| rules[at].provable).collect();
        let mut heads: Vec<&[u8]> = provable.iter().map(|&at| rules[at].format.head()).collect();
        heads.sort_unstable();
        heads.dedup();
        let needles = needles(rules.rules());
        let by_needle = needles
            .iter()
            .map(|needle| {
                let begins = |&at: &RuleIndex| rules[at].format.head().starts_with(needle);
                rules.indices().filter(begins).collect()
            })
            .collect::<Vec<Vec<RuleIndex>>>();
        let shortest =
            by_needle.iter().map(|of| shortest(of.iter().map(|&at| &rules[at]))).collect();
        let prefilter = Prefilter::new(&needles)?;
        let longest_of = |head: &[u8]| {
            let its = provable.iter().filter(|&&at| rules[at].format.head() == head);
            its.map(|&at| rules[at].format.max_len()).max().unwrap_or(0)
        };
        let heads: Vec<RuleHead> = heads
            .iter()
            .map(|&head| RuleHead { text: head.into(), longest: longest_of(head) })
            .collect();
        let longest_provable = heads.iter().map(|head| head.longest).max().unwrap_or(0);
        let longest_head = heads.iter().map(|head| head.text.len()).max().unwrap_or(0);
        let shapes = Shapes::default();
        Ok(Self {
            rules,
            provable,
            longest_provable,
            heads,
            longest_head,
            prefilter,
            by_needle,
            shortest,
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
    pub(super) fn needles(&self) -> Vec<&[u8]> {
        needles(self.rules.rules())
    }

    /// Returns the heads of the rules whose tokens are also searched for in encoded text, by rule.
    pub(super) fn provable_heads(&self) -> impl Iterator<Item = &[u8]> {
        self.provable.iter().map(|&rule| self.rule(rule).format.head())
    }

    /// Returns the rules whose tokens are also searched for in encoded text.
    pub(super) fn provable_rules(&self) -> impl Iterator<Item = RuleIndex> {
        self.provable.iter().copied()
    }

    pub(super) fn longest_head(&self) -> usize {
        self.longest_head
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
    #[inline]
    pub(super) fn each_head(
        &self,
        bytes: &[u8],
        part: Range<usize>,
        mut on_head: impl FnMut(HeadHit<'_>),
    ) {
        self.prefilter.find(bytes, part, |hit| {
            let (rules, shortest) = (&self.by_needle[hit.needle], self.shortest[hit.needle]);
            on_head(HeadHit { rules, start: hit.start, shortest });
        });
    }

    /// Returns `true` if `bytes` contains a head.
    #[inline]
    pub(super) fn has_head(&self, bytes: &[u8]) -> bool {
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

    /// Returns the maximum length of tokens that begin with these decoded bytes.
    pub(super) fn longest_from(&self, bytes: &[u8]) -> Option<usize> {
        let heads = self.heads.iter().filter(|head| bytes.starts_with(&head.text));
        heads.map(|head| head.longest).max()
    }

    /// Finds a proven token at the beginning of decoded bytes.
    pub(super) fn decide_decoded(
        &self,
        bytes: &[u8],
        scratch: &mut Scratch,
    ) -> Option<DecodedToken> {
        self.provable.iter().find_map(|&rule| {
            let format = &self.rule(rule).format;
            if !bytes.starts_with(format.head()) {
                return None;
            }
            self.ends(rule, bytes, 0, scratch);
            let proven = |&&end: &&usize| format.check(&bytes[..end]).is_proven();
            scratch.ends.iter().find(proven).map(|&len| DecodedToken { rule, len })
        })
    }
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

/// Returns the heads of the rules, without heads that begin with another head: the shorter one finds them.
fn needles(rules: &[Rule]) -> Vec<&[u8]> {
    let mut needles: Vec<&[u8]> = rules.iter().map(|rule| rule.format.head()).collect();
    needles.sort_unstable();
    needles.dedup_by(|longer, shorter| longer.starts_with(shorter));
    needles
}

/// Returns `true` if `byte`, directly before a head, makes an unproven candidate part of a word.
fn is_word(byte: u8) -> bool {
    byte == b'_' || ByteSet::BASE62.contains(byte)
}
