//! Finds the text at the end of bytes that may become a token if more bytes follow.
//!
//! Input: the beginning of a stream, up to the end of a line or a blank. Output: the offset of the first line
//! that is not decided yet. It holds back more than necessary, but never releases the beginning of a token
//! that the search would find. It decides nothing about tokens.

use super::breaks;
use super::class::is_run;
use super::decode::{Decoded, LOOKBEHIND, Pieces, Scheme};
use super::fold::Fold;
use super::line_borders::crossings;
use super::literals::Literals;
use super::open_base64;
use super::short_lines::CONTINUED_LOOKBEHIND;
use super::start::{head_start, middle_start};
use crate::anchor::AnchorKind;
use crate::encoding::Layer;
use crate::matcher::Matcher;
use crate::pem::{MAX_BLOCK, PemBlock};
use crate::rules::RuleIndex;
use crate::scratch::Scratch;
use std::borrow::Cow;
use std::ops::Range;

/// The search for text that is not decided yet.
#[derive(Clone, Copy)]
pub(crate) struct Pending<'a> {
    pub(crate) matcher: &'a Matcher,
    pub(crate) literals: &'a Literals,
}

impl Pending<'_> {
    /// Returns the offset of the first line that may become part of a token; the length if there is none.
    /// The bytes before `decided` are context only.
    pub(crate) fn start(self, bytes: &[u8], decided: usize, scratch: &mut Scratch) -> usize {
        let longest = self.matcher.lookahead().max(self.longest_block());
        let near = bytes.len().saturating_sub(longest + LOOKBEHIND + CONTINUED_LOOKBEHIND);
        let text = without_zeros(&bytes[near..]);
        let Heads { open, last_proven } = self.heads(&text, scratch);
        let head = open.map(|at| line_start(bytes, near, newlines(&text[at..])));
        let ends_in =
            last_proven.filter(|token| !text[token.end..].iter().any(|&byte| is_run(byte)));
        let after_token = ends_in.map(|token| text.len() - token.start);
        // Nested content has no maximum length: everything that is not decided is inspected.
        let text = without_zeros(&bytes[decided..]);
        let token = after_token.and_then(|len| text.len().checked_sub(len));
        let block = open_base64::start(&text, token)
            .map(|at| line_start(bytes, decided, newlines(&text[at..])));
        head.into_iter().chain(block).min().unwrap_or(bytes.len())
    }

    /// Returns the maximum length of the block of a private key.
    fn longest_block(self) -> usize {
        if self.matcher.rules().has_verifier() { MAX_BLOCK } else { 0 }
    }

    /// Searches for heads, encoded or not, whose token may continue after the end, and for plain tokens.
    fn heads(self, text: &[u8], scratch: &mut Scratch) -> Heads {
        let Self { matcher, literals } = self;
        let (mut open, mut last_proven) = (Vec::new(), None::<Range<usize>>);
        let mut block = None;
        matcher.each_head(text, 0..text.len(), |head| {
            let proven = |&rule: &RuleIndex| {
                matcher.ends(rule, text, head.start, scratch);
                let format = &matcher.rule(rule).format;
                let mut ends = scratch.ends.iter().copied().filter(|&end| end < text.len());
                ends.find(|&end| format.check(&text[head.start..end]).is_proven())
            };
            let has_verifier = |&rule: &RuleIndex| matcher.rule(rule).verifier.is_some();
            if block.is_none() && head.rules.iter().any(has_verifier) {
                let is_open = PemBlock::read(text, head.start).is_open(text);
                block = Some(head.start).filter(|_| is_open);
            }
            let rest = &text[head.start..];
            let end = rest.iter().position(|&it| !is_run(it) && it != b'.' || it == b'=');
            if let Some(end) = head.rules.iter().find_map(proven) {
                if last_proven.as_ref().is_none_or(|last| last.end < end) {
                    last_proven = Some(head.start..end);
                }
            } else if may_continue(rest, end) {
                open.push(head.start);
            }
        });
        let mut out = Decoded::default();
        let mut folded = None::<usize>;
        let mut decode_at = |(scheme, kind): (Scheme, AnchorKind), start: usize| {
            scheme.decode(text, start, matcher.anchors_end(kind), &mut out);
            let longest = matcher.longest_from(kind, &out.bytes);
            let is_other = longest.is_none() && out.bytes.len() == matcher.anchors_end(kind);
            if let Some(longest) = longest {
                scheme.decode(text, start, longest + 1, &mut out);
                if matcher.decide_decoded(&out.bytes, scratch).is_some() {
                    return;
                }
            }
            if !is_other && may_continue(text, out.ends.last().copied()) {
                open.push(start);
            }
            // The first line may be too short to show that it is no head.
            if !matches!(scheme, Scheme::Text(_)) && self.is_open_fold(text, scheme, start, scratch)
            {
                folded = Some(folded.map_or(start, |first: usize| first.min(start)));
            }
        };
        literals.prefilter.find(text, 0..text.len(), |hit| {
            for form in &literals.needles[hit.needle].forms {
                if let Some(start) = hit.start.checked_sub(form.back) {
                    decode_at((form.scheme, form.kind), start);
                }
            }
        });
        literals.escape_prefilter.find(text, 0..text.len(), |hit| {
            for escape in &literals.escapes[hit.needle].escapes {
                let scheme = Scheme::Text(escape.layer);
                for before in literals.before(*escape) {
                    if let Some(start) = head_start(text, hit.start, before, escape.layer) {
                        decode_at((scheme, AnchorKind::Head), start);
                    }
                }
                for middle in literals.middles(*escape) {
                    if let Some(start) = middle_start(text, hit.start, middle, escape.layer) {
                        decode_at((scheme, AnchorKind::Middle), start);
                    }
                }
            }
        });
        crossings(literals, text, |place| decode_at((place.scheme, place.kind), place.start));
        let last_stop = last_stop(text);
        let open = open.into_iter().filter(|&at| last_stop.is_none_or(|stop| at > stop));
        // The characters of a gap are no stops.
        let open = open.chain(folded).chain(block).chain(self.broken_heads(text, scratch)).min();
        Heads { open, last_proven }
    }

    /// Returns `true` if an encoded token at `start` may continue in a line with a prefix, or in another
    /// element of a list, that is not complete yet.
    fn is_open_fold(
        self,
        text: &[u8],
        scheme: Scheme,
        start: usize,
        scratch: &mut Scratch,
    ) -> bool {
        let mut out = Decoded::default();
        let mut is_open = false;
        for fold in Fold::others(text, start) {
            let pieces = Pieces { bytes: text, start, fold };
            scheme.decode_folded(pieces, self.matcher.longest_head(), &mut out);
            match self.matcher.longest_from(AnchorKind::Head, &out.bytes) {
                Some(longest) => {
                    scheme.decode_folded(pieces, longest + 1, &mut out);
                    if self.matcher.decide_decoded(&out.bytes, scratch).is_some() {
                        return false;
                    }
                    is_open |= out.is_open;
                }
                None => is_open |= out.bytes.len() < self.matcher.longest_head() && out.is_open,
            }
        }
        is_open
    }
}

