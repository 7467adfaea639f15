//! Documents composed of encoded, folded, joined and damaged tokens: no division into parts or windows
//! changes the matches, and no place where a document is cut off ends the program.
//!
//! `COMPOSED_SEEDS=1000..2000` selects the documents, for longer runs than those of CI.

use crate::detect::encoded::{AFFIXES, affixed};
use crate::detect::{detector, new_detector};
use crate::support::encode::{self, ESCAPES, Which};
use crate::support::mint::{self, Random};
use ddpatrol::blob::{Blob, Context, Origin};
use ddpatrol::detect::{ContentKind, Haystack, Scratch};
use ddpatrol::redact::Redactor;
use ddpatrol::source::window::Windows;
use ddpatrol::source::{BlobSink, Run};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::collections::BTreeSet;
use std::io::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(new_detector()));

/// Separators of lines, literals and pieces.
const GAPS: [&str; 38] = [
    "\n",
    "\r\n",
    "\r",
    "\\n",
    "\\r\\n",
    "\n ",
    "\n\t",
    "\r\n ",
    "\n    # ",
    "\n// ",
    "\n-- ",
    "\n> ",
    "\n>> ",
    "\n * ",
    "\\\n",
    "\\\r\n   ",
    "\" + \"",
    "\" +\n  \"",
    "\"\n\"",
    "\" \\\n u8\"",
    "\" & _\n \"",
    "\\\" + \\\"",
    "\", \"",
    "',\n  '",
    "=\n",
    "=\r\n",
    "</b><i>",
    "</w:t></w:r>\n<w:r><w:t>",
    "\\u003c/b\\u003e",
    "&lt;br&gt;",
    "\x1b[0m",
    "\x1b]8;;x\x07",
    "\\u001b[31m",
    "\u{200b}",
    "&shy;",
    "&#8203;",
    "\\u200b",
    " \r\n",
];

/// The characters that are inserted at random, besides random bytes.
const MARKS: &[u8] = b"\0\0\n\r\t \"'`\\=%&<>;#{}.,+/-_:|\x1b\xc2\xe2\xefAa0";

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len())]
}

fn packed(random: &mut Random, text: &[u8]) -> Vec<u8> {
    if random.below(2) == 0 {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text).expect("in memory");
        return gzip.finish().expect("in memory");
    }
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(text).expect("in memory");
    zlib.finish().expect("in memory")
}

/// Replaces each byte by a character of four bytes.
fn widest(random: &mut Random, text: &[u8]) -> Vec<u8> {
    let bytes = if random.below(2) == 0 { u32::to_le_bytes } else { u32::to_be_bytes };
    text.iter().flat_map(|&byte| bytes(u32::from(byte))).collect()
}

/// Encodes or breaks a text in one way.
fn step(random: &mut Random, text: Vec<u8>) -> Vec<u8> {
    let Ok(plain) = std::str::from_utf8(&text) else {
        return match random.below(3) {
            0 => encode::hex(&text).into_bytes(),
            1 => encode::base64_url(&text).into_bytes(),
            _ => encode::base64(&text).into_bytes(),
        };
    };
    match random.below(16) {
        0 | 1 => encode::base64(&text).into_bytes(),
        2 => encode::base64_url(&text).into_bytes(),
        3 => encode::hex(&text).into_bytes(),
        4 => encode::hex(&text).to_uppercase().into_bytes(),
        5 => encode::utf16_le(plain),
        6 => encode::utf16_be(plain),
        7 => widest(random, &text),
        8 => {
            let which = if random.below(2) == 0 { Which::All } else { Which::Marks };
            encode::escape(plain, which, ESCAPES[random.below(ESCAPES.len())].1).into_bytes()
        }
        9 => {
            let is_mark = |it: &char| it.is_ascii_punctuation();
            plain
                .chars()
                .flat_map(|it| is_mark(&it).then_some('\\').into_iter().chain([it]))
                .collect::<String>()
                .into_bytes()
        }
        10 | 11 if plain.is_ascii() => {
            let width = [7, 20, 24, 30, 39, 40, 41, 60, 64, 76, 77][random.below(11)];
            encode::folded(plain, width, pick(random, &GAPS)).into_bytes()
        }
        12 if plain.is_ascii() => {
            let width = [20, 21, 32, 39, 40, 60, 64, 76][random.below(8)];
            affixed(plain, width, AFFIXES[random.below(AFFIXES.len())]).into_bytes()
        }
        13 => packed(random, &text),
        14 if plain.is_ascii() && plain.len() > 1 => {
            let cut = 1 + random.below(plain.len() - 1);
            [&plain[..cut], pick(random, &GAPS), &plain[cut..]].concat().into_bytes()
        }
        _ => {
            let around =
                ["data ", "ab", "?", "{\"k\": \"", "some text that is long enough for base64 "];
            [
                pick(random, &around).as_bytes(),
                &text[..],
                pick(random, &["\n", "", "\"}", " and more of it"]).as_bytes(),
            ]
            .concat()
        }
    }
}

