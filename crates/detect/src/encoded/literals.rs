//! The literals of the encoded forms of the rules' anchors, and the searchers for them.
//!
//! Input: the anchors of the rules whose tokens are searched for in encoded text. Output: searchers for their
//! literals, and the forms that a literal may belong to. Decoding decides ([`super::start`]).

use super::broken::BrokenHeads;
use super::class::looks_like_base64;
use super::class::{MIN_LINE, MIN_RUN, runs_in};
use super::decode::Scheme;
use super::kinds::may_be_line;
use super::line_edges::LineEdges;
use super::needles::{self, Escape, EscapeNeedle, RunNeedle};
use super::pairs::Pairs;
use crate::prefilter::Prefilter;
use aho_corasick::BuildError;
use ddpatrol_token::Anchor;
use std::sync::OnceLock;

/// The literals to search for in long runs.
#[derive(Debug)]
pub(crate) struct Literals {
    pub(super) needles: Vec<RunNeedle>,
    pub(super) prefilter: Prefilter,
    pub(super) longest: usize,
    pub(super) escapes: Vec<EscapeNeedle>,
    pub(super) escape_prefilter: Prefilter,
    /// For each anchor character, the parts of heads before it.
    before: Vec<Vec<Box<[u8]>>>,
    /// The anchors in the middle of tokens.
    middles: Vec<Anchor>,
    pub(crate) broken: BrokenHeads,
    /// The pairs of adjacent characters in literals, with the character before a literal that belongs to it.
    pairs: Pairs,
    /// The parts of literals at the ends and beginnings of lines, once a line that may have one was found: to build
    /// them takes a twentieth of the time of a start.
    edges: OnceLock<LineEdges>,
    /// The beginnings of the literals, by their last character.
    beginnings: Vec<Vec<Box<[u8]>>>,
    /// The beginnings of the literals of hex, by their last character.
    hex_beginnings: Vec<Vec<Box<[u8]>>>,
    /// Finds the literals that the character before them belongs to.
    second: Prefilter,
}

/// Lists the pairs of adjacent characters in literals.
fn pairs_of(needles: &[RunNeedle]) -> Pairs {
    let mut pairs = Pairs::new();
    for RunNeedle { text, forms } in needles.iter().filter(|it| it.is_of_head()) {
        text.windows(2).for_each(|pair| pairs.add(pair[0], pair[1]));
        if forms.iter().any(|form| form.back > 0) {
            (0..=u8::MAX).for_each(|before| pairs.add(before, text[0]));
        }
    }
    pairs
}

/// Lists the proper beginnings of literals by their last character, the shortest first.
fn beginnings_of<'a>(needles: impl Iterator<Item = &'a RunNeedle>) -> Vec<Vec<Box<[u8]>>> {
    let mut all: Vec<Vec<&[u8]>> = vec![Vec::new(); 256];
    for needle in needles.filter(|it| it.is_of_head()) {
        for len in 1..needle.text.len() {
            let beginning = &needle.text[..len];
            all[usize::from(beginning[len - 1])].push(beginning);
        }
    }
    let each_once = |mut same: Vec<&[u8]>| {
        same.sort_unstable_by_key(|it| (it.len(), *it));
        same.dedup();
        same.into_iter().map(Into::into).collect()
    };
    all.into_iter().map(each_once).collect()
}

/// The lengths of the object ids of git, in hex. Such runs are rarely folded text.
const ID_LENS: [usize; 2] = [40, 64];

