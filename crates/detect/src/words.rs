//! Finds tokens of rules without an anchor: whole words in long runs.
//!
//! Input: bytes and a run of encoded text, which the search for encoded text finds anyway.
//! Output: the words in it that are proven tokens.
//!
//! A word consists of letters, digits and `_`. One that contains an anchor of another rule is left to that rule.

use crate::candidate::{Candidate, Evidence, Match, OnCandidate};
use crate::encoding::Encoding;
use crate::matcher::Matcher;
use crate::rules::RuleIndex;
use crate::search::Search;
use ddpatrol_token::ByteSet;
use std::ops::Range;

/// Maximum length of a word, in bytes. Longer ones are no tokens.
const MAX_WORD: usize = 256;

/// Returns `true` if a word can contain a byte.
#[inline]
fn is_word(byte: &u8) -> bool {
    *byte == b'_' || ByteSet::BASE62.contains(*byte)
}

/// Reports the words of a run that are tokens and begin within the searched part.
pub(crate) fn search(
    matcher: &Matcher,
    search: &Search<'_>,
    run: &Range<usize>,
    on: OnCandidate<'_>,
) {
    if !matcher.has_words() {
        return;
    }
    let (bytes, part) = (search.bytes, &search.part);
    // The run is clipped at the part, and so may be its first word.
    let before = bytes[..run.start].iter().rev().take(MAX_WORD).take_while(|it| is_word(it));
    let start = run.start - before.count();
    each_token(matcher, bytes, start..run.end, |rule, word| {
        if part.contains(&word.start) {
            let (start, end) = (word.start, word.end);
            let (evidence, encoding) = (Evidence::Proven, Encoding::PLAIN);
            let found = Some(Match { rule, start, end, evidence, encoding });
            let (inspected_start, inspected_end) = (start.saturating_sub(1), end + 1);
            on(Candidate { inspected_start, start, inspected_end, found }, &bytes[word]);
        }
    });
}

/// Returns `true` if a run contains a word that is a token.
pub(crate) fn is_in(matcher: &Matcher, run: &[u8]) -> bool {
    let mut is_found = false;
    if matcher.has_words() {
        each_token(matcher, run, 0..run.len(), |_, _| is_found = true);
    }
    is_found
}

/// Calls `on_token` with every word of a range that is a token, and its rule.
pub(crate) fn each_token(
    matcher: &Matcher,
    bytes: &[u8],
    range: Range<usize>,
    mut on_token: impl FnMut(RuleIndex, Range<usize>),
) {
    let mut at = range.start;
    for word in bytes[range].split(|byte| !is_word(byte)) {
        let start = at;
        at += word.len() + 1;
        if word.len() <= MAX_WORD
            && let Some(rule) = matcher.rule_of_word(word)
        {
            on_token(rule, start..start + word.len());
        }
    }
}
