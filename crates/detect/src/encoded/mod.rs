//! Finds encoded, folded and split tokens.
//!
//! Input: bytes and the part of them to search. Output: candidates, with the tokens found. Plain tokens
//! are found by [`super::matcher`].
//!
//! Contract. Every token of a provable rule is found, as a proven match that names its encoding:
//! - base64, standard and URL-safe, at all three alignments, padded or not, of the token or of its
//!   UTF-16LE; folded into lines of at least 40 characters, with indentation and comment marks, or
//!   with line breaks written as `\n`; joined from string literals;
//! - hex, in either case;
//! - UTF-16 in both byte orders, and any encoding of this list inside it;
//! - percent-encoding, `\uXXXX` and `\u{XX}`, `\xXX`, HTML character references, and quoted-printable,
//!   if all characters are escaped or only those that are neither letters nor digits, and soft line
//!   breaks of quoted-printable;
//! - adjacent string literals, string literals joined by an operator, and lines that end in a backslash,
//!   if the first one contains the whole head;
//! - any encoding of this list inside base64 of 64 characters or more that contains text, gzip or zlib, up
//!   to three levels deep.
//!
//! For formats whose head has fewer than four bytes, not all alignments are found. Shaped tokens are not
//! searched for: only a checksum distinguishes an encoded token from other data. In the names of git trees
//! only one level of base64 and hex is searched.
//!
//! The last item has a budget, since base64 of gzip of base64 of gzip can grow a million times. One
//! search (of a file, a window of a large file, an archive member or a git object) may spend 1 Mi units
//! of work and 32 more per byte searched ([`super::budget`]): a decompressed byte costs one unit, a byte
//! decoded from base64 two, a candidate 128 or more. All levels share the budget. At most 64 MiB of one
//! gzip or zlib stream are kept in memory, at each further level half of that. If either limit ends the
//! decoding, [`Scratch::take_overrun`] returns `true` and the scan reports an issue. The other items have
//! no limit in the input itself. Base64 is decoded once, even if several of its lines look like its
//! beginning.

mod base64_run;
mod byte_class;
mod class;
pub(super) mod decode;
mod endianness;
pub(super) mod literals;
pub(super) mod mask_spans;
mod needles;
pub(super) mod nested;
mod open_base64;
pub(super) mod pending;
pub(super) mod runs;
pub(super) mod start;
pub(super) mod stream;

pub(crate) use base64_run::looks_like_base64;
pub use base64_run::may_continue_base64;
pub(super) use class::{MIN_RUN, is_text};
pub use decode::base64_digit;
pub use open_base64::ends_in_nested_base64;

use super::budget;
use super::candidate::{Candidate, OnCandidate};
use super::matcher::Matcher;
use super::scratch::Scratch;
use super::search::{ContentKind, Search};
use decode::{DECODE_LOOKAHEAD, LOOKBEHIND, Scheme, skip_fold, skip_join};
use literals::Literals;
use needles::Escape;
use nested::NestedSearch;
use runs::EncodedRun;
use start::{Start, head_start};
use std::ops::Range;

/// The search of one part for encoded tokens.
#[derive(Clone, Copy)]
pub(super) struct EncodedSearch<'a> {
    pub(super) matcher: &'a Matcher,
    pub(super) literals: &'a Literals,
    pub(super) nested: NestedSearch<'a>,
}

/// An escaped character that may belong to a head.
#[derive(Clone, Debug)]
struct EscapedCharacter {
    escape: Escape,
    at: usize,
    /// The run that contains it.
    run: Range<usize>,
}