impl Pending<'_> {
    /// Lists the starts of broken tokens that may continue after the end. One character of a head at the end
    /// of a line does not count: every other line ends like that.
    fn broken_heads(self, text: &[u8], scratch: &mut Scratch) -> Vec<usize> {
        let Self { matcher, literals } = self;
        let mut starts = Vec::new();
        literals.broken.each_start(text, |start, gap| {
            if gap - start > 1 || breaks::skip(text, gap).is_some() {
                starts.push(start);
            }
        });
        matcher.each_head(text, 0..text.len(), |head| starts.push(head.start));
        let mut out = Decoded::default();
        starts.retain(|&start| {
            let scheme = Scheme::Broken(Layer::Folded);
            let longest = matcher.longest_head();
            scheme.decode(text, start, longest, &mut out);
            let is_head_begun = matcher.provable_heads().any(|head| head.starts_with(&out.bytes));
            match matcher.longest_from(AnchorKind::Head, &out.bytes) {
                Some(longest) => {
                    scheme.decode(text, start, longest + 1, &mut out);
                    if out.bytes.len() > longest
                        || matcher.decide_decoded(&out.bytes, scratch).is_some()
                    {
                        return false;
                    }
                }
                None if !is_head_begun => return false,
                None => {}
            }
            out.ends.last().is_some_and(|&end| breaks::is_open(text, end))
        });
        starts
    }
}

/// The heads at the end of a text.
#[derive(Debug)]
struct Heads {
    /// The first position of a head whose token may continue after the end.
    open: Option<usize>,
    /// The last plain token. An encoded one may be followed by more base64.
    last_proven: Option<Range<usize>>,
}

/// Returns `true` if encoded text that ends at `end` may continue after a line break or in another string
/// literal.
fn may_continue(text: &[u8], end: Option<usize>) -> bool {
    let next = end.and_then(|end| text.get(end));
    next.is_none_or(|byte| b"\r\n\\\"'`%&=".contains(byte))
}

/// Removes zeros, so that UTF-16 is readable as text.
fn without_zeros(bytes: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(0, bytes).is_none() {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned(bytes.iter().copied().filter(|&byte| byte != 0).collect())
}

fn newlines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

/// Returns the start of the line that has `newlines` line breaks between it and the end, but not less than
/// `least`.
fn line_start(bytes: &[u8], least: usize, newlines: usize) -> usize {
    memchr::memrchr_iter(b'\n', &bytes[least..]).nth(newlines).map_or(least, |at| least + at + 1)
}

/// Returns the position of the last character that no token continues over, in any encoding: a character
/// that occurs neither in encoded text nor between string literals or lines of base64.
fn last_stop(text: &[u8]) -> Option<usize> {
    (0..text.len()).rev().find(|&at| {
        let before = at.checked_sub(1).map(|at| text[at]);
        let is_after_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric());
        let is_after_quote = before.is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'`'));
        match text[at] {
            b',' | b'(' | b')' | b'[' | b']' | b'!' | b'?' | b':' | b'@' | b'$' | b'^' => true,
            // A line break may be written as `\n`, with an indent after it.
            b' ' | b'\t' => is_after_word && !(at > 1 && text[at - 2] == b'\\'),
            b'}' | b';' => is_after_quote,
            b'\n' | b'\r' | b'\x0c' => false,
            byte => !(b' '..0x7f).contains(&byte),
        }
    })
}
