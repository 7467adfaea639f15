//! Decodes from a place where a token may begin, and decides on the decoded bytes.
//!
//! Input: a place, and how to decode from it. Output: a candidate, with the proven token that begins
//! there, if any. It does not search for places.

use super::class::is_run;
use super::decode::{Scheme, Unescaped, WIDEST_CHARACTER, WIDEST_LOOK, escape};
use crate::budget;
use crate::candidate::{Candidate, Evidence, Match, OnCandidate};
use crate::encoding::{Encoding, Layer};
use crate::matcher::{DecodedToken, Matcher};
use crate::scratch::Scratch;
use crate::search::Search;
use std::ops::Range;

/// Where to decode from, and the bytes that this depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) scheme: Scheme,
    pub(super) start: usize,
    pub(super) from: usize,
    pub(super) reach: usize,
}

impl Start {
    /// Decodes from the place and decides on the decoded bytes.
    pub(super) fn decide(
        self,
        matcher: &Matcher,
        search: &Search<'_>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let Self { scheme, start, from, reach } = self;
        let bytes = search.bytes;
        let mut out = std::mem::take(&mut scratch.decoded);
        // At most places no token begins, which the first bytes show.
        scheme.decode(bytes, start, matcher.longest_head(), &mut out);
        let mut found = None;
        if let Some(longest) = matcher.longest_from(&out.bytes) {
            scheme.decode(bytes, start, longest + 1, &mut out);
            found = matcher.decide_decoded(&out.bytes, scratch);
        }
        let work = budget::PLACE + budget::TRIED * out.bytes.len() as u64;
        search.spend(&mut scratch.budget, work);
        let looked = out.ends.last().copied().unwrap_or(start) + WIDEST_LOOK;
        let token = found.map_or(&[][..], |token| &out.bytes[..token.len]);
        let found = found.map(|DecodedToken { rule, len }| {
            let end = out.ends[len - 1];
            let encoding = Encoding::PLAIN.with(scheme.layers());
            Match { rule, start, end, evidence: Evidence::Proven, encoding }
        });
        on(Candidate { from, start, reach: reach.max(looked), found }, token);
        scratch.decoded = out;
    }
}

/// Decodes a token of at most this range whose head is not encoded, but escaped or split text follows
/// it. If that finds no token, returns the offset up to which it read, if it read anything.
pub(crate) fn continued(
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
    let (mut looked, mut is_unquoted) = (None, false);
    loop {
        let rest = &bytes[at..limit];
        let Some(stop) = rest.iter().position(|&it| !is_run(it) && it != b'.' || it == b'=') else {
            return looked;
        };
        at += stop;
        let layer = match (bytes[at], bytes.get(at + 1)) {
            (b'%', _) => Layer::Percent,
            (b'&', _) => Layer::Html,
            (b'\\', Some(b'u')) => Layer::Unicode,
            (b'\\', Some(b'x')) => Layer::HexEscape,
            (b'\\' | b'"' | b'\'' | b'`', _) => Layer::Split,
            // One attempt passes over all escapes of this kind.
            (b'=', _) if !is_unquoted && escape(Layer::QuotedPrintable, &bytes[at..]).is_some() => {
                is_unquoted = true;
                Layer::QuotedPrintable
            }
            // The character may be part of the token.
            (b'=', _) => {
                at += 1;
                continue;
            }
            _ => return looked,
        };
        let mut is_found = false;
        let place = Start { scheme: Scheme::Text(layer), start, from: start, reach: start };
        place.decide(matcher, search, scratch, &mut |candidate, token| {
            looked = looked.max(Some(candidate.reach));
            is_found = candidate.found.is_some();
            if is_found {
                on(candidate, token);
            }
        });
        if is_found {
            return None;
        }
        if layer != Layer::QuotedPrintable {
            return looked;
        }
        at += 1;
    }
}

/// Returns where the characters before an escaped one begin, each escaped or not.
pub(super) fn backwards(bytes: &[u8], at: usize, before: &[u8], layer: Layer) -> Option<usize> {
    let mut at = at;
    for &byte in before.iter().rev() {
        let escaped = (3..=WIDEST_CHARACTER).find(|&len| {
            let text = at.checked_sub(len).map(|from| &bytes[from..at]);
            let text = text.filter(|text| matches!(text[0], b'%' | b'\\' | b'&' | b'='));
            let wanted = Unescaped { byte: Some(byte), len };
            text.is_some_and(|text| escape(layer, text) == Some(wanted))
        });
        at -= match escaped {
            Some(len) => len,
            None if at > 0 && bytes[at - 1] == byte => 1,
            None => return None,
        };
    }
    Some(at)
}
