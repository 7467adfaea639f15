//! Finds encoded, folded and split tokens.
//!
//! Input: the part of bytes to search. Output: candidates, with the tokens found. Tokens that are not
//! encoded are found elsewhere ([`super::matcher`]).
//!
//! Contract. Every token of a provable rule is found, as a proven match that names its encoding:
//! - base64, standard and URL-safe, at all three alignments, padded or not, of the token or of its
//!   UTF-16LE; folded into lines of at least 40 characters, with indentation and comment marks, or
//!   with the ends of lines written as `\n`; joined from string literals;
//! - hex, in either case;
//! - UTF-16 in both byte orders, and whatever is claimed here within it;
//! - percent-encoding, `\uXXXX` and `\u{XX}`, `\xXX`, character references of HTML, and
//!   quoted-printable, if all of it is escaped or only what is neither letter nor digit, and soft line
//!   breaks of quoted-printable;
//! - string literals joined by an operator or by standing next to each other, and lines that end in a
//!   backslash, if the rule's head stands whole in the first;
//! - whatever is claimed here within base64 of 64 characters or more that holds text, gzip or zlib,
//!   three deep.
//!
//! Of the formats whose head has fewer than four bytes, not all alignments are found. Shaped tokens are
//! not searched for: only a checksum distinguishes an encoded token from other data. In the names of git
//! trees only single base64 and hex are searched for.
//!
//! The last item has a budget, since base64 of gzip of base64 of gzip can grow a million times. One
//! search (of a file, a window of a large file, an archive member or a git object) may spend 1 Mi units
//! of work and 32 more per byte searched ([`super::budget`]): an unpacked byte costs one unit, a byte
//! decoded from base64 two, a place where a token may begin 128 or more. All levels share the budget.
//! At most 64 MiB of one gzip or zlib stream are held, at each further level half of that. Where either
//! limit ends the decoding, [`Scratch::take_overrun`] returns `true` and the scan reports an issue.
//! Everything above the last item is always searched for in the bytes themselves. Base64 is decoded
//! once, however many of its lines could be a beginning.

mod class;
pub(super) mod decode;
mod deep;
pub(super) mod disguised;
pub(super) mod literals;
mod mask;
mod needles;
pub(super) mod nested;
mod order;
pub(super) mod runs;
pub(super) mod start;
pub(super) mod stream;

pub(super) use class::{LEAST, is_text};
pub use deep::is_open;
pub(crate) use deep::looks_like_base64;

use super::budget;
use super::candidate::{Candidate, OnCandidate};
use super::matcher::Matcher;
use super::scratch::Scratch;
use super::search::{Search, Within};
use decode::{FURTHEST_BACK, Scheme, WIDEST_LOOK, digit64, fold, joint};
use literals::Literals;
use needles::Escape;
use nested::NestedSearch;
use runs::Found;
use start::{Start, backwards};
use std::ops::Range;

/// The search of one part for encoded tokens.
#[derive(Clone, Copy)]
pub(super) struct EncodedSearch<'a> {
    pub(super) matcher: &'a Matcher,
    pub(super) literals: &'a Literals,
    pub(super) nested: NestedSearch<'a>,
}

/// An escaped character that may be part of a head.
#[derive(Clone, Debug)]
struct EscapedCharacter {
    escape: Escape,
    at: usize,
    /// The run that it is in.
    run: Range<usize>,
}

