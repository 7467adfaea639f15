//! Decodes from a position where a token may begin, and checks the decoded bytes.
//!
//! Input: a position and the scheme to decode with. Output: a candidate, with the proven token that begins
//! there, if any. It does not search for positions.

use super::breaks::{self, MAX_BREAK, is_piece};
use super::class::is_run;
use super::decode::{DECODE_LOOKAHEAD, MAX_ENCODED_LEN, Pieces, Scheme};
use super::digit::base64_digit;
use super::dump::{self, MAX_COLUMNS};
use super::escape::{MAX_BACKSLASHES, escape};
use super::fold::Fold;
use super::line_prefix::LINE_LOOKAHEAD;
use super::needles;
use crate::anchor::AnchorKind;
use crate::budget;
use crate::candidate::{Candidate, Evidence, Match, OnCandidate};
use crate::encoding::{Encoding, Layer};
use crate::matcher::{DecodedToken, Matcher};
use crate::scratch::Scratch;
use crate::search::Search;
use ddpatrol_token::Anchor;
use std::ops::Range;

/// A position to decode from, and the range of bytes that its choice depended on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) scheme: Scheme,
    pub(crate) kind: AnchorKind,
    pub(crate) start: usize,
    pub(crate) inspected_start: usize,
    pub(crate) inspected_end: usize,
}

/// The result of one attempt to decode a token.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    found: Option<DecodedToken>,
    /// The offset after the bytes that the result depends on.
    read_end: usize,
    /// Whether another fold may yield other bytes: the first piece ends before the token does.
    may_be_folded: bool,
}

impl Start {
    /// Decodes from the position and checks the decoded bytes, for each fold until a token is found.
    pub(crate) fn decide(
        self,
        matcher: &Matcher,
        search: &Search<'_>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let Self { scheme, start, mut inspected_start, mut inspected_end, .. } = self;
        let mut attempt = self.attempt(Fold::Plain, matcher, search, scratch);
        inspected_end = inspected_end.max(attempt.read_end);
        if attempt.may_be_folded && attempt.found.is_none() {
            for fold in Fold::others(search.bytes, start) {
                attempt = self.attempt(fold, matcher, search, scratch);
                inspected_start = inspected_start.min(fold.start(start));
                inspected_end = inspected_end.max(attempt.read_end);
                if attempt.found.is_some() {
                    break;
                }
            }
        }
        let out = std::mem::take(&mut scratch.decoded);
        let token = attempt.found.map_or(&[][..], |token| &out.bytes[..token.len]);
        let found = attempt.found.map(|DecodedToken { rule, len }| {
            let end = out.ends[len - 1];
            let is_broken = matches!(scheme, Scheme::Broken(_));
            let start = if is_broken { dump::line_start(search.bytes, start) } else { start };
            inspected_start = inspected_start.min(start);
            let encoding = Encoding::PLAIN.with(scheme.layers());
            Match { rule, start, end, evidence: Evidence::Proven, encoding }
        });
        let start = found.map_or(start, |found| found.start);
        on(Candidate { inspected_start, start, inspected_end, found }, token);
        scratch.decoded = out;
    }

