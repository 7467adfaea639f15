//! Finds encoded, folded and split tokens.
//!
//! Input: bytes and the part of them to search. Output: candidates, with the tokens found. Plain tokens
//! are found by [`super::matcher`].
//!
//! Contract. Every token of a provable rule is found, as a proven match that names its encoding:
//! - base64, standard and URL-safe, at all three alignments, padded or not, of the token or of its
//!   UTF-16LE; escaped digits such as `%2B` and `\/` are decoded, unless the content is nested;
//! - hex, in either case;
//! - base64 and hex folded into lines of at least 20 characters: with indentation and comment marks, or with
//!   line breaks written as `\n`; joined from string literals or elements of a list; with soft line breaks of
//!   quoted-printable; or behind a prefix of at most 256 bytes that repeats or counts, and before a suffix of
//!   at most 256 bytes, such as in logs, listings, patches, tables and JSON records ([`line_prefix`]); an ANSI control
//!   sequence may be part of both. Of lines
//!   of fewer than 40 characters, those that contain the head must be followed by a line end or a quotation
//!   mark, or by an escape sequence such as `\n` and escaped text that ends so or makes it 40 characters. They must
//!   contain lower and upper case letters and a digit or at least six upper case letters; or at least eight
//!   digits, as hex of ASCII does ([`short_lines`]);
//! - UTF-16 in both byte orders, and any encoding of this list inside it, if at least 20 characters of it are
//!   without a line end or another character that encoded text cannot contain;
//! - percent-encoding, `\uXXXX` and `\u{XX}`, `\xXX`, HTML character references, and quoted-printable, also with
//!   leading zeros (up to six digits in braces, seven decimal and six hexadecimal digits in references),
//!   if all characters are escaped or only those that are neither letters nor digits, and soft line
//!   breaks of quoted-printable;
//! - a backslash before punctuation, as in Markdown;
//! - adjacent string literals, string literals joined by an operator, and lines that end in a backslash,
//!   if the first one contains the whole head;
//! - UTF-32 in both byte orders, and any encoding of this list inside it;
//! - tokens broken into pieces by gaps ([`breaks`]): line ends with blanks, quotation or comment marks;
//!   tags of HTML and XML; ANSI control sequences; characters without a width. Gaps may be up to 1 KiB
//!   long each, and the whole token 3 KiB. If the head itself is broken, it is found if a gap in it
//!   begins with an escape character or a character without a width, with a closing or inline tag in
//!   content, or a window of a large file, that has tags in its first KiB, or if at least 40 characters without
//!   a gap follow;
//! - the characters beside a hex dump, as `hexdump -C`, `xxd`, `od -t x1z` and `tcpdump -X` print them ([`dump`]),
//!   if one line contains the whole head, or the content begins with the dump. Dumps without characters, such as
//!   those of `od -x`, are not decoded, except for `xxd -p`;
//! - any encoding of this list inside base64 in lines of 60 characters or more, without a prefix, that contains text, gzip or zlib, up
//!   to three levels deep.
//!
//! Of tokens whose anchor is in their middle, the characters before it must be in one piece: the items about
//! folded hex, joined literals, gaps and dumps do not apply to them, and folded base64 of text must have lines of
//! at least 60 characters, and escaped characters before it may have 640 bytes. Tokens without an anchor are found in what is decoded as a whole (UTF-16, UTF-32, nested base64).
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

pub(super) mod base64_run;
pub(super) mod breaks;
pub(super) mod broken;
mod byte_class;
mod class;
pub(super) mod decode;
mod digit;
mod dump;
mod endianness;
pub(super) mod escape;
pub(crate) mod fold;
mod gap;
mod halves;
mod kinds;
mod line_borders;
mod line_edges;
pub(crate) mod line_prefix;
pub(super) mod literals;
pub(super) mod mask_spans;
mod needles;
pub(super) mod nested;
mod open_base64;
pub(super) mod pairs;
pub(super) mod pending;
pub(super) mod runs;
pub(super) mod short_lines;
pub(super) mod start;
pub(super) mod stream;

pub(crate) use class::{MIN_LINE, MIN_RUN, looks_like_base64};
pub(super) use class::{is_after_line, is_text};
pub use digit::base64_digit;
pub(super) use fold::pieces;
pub(crate) use kinds::{may_end_as_line, may_join_line};
pub use open_base64::{end_of_base64, may_continue_base64, nested_base64};

use super::anchor::AnchorKind;
use super::budget;
use super::candidate::{Candidate, OnCandidate};
use super::matcher::Matcher;
use super::middle;
use super::scratch::Scratch;
use super::search::{ContentKind, Search};
use super::words;
use broken::BrokenSearch;
use decode::{DECODE_LOOKAHEAD, LOOKBEHIND, Scheme};
use gap::FOLD_CONTEXT;
use literals::Literals;
use needles::Escape;
use nested::NestedSearch;
use runs::EncodedRun;
use start::{Start, head_start, middle_start};
use std::ops::Range;

/// The search of one part for encoded tokens.
#[derive(Clone, Copy)]
pub(super) struct EncodedSearch<'a> {
    pub(super) matcher: &'a Matcher,
    pub(super) literals: &'a Literals,
    pub(super) nested: NestedSearch<'a>,
}

