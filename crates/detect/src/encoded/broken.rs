//! Finds tokens whose head itself is broken by a gap.
//!
//! Input: bytes and places where a gap may be. Output: candidates. A token whose head is complete is found
//! by the plain search ([`super::start::decode_after_head`]).
//!
//! A gap within a head is found in four ways, none of which costs anything on ordinary text:
//! - by its first byte, if that is rare in text: the escape character, or the first byte of a character
//!   without a width;
//! - by the `<` of a closing or inline tag, in content whose beginning looks like markup;
//! - by the line end, in content that begins with a hex dump;
//! - by what follows it, if that is a long run that begins with the rest of a head.

use super::breaks;
use super::class::{Classified, MIN_RUN};
use super::decode::Scheme;
use super::dump;
use super::pairs::Pairs;
use super::start::Start;
use crate::anchor::AnchorKind;
use crate::candidate::{Candidate, OnCandidate};
use crate::encoding::Layer;
use crate::matcher::Matcher;
use crate::scratch::Scratch;
use crate::search::Search;
use memchr::{memchr_iter, memchr2_iter, memchr3_iter};
use std::ops::Range;

/// Maximum length of a gap that is found from its end, in bytes.
pub(crate) const MAX_BACK: usize = 512;

/// Number of first bytes that decide whether content is markup or a hex dump.
pub(crate) const CONTENT_HEAD: usize = 1024;

/// Inline tags of HTML and of office documents; a closing tag begins with `</`.
const INLINE_TAGS: [&[u8]; 22] = [
    b"span", b"wbr", b"w:", b"a:", b"text:", b"b", b"i", b"u", b"s", b"em", b"strong", b"mark",
    b"font", b"code", b"tt", b"a", b"ins", b"del", b"br", b"sub", b"sup", b"kbd",
];

/// The heads of the provable rules, prepared for a search from either side of a gap.
#[derive(Debug)]
pub(crate) struct BrokenHeads {
    heads: Vec<Box<[u8]>>,
    /// The bytes of heads after which a gap may begin: all but the last of each.
    before_gap: [bool; 256],
    /// The parts of heads before a gap, by their last byte, each once.
    parts: Vec<Vec<Box<[u8]>>>,
    /// The pairs of bytes before a gap in a head.
    ends: Pairs,
    /// The pairs of bytes with which the rest of a token may begin after a gap in its head.
    rest_pairs: Pairs,
    /// The parts of heads after a gap, by their first byte, without those that begin with another.
    rests: Vec<Vec<Box<[u8]>>>,
    longest: usize,
}

impl BrokenHeads {
    pub(super) fn new(heads: &[&[u8]]) -> Self {
        let mut before_gap = [false; 256];
        let (mut ends, mut rest_pairs) = (Pairs::new(), Pairs::new());
        let mut parts: Vec<Vec<Box<[u8]>>> = vec![Vec::new(); 256];
        let mut rests = parts.clone();
        for head in heads {
            for &byte in head.iter().rev().skip(1) {
                before_gap[usize::from(byte)] = true;
            }
            for at in 1..head.len() {
                // One byte of the head may be followed, or preceded, by any other.
                let any = || 0..=u8::MAX;
                let second = head.get(at + 1).map_or_else(any, |&second| second..=second);
                second.for_each(|second| rest_pairs.add(head[at], second));
                let first = at.checked_sub(2).map_or_else(any, |at| head[at]..=head[at]);
                first.for_each(|first| ends.add(first, head[at - 1]));
                let same = &mut parts[usize::from(head[at - 1])];
                if !same.iter().any(|part| **part == head[..at]) {
                    same.push(head[..at].into());
                }
                rests[usize::from(head[at])].push(head[at..].into());
            }
        }
        for same in &mut rests {
            same.sort_unstable();
            same.dedup_by(|longer: &mut Box<[u8]>, shorter| longer.starts_with(shorter));
        }
        let longest = heads.iter().map(|head| head.len()).max().unwrap_or(0);
        let heads = heads.iter().map(|&head| head.into()).collect();
        Self { heads, before_gap, parts, ends, rest_pairs, rests, longest }
    }

