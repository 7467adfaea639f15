//! Lists what may be an encoded token, proven or not, so that it can be masked.
//!
//! In come any bytes that are to be shown; out come spans. More is listed than the search would prove:
//! what was cut off, and what stands in runs too short to be looked into.

use super::decode::{self, Decoded, Scheme};
use super::{Layer, backwards};
use crate::detect::{Detector, Scratch};
use std::ops::Range;

/// How many characters behind a head make what was decoded worth masking.
const FEWEST_TOLD: usize = 4;

impl Detector {
    /// Lists everything that decodes to the head of a rule and goes on: what may be an encoded token,
    /// proven or not, cut off or not.
    #[must_use]
    pub fn disguised(&self, bytes: &[u8], scratch: &mut Scratch) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut out = Decoded::default();
        let mut look = |scheme: Scheme, start: usize| -> Option<Range<usize>> {
            scheme.decode(bytes, start, self.longest_provable, &mut out);
            let head = self.provable_heads().find(|head| out.bytes.starts_with(head));
            let is_told = head.and_then(|head| out.ends.get(head.len() + FEWEST_TOLD)).is_some();
            out.ends.last().filter(|_| is_told).map(|&end| start..end)
        };
        self.encoded.prefilter.find(bytes, 0..bytes.len(), |hit| {
            for form in &self.encoded.needles[hit.needle].forms {
                if let Some(start) = hit.start.checked_sub(form.back) {
                    spans.extend(look(form.scheme, start));
                }
            }
        });
        self.encoded.escape_prefilter.find(bytes, 0..bytes.len(), |hit| {
            for escape in &self.encoded.escapes[hit.needle].escapes {
                for &(rule, offset) in &self.telling[usize::from(escape.byte)] {
                    let before = &self.rules.rules()[rule].format.head()[..offset];
                    if let Some(start) = backwards(bytes, hit.start, before, escape.layer) {
                        spans.extend(look(Scheme::Text(escape.layer), start));
                    }
                }
            }
        });
        self.prefilter.find(bytes, 0..bytes.len(), |hit| {
            for &rule in &self.by_needle[hit.needle] {
                // A token that stands there as it is does not go on, whatever follows its `=`.
                self.shapes.ends(&self.rules, rule, (bytes, hit.start), scratch);
                let format = &self.rules.rules()[rule].format;
                let is_proven = |&end: &usize| format.check(&bytes[hit.start..end]).is_proven();
                if scratch.ends.iter().any(is_proven) {
                    continue;
                }
                let public = self.rules.rules()[rule].format.public_len();
                self.going_on(bytes, (hit.start, public), &mut spans);
            }
        });
        self.disguised_wide(bytes, &mut spans);
        spans
    }

    /// The same for what is escaped or split behind a head that stands there as it is, of which so many
    /// characters are public.
    fn going_on(
        &self,
        bytes: &[u8],
        (start, public): (usize, usize),
        spans: &mut Vec<Range<usize>>,
    ) {
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
            Scheme::Text(layer).decode(bytes, start, self.longest_provable, &mut out);
            let Some(&end) = out.ends.last() else { continue };
            // What stands there as it is is masked as what it is.
            if end - start != out.bytes.len() && out.bytes.len() > public + FEWEST_TOLD {
                spans.push(out.ends.get(public.wrapping_sub(1)).copied().unwrap_or(start)..end);
            }
        }
    }

    /// The same for UTF-16, of whatever length.
    fn disguised_wide(&self, bytes: &[u8], spans: &mut Vec<Range<usize>>) {
        if memchr::memchr(0, bytes).is_none() {
            return;
        }
        let mut out = Decoded::default();
        for start in 0..bytes.len() {
            let is_first = |head: &[u8]| bytes.get(start) == head.first();
            if bytes.get(start + 1) != Some(&0) || !self.provable_heads().any(is_first) {
                continue;
            }
            let last = bytes.len().min(start + 2 * self.lookahead());
            decode::utf16(&bytes[..last], start, &mut out);
            if self.provable_heads().any(|head| out.bytes.starts_with(head)) {
                spans.push(start..out.ends.last().copied().unwrap_or(start));
            }
        }
    }

    /// Lists the heads of the rules that encoded tokens are looked for of.
    fn provable_heads(&self) -> impl Iterator<Item = &[u8]> {
        self.provable.iter().map(|&rule| self.rules.rules()[rule].format.head())
    }
}
