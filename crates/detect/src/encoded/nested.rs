//! Searches nested content: UTF-16, and base64 of text, gzip or zlib, up to three levels deep.
//!
//! Input: runs and stretches that begin in the searched part. Output: the tokens found in their content,
//! with the span of the text that encodes them. A function of the caller searches the content.
//!
//! Text is decoded once, even if several of its lines look like its beginning, and only as far as the
//! budget allows ([`crate::budget`]). UTF-16 in the input itself is searched without a limit, since the
//! cost is linear in its length.

use super::base64_run::{self, Content};
use super::class::is_run;
use super::decode::{LOOKBEHIND, MAX_BROKEN, utf16};
use super::endianness;
use super::stream::{Base64Reader, Base64Stream};
use crate::budget::{self, Budget};
use crate::candidate::{Candidate, Evidence, Match, OnCandidate};
use crate::encoding::{Encoding, Layer};
use crate::matcher::Matcher;
use crate::scratch::{EncodedArchive, Scratch};
use crate::search::{DEPTH, Level, Search};
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use std::io::Read;
use std::ops::Range;

/// Number of bytes of a character of UTF-32.
const UTF32_WIDTH: usize = 4;

/// Number of bytes decoded or decompressed between two checks of the budget.
const STEP: usize = 64 * 1024;

/// Maximum decompressed size of one stream at the outermost level, in bytes; half of that at each further
/// level. It limits memory; the budget limits work.
const MAX_UNPACKED: usize = 64 << 20;

/// Searches bytes for tokens, encoded or not, within the budget.
pub(crate) type SearchBytes<'a> = &'a dyn Fn(&Search<'_>, &mut Scratch, OnCandidate<'_>);

/// Base64 of compressed data.
#[derive(Clone, Copy, Debug)]
struct Packed {
    /// The offset of its first character.
    at: usize,
    /// The compression.
    layer: Layer,
}

/// The search of encoded content.
#[derive(Clone, Copy)]
pub(crate) struct NestedSearch<'a> {
    /// Searches the decoded content, which may contain further encoded content.
    pub(crate) search_bytes: SearchBytes<'a>,
    /// The rules whose tokens are found.
    pub(crate) matcher: &'a Matcher,
}