    /// Returns pairs of bytes, one of which is at every place where a gap begins in a head.
    pub(crate) fn needles(&self) -> Vec<[u8; 2]> {
        let first = [0x1b, b'<', 0xc2, 0xe2, 0xef];
        let before = (0..=u8::MAX).filter(|&byte| self.before_gap[usize::from(byte)]);
        let mut all: Vec<[u8; 2]> =
            before.flat_map(|byte| first.map(|first| [byte, first])).collect();
        all.extend([*b"\x1b[", *b"\x1b]", *b"\x1b(", *b"\x1b)", *b"</"]);
        all.extend(INLINE_TAGS.map(|name| [b'<', name[0]]));
        all.extend([
            [0xe2, 0x80],
            [0xe2, 0x81],
            [0xef, 0xb8],
            [0xef, 0xbb],
            [0xbb, 0xbf],
            [0xc2, 0xad],
        ]);
        all.extend((0x80..0xb0).flat_map(|last| [[0x80, last], [0x81, last], [0xb8, last]]));
        all
    }

    /// Returns `true` if a gap that is found by its first byte may begin after a part of a head.
    pub(crate) fn has_gap(&self, bytes: &[u8]) -> bool {
        memchr3_iter(0x1b, b'<', 0xe2, bytes)
            .chain(memchr2_iter(0xc2, 0xef, bytes))
            .any(|at| self.is_gap(bytes, at))
    }

    /// Returns `true` if a tag may begin after a part of a head.
    pub(crate) fn has_tag(&self, bytes: &[u8]) -> bool {
        memchr_iter(b'<', bytes).any(|at| self.is_gap(bytes, at))
    }

    /// Returns `true` if a run of escaped text may contain a gap after a part of a head.
    pub(super) fn has_escaped_gap(&self, run: &[u8]) -> bool {
        memchr2_iter(b'&', b'\\', run)
            .any(|at| self.is_after_head(run, at) && breaks::skip(run, at).is_some())
    }

    fn is_after_head(&self, bytes: &[u8], at: usize) -> bool {
        at.checked_sub(1).is_some_and(|before| self.before_gap[usize::from(bytes[before])])
    }

    /// Returns `true` if a gap may begin at `at`, after a part of a head. Bytes after the end are unknown, and
    /// so are bytes before the beginning.
    pub(crate) fn is_gap(&self, bytes: &[u8], at: usize) -> bool {
        self.is_after_head(bytes, at)
            && match bytes[at] {
                b'<' => bytes
                    .get(at + 1)
                    .is_none_or(|&next| next == b'/' || is_inline(&bytes[at + 1..])),
                0x1b => true,
                _ => bytes.len() < at + 3 || breaks::is_invisible_at(&bytes[at..]),
            }
            && (at < self.longest || self.has_start(bytes, at))
    }

    /// Lists the parts of heads that end at `gap`.
    fn parts_before<'a>(&'a self, bytes: &'a [u8], gap: usize) -> impl Iterator<Item = &'a [u8]> {
        let before = &bytes[..gap];
        let parts: &[Box<[u8]>] = match before {
            [.., first, second] if !self.ends.contains(*first, *second) => &[],
            [.., last] => &self.parts[usize::from(*last)][..],
            [] => &[],
        };
        parts.iter().map(|part| &**part).filter(|part| before.ends_with(part))
    }

    /// Returns `true` if a part of a head ends at `gap`.
    fn has_start(&self, bytes: &[u8], gap: usize) -> bool {
        self.parts_before(bytes, gap).next().is_some()
    }

    /// Returns `true` if a byte may follow a part of a head.
    fn may_continue(&self, part: &[u8], next: u8) -> bool {
        let mut rests = self.heads.iter().filter_map(|head| head.strip_prefix(part));
        rests.any(|rest| rest.first() == Some(&next))
    }

    /// Lists the starts of the parts of heads that end at `gap`.
    fn starts(&self, bytes: &[u8], gap: usize) -> Vec<usize> {
        let mut starts: Vec<usize> =
            self.parts_before(bytes, gap).map(|part| gap - part.len()).collect();
        starts.retain(|&start| !breaks::ends_at(bytes, start));
        starts
    }

