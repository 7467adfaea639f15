//! Finds plain tokens whose anchor is in their middle, and those in which characters are escaped.
//!
//! Input: bytes and a run of escaped text, which the search for encoded text finds anyway, or the offset of an
//! anchor. Output: a candidate, with the token around the anchor, or the span of a possible token.
//!
//! A candidate without a token is not reported: if a delta object changes a run around an anchor, the whole run
//! is searched ([`crate::delta`]).

use crate::anchor::AnchorKind;
use crate::budget;
use crate::candidate::{Candidate, OnCandidate};
use crate::encoded::decode::Scheme;
use crate::encoded::escape::ESCAPES;
use crate::encoded::start::{MAX_BEFORE_MIDDLE, Start, start_before};
use crate::encoded::{is_text, looks_like_base64};
use crate::matcher::{Matcher, MiddleHit};
use crate::scratch::Scratch;
use crate::search::Search;
use ddpatrol_token::format::{Format, Piece};
use ddpatrol_token::{Anchor, Check};
use std::ops::Range;

/// Searches a run of escaped text for tokens that begin within the searched part.
pub(super) fn search(
    matcher: &Matcher,
    search: &Search<'_>,
    run: &Range<usize>,
    scratch: &mut Scratch,
    on: OnCandidate<'_>,
) {
    let bytes = &search.bytes[..run.end];
    matcher.each_middle(bytes, run.clone(), |hit| {
        let offset = matcher.rule(hit.rule).format.anchor().map_or(0, |anchor| anchor.offset);
        // The run is clipped at the part.
        if hit.anchor >= search.part.start + offset && hit.anchor < search.part.end + offset {
            decide(matcher, search, hit, scratch, on);
        }
    });
}

/// Decides whether a token of the rule is around the anchor.
fn decide(
    matcher: &Matcher,
    search: &Search<'_>,
    MiddleHit { rule, anchor, back }: MiddleHit,
    scratch: &mut Scratch,
    on: OnCandidate<'_>,
) {
    let bytes = search.bytes;
    search.spend(&mut scratch.budget, budget::PLACE);
    let start = anchor - back;
    if let Some(found) = matcher.decide(rule, bytes, start, scratch) {
        let (inspected_start, inspected_end) = (start.saturating_sub(1), found.end + 1);
        let token = &bytes[found.start..found.end];
        on(Candidate { inspected_start, start, inspected_end, found: Some(found) }, token);
        return;
    }
    if !matcher.rule(rule).provable {
        return;
    }
    let limit = anchor.saturating_sub(MAX_BEFORE_MIDDLE);
    let before = bytes[limit..anchor].iter().rev().take_while(|&&byte| is_text(byte)).count();
    if before < back {
        return;
    }
    let after = matcher.rule(rule).format.max_len() - back;
    let near = &bytes[anchor - before..bytes.len().min(anchor + after)];
    for (mark, layer) in ESCAPES {
        if !near.contains(&mark) {
            continue;
        }
        let Some(start) = start_before(bytes, anchor, back, layer) else { continue };
        let (scheme, kind) = (Scheme::Text(layer), AnchorKind::Middle);
        let inspected_start = start.saturating_sub(1);
        let place = Start { scheme, kind, start, inspected_start, inspected_end: anchor };
        place.decide(matcher, search, scratch, on);
    }
}

/// Minimum number of characters before an anchor at the beginning of a text that cuts the token.
const MIN_CUT: usize = 20;

/// Returns the span of a possible token around the anchor, proven or not, complete or cut off by an end of the
/// text.
pub(super) fn possible_span(
    matcher: &Matcher,
    bytes: &[u8],
    MiddleHit { rule, anchor, .. }: MiddleHit,
    scratch: &mut Scratch,
) -> Option<Range<usize>> {
    let format = &matcher.rule(rule).format;
    let Anchor { text, offset } = format.anchor()?;
    let before = bytes[..anchor].iter().rev().take(*offset);
    let before = before.take_while(|&&byte| is_before_anchor(format, byte)).count();
    let start = anchor - before;
    if before == *offset {
        matcher.ends(rule, bytes, start, scratch);
        let is_token = |&&end: &&usize| format.check(&bytes[start..end]) != Check::NoMatch;
        if let Some(&end) = scratch.ends.iter().rev().find(is_token) {
            return Some(start..end);
        }
    }
    let is_whole = before == *offset || start == 0 && before >= MIN_CUT;
    let rest = &bytes[anchor + text.len()..];
    let rest = rest.iter().take(format.max_len() - offset - text.len());
    let after = rest.take_while(|&&byte| is_text(byte)).count();
    (is_whole && looks_like_base64(&bytes[start..anchor]))
        .then(|| start..anchor + text.len() + after)
}

/// Returns `true` if a segment before the anchor can contain a byte.
fn is_before_anchor(format: &Format, byte: u8) -> bool {
    let pieces = format.layouts().iter().flat_map(|layout| {
        let is_before = |piece: &&Piece| match piece {
            Piece::Literal(text) => format.anchor().is_none_or(|anchor| anchor.text != *text),
            Piece::Segment { .. } => true,
        };
        layout.pieces().iter().take_while(is_before)
    });
    pieces.into_iter().any(|piece| match piece {
        Piece::Literal(text) => text.contains(&byte),
        Piece::Segment { index, .. } => format.segments()[*index].set.contains(byte),
    })
}
