//! Lists possible encoded tokens, proven or not, so that they can be masked.
//!
//! Input: bytes for output. Output: spans. It lists more than the search finds, such as tokens that are
//! cut off, and tokens in runs too short for the search. It masks nothing itself.

use super::breaks;
use super::class::is_run;
use super::decode::{self, Decoded, Pieces, Scheme};
use super::dump;
use super::fold::Fold;
use super::literals::Literals;
use super::start::head_start;
use crate::encoding::Layer;
use crate::matcher::Matcher;
use crate::rules::RuleIndex;
use crate::scratch::Scratch;
use ddpatrol_token::Format;
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
        let mut decode_at = |scheme: Scheme, start: usize, spans: &mut Vec<Range<usize>>| {
            let mut decode_folded = |fold: Fold| {
                let pieces = Pieces { bytes, start, fold };
                // The first bytes rule out most positions.
                scheme.decode_folded(pieces, matcher.longest_head(), &mut out);
                let Some(longest) = matcher.longest_from(&out.bytes) else { return };
                scheme.decode_folded(pieces, longest, &mut out);
                let head = matcher.provable_heads().find(|head| out.bytes.starts_with(head));
                let is_long_enough =
                    head.and_then(|head| out.ends.get(head.len() + MIN_SECRET)).is_some();
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
                    decode_at(form.scheme, start, &mut spans);
                }
            }
        });
        literals.escape_prefilter.find(bytes, 0..bytes.len(), |hit| {
            for escape in &literals.escapes[hit.needle].escapes {
                for before in literals.before(*escape) {
                    if let Some(start) = head_start(bytes, hit.start, before, escape.layer) {
                        decode_at(Scheme::Text(escape.layer), start, &mut spans);
                    }
                }
            }
        });
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

    /// Lists the spans of broken tokens, and of those that are cut off.
    fn broken(self, bytes: &[u8], scratch: &mut Scratch, spans: &mut Vec<Range<usize>>) {
        let Self { matcher, literals } = self;
        let mut out = Decoded::default();
        let mut add = |start: usize, scratch: &mut Scratch| {
            let scheme = Scheme::Broken(Layer::Folded);
            scheme.decode(bytes, start, matcher.longest_head(), &mut out);
            let Some(longest) = matcher.longest_from(&out.bytes) else { return };
            scheme.decode(bytes, start, longest, &mut out);
            for rule in matcher.provable_rules() {
                let format = &matcher.rule(rule).format;
                if !out.bytes.starts_with(format.head()) {
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