    /// Calls `on_start` with the start of every part of a head before a gap, and the offset of the gap.
    pub(super) fn each_start(&self, bytes: &[u8], mut on_start: impl FnMut(usize, usize)) {
        for at in 1..bytes.len() {
            let is_gap = self.is_after_head(bytes, at) && breaks::may_begin(&bytes[at..]);
            if is_gap {
                self.starts(bytes, at).into_iter().for_each(|start| on_start(start, at));
            }
        }
    }

    /// Returns `true` if a run begins with the end of a head, and continues as a secret may.
    #[inline]
    pub(crate) fn is_rest(&self, run: &[u8]) -> bool {
        let Some(&[first, second]) = run.first_chunk() else { return false };
        self.rest_pairs.contains(first, second) && self.is_rest_of_head(run)
    }

    fn is_rest_of_head(&self, run: &[u8]) -> bool {
        let Some(&first) = run.first() else { return false };
        let secret = &run[..run.len().min(MIN_RUN)];
        // Ruled-out runs are rulers and names.
        self.rests[usize::from(first)].iter().any(|rest| run.starts_with(rest))
            && Classified::text(secret).kinds() > 1
    }
}

/// Returns `true` if the text after `<` is an inline tag, or may be one if it is cut off.
fn is_inline(rest: &[u8]) -> bool {
    // Most tags are capitalized: they are the parameters of generic types.
    if rest.first().is_some_and(|byte| !byte.is_ascii_lowercase()) {
        return false;
    }
    INLINE_TAGS.iter().any(|name| match rest.strip_prefix(*name) {
        Some(after) => {
            name.ends_with(b":") || after.first().is_none_or(|it| b" />\t\r\n".contains(it))
        }
        None => name.starts_with(rest),
    })
}

/// The kind of content: in some kinds, gaps in heads are searched for by bytes
/// that are frequent in others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DocumentKind {
    is_markup: bool,
    is_dump: bool,
}

impl DocumentKind {
    /// Determines the kind of content by its first [`CONTENT_HEAD`] bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(CONTENT_HEAD)];
        Self { is_markup: is_markup(head), is_dump: dump::is_dump(head) }
    }
}

/// Returns `true` if the beginning of the content, `head`, looks like HTML or XML.
fn is_markup(head: &[u8]) -> bool {
    memchr_iter(b'<', head).any(|at| matches!(head.get(at + 1), Some(b'/' | b'?' | b'!')))
        || memchr_iter(b'>', head).any(|at| at > 0 && head[at - 1] == b'/')
}

/// The search for broken heads.
#[derive(Clone, Copy)]
pub(super) struct BrokenSearch<'a> {
    pub(super) matcher: &'a Matcher,
    pub(super) heads: &'a BrokenHeads,
}