/// Returns `true` if a run of escaped text continues at `start`.
fn follows_text(bytes: &[u8], start: usize) -> bool {
    start.checked_sub(1).is_some_and(|before| is_text(bytes[before]))
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
        let broken = BrokenSearch { matcher: self.matcher, heads: &self.literals.broken };
        if is_text {
            broken.tags_and_lines(search, scratch, on);
        }
        runs::walk(search.bytes, search.part.clone(), |found| match found {
            EncodedRun::Base64OrHex(run) => {
                search.spend(&mut scratch.budget, budget::RUN * run.len() as u64);
                self.search_run(search, &run, scratch, on);
                words::search(self.matcher, search, &run, on);
                if is_text {
                    // The surrounding text decides whether base64 begins or continues here.
                    let is_base64 = looks_like_base64(&search.bytes[run.clone()]);
                    let near = run.start.saturating_sub(FOLD_CONTEXT)..run.end + FOLD_CONTEXT;
                    let mut inspected = is_base64.then_some(near);
                    // Of a run that is clipped, the end alone may look like base64 or not.
                    let is_clipped = run.start == search.part.start;
                    let may_continue = is_base64 || is_clipped || {
                        let text = &search.bytes[run.clone()];
                        self.literals.may_begin_hex(text.strip_suffix(b"=").unwrap_or(text))
                    };
                    if may_continue
                        && let Some(lines) = self.line_borders(search, &run, scratch, on)
                    {
                        inspected = Some(match inspected {
                            Some(near) => near.start.min(lines.start)..near.end.max(lines.end),
                            None => lines,
                        });
                    }
                    if let Some(Range { start: inspected_start, end: inspected_end }) = inspected {
                        // Only the end of a long line decides.
                        let start = run.start.max(inspected_start);
                        on(Candidate { inspected_start, start, inspected_end, found: None }, &[]);
                    }
                    // The start of a run of text is searched below.
                    if follows_text(search.bytes, run.start) {
                        broken.before_run(search, &run, scratch, on);
                    }
                    self.nested.base64(search, &run, scratch, on);
                }
            }
            EncodedRun::ShortLine(run) if is_text => {
                search.spend(&mut scratch.budget, budget::RUN * run.len() as u64);
                if self.literals.has_part(&search.bytes[run.clone()]) {
                    self.short_line(search, &run, scratch, on);
                }
            }
            EncodedRun::Escaped(run) => {
                let part = run.start..run.end.min(search.part.end);
                let prefilter = &self.literals.escape_prefilter;
                prefilter.find(&search.bytes[..run.end], part, |hit| {
                    let text = &search.bytes[hit.start..];
                    let needle = &self.literals.escapes[hit.needle];
                    for &escape in needle.escapes_in(text) {
                        let place = EscapedCharacter { escape, at: hit.start, run: run.clone() };
                        self.escaped(search, &place, scratch, on);
                    }
                });
                if is_text {
                    broken.escaped(search, &run, scratch, on);
                }
            }
            EncodedRun::Utf16(stretch) if is_text => {
                scratch.needs_full_scan = true;
                self.nested.utf16(search, &stretch, scratch, on);
            }
            EncodedRun::Text(run) => {
                middle::search(self.matcher, search, &run, scratch, on);
                if is_text && !follows_text(search.bytes, run.start) {
                    broken.before_run(search, &run, scratch, on);
                }
            }
            EncodedRun::Gap(at) if is_text => broken.gap_at(search, at, scratch, on),
            EncodedRun::Utf32(at) if is_text => {
                scratch.needs_full_scan = true;
                self.nested.utf32(search, at, scratch, on);
            }
            EncodedRun::ShortLine(_)
            | EncodedRun::Utf16(_)
            | EncodedRun::Gap(_)
            | EncodedRun::Utf32(_) => {}
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
                let mut before = bytes[start..hit.start].iter().rev();
                if !before.all(|&byte| base64_digit(byte).is_some()) {
                    continue;
                }
                let (inspected_start, inspected_end) =
                    (start.min(run.start.saturating_sub(MIN_RUN)), run.end + 1);
                let (scheme, kind) = (form.scheme, form.kind);
                let place = Start { scheme, kind, start, inspected_start, inspected_end };
                place.decide(self.matcher, search, scratch, on);
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
                kind: AnchorKind::Head,
                start,
                inspected_start,
                inspected_end: after_run,
            };
            place.decide(self.matcher, search, scratch, on);
        }
        for middle in self.literals.middles(escape) {
            let (bytes, layer) = (search.bytes, escape.layer);
            let Some(start) = middle_start(bytes, at, middle, layer) else { continue };
            is_unmatched = false;
            let (scheme, kind) = (Scheme::Text(layer), AnchorKind::Middle);
            let inspected_start = inspected_start.min(start);
            let place = Start { scheme, kind, start, inspected_start, inspected_end: after_run };
            place.decide(self.matcher, search, scratch, on);
        }
        if is_unmatched {
            let inspected_end = after_run.max(at + DECODE_LOOKAHEAD);
            on(Candidate { inspected_start, start: at, inspected_end, found: None }, &[]);
        }
    }
}
