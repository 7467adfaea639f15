//! Intact packs: a walk yields the same objects as git.

use crate::git::{History, Objects, Repo};
use crate::pool::pool;
use crate::random::Random;
use crate::workers::heavy;
use ddpatrol_pack::{
    DeltaForest, Fault, HashKind, Kind, Kinds, Object, ObjectId, PackError, PieceSource, Reader,
    Visitor, WalkOptions,
};
use rayon::ThreadPool;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Arc;

const EDITED: History = History { files: 3, versions: 300, lines: 60, seed: 1 };
const LIMITS: [(usize, usize); 5] = [(1, 192 << 20), (2, 192 << 20), (8, 1 << 20), (1, 1), (2, 1)];

/// The content of a pack according to git.
struct Truth {
    objects: Objects,
    bases: BTreeMap<ObjectId, ObjectId>,
    depth: usize,
}

impl Truth {
    fn of(repo: &Repo) -> Self {
        let (bases, depth) = repo.bases();
        Self { objects: repo.objects(), bases, depth }
    }

    fn of_kind(&self, kind: Kind) -> BTreeSet<ObjectId> {
        self.objects.iter().filter(|it| it.1.0 == kind).map(|it| *it.0).collect()
    }

    fn ids(&self) -> BTreeSet<ObjectId> {
        self.objects.keys().copied().collect()
    }
}

/// Compares every object with git's, while it is visited.
struct Compare<'a> {
    truth: &'a Truth,
    random: Random,
    seen: Vec<ObjectId>,
    /// Number of deltas visited with and without the data of their base.
    with_base: usize,
    without_base: usize,
}

impl Visitor for Compare<'_> {
    type BaseData = (ObjectId, Vec<u8>);

    fn visit(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&Self::BaseData>,
    ) -> Result<Self::BaseData, Fault> {
        let id = object.id();
        let (kind, content) = &self.truth.objects[&id];
        assert_eq!(object.kind(), *kind, "{id}");
        assert_eq!(object.len(), content.len() as u64, "{id}");
        assert_eq!(object.is_empty(), content.is_empty(), "{id}");
        self.compare_base(object, base);
        compare_pieces(object, content);
        self.compare_ranges(object, content);
        if self.random.below(2) == 0 {
            assert_eq!(object.assemble()?, content, "{id}");
            compare_pieces(object, content);
            self.compare_ranges(object, content);
        }
        self.seen.push(id);
        Ok((id, content.clone()))
    }

    fn stream(&mut self, id: ObjectId, _: u64, _: &mut dyn Read) -> io::Result<()> {
        panic!("{id} is not large");
    }

    fn failed(&mut self, error: PackError) {
        panic!("{error}");
    }

    fn is_stopped(&self) -> bool {
        false
    }
}

impl Compare<'_> {
    fn compare_base(&mut self, object: &Object<'_>, kept: Option<&(ObjectId, Vec<u8>)>) {
        let id = object.id();
        let base = self.truth.bases.get(&id);
        let bytes = base.map_or(&[][..], |base| &self.truth.objects[base].1);
        assert_eq!(object.base(), bytes, "{id}");
        match (kept, base) {
            (Some((kept, content)), _) => {
                assert_eq!(Some(kept), base, "{id}");
                assert_eq!(content, bytes, "{id}");
                self.with_base += 1;
            }
            (None, Some(_)) => self.without_base += 1,
            (None, None) => {}
        }
    }

    fn compare_ranges(&mut self, object: &Object<'_>, content: &[u8]) {
        let mut out = b"what was there".to_vec();
        for _ in 0..4 {
            let start = self.random.below(content.len() + 1);
            let end = start + self.random.below(content.len() + 1 - start);
            out.truncate(14);
            object.read(start..end, &mut out);
            assert_eq!(&out[14..], &content[start..end], "{}", object.id());
        }
        assert_eq!(&out[..14], b"what was there");
    }
}

/// Compares the assembled pieces with the content, and checks the guarantees for pieces.
fn compare_pieces(object: &Object<'_>, content: &[u8]) {
    let (mut made, mut fresh, mut was_fresh) = (Vec::new(), 0, false);
    for piece in object.pieces() {
        assert_eq!(piece.at as usize, made.len(), "{}", object.id());
        assert!(piece.len > 0, "{}", object.id());
        let len = piece.len as usize;
        match piece.from {
            PieceSource::Base(at) => made.extend_from_slice(&object.base()[at as usize..][..len]),
            PieceSource::Fresh(at) => {
                assert!(!was_fresh && at as usize == fresh, "{}", object.id());
                made.extend_from_slice(&object.fresh()[fresh..][..len]);
                fresh += len;
            }
        }
        was_fresh = matches!(piece.from, PieceSource::Fresh(_));
        assert_eq!(piece.end() as usize, made.len());
    }
    assert_eq!(fresh, object.fresh().len(), "{}", object.id());
    assert!(made == content, "{}", object.id());
}

/// The outcome of a walk.
#[derive(Default)]
struct Seen {
    ids: BTreeSet<ObjectId>,
    with_base: usize,
    without_base: usize,
}