    /// Decodes with one fold.
    fn attempt(
        self,
        fold: Fold,
        matcher: &Matcher,
        search: &Search<'_>,
        scratch: &mut Scratch,
    ) -> Attempt {
        let Self { scheme, kind, start, .. } = self;
        let bytes = search.bytes;
        let mut out = std::mem::take(&mut scratch.decoded);
        let pieces = Pieces { bytes, start, fold };
        let mut limit = matcher.anchors_end(kind);
        // The first bytes rule out most positions.
        scheme.decode_folded(pieces, limit, &mut out);
        let mut found = None;
        if let Some(longest) = matcher.longest_from(kind, &out.bytes) {
            limit = longest + 1;
            scheme.decode_folded(pieces, limit, &mut out);
            found = matcher.decide_decoded(&out.bytes, scratch);
        }
        let work = budget::PLACE + budget::TRIED * out.bytes.len() as u64;
        search.spend(&mut scratch.budget, work);
        let end = out.ends.last().copied().unwrap_or(start);
        let is_complete = out.bytes.len() >= limit;
        scratch.decoded = out;
        let may_be_folded = !matches!(scheme, Scheme::Text(_) | Scheme::Broken(_)) && {
            let run = bytes[start..].iter().take(MAX_FIRST).take_while(|&&byte| is_digit(byte));
            let run_end = start + run.count();
            end > run_end || !is_complete && run_end <= end + MAX_REST
        };
        let is_broken = matches!(scheme, Scheme::Broken(_));
        let is_in_gap = is_broken && breaks::may_begin(&bytes[end.min(bytes.len())..]);
        let ahead = match may_be_folded {
            _ if is_in_gap => MAX_BREAK,
            true => LINE_LOOKAHEAD,
            false => DECODE_LOOKAHEAD,
        };
        Attempt { found, read_end: end + ahead, may_be_folded }
    }
}

/// Maximum length of the first piece of a folded token, in characters.
const MAX_FIRST: usize = 4096;

/// Maximum number of characters at the end of a piece that are too few for another decoded byte.
const MAX_REST: usize = 6;

fn is_digit(byte: u8) -> bool {
    base64_digit(byte).is_some()
}

/// Returns `true` if the text at `start` ends before a token of `shortest` characters of runs could, with a
/// byte that begins neither a gap nor an escape sequence.
#[inline]
pub(crate) fn is_cut_short(bytes: &[u8], start: usize, shortest: usize) -> bool {
    let rest = &bytes[start..];
    let is_stop = |&it: &u8| !is_piece(it) || it == b'=';
    rest.iter().take(shortest).position(is_stop).is_some_and(|stop| {
        let is_mark = !rest[stop].is_ascii() || b"%&\\\"'`=".contains(&rest[stop]);
        !is_mark && !breaks::may_begin(&rest[stop..])
    })
}

/// Decodes a token within `token` whose head is plain, but followed by escaped, split or broken text. If
/// there is no token, returns the end of the bytes that the decision depends on, if it is known.
pub(crate) fn decode_after_head(
    matcher: &Matcher,
    search: &Search<'_>,
    token: Range<usize>,
    scratch: &mut Scratch,
    on: OnCandidate<'_>,
) -> Option<usize> {
    let bytes = search.bytes;
    let Range { start, end } = token;
    let mut at = start;
    let limit = bytes.len().min(end);
    let (mut read_end, mut is_unquoted) = (None, false);
    let mut decode = |scheme: Scheme| {
        let mut is_found = false;
        let kind = AnchorKind::Head;
        let place = Start { scheme, kind, start, inspected_start: start, inspected_end: start };
        place.decide(matcher, search, scratch, &mut |candidate, token| {
            read_end = read_end.max(Some(candidate.inspected_end));
            is_found = candidate.found.is_some();
            if is_found {
                on(candidate, token);
            }
        });
        is_found
    };
    loop {
        let rest = &bytes[at..limit];
        let Some(stop) = rest.iter().position(|&it| !is_run(it) && it != b'.' || it == b'=') else {
            return read_end;
        };
        at += stop;
        let escaped = match (bytes[at], bytes.get(at + 1)) {
            (b'%', _) => Some(Layer::Percent),
            (b'&', _) => Some(Layer::Html),
            (b'\\', Some(b'u')) => Some(Layer::Unicode),
            (b'\\', Some(b'x')) => Some(Layer::HexEscape),
            (b'\\', _) if escape(Layer::Backslash, &bytes[at..]).is_some() => {
                Some(Layer::Backslash)
            }
            (b'\\' | b'"' | b'\'' | b'`', _) => Some(Layer::Split),
            (b'=', _) => {
                // One attempt decodes all escapes of this kind.
                if !is_unquoted && escape(Layer::QuotedPrintable, &bytes[at..]).is_some() {
                    is_unquoted = true;
                    if decode(Scheme::Text(Layer::QuotedPrintable)) {
                        return None;
                    }
                }
                // The character may be part of the token.
                at += 1;
                continue;
            }
            _ => None,
        };
        if escaped.is_some_and(|layer| decode(Scheme::Text(layer)))
            || breaks::skip(bytes, at).is_some_and(|gap| decode(Scheme::Broken(gap.layer)))
        {
            return None;
        }
        let is_line_end = matches!(bytes[at], b'|' | b'<' | b'\r' | b'\n');
        // The next line of a hex dump may continue the token.
        let is_dump = is_line_end && dump::line_start(bytes, start) < start;
        return if is_dump { read_end.max(Some(at + MAX_COLUMNS)) } else { read_end };
    }
}

