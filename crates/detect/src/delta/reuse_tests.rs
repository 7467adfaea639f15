//! Reused candidates equal those of a full search.

use super::*;
use crate::rules::RuleSet;
use crate::{Detector, Haystack, Scratch};
use proptest::prelude::*;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

const RULES: &str = r#"issuer = "Example"

[[token]]
id = "example-key"
name = "Example Key"
format = "exk_<SECRET><CRC>"

[token.segments.SECRET]
alphabet = "base62"
length = 5

[token.segments.CRC]
algorithm = "crc32"
encoding = "base62"
length = 6
over = ["<SECRET>"]

[[token.vectors]]
token = ["exk_", "hello0zNvy2"]
source = "the GitHub checksum standard"
"#;

const TOKEN: &str = "exk_hello0zNvy2";

fn detector() -> Detector {
    let mut rules = RuleSet::default();
    rules.add_text(Path::new("x.toml"), RULES).expect("a good file");
    Detector::new(Arc::new(rules)).expect("one rule")
}

/// An object made of parts of its base and fresh parts.
#[derive(Debug, Default)]
struct Assembled {
    base: Vec<u8>,
    fresh: Vec<u8>,
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
}

impl Assembled {
    fn add_fresh(&mut self, part: &str) {
        let from = PieceSource::Fresh(self.fresh.len() as u32);
        self.fresh.extend(part.bytes());
        self.add(part, from);
    }

    fn add_copied(&mut self, part: &str) {
        self.base.extend(b"a line of the base\n");
        let from = PieceSource::Base(self.base.len() as u32);
        self.base.extend(part.bytes());
        self.add(part, from);
    }

    fn add(&mut self, part: &str, from: PieceSource) {
        if !part.is_empty() {
            let (at, len) = (self.bytes.len() as u32, part.len() as u32);
            self.bytes.extend(part.bytes());
            self.pieces.push(Piece { at, len, from });
        }
    }
}

impl DeltaObject for Assembled {
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

/// Searches bytes as a whole.
fn candidates(detector: &Detector, bytes: &[u8]) -> DeltaCandidates {
    let mut list = Vec::new();
    let needs_full_scan = detector.find_candidates(
        Haystack::whole(bytes),
        0..bytes.len(),
        &mut Scratch::default(),
        |place, found| {
            let found = found.map(|(found, _)| DeltaMatch {
                token: 0,
                len: (found.end - found.start) as u32,
                encoding: found.encoding,
            });
            let (start, end) = (place.start as u32, place.inspected_end as u32);
            let inspected_start = place.inspected_start as u32;
            list.push(DeltaCandidate { inspected_start, start, inspected_end: end, found });
        },
    );
    list.sort_by_key(|it| it.start);
    DeltaCandidates { list, needs_full_scan }
}

fn found(candidates: &DeltaCandidates) -> Vec<(u32, DeltaMatch)> {
    candidates.list.iter().filter_map(|it| Some((it.start, it.found?))).collect()
}

proptest! {
    #[test]
    fn reused_candidates_are_those_of_a_full_search(
        cuts in prop::collection::vec((1_usize..50, any::<bool>()), 1..12),
        before in "[ -~]{0,60}", after in "[ -~]{0,60}", form in 0..3,
    ) {
        let detector = detector();
        let secret = match form {
            0 => TOKEN.to_owned(),
            1 => hex::encode(format!("key={TOKEN};")),
            _ => TOKEN.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        };
        let text = format!("{before}{secret}{after}");
        let (mut object, mut at) = (Assembled::default(), 0);
        for (len, is_fresh) in cuts {
            let end = text.len().min(at + len);
            match is_fresh {
                true => object.add_fresh(&text[at..end]),
                false => object.add_copied(&text[at..end]),
            }
            at = end;
        }
        object.add_copied(&text[at..]);
        let base = candidates(&detector, &object.base);
        let reused = detector.reuse_candidates(&object, &base, &mut Scratch::default());
        if let Some(reused) = reused {
            prop_assert_eq!(found(&reused), found(&candidates(&detector, &object.bytes)));
        }
    }
}
