//! Lists what may be an encoded token, proven or not, so that it can be masked.
//!
//! Input: bytes that are to be shown. Output: spans. It lists more than the search would find: tokens
//! that are cut off, and those in runs too short to be searched. It masks nothing itself.

use super::class::is_run;
use super::decode::{self, Decoded, Scheme};
use super::literals::Literals;
use super::start::backwards;
use crate::encoding::Layer;
use crate::matcher::Matcher;
use crate::scratch::Scratch;
use ddpatrol_token::Format;
use std::ops::Range;

/// The number of decoded characters behind a head from which on a span is masked.
const FEWEST_TOLD: usize = 4;

/// The search for what is to be masked.
#[derive(Clone, Copy)]
pub(crate) struct MaskSpans<'a> {
    pub(crate) matcher: &'a Matcher,
    pub(crate) literals: &'a Literals,
}

impl MaskSpans<'_> {
    /// Lists everything that decodes to the head of a rule and further characters: what may be an
    /// encoded token, proven or not, cut off or not.
    pub(crate) fn list(self, bytes: &[u8], scratch: &mut Scratch) -> Vec<Range<usize>> {
        let Self { matcher, literals } = self;
        let mut spans = Vec::new();
        let mut out = Decoded::default();
        let mut look = |scheme: Scheme, start: usize| -> Option<Range<usize>> {
            // At most places no token begins, which the first bytes show.
            scheme.decode(bytes, start, matcher.longest_head(), &mut out);
            let longest = matcher.longest_from(&out.bytes)?;
            scheme.decode(bytes, start, longest, &mut out);
            let head = matcher.provable_heads().find(|head| out.bytes.starts_with(head));
            let is_told = head.and_then(|head| out.ends.get(head.len() + FEWEST_TOLD)).is_some();
            out.ends.last().filter(|_| is_told).map(|&end| start..end)
        };
        literals.prefilter.find(bytes, 0..bytes.len(), |hit| {
            for form in &literals.needles[hit.needle].forms {
                if let Some(start) = hit.start.checked_sub(form.back) {
                    spans.extend(look(form.scheme, start));
                }
            }
        });
        literals.escape_prefilter.find(bytes, 0..bytes.len(), |hit| {
            for escape in &literals.escapes[hit.needle].escapes {
                for before in literals.before(*escape) {
                    if let Some(start) = backwards(bytes, hit.start, before, escape.layer) {
                        spans.extend(look(Scheme::Text(escape.layer), start));
                    }
                }
            }
        });
        matcher.each_head(bytes, 0..bytes.len(), |head| {
            for &rule in head.rules {
                // A token that is not encoded does not go on, whatever follows its `=`.
                matcher.ends(rule, bytes, head.start, scratch);
                let format = &matcher.rule(rule).format;
                let is_proven = |&end: &usize| format.check(&bytes[head.start..end]).is_proven();
                if scratch.ends.iter().any(is_proven) {
                    continue;
                }
                going_on(bytes, head.start, format, &mut spans);
            }
        });
        self.wide(bytes, &mut spans);
        spans
    }

    /// The same for UTF-16, of whatever length.
    fn wide(self, bytes: &[u8], spans: &mut Vec<Range<usize>>) {
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

/// Lists what is escaped or split behind a head that is not.
fn going_on(bytes: &[u8], start: usize, format: &Format, spans: &mut Vec<Range<usize>>) {
    let (public, longest) = (format.public_len(), format.max_len());
    let token = &bytes[start..bytes.len().min(start + longest)];
    let is_plain = |&&byte: &&u8| byte != b'=' && (is_run(byte) || byte == b'.');
    let stop = token.iter().find(|byte| !is_plain(byte));
    if !stop.is_some_and(|byte| b"=%&\\\"'`".contains(byte)) {
        return;
    }
    let layers = [
        Layer::Split,
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
        // A token that is not encoded is masked as such.
        if end - start != out.bytes.len() && out.bytes.len() > public + FEWEST_TOLD {
            spans.push(out.ends.get(public.wrapping_sub(1)).copied().unwrap_or(start)..end);
        }
    }
}
