//! Objects stored as deltas: tokens derived from the delta base are those of a search of the whole object.

use crate::detect::detector;
use crate::detect::encoded::{AFFIXES, affixed};
use crate::support::encode::{self, ESCAPES, Which};
use crate::support::mint::{self, Random};
use ddpatrol::detect::delta::{
    DeltaCandidate, DeltaCandidates, DeltaMatch, DeltaObject, DerivedCandidates, Piece, PieceSource,
};
use ddpatrol::detect::{ContentKind, Detector, Evidence, Haystack, Scratch};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::ops::Range;

/// A text as pieces of another text and fresh bytes.
struct Version {
    bytes: Vec<u8>,
    base: Vec<u8>,
    fresh: Vec<u8>,
    pieces: Vec<Piece>,
}

impl DeltaObject for Version {
    fn kind(&self) -> ContentKind {
        ContentKind::WHOLE
    }

    fn size(&self) -> usize {
        self.bytes.len()
    }

    fn base(&self) -> &[u8] {
        &self.base
    }

    fn fresh(&self) -> &[u8] {
        &self.fresh
    }

    fn piece_count(&self) -> usize {
        self.pieces.len()
    }

    fn piece(&self, index: usize) -> Piece {
        self.pieces[index]
    }

    fn read(&self, range: Range<usize>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[range]);
    }
}

/// A difference between two texts.
struct Edit {
    /// The range of the first text that is replaced.
    at: Range<usize>,
    with: Vec<u8>,
}