/// Inserts, deletes, replaces or repeats a few bytes.
fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = bytes.len().min(at + random.below(6));
        let with = match random.below(5) {
            0 => Vec::new(),
            1 => vec![random.next() as u8],
            2 => pick(random, &GAPS).into(),
            3 => bytes[at.saturating_sub(random.below(90))..at].to_vec(),
            _ => vec![MARKS[random.below(MARKS.len())]; 1 + random.below(3)],
        };
        drop(bytes.splice(at..end, with));
    }
}

/// Returns the document of a seed.
fn document(seed: u64) -> Vec<u8> {
    let random = &mut Random(seed);
    let mut bytes = Vec::new();
    if random.below(6) == 0 {
        bytes.extend(pick(random, &["\u{feff}", "<p></p>", "x", "\0"]).as_bytes());
    }
    for _ in 0..1 + random.below(3) {
        let mut text = mint::any(random).1.into_bytes();
        for _ in 0..random.below(4) {
            text = step(random, text);
            if text.len() > 2500 {
                break;
            }
        }
        damage(random, &mut text);
        bytes.extend(text);
        match random.below(3) {
            0 => bytes.extend(mint::filler(random)),
            1 => bytes.extend(pick(random, &GAPS).as_bytes()),
            _ => {}
        }
    }
    bytes.truncate(6000);
    bytes
}

/// Start, end, encoding and token of each match.
type Matches = BTreeSet<(u64, u64, String, Vec<u8>)>;

struct Collect {
    scratch: Scratch,
    found: Matches,
}

impl Collect {
    fn new() -> Self {
        Self { scratch: Scratch::default().collecting_archives(), found: Matches::new() }
    }

    fn find(&mut self, haystack: Haystack<'_>, own: Range<usize>, offset: u64) {
        let Self { scratch, found } = self;
        detector().find(haystack, own, scratch, |it, token| {
            let (start, end) = (offset + it.start as u64, offset + it.end as u64);
            found.insert((start, end, it.encoding.to_string(), token.to_vec()));
            let pieces = detector().pieces(haystack.bytes, &it);
            assert!(pieces.iter().all(|piece| it.start <= piece.start && piece.end <= it.end));
        });
        scratch.take_archives();
    }
}

impl BlobSink for Collect {
    fn blob(&mut self, blob: &Blob<'_>) {
        let haystack =
            Haystack { bytes: blob.bytes, kind: ContentKind::Blob { offset: blob.offset } };
        self.find(haystack, blob.own.clone(), blob.offset);
    }
}

fn in_whole(bytes: &[u8]) -> Matches {
    in_parts(bytes, std::slice::from_ref(&(0..bytes.len())))
}

fn in_parts(bytes: &[u8], parts: &[Range<usize>]) -> Matches {
    let mut collect = Collect::new();
    for part in parts {
        collect.find(Haystack::whole(bytes), part.clone(), 0);
    }
    collect.found
}

/// Searches in windows of the smallest size.
fn in_windows(bytes: &[u8]) -> Matches {
    let context = Context { before: detector().lookbehind(), after: detector().lookahead() };
    let mut collect = Collect::new();
    let mut windows = Windows::with_size(context, 0);
    windows.push_all(Origin::Stdin, &mut &*bytes, &mut collect, &Run::default());
    collect.found
}

