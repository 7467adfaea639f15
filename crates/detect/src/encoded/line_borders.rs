//! Searches for literals that cross from one line of base64 or hex to the next.
//!
//! Input: runs. Output: positions where a token may begin, or candidates. Lines that are shorter than an encoded
//! token are followed only on more evidence ([`super::short_lines`]).

use super::EncodedSearch;
use super::base64_run;
use super::class::{is_run, looks_like_base64};
use super::digit::base64_digit;
use super::fold::Fold;
use super::gap::MAX_GAP;
use super::line_prefix::{self, Gap};
use super::literals::Literals;
use super::runs::{self, EncodedRun};
use super::start::Start;
use crate::anchor::AnchorKind;
use crate::candidate::OnCandidate;
use crate::scratch::Scratch;
use crate::search::Search;
use std::ops::Range;

/// Maximum number of ways to continue after the end of a line that are remembered, to skip repeated ones.
const MAX_BORDERS: usize = 12;

/// The end of a line of encoded text, and the beginning of the next.
#[derive(Clone, Copy, Debug)]
struct Border {
    end: usize,
    /// The number of encoded characters before the end.
    tail: usize,
    next: usize,
}

/// Lists the offsets where encoded text that ends at `end` may continue.
fn borders(bytes: &[u8], end: usize) -> impl Iterator<Item = usize> {
    let folds = std::iter::once(Fold::Plain).chain(Fold::others(bytes, end));
    folds.filter_map(move |mut fold| match fold.next(bytes, end) {
        Gap::Next(next) => Some(next),
        Gap::Closed | Gap::Open => None,
    })
}

/// Returns the end of the encoded text of a run: without the `=` of a soft line break of quoted-printable.
pub(super) fn text_end(bytes: &[u8], run_end: usize) -> usize {
    let is_soft =
        bytes[..run_end].ends_with(b"=") && matches!(bytes.get(run_end), Some(b'\r' | b'\n'));
    run_end - usize::from(is_soft)
}

/// Calls `on_start` with every position at the end of a run in `text` where a literal begins that crosses to the next
/// line.
pub(super) fn crossings(literals: &Literals, text: &[u8], mut on_start: impl FnMut(Start)) {
    runs::walk(text, 0..text.len(), |found| {
        if let EncodedRun::ShortLine(run) | EncodedRun::Base64OrHex(run) = found {
            each_crossing(literals, text, text_end(text, run.end), &mut on_start);
        }
    });
}

/// Calls `on_start` with every position at the end of a line where a literal begins that crosses to the next line.
/// `end` is the end of the line's encoded text.
fn each_crossing(literals: &Literals, bytes: &[u8], end: usize, mut on_start: impl FnMut(Start)) {
    let tail = bytes[..end].iter().rev().take(literals.longest);
    let tail = tail.take_while(|&&byte| is_run(byte)).count();
    if tail == 0 {
        return;
    }
    let mut tried = [None; MAX_BORDERS];
    for (at, next) in borders(bytes, end).enumerate() {
        if tried.contains(&Some(next)) {
            continue;
        }
        if let Some(place) = tried.get_mut(at) {
            *place = Some(next);
        }
        if literals.may_join(bytes[end - 1], bytes[next]) {
            Border { end, tail, next }.each_crossing(literals, bytes, &mut on_start);
        }
    }
}

impl Border {
    /// Calls `on_start` with the start of every literal that crosses the border.
    fn each_crossing(self, literals: &Literals, bytes: &[u8], on_start: &mut impl FnMut(Start)) {
        let Self { end, tail, next } = self;
        // From both lines as many characters as a literal and the character before it can have.
        let longest = literals.longest;
        let mut places: Vec<usize> = (end - tail..end).collect();
        let ahead =
            bytes[next..].iter().take(longest).take_while(|&&it| base64_digit(it).is_some());
        places.extend((next..).take(ahead.count()));
        let text: Vec<u8> = places.iter().map(|&at| bytes[at]).collect();
        literals.prefilter.find(&text, 0..text.len(), |hit| {
            let needle = &literals.needles[hit.needle];
            for form in needle.forms.iter().filter(|form| form.kind == AnchorKind::Head) {
                let Some(first) = hit.start.checked_sub(form.back) else { continue };
                if first < tail && hit.start + needle.text.len() > tail {
                    let (start, inspected_start) = (places[first], places[0]);
                    on_start(Start {
                        scheme: form.scheme,
                        kind: form.kind,
                        start,
                        inspected_start,
                        inspected_end: next + longest,
                    });
                }
            }
        });
    }
}

impl EncodedSearch<'_> {
    /// Searches for literals that cross from one line of base64 or hex to the next. Returns the range that
    /// decides whether and where the line continues; `None` if no literal can begin at its end.
    pub(super) fn line_borders(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) -> Option<Range<usize>> {
        let bytes = search.bytes;
        if run.end > search.part.end {
            // The search of the part where the line ends does this.
            return None;
        }
        let end = text_end(bytes, run.end);
        // Decide by the end of the line, so that the result is the same for every division into parts.
        let tail = bytes[..end].iter().rev().take(base64_run::MIXED);
        let tail = tail.take_while(|&&byte| is_run(byte)).count();
        let tail = &bytes[end - tail..end];
        if tail.ends_with(b"=") || !looks_like_base64(tail) && !self.literals.may_begin_hex(tail) {
            return None;
        }
        let lines = line_prefix::inspected(bytes, end);
        let near = end + MAX_GAP + self.literals.longest;
        let inspected = lines.start..lines.end.max(near);
        let ahead = &bytes[end..bytes.len().min(inspected.end)];
        if self.literals.may_cross(tail, ahead) {
            self.cross(search, end, scratch, on);
        }
        Some(inspected)
    }

    /// Decodes from every literal that crosses from the line whose encoded text ends at `end` to the next one.
    pub(super) fn cross(
        &self,
        search: &Search<'_>,
        end: usize,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        each_crossing(self.literals, search.bytes, end, |place| {
            place.decide(self.matcher, search, scratch, on);
        });
    }
}
