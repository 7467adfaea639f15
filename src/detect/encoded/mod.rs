//! Finds tokens in disguise: encoded, folded, split.
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
//! Of the formats whose head has fewer than four bytes, not all alignments are. Look-alikes are not
//! looked for: only a checksum tells an encoded token from other data. In the names of git trees only
//! single base64 and hex count.
//!
//! The last item has a budget, since base64 of gzip of base64 of gzip can grow a million times. One
//! search (of a file, a window of a large file, an archive member or a git object) may spend 1 Mi units
//! of work and 32 more per byte searched ([`super::budget`]): an unpacked byte costs one unit, a byte
//! decoded from base64 two, a place where a token may begin 128 or more. All levels share the budget.
//! At most 64 MiB of one gzip or zlib stream are held, at each further level half of that. Where either
//! limit ends the decoding, [`Scratch::take_overrun`] returns `true` and the scan reports an issue.
//! Everything above the last item is always searched for in the bytes themselves. Base64 is decoded
//! once, however many of its lines could be a beginning.

pub(super) mod decode;
mod deep;
mod disguised;
mod mask;
pub(super) mod needles;
pub(super) mod nested;
mod order;
pub(super) mod runs;
mod stream;

pub(crate) use deep::{is_open, looks_like_base64};

use super::encoding::{Encoding, Layer};
use super::prefilter::Prefilter;
use super::{Candidate, Detector, Evidence, Match, Scratch, Search, Within, budget};
use aho_corasick::BuildError;
use decode::{Scheme, digit64, escape, fold, joint};
use needles::{Escape, EscapeNeedle, RunNeedle};
use runs::Found;
use std::ops::Range;

/// How many bytes before a match's anchor it may begin: the escaped form of the longest head.
pub(super) const FURTHEST_BACK: usize = 160;
/// How many bytes an encoded character takes at the most.
pub(super) const WIDEST_CHARACTER: usize = 10;

/// What is searched for in long runs.
#[derive(Debug)]
pub(super) struct Encoded {
    needles: Vec<RunNeedle>,
    prefilter: Prefilter,
    longest: usize,
    escapes: Vec<EscapeNeedle>,
    escape_prefilter: Prefilter,
}

impl Encoded {
    /// `telling` are the characters of heads by which their escaped forms are found.
    pub(super) fn new(heads: &[&[u8]], telling: &[u8]) -> Result<Self, BuildError> {
        let needles = needles::of_runs(heads);
        let texts: Vec<&[u8]> = needles.iter().map(|needle| &*needle.text).collect();
        let prefilter = Prefilter::new(&texts)?;
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let escapes = needles::of_escapes(telling);
        let texts: Vec<&[u8]> = escapes.iter().map(|needle| &*needle.text).collect();
        let escape_prefilter = Prefilter::new(&texts)?;
        Ok(Self { longest, needles, prefilter, escapes, escape_prefilter })
    }

    /// Tells whether a run that is new may hold something.
    pub(super) fn concerns(&self, run: &[u8]) -> bool {
        let mut parts = run.split(|&byte| !runs::is_run(byte)).filter(|it| it.len() >= runs::LEAST);
        parts.any(|part| self.prefilter.is_match(part) || looks_like_base64(part))
            || self.escape_prefilter.is_match(run)
    }
}

/// Where to decode from, and what had a say in that.
#[derive(Clone, Copy, Debug)]
struct Start {
    scheme: Scheme,
    start: usize,
    from: usize,
    reach: usize,
}

/// Takes candidates with the bytes of their tokens.
pub(super) type OnCandidate<'a> = &'a mut dyn FnMut(Candidate, &[u8]);

