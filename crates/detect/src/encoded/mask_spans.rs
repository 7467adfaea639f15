//! Lists possible encoded tokens, proven or not, so that they can be masked.
//!
//! Input: bytes for output. Output: spans. It lists more than the search finds, such as tokens that are
//! cut off, and tokens in runs too short for the search. It masks nothing itself.

use super::breaks;
use super::class::is_run;
use super::decode::{self, Decoded, Pieces, Scheme};
use super::dump;
use super::escape::ESCAPES;
use super::fold::Fold;
use super::literals::Literals;
use super::start::{head_start, middle_start, start_before};
use crate::anchor::AnchorKind;
use crate::encoding::Layer;
use crate::matcher::Matcher;
use crate::rules::RuleIndex;
use crate::scratch::Scratch;
use ddpatrol_token::{Anchor, Format};
use std::ops::Range;

/// The minimum number of decoded characters after a head for a span to be masked.
const MIN_SECRET: usize = 4;

/// The search for spans to mask.
#[derive(Clone, Copy)]
pub(crate) struct MaskSpans<'a> {
    pub(crate) matcher: &'a Matcher,
    pub(crate) literals: &'a Literals,
}

impl MaskSpans<'_> {
    /// Lists the spans that decode to the head of a rule and further characters: possible encoded tokens,
    /// proven or not, complete or cut off.
    pub(crate) fn list(self, bytes: &[u8], scratch: &mut Scratch) -> Vec<Range<usize>> {
        let Self { matcher, literals } = self;
        let mut spans = Vec::new();
        let mut out = Decoded::default();
        let mut decode_at = |form: (Scheme, AnchorKind), start, spans: &mut Vec<Range<usize>>| {
            let (scheme, kind) = form;
            let mut decode_folded = |fold: Fold| {
                let pieces = Pieces { bytes, start, fold };
                // The first bytes rule out most positions.
                scheme.decode_folded(pieces, matcher.anchors_end(kind), &mut out);
                let Some(longest) = matcher.longest_from(kind, &out.bytes) else { return };
                scheme.decode_folded(pieces, longest, &mut out);
                let anchor_end = matcher.anchor_end(kind, &out.bytes);
                let is_long_enough =
                    anchor_end.and_then(|end| out.ends.get(end + MIN_SECRET)).is_some();
                let Some(&end) = out.ends.last().filter(|_| is_long_enough) else { return };
                match fold {
                    Fold::Plain => spans.push(start..end),
                    _ => spans.extend(fold.pieces(bytes, start..end).into_iter().flatten()),
                }
            };
            decode_folded(Fold::Plain);
            if !matches!(scheme, Scheme::Text(_)) {
                Fold::others(bytes, start).for_each(decode_folded);
            }
        };
        literals.prefilter.find(bytes, 0..bytes.len(), |hit| {
            for form in &literals.needles[hit.needle].forms {
                if let Some(start) = hit.start.checked_sub(form.back) {
                    decode_at((form.scheme, form.kind), start, &mut spans);
                }
            }
        });
        literals.escape_prefilter.find(bytes, 0..bytes.len(), |hit| {
            for escape in &literals.escapes[hit.needle].escapes {
                let scheme = Scheme::Text(escape.layer);
                for before in literals.before(*escape) {
                    if let Some(start) = head_start(bytes, hit.start, before, escape.layer) {
                        decode_at((scheme, AnchorKind::Head), start, &mut spans);
                    }
                }
                for middle in literals.middles(*escape) {
                    if let Some(start) = middle_start(bytes, hit.start, middle, escape.layer) {
                        decode_at((scheme, AnchorKind::Middle), start, &mut spans);
                    }
                }
            }
        });
        self.escaped_middles(bytes, &mut spans);
        matcher.each_head(bytes, 0..bytes.len(), |head| {
            for &rule in head.rules {
                // A proven plain token ends here, even if it ends in `=` and more text follows.
                if !self.is_proven(rule, bytes, head.start, scratch) {
                    partly_encoded(bytes, head.start, &matcher.rule(rule).format, &mut spans);
                }
            }
        });
        self.utf16(bytes, &mut spans);
        self.utf32(bytes, &mut spans);
        self.wide_middles(bytes, &mut spans);
        self.broken(bytes, scratch, &mut spans);
        spans
    }

    /// Returns `true` if a plain token of a rule begins at `start`.
    fn is_proven(self, rule: RuleIndex, bytes: &[u8], start: usize, scratch: &mut Scratch) -> bool {
        self.matcher.ends(rule, bytes, start, scratch);
        let format = &self.matcher.rule(rule).format;
        scratch.ends.iter().any(|&end| format.check(&bytes[start..end]).is_proven())
    }

    /// Lists the spans of UTF-16 that begin with a head, of any length.
    fn utf16(self, bytes: &[u8], spans: &mut Vec<Range<usize>>) {
        if memchr::memchr(0, bytes).is_none() {
            return;
        }
        let mut out = Vec::new();
        for start in 0..bytes.len() {
            let is_first = |head: &[u8]| bytes.get(start) == head.first();
            if bytes.get(start + 1) != Some(&0) || !self.matcher.provable_heads().any(is_first) {
                continue;
            }
            let last = bytes.len().min(start + 2 * self.matcher.lookahead());
            out.clear();
            decode::utf16(&bytes[..last], start, &mut out);
            if self.matcher.provable_heads().any(|head| out.starts_with(head)) {
                spans.push(start..start + 2 * out.len() - 1);
            }
        }
    }
}