impl Literals {
    pub(crate) fn new<'a>(anchors: impl Iterator<Item = &'a Anchor>) -> Result<Self, BuildError> {
        let anchors: Vec<&Anchor> = anchors.collect();
        let (heads, middles): (Vec<&Anchor>, Vec<&Anchor>) =
            anchors.iter().partition(|it| it.is_head());
        let middles: Vec<Anchor> = middles.into_iter().cloned().collect();
        let mut heads: Vec<&[u8]> = heads.into_iter().map(|it| &*it.text).collect();
        heads.sort_unstable();
        let mut before: Vec<Vec<Box<[u8]>>> = vec![Vec::new(); 256];
        for head in &heads {
            let (byte, at) = needles::anchor(head);
            before[usize::from(byte)].push(head[..at].into());
        }
        let mut escaped: Vec<u8> =
            (0..=u8::MAX).filter(|&byte| !before[usize::from(byte)].is_empty()).collect();
        escaped.extend(middles.iter().map(|it| needles::anchor(&it.text).0));
        escaped.sort_unstable();
        escaped.dedup();
        let escapes = needles::escape_needles(&escaped);
        let needles = needles::run_needles(&anchors);
        let texts: Vec<&[u8]> = needles.iter().map(|needle| &*needle.text).collect();
        let prefilter = Prefilter::new(&texts)?;
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let texts: Vec<&[u8]> = escapes.iter().map(|needle| &*needle.text).collect();
        let escape_prefilter = Prefilter::new(&texts)?;
        let broken = BrokenHeads::new(&heads);
        let is_hex = |needle: &&RunNeedle| needle.forms.iter().any(|it| it.scheme == Scheme::Hex);
        let hex_beginnings = beginnings_of(needles.iter().filter(is_hex));
        let beginnings = beginnings_of(needles.iter());
        let is_second = |needle: &&RunNeedle| needle.forms.iter().any(|it| it.back > 0);
        let second: Vec<&[u8]> = needles.iter().filter(is_second).map(|it| &*it.text).collect();
        let second = Prefilter::new(&second)?;
        let pairs = pairs_of(&needles);
        Ok(Self {
            needles,
            prefilter,
            longest,
            escapes,
            escape_prefilter,
            before,
            middles,
            broken,
            pairs,
            edges: OnceLock::new(),
            beginnings,
            hex_beginnings,
            second,
        })
    }

    /// Returns, for each head with this anchor character, the part of the head before it.
    pub(super) fn before(&self, escape: Escape) -> impl Iterator<Item = &[u8]> {
        self.before[usize::from(escape.byte)].iter().map(|before| &**before)
    }

    /// Returns the anchors in the middle of tokens with this anchor character.
    pub(super) fn middles(&self, escape: Escape) -> impl Iterator<Item = &Anchor> {
        self.middles.iter().filter(move |it| needles::anchor(&it.text).0 == escape.byte)
    }

    /// Returns `true` if a literal may contain these two characters, one at the end of a line and one at the
    /// beginning of the next.
    #[inline]
    pub(super) fn may_join(&self, last: u8, next: u8) -> bool {
        self.pairs.contains(last, next)
    }

    /// Returns `true` if a literal, with the character before it that belongs to it, may begin at the end of a
    /// line and end in the next one. `ahead` is the text up to the end of the next line.
    pub(super) fn may_cross(&self, line: &[u8], ahead: &[u8]) -> bool {
        let beginnings = line.last().map_or(&[][..], |&last| &self.beginnings[usize::from(last)]);
        let is_beginning = match line {
            _ if beginnings.first().is_some_and(|shortest| shortest.len() == 1) => true,
            [.., before, last] if !self.may_join(*before, *last) => false,
            line => beginnings.iter().any(|it| line.ends_with(it)),
        };
        is_beginning || self.second.is_match(ahead)
    }

    /// Returns `true` if text ends with the beginning of a literal of hex. The literal may continue in the
    /// next line.
    pub(super) fn may_begin_hex(&self, text: &[u8]) -> bool {
        self.ends_as_hex(text, 1)
    }

    /// Returns `true` if text ends with at least `least` characters of a literal of hex.
    fn ends_as_hex(&self, text: &[u8], least: usize) -> bool {
        let Some(&last) = text.last() else { return false };
        let beginnings = &self.hex_beginnings[usize::from(last)];
        !beginnings.is_empty()
            && text.iter().rev().take(MIN_RUN / 2).all(u8::is_ascii_hexdigit)
            && beginnings.iter().any(|it| it.len() >= least && text.ends_with(it))
    }

    /// Returns `true` if a run of escaped text may contain an encoded token, or a line of one.
    pub(crate) fn may_contain_token(&self, run: &[u8]) -> bool {
        runs_in(run, MIN_LINE).any(|part| match part.len() {
            MIN_RUN.. => self.may_contain_encoded(&run[part]),
            _ => may_be_line(run, &part) && self.has_part(&run[part]),
        }) || run.len() >= MIN_RUN && (self.broken.is_rest(run) || self.may_contain_escaped(run))
    }

    /// Returns the parts of literals at the ends and beginnings of lines.
    #[inline]
    pub(super) fn edges(&self) -> &LineEdges {
        self.edges.get_or_init(|| LineEdges::new(&self.needles))
    }

    /// Returns `true` if a short run contains a literal, or half of one at an end.
    #[inline(never)]
    pub(crate) fn has_part(&self, run: &[u8]) -> bool {
        self.edges().may_cross(run) || self.prefilter.is_match(run)
    }

    /// Returns `true` if a run of the characters of base64 or hex may contain a part of an encoded token.
    pub(crate) fn may_contain_encoded(&self, run: &[u8]) -> bool {
        // One character at the end of an object id is no evidence of a literal.
        let least = if ID_LENS.contains(&run.len()) { 2 } else { 1 };
        looks_like_base64(run)
            || self.prefilter.is_match(run)
            || self.ends_as_hex(run, least)
            || self.broken.is_rest(run)
    }

    /// Returns `true` if a run may contain an escaped character of a head, or an escaped gap in one.
    pub(crate) fn may_contain_escaped(&self, run: &[u8]) -> bool {
        self.escape_prefilter.is_match(run) || self.broken.has_escaped_gap(run)
    }
}