fn options(pool: Option<&ThreadPool>, budget: usize) -> WalkOptions<'_> {
    WalkOptions { kinds: Kinds::ALL, pool, budget, skip: None }
}

fn walk(repo: &Repo, truth: &Truth, options: &WalkOptions<'_>) -> Seen {
    let pack = repo.open();
    pack.check().expect("pack and index belong together");
    assert_eq!(pack.index().len() as usize, truth.objects.len());
    let forest = DeltaForest::new(Arc::clone(&pack), options.pool, |error| panic!("{error}"));
    let random = |seed| Random(seed ^ options.budget as u64);
    let make =
        || Compare { truth, random: random(7), seen: Vec::new(), with_base: 0, without_base: 0 };
    let mut seen = Seen::default();
    for visitor in forest.walk(options, &make) {
        for id in visitor.seen {
            assert!(seen.ids.insert(id), "{id} was visited twice");
        }
        seen.with_base += visitor.with_base;
        seen.without_base += visitor.without_base;
    }
    seen
}

/// Walks a pack of small delta trees with all limits, and reads each object separately.
fn compare(repo: &Repo) -> Truth {
    let truth = Truth::of(repo);
    assert!(!truth.objects.is_empty());
    for (threads, budget) in LIMITS {
        let pool = pool(threads);
        let seen = walk(repo, &truth, &options(pool.as_ref(), budget));
        assert!(seen.ids == truth.ids(), "{threads} threads, {budget} bytes");
        assert_eq!((seen.with_base, seen.without_base), (truth.bases.len(), 0));
    }
    compare_reads(repo, &truth);
    truth
}

fn compare_reads(repo: &Repo, truth: &Truth) {
    let pack = repo.open();
    let mut reader = Reader::default();
    for (id, object) in &truth.objects {
        let position = pack.index().find(id.as_bytes()).expect("the index lists it");
        assert_eq!(pack.index().id(position), Some(*id));
        let offset = pack.index().offset(position).expect("it has an offset");
        let read = pack.read(offset, &mut reader, &mut |id| panic!("{id} is in the pack"));
        assert!(read.expect("it can be read") == *object, "{id}");
    }
}

/// Counts the deltas with a base id, and those with a base offset.
fn delta_forms(repo: &Repo) -> (usize, usize) {
    let (pack, bytes) = (repo.open(), std::fs::read(repo.pack()).expect("a pack"));
    let offsets = (0..pack.index().len()).map(|at| pack.index().offset(at).expect("an offset"));
    let forms: Vec<u8> = offsets.map(|offset| bytes[offset as usize] >> 4 & 7).collect();
    let count = |form| forms.iter().filter(|&&it| it == form).count();
    (count(7), count(6))
}

#[test]
fn a_history_is_walked_as_in_git() {
    let truth = compare(&Repo::packed(HashKind::Sha1, EDITED, &[], &["--depth=50", "--window=20"]));
    assert!(truth.depth > 10, "{} is not deep", truth.depth);
    assert!(Kind::ALL.iter().all(|&kind| !truth.of_kind(kind).is_empty()));
    assert!(truth.objects.values().any(|(_, content)| content.is_empty()));
}

#[test]
fn a_sha_256_history_is_walked_as_in_git() {
    let repo = Repo::packed(HashKind::Sha256, EDITED, &[], &["--depth=50", "--window=20"]);
    assert!(compare(&repo).objects.keys().all(|id| id.kind() == HashKind::Sha256));
}

#[test]
fn the_first_version_of_the_index_is_read() {
    let config = ["pack.indexVersion=1"];
    let repo = Repo::packed(HashKind::Sha1, EDITED, &config, &["--depth=10", "--window=10"]);
    let index = std::fs::read(repo.pack().with_extension("idx")).expect("an index");
    assert!(!index.starts_with(b"\xfftOc"));
    compare(&repo);
}

#[test]
fn deltas_with_base_ids_are_walked_as_in_git() {
    for hash in [HashKind::Sha1, HashKind::Sha256] {
        let config = ["repack.useDeltaBaseOffset=false"];
        let repo = Repo::packed(hash, EDITED, &config, &["--depth=50", "--window=20"]);
        let (named, counted) = delta_forms(&repo);
        assert!(named > 300 && counted == 0, "{named} {counted}");
        compare(&repo);
    }
}

#[test]
fn chains_of_one_delta_are_walked_as_in_git() {
    let repo = Repo::packed(HashKind::Sha1, EDITED, &[], &["--depth=1", "--window=20"]);
    assert_eq!(compare(&repo).depth, 1);
}

