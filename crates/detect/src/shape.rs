//! Finds where a candidate can end: an anchored automaton over the layouts of every rule.
//!
//! Input: a candidate. Output: the offsets where it can end, on which the format's check decides. One
//! lazy DFA serves all rules, each with a pattern of its own. It is compiled at the first candidate; each
//! worker caches its states.

use super::scratch::Scratch;
use crate::rules::{RuleIndex, RuleSet};
use ddpatrol_token::format::{Format, Layout, LengthRange, Piece};
use regex_automata::hybrid::dfa::{Cache, DFA, OverlappingState};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind, PatternID};
use std::fmt::Write as _;
use std::sync::OnceLock;

/// The automaton, compiled at the first candidate.
#[derive(Debug, Default)]
pub(super) struct Shapes(OnceLock<Option<DFA>>);

/// Bytes and the offset at which a candidate begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct CandidateStart<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) start: usize,
}

impl Shapes {
    /// Writes to `scratch.ends` every offset at which a token of rule `rule` that begins at the
    /// candidate's start could end, in ascending order.
    pub(super) fn ends(
        &self,
        rules: &RuleSet,
        rule: RuleIndex,
        candidate: CandidateStart<'_>,
        scratch: &mut Scratch,
    ) {
        scratch.ends.clear();
        let format = &rules[rule].format;
        let CandidateStart { bytes, start } = candidate;
        let limit = bytes.len().min(start + format.max_len());
        let found = match self.0.get_or_init(|| compile(rules)) {
            Some(dfa) => search(dfa, rule, &bytes[..limit], start, scratch),
            None => false,
        };
        if !found {
            // Fall back to every admissible length: slower, with the same result.
            scratch.ends.clear();
            let lens = format.layouts().iter().flat_map(|it| it.min_len()..=it.max_len());
            scratch.ends.extend(lens.map(|len| start + len).filter(|&end| end <= limit));
            scratch.ends.sort_unstable();
            scratch.ends.dedup();
        }
    }
}

/// Runs the automaton. Returns `false` if it gave up.
fn search(dfa: &DFA, rule: RuleIndex, bytes: &[u8], start: usize, scratch: &mut Scratch) -> bool {
    let cache: &mut Cache = scratch.cache.get_or_insert_with(|| dfa.create_cache());
    let Ok(pattern) = PatternID::new(rule.0) else {
        return false;
    };
    let input = Input::new(bytes).range(start..).anchored(Anchored::Pattern(pattern));
    let mut state = OverlappingState::start();
    loop {
        if dfa.try_search_overlapping_fwd(cache, &input, &mut state).is_err() {
            return false;
        }
        match state.get_match() {
            Some(found) => scratch.ends.push(found.offset()),
            None => return true,
        }
    }
}

fn compile(rules: &RuleSet) -> Option<DFA> {
    let patterns: Vec<String> = rules.rules().iter().map(|rule| expression(&rule.format)).collect();
    DFA::builder()
        .configure(
            DFA::config()
                .match_kind(MatchKind::All)
                .starts_for_each_pattern(true)
                .skip_cache_capacity_check(true),
        )
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
        .build_many(&patterns)
        .ok()
}

/// Formats the layouts of a format as a regular expression. Tokens without an anchor are whole words, whose end
/// is known: nothing matches.
fn expression(format: &Format) -> String {
    if format.anchor().is_none() {
        return "[a&&b]".to_owned();
    }
    let layouts: Vec<String> = format.layouts().iter().map(|it| branch(format, it)).collect();
    layouts.join("|")
}

fn branch(format: &Format, layout: &Layout) -> String {
    let mut text = String::new();
    for piece in layout.pieces() {
        match piece {
            Piece::Literal(bytes) => {
                for byte in &**bytes {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            }
            Piece::Segment { index, len } => {
                text.push('[');
                for (first, last) in format.segments()[*index].set.ranges() {
                    let _ = write!(text, "\\x{first:02x}-\\x{last:02x}");
                }
                let LengthRange { min, max } = layout.lengths(*len);
                let _ = write!(text, "]{{{min},{max}}}");
            }
        }
    }
    text
}