impl Detector {
    /// Looks at everything in the searched part that is long enough to hide a token.
    pub(super) fn each_run(&self, search: &Search<'_>, scratch: &mut Scratch, on: OnCandidate<'_>) {
        let is_text = search.within != Within::Names;
        runs::walk(search.bytes, search.own.clone(), |found| match found {
            Found::Run(run) => {
                search.spend(scratch, budget::RUN * run.len() as u64);
                self.literals(search, &run, scratch, on);
                if is_text {
                    if looks_like_base64(&search.bytes[run.clone()]) {
                        // What stands around it says whether it begins or goes on here.
                        let from = run.start.saturating_sub(decode::AROUND);
                        let (start, reach) = (run.start, run.end + decode::AROUND);
                        on(Candidate { from, start, reach, found: None }, &[]);
                    }
                    self.stitched(search, &run, scratch, on);
                    self.whole(search, &run, scratch, on);
                }
            }
            Found::Escaped(run) => {
                let own = run.start..run.end.min(search.own.end);
                let prefilter = &self.encoded.escape_prefilter;
                prefilter.find(&search.bytes[..run.end], own, |hit| {
                    for &escape in &self.encoded.escapes[hit.needle].escapes {
                        self.escaped(search, (escape, hit.start, &run), scratch, on);
                    }
                });
            }
            Found::Utf16(stretch) if is_text => {
                scratch.is_intricate = true;
                self.wide(search, &stretch, scratch, on);
            }
            Found::Utf16(..) => {}
        });
    }

    /// Searches a run for encoded heads.
    fn literals(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        let own = run.start..run.end.min(search.own.end);
        self.encoded.prefilter.find(&bytes[..run.end], own, |hit| {
            let needle = &self.encoded.needles[hit.needle];
            for form in &needle.forms {
                let Some(start) = hit.start.checked_sub(form.back) else { continue };
                if form.back == 1 && digit64(bytes[start]).is_none() {
                    continue;
                }
                let (from, reach) = (run.start.saturating_sub(runs::LEAST), run.end + 1);
                let place = Start { scheme: form.scheme, start, from, reach };
                self.decoded(search, place, scratch, on);
            }
        });
    }

    /// Searches where a line of base64 goes on in the next one.
    fn stitched(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        if run.end > search.own.end {
            // The part in which the line ends sees to it.
            return;
        }
        let next = fold(bytes, run.end).or_else(|| joint(bytes, run.end));
        let Some(next) = next else { return };
        // The end of the line tells what it is, however much of it lies in this part.
        let tail = bytes[..run.end].iter().rev().take(deep::SHORTEST);
        let tail = tail.take_while(|&&byte| runs::is_run(byte)).count();
        if !looks_like_base64(&bytes[run.end - tail..run.end]) {
            return;
        }
        scratch.is_intricate = true;
        // As many characters of both as a literal and what stands before it can have.
        let reach = self.encoded.longest;
        let mut places: Vec<usize> = (run.end - reach.min(tail)..run.end).collect();
        let border = places.len();
        let ahead = bytes[next..].iter().take(reach).take_while(|&&it| digit64(it).is_some());
        places.extend((next..).take(ahead.count()));
        let text: Vec<u8> = places.iter().map(|&at| bytes[at]).collect();
        self.encoded.prefilter.find(&text, 0..text.len(), |hit| {
            let needle = &self.encoded.needles[hit.needle];
            for form in &needle.forms {
                let Some(first) = hit.start.checked_sub(form.back) else { continue };
                let crosses = first < border && hit.start + needle.text.len() > border;
                if crosses && form.scheme != Scheme::Hex {
                    let (start, from) = (places[first], places[0]);
                    let place = Start { scheme: form.scheme, start, from, reach: next + reach };
                    self.decoded(search, place, scratch, on);
                }
            }
        });
    }

    /// Decodes from a place and decides on what comes out.
    fn decoded(
        &self,
        search: &Search<'_>,
        place: Start,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let Start { scheme, start, from, reach } = place;
        let bytes = search.bytes;
        let mut out = std::mem::take(&mut scratch.decoded);
        // Most places are none where a token begins, which the first bytes show.
        scheme.decode(bytes, start, self.longest_head, &mut out);
        let mut found = None;
        if let Some(longest) = self.longest_from(&out.bytes) {
            scheme.decode(bytes, start, longest + 1, &mut out);
            found = self.decide_decoded(&out.bytes, scratch);
        }
        search.spend(scratch, budget::PLACE + budget::TRIED * out.bytes.len() as u64);
        let looked = out.ends.last().copied().unwrap_or(start) + WIDEST_LOOK;
        let found = found.map(|(rule, len)| {
            let end = out.ends[len - 1];
            let encoding = Encoding::PLAIN.with(scheme.layers());
            (Match { rule, start, end, evidence: Evidence::Proven, encoding }, len)
        });
        let token = found.map_or(&[][..], |(_, len)| &out.bytes[..len]);
        let found = found.map(|(found, _)| found);
        on(Candidate { from, start, reach: reach.max(looked), found }, token);
        scratch.decoded = out;
    }