impl MaskSpans<'_> {
    /// Lists the spans of UTF-32 that begin with a head, of any length.
    fn utf32(self, bytes: &[u8], spans: &mut Vec<Range<usize>>) {
        for at in memchr::memmem::find_iter(bytes, &[0; 3]) {
            let Some(start) = at.checked_sub(1) else { continue };
            let units = bytes[start..].chunks(4).take(self.matcher.lookahead());
            let is_ascii = |unit: &&[u8]| unit[0] != 0 && unit[1..].iter().all(|&byte| byte == 0);
            let text: Vec<u8> = units.take_while(is_ascii).map(|unit| unit[0]).collect();
            if self.matcher.provable_heads().any(|head| text.starts_with(head)) {
                spans.push(start..bytes.len().min(start + 4 * text.len() - 3));
            }
        }
    }

    /// Lists the spans of tokens with an anchor in their middle and escaped characters around it.
    fn escaped_middles(self, bytes: &[u8], spans: &mut Vec<Range<usize>>) {
        let (matcher, kind) = (self.matcher, AnchorKind::Middle);
        let mut out = Decoded::default();
        matcher.each_middle(bytes, 0..bytes.len(), |hit| {
            let Some(Anchor { offset, .. }) = matcher.rule(hit.rule).format.anchor() else {
                return;
            };
            for (_, layer) in ESCAPES {
                let Some(start) = start_before(bytes, hit.anchor, *offset, layer) else { continue };
                let scheme = Scheme::Text(layer);
                scheme.decode(bytes, start, matcher.anchors_end(kind), &mut out);
                let Some(longest) = matcher.longest_from(kind, &out.bytes) else { continue };
                scheme.decode(bytes, start, longest, &mut out);
                // Plain tokens are masked elsewhere.
                if let Some(&end) = out.ends.last()
                    && end - start != out.bytes.len()
                {
                    spans.push(start..end);
                }
            }
        });
    }

    /// Lists the spans of UTF-16 and UTF-32 around anchors in the middle of tokens.
    fn wide_middles(self, bytes: &[u8], spans: &mut Vec<Range<usize>>) {
        for (width, Anchor { text, offset }) in [2, 4]
            .iter()
            .flat_map(|&width| self.matcher.provable_middles().map(move |it| (width, it)))
        {
            let is_unit = |unit: &[u8]| is_run(unit[0]) && unit[1..].iter().all(|&byte| byte == 0);
            let mut wide: Vec<u8> = Vec::new();
            for &byte in text {
                wide.push(byte);
                wide.resize(wide.len() + width - 1, 0);
            }
            // The zeros after the last character belong to the little-endian order only.
            wide.truncate(wide.len() - width + 1);
            for at in memchr::memmem::find_iter(bytes, &wide) {
                let before = bytes[..at].rchunks_exact(width).take(*offset);
                let before = before.take_while(|unit| is_unit(unit)).count();
                let after = bytes[at..].chunks(width).take(self.matcher.lookahead());
                let after = after.take_while(|unit| is_unit(unit)).count();
                if before == *offset {
                    spans.push(at - width * before..bytes.len().min(at + width * after));
                }
            }
        }
    }

    /// Lists the spans of broken tokens, and of those that are cut off.
    fn broken(self, bytes: &[u8], scratch: &mut Scratch, spans: &mut Vec<Range<usize>>) {
        let Self { matcher, literals } = self;
        let mut out = Decoded::default();
        let mut add = |start: usize, scratch: &mut Scratch| {
            let scheme = Scheme::Broken(Layer::Folded);
            scheme.decode(bytes, start, matcher.longest_head(), &mut out);
            let kind = AnchorKind::Head;
            let Some(longest) = matcher.longest_from(kind, &out.bytes) else { return };
            scheme.decode(bytes, start, longest, &mut out);
            for rule in matcher.provable_rules() {
                let format = &matcher.rule(rule).format;
                if format.has_middle() || !format.has_anchor_in(&out.bytes) {
                    continue;
                }
                matcher.ends(rule, &out.bytes, 0, scratch);
                let is_cut = out.ends.last() == Some(&bytes.len())
                    && out.bytes.len() > format.public_len() + MIN_SECRET;
                let len = scratch.ends.last().copied().or(is_cut.then_some(out.bytes.len()));
                if let Some(len) = len {
                    spans.push(dump::line_start(bytes, start)..out.ends[len - 1]);
                }
            }
        };
        literals.broken.each_start(bytes, |start, _| add(start, scratch));
        let mut heads = Vec::new();
        matcher.each_head(bytes, 0..bytes.len(), |head| {
            let rest = &bytes[head.start..];
            let stop = rest.iter().position(|&byte| !breaks::is_piece(byte));
            if stop.is_some_and(|stop| breaks::skip(rest, stop).is_some())
                && !head.rules.iter().any(|&rule| self.is_proven(rule, bytes, head.start, scratch))
            {
                heads.push(head.start);
            }
        });
        heads.into_iter().for_each(|start| add(start, scratch));
    }
}

/// Lists spans whose head is plain but whose remaining characters are escaped or split.
fn partly_encoded(bytes: &[u8], start: usize, format: &Format, spans: &mut Vec<Range<usize>>) {
    let (public, longest) = (format.public_len(), format.max_len());
    let token = &bytes[start..bytes.len().min(start + longest)];
    let is_plain = |&&byte: &&u8| byte != b'=' && (is_run(byte) || byte == b'.');
    let stop = token.iter().find(|byte| !is_plain(byte));
    if !stop.is_some_and(|byte| b"=%&\\\"'`".contains(byte)) {
        return;
    }
    let layers = [
        Layer::Split,
        Layer::Backslash,
        Layer::Percent,
        Layer::Unicode,
        Layer::HexEscape,
        Layer::Html,
        Layer::QuotedPrintable,
    ];
    let mut out = Decoded::default();
    for layer in layers {
        Scheme::Text(layer).decode(bytes, start, longest, &mut out);
        let Some(&end) = out.ends.last() else { continue };
        // Plain tokens are masked elsewhere.
        if end - start != out.bytes.len() && out.bytes.len() > public + MIN_SECRET {
            spans.push(out.ends.get(public.wrapping_sub(1)).copied().unwrap_or(start)..end);
        }
    }
}