impl NestedSearch<'_> {
    /// Decodes a stretch of UTF-16 to its end, even beyond the searched part, and searches it.
    pub(super) fn utf16(
        &self,
        search: &Search<'_>,
        stretch: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        let known = &scratch.progress.utf16;
        let is_known = known.contains(&stretch.start)
            && stretch.end <= known.end
            && (stretch.start - known.start).is_multiple_of(2);
        if search.depth == 0 || is_known {
            return;
        }
        // Tokens may begin before the searched part.
        let mut first = stretch.start;
        let least = stretch.start.saturating_sub(2 * LOOKBEHIND);
        while first >= least + 2 && bytes[first - 1] == 0 && bytes[first - 2] != 0 {
            first -= 2;
        }
        let mut text = scratch.buffer();
        utf16(bytes, first, &mut text);
        search.spend(&mut scratch.budget, budget::DECODED * text.len() as u64);
        let last = bytes.len().min(first + 2 * text.len());
        scratch.progress.utf16 = stretch.start..last;
        let part = (stretch.start - first) / 2..text.len();
        let archives = scratch.archive_count();
        let inner = Search { part, ..search.inner(&text, search.level) };
        self.search_decoded(&inner, scratch, &mut |found, token| {
            let (start, end) = (first + 2 * found.start, first + 2 * found.end);
            let layer = endianness::byte_order(search, start, end - 2);
            let back = usize::from(layer == Layer::Utf16Be);
            let (start, end) = (start.saturating_sub(back), (end - back).min(bytes.len()));
            let encoding = found.encoding.wrapped_in(Encoding::PLAIN.with([layer]));
            let found = Match { start, end, encoding, ..found };
            on(
                Candidate {
                    inspected_start: first.min(start),
                    start,
                    inspected_end: last,
                    found: Some(found),
                },
                token,
            );
        });
        scratch.move_archives(archives, |start| first + 2 * start);
        scratch.give_back(text);
    }

    /// Decodes the UTF-32 around an offset, and searches it.
    pub(super) fn utf32(
        &self,
        search: &Search<'_>,
        at: usize,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        let Some(probe) = (at..at + 4).find(|&at| bytes.get(at).is_some_and(|&byte| byte != 0))
        else {
            return;
        };
        let known = &scratch.progress.utf32;
        let is_known = known.contains(&probe) && (probe - known.start).is_multiple_of(UTF32_WIDTH);
        if search.depth == 0 || is_known {
            return;
        }
        let is_character =
            |at: usize| matches!(bytes[at], 1..0x80) && bytes[at + 1..].starts_with(&[0; 3]);
        // Tokens may begin before the searched part.
        let least = search.part.start.saturating_sub(UTF32_WIDTH * LOOKBEHIND);
        let mut first = probe;
        while first >= least + UTF32_WIDTH && is_character(first - UTF32_WIDTH) {
            first -= UTF32_WIDTH;
        }
        let mut text = scratch.buffer();
        let mut last = first;
        let limit = bytes.len().min(search.part.end + UTF32_WIDTH * MAX_BROKEN);
        // The zeros after the last character belong to the little-endian order only.
        while last < limit && bytes[last] != 0 {
            text.push(bytes[last]);
            last += UTF32_WIDTH;
            if !bytes[last - 3..].starts_with(&[0; 3]) {
                break;
            }
        }
        search.spend(&mut scratch.budget, budget::DECODED * text.len() as u64);
        scratch.progress.utf32 = first..last.min(search.part.end);
        let index_of = |at: usize| at.saturating_sub(first).div_ceil(UTF32_WIDTH).min(text.len());
        let part = index_of(search.part.start)..index_of(search.part.end);
        let inner = Search { part, ..search.inner(&text, search.level) };
        let archives = scratch.archive_count();
        let layer = endianness::utf32_byte_order(search, first);
        let back = if layer == Layer::Utf32Be { UTF32_WIDTH - 1 } else { 0 };
        self.search_decoded(&inner, scratch, &mut |found, token| {
            let place = |index: usize| (first + UTF32_WIDTH * index).saturating_sub(back);
            let (start, end) = (place(found.start), place(found.end).min(bytes.len()));
            let encoding = found.encoding.wrapped_in(Encoding::PLAIN.with([layer]));
            let found = Match { start, end, encoding, ..found };
            let inspected_start = first.saturating_sub(back);
            on(
                Candidate { inspected_start, start, inspected_end: last, found: Some(found) },
                token,
            );
        });
        scratch.move_archives(archives, |start| first + UTF32_WIDTH * start);
        scratch.give_back(text);
    }

    /// Decodes base64 that begins in the searched part, and searches its content.
    pub(super) fn base64(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        if search.depth == 0 {
            return;
        }
        let before = run.start.checked_sub(1).map(|at| bytes[at]);
        let is_cut = before.is_some_and(|byte| byte != b'=' && is_run(byte));
        // Padding ends base64, and an assigned value begins after the `=`.
        let mut next = run.start;
        for part in bytes[run.clone()].split_inclusive(|&byte| byte == b'=') {
            let at = next;
            next += part.len();
            let part = part.strip_suffix(b"=").unwrap_or(part);
            if part.len() < base64_run::SHORTEST || at >= search.part.end {
                continue;
            }
            if at == run.start && is_cut || !base64_run::is_mixed(part) {
                continue;
            }
            let Some(content) = base64_run::content_from(bytes, at..at + part.len()) else {
                continue;
            };
            scratch.needs_full_scan = true;
            match content {
                Content::Text | Content::Archive
                    if scratch.progress.chains.iter().any(|it| it.includes(at)) => {}
                // `is_spent` records an overrun only if there is content to decode.
                _ if scratch.budget.is_spent() => {}
                Content::Text => self.base64_text(search, at, scratch, on),
                Content::Packed(layer) => {
                    self.base64_packed(search, Packed { at, layer }, scratch, on);
                }
                Content::Archive if scratch.archives.is_none() => {}
                Content::Archive => base64_archive(search, at, scratch),
            }
        }
    }

    /// Decodes base64 of text.
    fn base64_text(
        &self,
        search: &Search<'_>,
        at: usize,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let mut stream = Base64Stream::new(search.bytes, at);
        let mut text = scratch.buffer();
        while !stream.is_over() && !scratch.budget.is_interrupted() && !scratch.budget.is_spent() {
            let before = text.len();
            stream.read(STEP, &mut text);
            scratch.budget.spend(budget::DECODED * (text.len() - before) as u64);
        }
        let layers = Encoding::PLAIN.with([Layer::Base64]);
        let inspected_end = stream.end();
        let known = scratch.archive_count();
        self.search_decoded(&search.inner(&text, Level::Decoded), scratch, &mut |found, token| {
            let (start, end) = (stream.start_of(found.start), stream.end_of(found.end));
            // The ordinary search finds tokens with a single level of base64, except for those without an anchor,
            // and for folded ones whose anchor is in their middle.
            let wide = Encoding::PLAIN.with([Layer::Utf16Le]);
            let is_single = found.encoding.is_plain() || found.encoding == wide;
            let is_folded = || search.bytes[start..end].iter().any(|&byte| !is_run(byte));
            let is_found = match self.matcher.rule(found.rule).format.anchor() {
                Some(anchor) => anchor.is_head() || !is_folded(),
                None => false,
            };
            if is_single && is_found {
                return;
            }
            let found = Match { start, end, encoding: found.encoding.wrapped_in(layers), ..found };
            on(Candidate { inspected_start: at, start, inspected_end, found: Some(found) }, token);
        });
        scratch.move_archives(known, |start| stream.start_of(start));
        scratch.give_back(text);
        let chains = &mut scratch.progress.chains;
        chains.retain(|chain| chain.end() > at);
        chains.push(stream.into_chain());
    }

    /// Decompresses and searches the content of base64.
    fn base64_packed(
        &self,
        search: &Search<'_>,
        Packed { at, layer }: Packed,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let mut feed = Base64Reader::new(Base64Stream::new(search.bytes, at));
        let mut content = scratch.buffer();
        let most = MAX_UNPACKED >> (DEPTH - search.depth);
        match layer {
            Layer::Zlib => {
                let decoder = ZlibDecoder::new(&mut feed);
                unpack(decoder, most, &mut content, &mut scratch.budget);
            }
            _ => {
                let decoder = MultiGzDecoder::new(&mut feed);
                unpack(decoder, most, &mut content, &mut scratch.budget);
            }
        }
        scratch.budget.spend(budget::DECODED * feed.consumed() as u64);
        let end = feed.end();
        let layers = Encoding::PLAIN.with([Layer::Base64, layer]);
        if base64_run::is_archive(&content)
            && let Some(archives) = &mut scratch.archives
        {
            archives.push(EncodedArchive { start: at, bytes: content.clone() });
        }
        let known = scratch.archive_count();
        self.search_decoded(
            &search.inner(&content, Level::Decoded),
            scratch,
            &mut |found, token| {
                let encoding = found.encoding.wrapped_in(layers);
                let found = Match { start: at, end, encoding, ..found };
                on(
                    Candidate {
                        inspected_start: at,
                        start: at,
                        inspected_end: end,
                        found: Some(found),
                    },
                    token,
                );
            },
        );
        scratch.move_archives(known, |_| at);
        scratch.give_back(content);
    }

    /// Searches decoded content.
    fn search_decoded(
        &self,
        inner: &Search<'_>,
        scratch: &mut Scratch,
        on_match: &mut dyn FnMut(Match, &[u8]),
    ) {
        (self.search_bytes)(inner, scratch, &mut |candidate, token| {
            if let Some(found) = candidate.found.filter(|found| found.evidence == Evidence::Proven)
            {
                on_match(found, token);
            }
        });
    }
}