    /// Returns the greatest length of the tokens that may begin with these bytes.
    pub(super) fn longest_from(&self, bytes: &[u8]) -> Option<usize> {
        let heads = self.heads.iter().filter(|(head, _)| bytes.starts_with(head));
        heads.map(|&(_, longest)| longest).max()
    }

    /// Finds a proven token at the very beginning of decoded bytes; returns its rule and length.
    fn decide_decoded(&self, bytes: &[u8], scratch: &mut Scratch) -> Option<(usize, usize)> {
        let rules = self.rules.rules();
        self.provable.iter().find_map(|&rule| {
            if !bytes.starts_with(rules[rule].format.head()) {
                return None;
            }
            self.shapes.ends(&self.rules, rule, (bytes, 0), scratch);
            let proven = |&&end: &&usize| rules[rule].format.check(&bytes[..end]).is_proven();
            scratch.ends.iter().find(proven).map(|&end| (rule, end))
        })
    }

    /// Looks at an escaped character of a head.
    fn escaped(
        &self,
        search: &Search<'_>,
        (escaped, at, run): (Escape, usize, &Range<usize>),
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        search.spend(scratch, budget::PLACE);
        let from = at.min(run.start).saturating_sub(FURTHEST_BACK);
        let behind = run.end + 1;
        let mut is_bare = true;
        for &(rule, offset) in &self.telling[usize::from(escaped.byte)] {
            let before = &self.rules.rules()[rule].format.head()[..offset];
            let Some(start) = backwards(search.bytes, at, before, escaped.layer) else { continue };
            is_bare = false;
            let place = Start { scheme: Scheme::Text(escaped.layer), start, from, reach: behind };
            self.decoded(search, place, scratch, on);
        }
        if is_bare {
            let reach = behind.max(at + WIDEST_LOOK);
            on(Candidate { from, start: at, reach, found: None }, &[]);
        }
    }

    /// Decodes a token of at most this range whose head is not encoded, but what follows it is escaped
    /// or split. Returns how far was looked, if at all, and if nothing was found.
    pub(super) fn continued(
        &self,
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
            let Some(stop) =
                rest.iter().position(|&it| !runs::is_run(it) && it != b'.' || it == b'=')
            else {
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
                (b'=', _)
                    if !is_unquoted && escape(Layer::QuotedPrintable, &bytes[at..]).is_some() =>
                {
                    is_unquoted = true;
                    Layer::QuotedPrintable
                }
                // It may be part of the token.
                (b'=', _) => {
                    at += 1;
                    continue;
                }
                _ => return looked,
            };
            let mut is_found = false;
            let place = Start { scheme: Scheme::Text(layer), start, from: start, reach: start };
            self.decoded(search, place, scratch, &mut |candidate, token| {
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
}

/// How far behind what was decoded was looked, to see that it does not go on.
pub(super) const WIDEST_LOOK: usize = 96;

/// Finds where the characters before an escaped one begin, each escaped or not.
fn backwards(bytes: &[u8], at: usize, before: &[u8], layer: Layer) -> Option<usize> {
    let mut at = at;
    for &byte in before.iter().rev() {
        let escaped = (3..=WIDEST_CHARACTER).find(|&len| {
            let text = at.checked_sub(len).map(|from| &bytes[from..at]);
            let text = text.filter(|text| matches!(text[0], b'%' | b'\\' | b'&' | b'='));
            text.is_some_and(|text| escape(layer, text) == Some((Some(byte), len)))
        });
        at -= match escaped {
            Some(len) => len,
            None if at > 0 && bytes[at - 1] == byte => 1,
            None => return None,
        };
    }
    Some(at)
}