impl EncodedSearch<'_> {
    /// Searches every run in the part that is long enough to contain an encoded token.
    pub(super) fn run(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        let is_text = search.kind != ContentKind::TreeNames;
        runs::walk(search.bytes, search.part.clone(), |found| match found {
            EncodedRun::Base64OrHex(run) => {
                search.spend(&mut scratch.budget, budget::RUN * run.len() as u64);
                self.search_run(search, &run, scratch, on);
                if is_text {
                    if looks_like_base64(&search.bytes[run.clone()]) {
                        // The surrounding text decides whether base64 begins or continues here.
                        let inspected_start = run.start.saturating_sub(decode::FOLD_CONTEXT);
                        let (start, inspected_end) = (run.start, run.end + decode::FOLD_CONTEXT);
                        on(Candidate { inspected_start, start, inspected_end, found: None }, &[]);
                    }
                    self.line_borders(search, &run, scratch, on);
                    self.nested.base64(search, &run, scratch, on);
                }
            }
            EncodedRun::Escaped(run) => {
                let part = run.start..run.end.min(search.part.end);
                let prefilter = &self.literals.escape_prefilter;
                prefilter.find(&search.bytes[..run.end], part, |hit| {
                    for &escape in &self.literals.escapes[hit.needle].escapes {
                        let place = EscapedCharacter { escape, at: hit.start, run: run.clone() };
                        self.escaped(search, &place, scratch, on);
                    }
                });
            }
            EncodedRun::Utf16(stretch) if is_text => {
                scratch.needs_full_scan = true;
                self.nested.utf16(search, &stretch, scratch, on);
            }
            EncodedRun::Utf16(..) => {}
        });
    }

    /// Searches a run for encoded heads.
    fn search_run(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        let part = run.start..run.end.min(search.part.end);
        self.literals.prefilter.find(&bytes[..run.end], part, |hit| {
            let needle = &self.literals.needles[hit.needle];
            for form in &needle.forms {
                let Some(start) = hit.start.checked_sub(form.back) else { continue };
                if form.back == 1 && base64_digit(bytes[start]).is_none() {
                    continue;
                }
                let (inspected_start, inspected_end) =
                    (run.start.saturating_sub(MIN_RUN), run.end + 1);
                let place = Start { scheme: form.scheme, start, inspected_start, inspected_end };
                place.decide(self.matcher, search, scratch, on);
            }
        });
    }

    /// Searches for literals that cross from one line of base64 to the next.
    fn line_borders(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        if run.end > search.part.end {
            // The search of the part where the line ends does this.
            return;
        }
        let next = skip_fold(bytes, run.end).or_else(|| skip_join(bytes, run.end));
        let Some(next) = next else { return };
        // Decide by the end of the line, so that the result is the same for every division into parts.
        let tail = bytes[..run.end].iter().rev().take(base64_run::SHORTEST);
        let tail = tail.take_while(|&&byte| class::is_run(byte)).count();
        if !looks_like_base64(&bytes[run.end - tail..run.end]) {
            return;
        }
        scratch.needs_full_scan = true;
        // From both lines as many characters as a literal and the character before it can have.
        let longest = self.literals.longest;
        let mut places: Vec<usize> = (run.end - longest.min(tail)..run.end).collect();
        let border = places.len();
        let ahead =
            bytes[next..].iter().take(longest).take_while(|&&it| base64_digit(it).is_some());
        places.extend((next..).take(ahead.count()));
        let text: Vec<u8> = places.iter().map(|&at| bytes[at]).collect();
        self.literals.prefilter.find(&text, 0..text.len(), |hit| {
            let needle = &self.literals.needles[hit.needle];
            for form in &needle.forms {
                let Some(first) = hit.start.checked_sub(form.back) else { continue };
                let crosses = first < border && hit.start + needle.text.len() > border;
                if crosses && form.scheme != Scheme::Hex {
                    let (start, inspected_start) = (places[first], places[0]);
                    let place = Start {
                        scheme: form.scheme,
                        start,
                        inspected_start,
                        inspected_end: next + longest,
                    };
                    place.decide(self.matcher, search, scratch, on);
                }
            }
        });
    }

    /// Decodes the tokens whose heads may contain this escaped character.
    fn escaped(
        &self,
        search: &Search<'_>,
        &EscapedCharacter { escape, at, ref run }: &EscapedCharacter,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        search.spend(&mut scratch.budget, budget::PLACE);
        let inspected_start = at.min(run.start).saturating_sub(LOOKBEHIND);
        let after_run = run.end + 1;
        let mut is_unmatched = true;
        for before in self.literals.before(escape) {
            let Some(start) = head_start(search.bytes, at, before, escape.layer) else { continue };
            is_unmatched = false;
            let place = Start {
                scheme: Scheme::Text(escape.layer),
                start,
                inspected_start,
                inspected_end: after_run,
            };
            place.decide(self.matcher, search, scratch, on);
        }
        if is_unmatched {
            let inspected_end = after_run.max(at + DECODE_LOOKAHEAD);
            on(Candidate { inspected_start, start: at, inspected_end, found: None }, &[]);
        }
    }
}