#[track_caller]
fn assert_same(wanted: &Matches, found: &Matches, division: &dyn std::fmt::Display) {
    let lost: Vec<_> = wanted.difference(found).map(|it| (it.0, it.1, &it.2)).collect();
    let more: Vec<_> = found.difference(wanted).map(|it| (it.0, it.1, &it.2)).collect();
    assert!(lost.is_empty() && more.is_empty(), "{division}: lost {lost:?}, more {more:?}");
}

/// Asserts that every division yields the matches of the whole document.
fn assert_divisible(bytes: &[u8]) {
    let len = bytes.len();
    let whole = in_whole(bytes);
    for cut in 1..len {
        let parts = in_parts(bytes, &[0..cut, cut..len]);
        assert_same(&whole, &parts, &format_args!("parts at {cut}"));
    }
    for size in [1, 7, 64, 311] {
        let parts: Vec<_> = (0..len).step_by(size).map(|at| at..len.min(at + size)).collect();
        assert_same(&whole, &in_parts(bytes, &parts), &format_args!("parts of {size}"));
    }
}

/// Asserts that windows yield the matches of the whole document, wherever their boundaries are.
fn assert_windows(bytes: &[u8]) {
    let size = detector().lookbehind() + 2 * detector().lookahead() + 1;
    for before in (0..size).step_by(97) {
        let shifted = [&b" ".repeat(before), bytes].concat();
        // The beginning of each window decides whether it is markup.
        let not_markup = |found: Matches| -> Matches {
            found.into_iter().filter(|it| !it.2.contains("markup")).collect()
        };
        let whole = not_markup(in_whole(&shifted));
        let windows = not_markup(in_windows(&shifted));
        assert_same(&whole, &windows, &format_args!("windows, shifted by {before}"));
    }
}

/// Searches and masks the document, cut off at every byte near its ends.
fn search_cut(bytes: &[u8]) {
    let mut masker = REDACTOR.masker();
    let mut scratch = Scratch::default();
    let mut inspect = |cut: &[u8]| {
        in_whole(cut);
        let _ = masker.clean(cut);
        let decided = detector().decided_len(cut, cut.len() / 3, &mut scratch);
        assert!(decided <= cut.len());
        detector().find_candidates(Haystack::whole(cut), 0..cut.len(), &mut scratch, |place, _| {
            assert!(place.inspected_start <= place.start && place.start < place.inspected_end);
        });
    };
    let len = bytes.len();
    (len.saturating_sub(300)..=len).for_each(|end| inspect(&bytes[..end]));
    (0..=len.min(300)).for_each(|start| inspect(&bytes[start..]));
}

/// Returns the message of a failed property.
fn failure(property: fn(&[u8]), bytes: &[u8]) -> Option<String> {
    let error = catch_unwind(AssertUnwindSafe(|| property(bytes))).err()?;
    let text = error.downcast_ref::<String>().cloned();
    Some(
        text.or_else(|| error.downcast_ref::<&str>().map(|it| (*it).to_owned()))
            .unwrap_or_default(),
    )
}

/// Removes bytes as long as the property still fails.
fn reduced(property: fn(&[u8]), mut bytes: Vec<u8>) -> Vec<u8> {
    let mut size = bytes.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < bytes.len() {
            let mut less = bytes.clone();
            less.drain(at..bytes.len().min(at + size));
            if failure(property, &less).is_some() {
                bytes = less;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    bytes
}

/// Asserts a property of the documents of many seeds.
#[track_caller]
fn assert_for_documents(property: fn(&[u8]), count: u64) {
    let seeds = std::env::var("COMPOSED_SEEDS").ok();
    let seeds = seeds.and_then(|it| {
        let (first, last) = it.split_once("..")?;
        Some(first.parse().ok()?..last.parse().ok()?)
    });
    for seed in seeds.unwrap_or(0..count) {
        let bytes = document(seed);
        if failure(property, &bytes).is_some() {
            let bytes = reduced(property, bytes);
            let message = failure(property, &bytes).unwrap_or_default();
            panic!("seed {seed}: {message} in \"{}\"", bytes.escape_ascii());
        }
    }
}

#[test]
fn no_division_into_parts_changes_the_matches() {
    assert_for_documents(assert_divisible, 60);
}

#[test]
fn no_window_boundary_changes_the_matches() {
    assert_for_documents(assert_windows, 60);
}

#[test]
fn a_document_may_be_cut_off_at_any_byte() {
    assert_for_documents(search_cut, 40);
}
