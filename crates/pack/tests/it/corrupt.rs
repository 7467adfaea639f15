//! Broken packs: nothing panics, every lost object is reported, and everything that git reads is read.

use crate::craft::{self, Entry, Pair};
use crate::effect::Subject;
use crate::git::{History, Repo};
use crate::random::Random;
use ddpatrol_pack::HashKind;
use std::ops::Range;

/// Number of times that each kind of damage is done, and how many of these are compared with git.
const TIMES: usize = 400;
const ASKED: usize = 57;

const SMALL: History = History { files: 2, versions: 12, lines: 12, seed: 9 };

/// The positions of the parts of an entry in the pack.
struct Place {
    header: Range<usize>,
    base: Range<usize>,
    data: Range<usize>,
}

/// The positions of the parts of an index, version 2.
struct Tables {
    fanout: Range<usize>,
    names: Range<usize>,
    offsets: Range<usize>,
    large: Range<usize>,
    trailer: Range<usize>,
}

fn history(hash: HashKind, config: &str) -> Subject {
    Subject::of(&Repo::packed(hash, SMALL, &[config], &["--depth=8", "--window=10"]))
}

fn counted() -> Vec<Subject> {
    let config = "repack.useDeltaBaseOffset=true";
    vec![history(HashKind::Sha1, config), history(HashKind::Sha256, config)]
}

fn named() -> Vec<Subject> {
    let config = "repack.useDeltaBaseOffset=false";
    vec![history(HashKind::Sha1, config), history(HashKind::Sha256, config)]
}

fn both() -> Vec<Subject> {
    let mut subjects = counted();
    subjects.extend(named());
    subjects
}

impl Subject {
    fn tables(&self) -> Tables {
        let (n, hash) = (self.ids.len(), self.hash().len());
        let names = 8 + 1024;
        let offsets = names + n * (hash + 4);
        let (large, end) = (offsets + 4 * n, self.clean.index.len() - 2 * hash);
        Tables {
            fanout: 8..names,
            names: names..names + n * hash,
            offsets: offsets..large,
            large: large..end,
            trailer: end..self.clean.index.len(),
        }
    }

    /// Returns the wanted entries.
    fn places(&self, is_wanted: fn(&Place) -> bool) -> Vec<Place> {
        let pack = &self.clean.pack;
        let mut offsets = self.offsets();
        offsets.push(pack.len() - self.hash().len());
        offsets.sort_unstable();
        let place = |window: &[usize]| {
            let more =
                |at: usize| 1 + pack[at..].iter().take_while(|&byte| byte & 0x80 != 0).count();
            let base = window[0] + more(window[0]);
            let len = match pack[window[0]] >> 4 & 7 {
                6 => more(base),
                7 => self.hash().len(),
                _ => 0,
            };
            Place { header: window[0]..base, base: base..base + len, data: base + len..window[1] }
        };
        offsets.windows(2).map(place).filter(is_wanted).collect()
    }

    fn offsets(&self) -> Vec<usize> {
        let table = self.clean.index[self.tables().offsets].chunks_exact(4);
        let offset = |four: &[u8]| u32::from_be_bytes(four.try_into().expect("four")) as usize;
        table.map(offset).collect()
    }
}

/// Changes some bits of one byte.
fn flip(bytes: &mut [u8], range: Range<usize>, random: &mut Random) {
    let at = range.start + random.below(range.len());
    bytes[at] ^= match random.below(3) {
        0 => 1 + random.below(255) as u8,
        _ => 1 << random.below(8),
    };
}

/// Overwrites one record of a table with another; records are `width` bytes long.
fn swap(bytes: &mut [u8], table: Range<usize>, width: usize, random: &mut Random) {
    let mut part = || table.start + width * random.below(table.len() / width);
    let (from, to) = (part(), part());
    bytes.copy_within(from..from + width, to);
}

/// Breaks the subjects in turn and compares with git `to_ask` times. At least one in `share` damages must
/// change the outcome.
fn run(
    subjects: &[Subject],
    (share, to_ask): (usize, usize),
    corrupt: &mut dyn FnMut(&Subject, &mut Random, &mut Pair),
) {
    let mut random = Random(11);
    let (mut shown, mut asked) = (0, 0);
    for time in 0..TIMES {
        let subject = &subjects[time % subjects.len()];
        let mut pair = subject.clean.clone();
        corrupt(subject, &mut random, &mut pair);
        let (outcome, shows) = subject.walk(&pair);
        let asks = time % (TIMES / to_ask) == 0;
        shown += usize::from(asks && subject.compare(&outcome) || shows);
        asked += usize::from(asks);
    }
    assert!(asked >= 50 && shown * share >= TIMES, "{shown} of {TIMES} show, {asked} asked");
}

fn pick(mut places: Vec<Place>, random: &mut Random) -> Place {
    places.swap_remove(random.below(places.len()))
}

#[test]
fn a_broken_kind_or_length_is_reported() {
    run(&both(), (2, ASKED), &mut |subject, random, pair| {
        let place = pick(subject.places(|_| true), random).header;
        flip(&mut pair.pack, place, random);
    });
}

#[test]
fn a_broken_distance_to_the_base_is_reported() {
    run(&counted(), (2, ASKED), &mut |subject, random, pair| {
        let place = pick(subject.places(|place| !place.base.is_empty()), random).base;
        flip(&mut pair.pack, place, random);
    });
}