impl BrokenSearch<'_> {
    /// Searches markup for tags within heads, and a hex dump for line ends within heads.
    pub(super) fn tags_and_lines(
        &self,
        search: &Search<'_>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let DocumentKind { is_markup, is_dump } = DocumentKind::of(search.bytes);
        let part = search.part.clone();
        if is_markup {
            for at in memchr_iter(b'<', &search.bytes[part.clone()]) {
                self.gap_at(search, part.start + at, scratch, on);
            }
        }
        if is_dump {
            // Line ends are no gaps in other content, so a delta does not check them.
            scratch.needs_full_scan = true;
            for at in memchr_iter(b'\n', &search.bytes[part.clone()]) {
                let line_end = part.start + at;
                // The gap begins before the line end: `|` and a carriage return belong to it.
                let before = search.bytes[..line_end].iter().rev().take(2);
                let back = before.take_while(|byte| matches!(byte, b'|' | b'<' | b'\r')).count();
                if self.heads.is_after_head(search.bytes, line_end - back) {
                    self.broken_at(search, line_end - back, scratch, on);
                }
            }
        }
    }

    /// Decodes the tokens whose heads are broken by the gap that may begin at an offset.
    pub(super) fn gap_at(
        &self,
        search: &Search<'_>,
        at: usize,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        if self.heads.is_gap(search.bytes, at) {
            self.broken_at(search, at, scratch, on);
        }
    }

    /// Searches a run of escaped text for gaps that are escaped.
    pub(super) fn escaped(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let part = run.start..run.end.min(search.part.end);
        for at in memchr2_iter(b'&', b'\\', &search.bytes[part.clone()]) {
            if self.heads.is_after_head(search.bytes, part.start + at) {
                self.broken_at(search, part.start + at, scratch, on);
            }
        }
    }

    fn broken_at(
        &self,
        search: &Search<'_>,
        at: usize,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        let starts = self.heads.starts(bytes, at);
        let Some(&first) = starts.iter().min() else { return };
        let inspected_start = first.saturating_sub(1);
        let gap = breaks::skip(bytes, at);
        let mut is_tried = false;
        if let Some(gap) = gap {
            let inspected_end = gap.end + 1;
            for start in starts {
                if self.heads.may_continue(&bytes[start..at], bytes[gap.end]) {
                    let (scheme, kind) = (Scheme::Broken(gap.layer), AnchorKind::Head);
                    let place = Start { scheme, kind, start, inspected_start, inspected_end };
                    place.decide(self.matcher, search, scratch, on);
                    is_tried = true;
                }
            }
        }
        if !is_tried {
            let inspected_end = gap.map_or_else(|| breaks::reach(bytes, at), |gap| gap.end + 1);
            on(Candidate { inspected_start, start: first, inspected_end, found: None }, &[]);
        }
    }

    /// Decodes the tokens whose heads end in a run, after a gap.
    pub(super) fn before_run(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        let before = run.start.checked_sub(1).map(|before| bytes[before]);
        if !before.is_some_and(may_end_gap) || !self.heads.is_rest(&bytes[run.clone()]) {
            return;
        }
        let line = before.filter(|&byte| is_blank(byte)).map(|_| before_line(bytes, run.start));
        let inspected_start = match line {
            Some(BeforeLine::Other(at)) => at,
            Some(BeforeLine::End) | None => run.start.saturating_sub(MAX_BACK + 2),
        };
        let inspected_end = run.end + 1;
        on(Candidate { inspected_start, start: run.start, inspected_end, found: None }, &[]);
        if matches!(line, Some(BeforeLine::Other(_))) {
            return;
        }
        let least = run.start.saturating_sub(MAX_BACK);
        for at in (least + 1..run.start).rev() {
            if breaks::is_piece(bytes[at]) || !breaks::is_piece(bytes[at - 1]) {
                continue;
            }
            // The soft line break of quoted-printable.
            let is_soft = bytes[at - 1] == b'=' && matches!(bytes[at], b'\r' | b'\n');
            let at_gap = if is_soft { at - 1 } else { at };
            if !self.heads.is_after_head(bytes, at_gap) {
                continue;
            }
            let Some(gap) = breaks::skip(bytes, at).filter(|gap| gap.end == run.start) else {
                continue;
            };
            let soft = Scheme::Text(Layer::QuotedPrintable);
            let scheme = if is_soft { soft } else { Scheme::Broken(gap.layer) };
            for start in self.heads.starts(bytes, at_gap) {
                let kind = AnchorKind::Head;
                let place = Start { scheme, kind, start, inspected_start, inspected_end };
                place.decide(self.matcher, search, scratch, on);
            }
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Returns `true` if a gap may end with a byte, unless it begins with an escape character or is escaped
/// itself. Such gaps are found by their beginning.
fn may_end_gap(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b' ' | b'\t' | b'>' | b';' | 0x80..)
}

/// The text before the blanks and marks at the beginning of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BeforeLine {
    /// The end of another line.
    End,
    /// Other text; the offset of its last byte.
    Other(usize),
}

/// Reads blanks and the marks of quotations and comments back to the end of the line before.
fn before_line(bytes: &[u8], at: usize) -> BeforeLine {
    let least = at.saturating_sub(MAX_BACK);
    let is_mark = |byte: &u8| is_blank(*byte) || b"/-#*>;%|".contains(byte);
    let marks = bytes[least..at].iter().rev().take_while(|byte| is_mark(byte)).count();
    let before = &bytes[least..at - marks];
    match before {
        [.., b'\n' | b'\r'] | [.., b'\\', b'n'] => BeforeLine::End,
        _ => BeforeLine::Other((at - marks).saturating_sub(2)),
    }
}