/// Returns the start of the characters `before`, which end at `at` and may be escaped each.
pub(super) fn head_start(bytes: &[u8], at: usize, before: &[u8], layer: Layer) -> Option<usize> {
    let mut at = at;
    if layer == Layer::Backslash {
        // The escape may begin with more backslashes.
        let more = bytes[..at].iter().rev().take(MAX_BACKSLASHES - 1);
        at -= more.take_while(|&&byte| byte == b'\\').count();
    }
    for &byte in before.iter().rev() {
        at -= match escaped_before(bytes, at, layer, |it| it == byte) {
            Some(len) => len,
            None if at > 0 && bytes[at - 1] == byte => 1,
            None => return None,
        };
    }
    Some(at)
}

/// Returns the length of the escaped character that ends at `at`, if `is_wanted` accepts it.
fn escaped_before(
    bytes: &[u8],
    at: usize,
    layer: Layer,
    is_wanted: impl Fn(u8) -> bool,
) -> Option<usize> {
    let least = if layer == Layer::Backslash { 2 } else { 3 };
    (least..=MAX_ENCODED_LEN).rev().find(|&len| {
        let text = at.checked_sub(len).map(|from| &bytes[from..at]);
        let text = text.filter(|text| matches!(text[0], b'%' | b'\\' | b'&' | b'='));
        let found = text.and_then(|text| escape(layer, text)).filter(|it| it.len == len);
        found.and_then(|it| it.byte).is_some_and(&is_wanted)
    })
}

/// Maximum number of bytes from the start of a token to an anchor in its middle, if characters are escaped.
pub(crate) const MAX_BEFORE_MIDDLE: usize = 640;

/// Returns the start of the `count` characters before `at`, each of which may be escaped.
pub(crate) fn start_before(bytes: &[u8], at: usize, count: usize, layer: Layer) -> Option<usize> {
    let mut start = at;
    for _ in 0..count {
        start -= match escaped_before(bytes, start, layer, is_run) {
            Some(len) => len,
            None if start > 0 && is_run(bytes[start - 1]) => 1,
            None => return None,
        };
        if at - start > MAX_BEFORE_MIDDLE {
            return None;
        }
    }
    Some(start)
}

/// Returns the start of the token whose anchor, in its middle, has its escaped anchor character at `at`.
pub(super) fn middle_start(
    bytes: &[u8],
    at: usize,
    Anchor { text, offset }: &Anchor,
    layer: Layer,
) -> Option<usize> {
    let (_, before) = needles::anchor(text);
    let start = head_start(bytes, at, &text[..before], layer)?;
    let mut rest = &bytes[start..];
    for &byte in text {
        let escaped = escape(layer, rest).filter(|it| it.byte == Some(byte));
        let plain = rest.first().is_some_and(|&it| it == byte).then_some(1);
        rest = &rest[escaped.map(|it| it.len).or(plain)?..];
    }
    start_before(bytes, start, *offset, layer)
}