#[test]
fn a_broken_id_of_the_base_is_reported() {
    run(&named(), (2, ASKED), &mut |subject, random, pair| {
        let place = pick(subject.places(|place| !place.base.is_empty()), random).base;
        match random.below(2) {
            0 => flip(&mut pair.pack, place, random),
            _ => {
                let other = subject.ids[random.below(subject.ids.len())];
                pair.pack[place].copy_from_slice(other.as_bytes());
            }
        }
    });
}

#[test]
fn broken_compressed_data_are_reported() {
    run(&both(), (2, ASKED), &mut |subject, random, pair| {
        let place = pick(subject.places(|_| true), random).data;
        flip(&mut pair.pack, place, random);
    });
}

#[test]
fn a_broken_delta_with_intact_compression_is_reported() {
    let family = craft::family(&mut Random(12), 24);
    let entries: Vec<Entry> = family.into_iter().map(|it| it.0).collect();
    let subject = Subject::new(HashKind::Sha1, craft::pair(&entries));
    run(&[subject], (2, ASKED), &mut |_, random, pair| {
        let mut entries = entries.clone();
        let at = 1 + random.below(entries.len() - 1);
        let delta = &mut entries[at].data;
        match random.below(4) {
            0 => delta.truncate(random.below(delta.len())),
            1 => flip(delta, 0..4, random),
            2 => delta.insert(random.below(delta.len()), random.next() as u8),
            _ => {
                let all = 0..delta.len();
                flip(delta, all, random);
            }
        }
        *pair = craft::pair(&entries);
    });
}

#[test]
fn a_broken_fanout_is_tolerated() {
    // If the table is not sorted, this crate ignores it, and git ignores the index: only git's result
    // differs.
    run(&both(), (2, TIMES), &mut |subject, random, pair| {
        let fanout = subject.tables().fanout;
        match random.below(3) {
            0 => flip(&mut pair.index, fanout, random),
            1 => swap(&mut pair.index, fanout, 4, random),
            _ => {
                // Sorted, but it hides all ids that begin with this byte.
                let first = subject.ids[random.below(subject.ids.len())].as_bytes()[0];
                let at = fanout.start + 4 * usize::from(first.max(1));
                pair.index.copy_within(at..at + 4, at - 4);
            }
        }
    });
}

#[test]
fn ids_are_found_without_a_sorted_fanout() {
    for subject in named() {
        let at = subject.tables().fanout.start;
        for first in [0, 100, 254] {
            let mut pair = subject.clean.clone();
            pair.index[at + 4 * first..][..4].fill(0xff);
            let (_, shows) = subject.walk(&pair);
            assert!(!shows, "{first}");
        }
    }
}

#[test]
fn broken_ids_are_tolerated() {
    run(&both(), (2, ASKED), &mut |subject, random, pair| {
        let names = subject.tables().names;
        match random.below(2) {
            0 => flip(&mut pair.index, names, random),
            _ => swap(&mut pair.index, names, subject.hash().len(), random),
        }
    });
}

#[test]
fn broken_offsets_are_reported() {
    run(&both(), (2, ASKED), &mut |subject, random, pair| {
        let offsets = subject.tables().offsets;
        match random.below(2) {
            0 => flip(&mut pair.index, offsets, random),
            _ => swap(&mut pair.index, offsets, 4, random),
        }
    });
}

#[test]
fn broken_large_offsets_are_reported() {
    let repo = Repo::packed(HashKind::Sha1, SMALL, &[], &["--depth=8", "--window=10"]);
    let path = repo.pack();
    let [pack, index] = ["pack", "idx"].map(|it| path.with_extension(it).display().to_string());
    std::fs::remove_file(&index).expect("the index goes");
    // The first entry must have a short offset: git writes no index in which all are long.
    repo.run(&["index-pack", "--index-version=2,0xd", "-o", &index, &pack], b"");
    let subject = Subject::of(&repo);
    assert_eq!(subject.tables().large.len(), 8 * (subject.ids.len() - 1));
    run(&[subject], (2, ASKED), &mut |subject, random, pair| {
        let large = subject.tables().large;
        match random.below(2) {
            0 => flip(&mut pair.index, large, random),
            _ => swap(&mut pair.index, large, 8, random),
        }
    });
}

#[test]
fn broken_trailers_are_reported() {
    // The checksum of the index itself is not read.
    run(&both(), (2, ASKED), &mut |subject, random, pair| {
        let (hash, len) = (subject.hash().len(), pair.pack.len());
        match random.below(5) {
            0 => flip(&mut pair.index, subject.tables().trailer, random),
            _ => flip(&mut pair.pack, len - hash..len, random),
        }
    });
}

#[test]
fn broken_file_headers_are_reported() {
    run(&both(), (2, ASKED), &mut |_, random, pair| match random.below(2) {
        0 => flip(&mut pair.index, 0..8, random),
        _ => flip(&mut pair.pack, 0..12, random),
    });
}

#[test]
fn a_truncated_pack_is_reported() {
    run(&both(), (1, ASKED), &mut |_, random, pair| {
        pair.pack.truncate(random.below(pair.pack.len()));
    });
}

#[test]
fn a_truncated_index_is_reported() {
    run(&both(), (1, ASKED), &mut |_, random, pair| {
        pair.index.truncate(random.below(pair.index.len()));
    });
}

#[test]
fn many_broken_bytes_at_once_are_tolerated() {
    run(&both(), (1, ASKED), &mut |_, random, pair| {
        for _ in 0..1 + random.below(40) {
            let (pack, index) = (12..pair.pack.len(), 8..pair.index.len());
            flip(&mut pair.pack, pack, random);
            if random.below(8) == 0 {
                flip(&mut pair.index, index, random);
            }
        }
    });
}