/// Decodes base64 of an archive for the caller, which unpacks it.
fn base64_archive(search: &Search<'_>, at: usize, scratch: &mut Scratch) {
    let mut stream = Base64Stream::new(search.bytes, at);
    let mut bytes = Vec::new();
    let most = MAX_UNPACKED >> (DEPTH - search.depth);
    while !stream.is_over() && !scratch.budget.is_interrupted() {
        if bytes.len() >= most || scratch.budget.is_spent() {
            scratch.budget.exceed();
            break;
        }
        let before = bytes.len();
        stream.read(STEP, &mut bytes);
        scratch.budget.spend(budget::DECODED * (bytes.len() - before) as u64);
    }
    scratch.progress.chains.push(stream.into_chain());
    if let Some(archives) = &mut scratch.archives {
        archives.push(EncodedArchive { start: at, bytes });
    }
}

/// Decompresses at most `most` bytes, or fewer if the budget is used up. A broken stream yields the bytes
/// before the error.
fn unpack(mut decoder: impl Read, most: usize, out: &mut Vec<u8>, budget: &mut Budget) {
    while !budget.is_interrupted() {
        if out.len() >= most || budget.is_empty() {
            if matches!(decoder.read(&mut [0]), Ok(1..)) {
                budget.exceed();
            }
            break;
        }
        let before = out.len();
        let step = STEP.min(most - before);
        let read = decoder.by_ref().take(step as u64).read_to_end(out);
        budget.spend(budget::UNPACKED * (out.len() - before) as u64);
        if read.is_err() || out.len() - before < step {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::ContentKind;
    use std::cell::RefCell;
    use std::sync::Arc;

    /// Searches `text` twice and returns the nested contents that were searched, each with its depth.
    fn contents(text: &[u8], depth: usize) -> Vec<(Vec<u8>, usize)> {
        let contents = RefCell::new(Vec::new());
        let record = |search: &Search<'_>, _: &mut Scratch, _: OnCandidate<'_>| {
            contents.borrow_mut().push((search.bytes.to_vec(), search.depth));
        };
        let matcher = Matcher::new(Arc::default()).expect("no rules");
        let nested = NestedSearch { search_bytes: &record, matcher: &matcher };
        let part = 0..text.len();
        let search = Search {
            bytes: text,
            part: part.clone(),
            depth,
            kind: ContentKind::WHOLE,
            level: Level::Raw,
        };
        let mut scratch = Scratch::default();
        scratch.budget.start(text.len());
        for _ in 0..2 {
            nested.base64(&search, &part, &mut scratch, &mut |_, _| {});
        }
        contents.into_inner()
    }

    #[test]
    fn text_is_decoded_once_and_searched_one_level_deeper() {
        let text =
            b"eyJhcGlWZXJzaW9uIjoidjEiLCJkYXRhIjp7InRva2VuIjoiWkdSd1lYUmZNVEl6TkRVMk56ZzVNREV5";
        let found = contents(text, 2);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0.starts_with(b"{\"apiVersion\":\"v1\""), "{found:?}");
        assert_eq!(found[0].1, 1);
        assert_eq!(contents(text, 0), []);
    }
}