impl EncodedSearch<'_> {
    /// Searches everything in the searched part that is long enough to contain an encoded token.
    pub(super) fn run(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        let is_text = search.within != Within::Names;
        runs::walk(search.bytes, search.own.clone(), |found| match found {
            Found::Run(run) => {
                search.spend(&mut scratch.budget, budget::RUN * run.len() as u64);
                self.search_run(search, &run, scratch, on);
                if is_text {
                    if looks_like_base64(&search.bytes[run.clone()]) {
                        // The text around it decides whether base64 begins or continues here.
                        let from = run.start.saturating_sub(decode::AROUND);
                        let (start, reach) = (run.start, run.end + decode::AROUND);
                        on(Candidate { from, start, reach, found: None }, &[]);
                    }
                    self.stitched(search, &run, scratch, on);
                    self.nested.whole(search, &run, scratch, on);
                }
            }
            Found::Escaped(run) => {
                let own = run.start..run.end.min(search.own.end);
                let prefilter = &self.literals.escape_prefilter;
                prefilter.find(&search.bytes[..run.end], own, |hit| {
                    for &escape in &self.literals.escapes[hit.needle].escapes {
                        let place = EscapedCharacter { escape, at: hit.start, run: run.clone() };
                        self.escaped(search, &place, scratch, on);
                    }
                });
            }
            Found::Utf16(stretch) if is_text => {
                scratch.is_intricate = true;
                self.nested.wide(search, &stretch, scratch, on);
            }
            Found::Utf16(..) => {}
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
        let own = run.start..run.end.min(search.own.end);
        self.literals.prefilter.find(&bytes[..run.end], own, |hit| {
            let needle = &self.literals.needles[hit.needle];
            for form in &needle.forms {
                let Some(start) = hit.start.checked_sub(form.back) else { continue };
                if form.back == 1 && digit64(bytes[start]).is_none() {
                    continue;
                }
                let (from, reach) = (run.start.saturating_sub(LEAST), run.end + 1);
                let place = Start { scheme: form.scheme, start, from, reach };
                place.decide(self.matcher, search, scratch, on);
            }
        });
    }

    /// Searches the border of a line of base64 and the next line, in which it continues.
    fn stitched(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        if run.end > search.own.end {
            // The part in which the line ends is searched for it.
            return;
        }
        let next = fold(bytes, run.end).or_else(|| joint(bytes, run.end));
        let Some(next) = next else { return };
        // Decided by the end of the line, however much of the line is in this part.
        let tail = bytes[..run.end].iter().rev().take(deep::SHORTEST);
        let tail = tail.take_while(|&&byte| class::is_run(byte)).count();
        if !looks_like_base64(&bytes[run.end - tail..run.end]) {
            return;
        }
        scratch.is_intricate = true;
        // As many characters of both as a literal and the character before it can have.
        let reach = self.literals.longest;
        let mut places: Vec<usize> = (run.end - reach.min(tail)..run.end).collect();
        let border = places.len();
        let ahead = bytes[next..].iter().take(reach).take_while(|&&it| digit64(it).is_some());
        places.extend((next..).take(ahead.count()));
        let text: Vec<u8> = places.iter().map(|&at| bytes[at]).collect();
        self.literals.prefilter.find(&text, 0..text.len(), |hit| {
            let needle = &self.literals.needles[hit.needle];
            for form in &needle.forms {
                let Some(first) = hit.start.checked_sub(form.back) else { continue };
                let crosses = first < border && hit.start + needle.text.len() > border;
                if crosses && form.scheme != Scheme::Hex {
                    let (start, from) = (places[first], places[0]);
                    let place = Start { scheme: form.scheme, start, from, reach: next + reach };
                    place.decide(self.matcher, search, scratch, on);
                }
            }
        });
    }

    /// Decodes the tokens whose heads may have this escaped character.
    fn escaped(
        &self,
        search: &Search<'_>,
        &EscapedCharacter { escape, at, ref run }: &EscapedCharacter,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        search.spend(&mut scratch.budget, budget::PLACE);
        let from = at.min(run.start).saturating_sub(FURTHEST_BACK);
        let behind = run.end + 1;
        let mut is_bare = true;
        for before in self.literals.before(escape) {
            let Some(start) = backwards(search.bytes, at, before, escape.layer) else { continue };
            is_bare = false;
            let place = Start { scheme: Scheme::Text(escape.layer), start, from, reach: behind };
            place.decide(self.matcher, search, scratch, on);
        }
        if is_bare {
            let reach = behind.max(at + WIDEST_LOOK);
            on(Candidate { from, start: at, reach, found: None }, &[]);
        }
    }
}