/// Returns the second text as a delta of the first one.
fn forward(first: &[u8], edits: &[Edit]) -> Version {
    let (mut bytes, mut fresh, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |part: &[u8], from: PieceSource| {
        if !part.is_empty() {
            pieces.push(Piece { at: bytes.len() as u32, len: part.len() as u32, from });
            bytes.extend_from_slice(part);
        }
    };
    let mut at = 0;
    for edit in edits {
        add(&first[at..edit.at.start], PieceSource::Base(at as u32));
        add(&edit.with, PieceSource::Fresh(fresh.len() as u32));
        fresh.extend_from_slice(&edit.with);
        at = edit.at.end;
    }
    add(&first[at..], PieceSource::Base(at as u32));
    Version { bytes, base: first.to_vec(), fresh, pieces }
}

/// Returns a text whose parts are fresh, or copied from different places of a base.
fn assembled(text: &[u8], cuts: &[(usize, bool)]) -> Version {
    let mut version = Version { bytes: text.to_vec(), base: vec![], fresh: vec![], pieces: vec![] };
    let mut at = 0_usize;
    for &(len, is_fresh) in cuts.iter().chain([&(usize::MAX, false)]) {
        let part = &text[at..text.len().min(at.saturating_add(len))];
        let from = if is_fresh {
            version.fresh.extend_from_slice(part);
            PieceSource::Fresh((version.fresh.len() - part.len()) as u32)
        } else {
            version.base.extend_from_slice(&[b"a line of the base\n", part].concat());
            PieceSource::Base((version.base.len() - part.len()) as u32)
        };
        if !part.is_empty() {
            version.pieces.push(Piece { at: at as u32, len: part.len() as u32, from });
        }
        at += part.len();
    }
    version
}

/// Returns the edits that lead back.
fn backward(first: &[u8], edits: &[Edit]) -> Vec<Edit> {
    let mut shift = 0_isize;
    let mut back = Vec::new();
    for Edit { at, with } in edits {
        let start = at.start.checked_add_signed(shift).expect("in the text");
        back.push(Edit { at: start..start + with.len(), with: first[at.clone()].to_vec() });
        shift += with.len() as isize - at.len() as isize;
    }
    back
}

/// Searches a whole text.
fn candidates(detector: &Detector, bytes: &[u8]) -> DeltaCandidates {
    let mut candidates = DeltaCandidates::default();
    search(detector, bytes, 0..bytes.len(), &mut candidates);
    candidates
}

/// Derives the candidates of a version from those of its base, and searches the parts where others may be.
/// Returns `None` if the whole text must be searched.
fn derived(detector: &Detector, version: &Version, base: &DeltaCandidates) -> Option<Derived> {
    let derived = detector.derive_candidates(version, base, &mut Scratch::default())?;
    let DerivedCandidates { mut candidates, parts } = derived;
    let is_searched = !parts.is_empty();
    for part in parts {
        search(detector, &version.bytes, part, &mut candidates);
    }
    (!candidates.needs_full_scan).then_some(Derived { candidates, is_searched })
}

/// The candidates of a version.
#[derive(Debug)]
struct Derived {
    candidates: DeltaCandidates,
    /// Whether a part of the text was searched.
    is_searched: bool,
}

/// Searches a part of a text, and adds its candidates.
fn search(
    detector: &Detector,
    bytes: &[u8],
    part: Range<usize>,
    DeltaCandidates { list, needs_full_scan }: &mut DeltaCandidates,
) {
    let haystack = Haystack::whole(bytes);
    *needs_full_scan |=
        detector.find_candidates(haystack, part, &mut Scratch::default(), |place, found| {
            let found = found.filter(|(it, _)| it.evidence == Evidence::Proven);
            list.push(DeltaCandidate {
                inspected_start: place.inspected_start as u32,
                start: place.start as u32,
                inspected_end: place.inspected_end as u32,
                found: found.map(|(it, token)| DeltaMatch {
                    token: mint::crc32(token),
                    len: (it.end - it.start) as u32,
                    encoding: it.encoding,
                }),
            });
        });
    list.sort_by_key(|it| it.start);
}

fn found(candidates: &DeltaCandidates) -> BTreeSet<(u32, u32, u32, String)> {
    let found = candidates.list.iter().filter_map(|it| Some((it.start, it.found?)));
    found.map(|(start, it)| (start, it.token, it.len, it.encoding.to_string())).collect()
}

/// Appends an encoded token and text around it.
fn add_encoded(random: &mut Random, text: &mut Vec<u8>) {
    let (_, token) = mint::any(random);
    let data = format!("{}{token}\n", "data ".repeat(30).split_at(random.below(60)).0);
    let widths = [20, 24, 32, 39, 40, 60, 64, 70, 72, 76, 77];
    let width = widths[random.below(widths.len())];
    let affixes = AFFIXES[random.below(AFFIXES.len())];
    let gaps =
        ["\n", "\r\n ", "</b><i>", "\x1b[0m", "\u{200b}", "&shy;", "=\n", "\\n", "\" +\n \""];
    let gap = gaps[random.below(gaps.len())];
    let part = match random.below(8) {
        0..=2 => affixed(&encode::base64(data.as_bytes()), width, affixes),
        3 => affixed(&encode::hex(data.as_bytes()), width, affixes),
        4 => encode::folded(&encode::base64(data.as_bytes()), width, gap),
        5 => {
            let (first, rest) = token.split_at(1 + random.below(token.len() - 1));
            format!("</p>{first}{gap}{rest}")
        }
        6 => encode::escape(&token, Which::Marks, ESCAPES[random.below(ESCAPES.len())].1),
        _ => encode::base64(encode::base64(data.as_bytes()).as_bytes()),
    };
    text.extend(part.into_bytes());
}

fn edits(random: &mut Random, text: &[u8]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut at = 0;
    for _ in 0..1 + random.below(3) {
        let start = at + random.below(text.len() - at);
        let lens = [0, 1, 2, 5, 20, 60, 200];
        let end = text.len().min(start + lens[random.below(lens.len())]);
        let with = match random.below(6) {
            0 => Vec::new(),
            1 => b"x".to_vec(),
            2 => b"\n".to_vec(),
            3 => [&b" / "[..], b"<b></b>"][random.below(2)].to_vec(),
            4 => random.base62(3).into_bytes(),
            _ => mint::filler(random),
        };
        edits.push(Edit { at: start..end, with });
        at = end;
        if at >= text.len() {
            break;
        }
    }
    edits
}

#[test]
fn tokens_of_a_delta_are_those_of_the_whole_object() {
    let detector = detector();
    let (mut reused, mut searched, mut with_tokens) = (0, 0, 0);
    for seed in 0..6000 {
        let random = &mut Random(seed);
        let mut text = Vec::new();
        for _ in 0..1 + random.below(3) {
            text.extend("some words of text\n".repeat(random.below(60)).into_bytes());
            add_encoded(random, &mut text);
            text.extend("\nand other lines here\n".repeat(random.below(60)).into_bytes());
        }
        let edits = edits(random, &text);
        let first = forward(&text, &edits);
        let second = forward(&first.bytes, &backward(&text, &edits));
        assert_eq!(second.bytes, text);
        for version in [first, second] {
            let base = candidates(detector, &version.base);
            let Some(derived) = derived(detector, &version, &base) else { continue };
            if derived.is_searched {
                searched += 1;
            } else {
                reused += 1;
            }
            let whole = found(&candidates(detector, &version.bytes));
            with_tokens += usize::from(!whole.is_empty());
            assert_eq!(
                found(&derived.candidates),
                whole,
                "{seed}: {:?} of {}",
                version.pieces,
                version.bytes.escape_ascii()
            );
        }
    }
    let counts = (reused, searched, with_tokens);
    assert!(reused > 800 && searched > 2000 && with_tokens > 2000, "{counts:?}");
}

#[test]
fn an_object_that_becomes_markup_is_searched_for_tags_in_heads() {
    let detector = detector();
    // The checksum covers the alias, too, so that no part of the token is one.
    let token = mint::datadog(&mut Random(1), "ddpat_", 43, 1);
    let (start, rest) = token.split_at(3);
    // A long rest of a token is found in any text.
    let rest = format!("{}</i><b>{}", &rest[..20], &rest[20..]);
    let text = |head: &str| {
        let words = "some words\n".repeat(300);
        format!("{head}{words}{start}</b><i>{rest} end\n{words}")
    };
    let (plain, markup) = (text("words of a text\n"), text("<p>key</p>\n"));
    for head in [16, 900] {
        let replace = |first: &str, second: &str| {
            let tail = first.len().min(second.len()) - head;
            let (first_end, second_end) = (first.len() - tail, second.len() - tail);
            let edit = Edit { at: 0..first_end, with: second.as_bytes()[..second_end].to_vec() };
            forward(first.as_bytes(), &[edit])
        };
        let reused =
            |version: &Version| derived(detector, version, &candidates(detector, &version.base));
        assert!(
            reused(&replace(&plain, &text("other words\n"))).is_some(),
            "only the kind matters"
        );
        for version in [replace(&plain, &markup), replace(&markup, &plain)] {
            let whole = found(&candidates(detector, &version.bytes));
            assert!(reused(&version).is_none(), "tags in heads are searched for only in markup");
            assert_eq!(whole.len(), usize::from(version.bytes.starts_with(b"<p>")));
        }
    }
}

#[test]
fn a_candidate_begins_within_the_range_that_it_depends_on() {
    let detector = detector();
    let hex = encode::hex(&[b"bytes ".repeat(90).as_slice(), b"dd"].concat());
    let wide = encode::utf16_be(&mint::token(2));
    for text in [hex.clone().into_bytes(), format!("{hex}\n{hex}\n").into_bytes(), wide] {
        let DeltaCandidates { list, .. } = candidates(detector, &text);
        assert!(!list.is_empty());
        for it in list {
            assert!(it.inspected_start <= it.start && it.start < it.inspected_end, "{it:?}");
        }
    }
}

#[test]
fn tokens_without_a_head_in_a_delta_are_those_of_the_whole_object() {
    let detector = detector();
    let (mut reused, mut with_tokens) = (0, 0);
    for seed in 0..3000 {
        let random = &mut Random(seed);
        let mut keys = mint::azure::keys(random);
        keys.push(("unknown-issuer", mint::classic(random, "acme_", 30)));
        keys.extend(mint::wallets::keys(random));
        let mut text = Vec::new();
        for _ in 0..1 + random.below(3) {
            let (_, key) = &keys[random.below(keys.len())];
            let marks = ESCAPES[random.below(ESCAPES.len())].1;
            let part = match random.below(6) {
                0 => encode::hex(key.as_bytes()),
                1 => encode::base64(key.as_bytes()),
                2 => encode::escape(key, Which::Marks, marks),
                _ => format!("AccountKey={key};"),
            };
            text.extend("some words of text\n".repeat(random.below(40)).into_bytes());
            text.extend(part.into_bytes());
            text.extend("\nand other lines here\n".repeat(random.below(40)).into_bytes());
        }
        let edits = edits(random, &text);
        let first = forward(&text, &edits);
        let second = forward(&first.bytes, &backward(&text, &edits));
        for version in [first, second] {
            let base = candidates(detector, &version.base);
            let Some(derived) = derived(detector, &version, &base) else { continue };
            reused += 1;
            let whole = found(&candidates(detector, &version.bytes));
            with_tokens += usize::from(!whole.is_empty());
            let text = version.bytes.escape_ascii();
            assert_eq!(found(&derived.candidates), whole, "{seed}: {:?} of {text}", version.pieces);
        }
    }
    assert!(reused > 800 && with_tokens > 400, "{reused} {with_tokens}");
}

proptest! {
    #[test]
    fn reused_candidates_are_those_of_a_full_search(
        cuts in prop::collection::vec((1_usize..50, any::<bool>()), 1..12),
        before in "[ -~]{0,60}", after in "[ -~]{0,60}", form in 0..7, seed: u64,
    ) {
        let (detector, token) = (detector(), mint::token(3));
        let keys = mint::azure::keys(&mut Random(seed));
        let key = &keys[seed as usize % keys.len()].1;
        let wallets = mint::wallets::keys(&mut Random(seed));
        let secret = match form {
            0 => token,
            3 => key.clone(),
            4 => mint::classic(&mut Random(seed), "acme_", 30),
            5 => encode::escape(key, Which::Marks, ESCAPES[0].1),
            6 => wallets[seed as usize % wallets.len()].1.clone(),
            1 => encode::hex(format!("key={token};").as_bytes()),
            _ => token.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        };
        let version = assembled(format!("{before}{secret}{after}").as_bytes(), &cuts);
        let base = candidates(detector, &version.base);
        if let Some(derived) = derived(detector, &version, &base) {
            prop_assert_eq!(found(&derived.candidates), found(&candidates(detector, &version.bytes)));
        }
    }
}