#[test]
fn the_longest_chain_that_git_writes_is_walked() {
    let mut random = Random(2);
    let mut text: Vec<u8> = (0..30).flat_map(|_| random.line()).collect();
    let mut versions = (0..5000).map(|_| {
        let at = random.below(text.len());
        text[at] = b'!' + random.below(90) as u8;
        text.push(b'!' + random.below(90) as u8);
        text.clone()
    });
    let repo = Repo::of_chain(&mut versions, 4095);
    let truth = Truth::of(&repo);
    assert!(truth.depth >= 4095, "{} is not deep", truth.depth);
    for (threads, budget) in [(1, 192 << 20), (2, 1)] {
        let pool = pool(threads);
        assert!(walk(&repo, &truth, &options(pool.as_ref(), budget)).ids == truth.ids());
    }
    let deepest: Objects = truth.objects.iter().step_by(97).map(|(k, v)| (*k, v.clone())).collect();
    compare_reads(&repo, &Truth { objects: deepest, bases: BTreeMap::new(), depth: 0 });
}

#[test]
fn a_pack_of_thousands_of_tiny_objects_without_deltas_is_walked() {
    let mut random = Random(3);
    let mut blobs = (0..5000).map(|_| {
        let len = random.below(24);
        random.bytes(len)
    });
    let repo = Repo::of_blobs(&mut blobs, &["--depth=0"], HashKind::Sha1);
    let truth = compare(&repo);
    assert!(truth.objects.len() > 4000 && truth.bases.is_empty());
}

#[test]
fn a_tree_too_heavy_for_one_worker_is_divided_and_visited_completely() {
    let repo = heavy();
    let truth = Truth::of(&repo);
    let mut apart = 0;
    for (threads, budget) in [(1, 192 << 20), (2, 192 << 20), (5, 1 << 20), (2, 1)] {
        let pool = pool(threads);
        let seen = walk(&repo, &truth, &options(pool.as_ref(), budget));
        assert!(seen.ids == truth.ids(), "{threads} threads, {budget} bytes");
        assert_eq!(seen.with_base + seen.without_base, truth.bases.len());
        apart += seen.without_base;
    }
    assert!(apart > 0, "no tree was divided");
}

#[test]
fn only_the_wanted_kinds_are_visited() {
    let repo = Repo::packed(HashKind::Sha1, EDITED, &[], &["--depth=50", "--window=20"]);
    let truth = Truth::of(&repo);
    for wanted in [&Kind::ALL[..1], &Kind::ALL[1..2], &Kind::ALL[2..], &Kind::ALL[3..], &[]] {
        let expected: BTreeSet<_> = wanted.iter().flat_map(|&kind| truth.of_kind(kind)).collect();
        for (threads, budget) in LIMITS {
            let pool = pool(threads);
            let options = options(pool.as_ref(), budget);
            let options = WalkOptions { kinds: Kinds::of(wanted), ..options };
            assert!(walk(&repo, &truth, &options).ids == expected, "{wanted:?}");
        }
    }
}

#[test]
fn only_skipped_objects_are_not_visited() {
    let repo = Repo::packed(HashKind::Sha1, EDITED, &[], &["--depth=50", "--window=20"]);
    let truth = Truth::of(&repo);
    let (pack, bases) = (repo.open(), truth.bases.values().collect::<BTreeSet<_>>());
    let id = |position| pack.index().id(position).expect("an id");
    let third = |position: u32| position.is_multiple_of(3);
    let is_base = |position| bases.contains(&id(position));
    let is_leaf = |position| !bases.contains(&id(position));
    let all = |_| true;
    let skips: [&(dyn Fn(u32) -> bool + Sync); 4] = [&third, &is_base, &is_leaf, &all];
    for skip in skips {
        let rest = (0..pack.index().len()).filter(|&position| !skip(position)).map(id);
        let rest: BTreeSet<ObjectId> = rest.collect();
        let with = rest.iter().filter(|id| truth.bases.get(id).is_some_and(|it| rest.contains(it)));
        let with = with.count();
        for (threads, budget) in LIMITS {
            let pool = pool(threads);
            let options = WalkOptions { skip: Some(skip), ..options(pool.as_ref(), budget) };
            let seen = walk(&repo, &truth, &options);
            assert!(seen.ids == rest);
            assert_eq!(seen.with_base, with);
        }
    }
}

#[test]
fn a_forest_can_be_walked_again() {
    let repo = Repo::packed(HashKind::Sha1, EDITED, &[], &["--depth=50", "--window=20"]);
    let truth = Truth::of(&repo);
    let pack = repo.open();
    let pool = pool(2);
    let forest = DeltaForest::new(Arc::clone(&pack), pool.as_ref(), |error| panic!("{error}"));
    for kinds in [&[Kind::Tree][..], &[Kind::Blob, Kind::Commit], &[Kind::Tree], &Kind::ALL] {
        let options = WalkOptions { kinds: Kinds::of(kinds), ..options(pool.as_ref(), 1 << 20) };
        let make = || Compare {
            truth: &truth,
            random: Random(5),
            seen: Vec::new(),
            with_base: 0,
            without_base: 0,
        };
        let seen = forest.walk(&options, &make).into_iter().flat_map(|it| it.seen);
        let expected = kinds.iter().flat_map(|&kind| truth.of_kind(kind)).collect();
        assert_eq!(seen.collect::<BTreeSet<_>>(), expected);
    }
}
