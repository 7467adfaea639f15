//! Workers: results, errors, panics, interruption and memory of a walk by several threads.

use crate::craft::{self, Base, Delta, Entry};
use crate::effect::{Collect, crafted, outcome, write};
use crate::git::{History, Repo};
use crate::pool::pool;
use crate::random::Random;
use ddpatrol_pack::{
    DeltaForest, Fault, HashKind, Kinds, Object, ObjectId, PackError, Visitor, WalkOptions,
};
use rayon::ThreadPool;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

const EDITED: History = History { files: 3, versions: 300, lines: 60, seed: 1 };
const THREADS: [usize; 3] = [1, 2, 8];

fn options(pool: Option<&ThreadPool>, budget: usize) -> WalkOptions<'_> {
    WalkOptions { kinds: Kinds::ALL, pool, budget, skip: None }
}

fn edited() -> Repo {
    Repo::packed(HashKind::Sha1, EDITED, &[], &["--depth=50", "--window=20"])
}

/// Two versions differ in up to 120 kB: about 10 MB of deltas in few trees, while a job has 4 MiB, so trees
/// are divided into several jobs.
pub(crate) fn heavy() -> Repo {
    let mut random = Random(4);
    let base = random.bytes(400_000);
    let mut versions = (0..90).map(|version: usize| {
        let mut text = base.clone();
        let own = random.bytes(60_000);
        let at = random.below(300_000);
        text[at..at + 60_000].copy_from_slice(&own);
        text.truncate(400_000 - version * 10);
        text
    });
    let how = ["--depth=20", "--window=8", "--delta-base-offset", "--compression=1"];
    Repo::of_blobs(&mut versions, &how, HashKind::Sha1)
}

#[test]
fn any_number_of_threads_gives_the_same_objects() {
    for repo in [edited(), heavy()] {
        let one = outcome(&repo.pack(), HashKind::Sha1, (1, 192 << 20), &[]);
        assert!(one.objects.len() > 80 && one.failures.is_empty());
        for threads in THREADS {
            let same = outcome(&repo.pack(), HashKind::Sha1, (threads, 1 << 20), &[]);
            assert!(one == same, "{threads}");
        }
    }
}

/// A visitor that panics at one object.
struct Panic(Collect);

/// A visitor that counts the objects of all workers and stops at a number of them.
struct Count<'a> {
    visited: &'a AtomicUsize,
    most: usize,
}

impl Visitor for Panic {
    type BaseData = Vec<u8>;

    fn visit(&mut self, object: &mut Object<'_>, base: Option<&Vec<u8>>) -> Result<Vec<u8>, Fault> {
        assert_ne!(object.position(), 7, "the seventh");
        self.0.visit(object, base)
    }

    fn stream(&mut self, id: ObjectId, len: u64, content: &mut dyn Read) -> io::Result<()> {
        self.0.stream(id, len, content)
    }

    fn failed(&mut self, error: PackError) {
        self.0.failed(error);
    }

    fn is_stopped(&self) -> bool {
        false
    }
}

impl Visitor for Count<'_> {
    type BaseData = ();

    fn visit(&mut self, _: &mut Object<'_>, _: Option<&()>) -> Result<(), Fault> {
        self.visited.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn stream(&mut self, id: ObjectId, _: u64, _: &mut dyn Read) -> io::Result<()> {
        panic!("{id} is not large");
    }

    fn failed(&mut self, error: PackError) {
        panic!("{error}");
    }

    fn is_stopped(&self) -> bool {
        self.visited.load(Ordering::Relaxed) >= self.most
    }
}

#[test]
fn the_errors_of_every_worker_reach_the_caller() {
    // In every third tree the delta copies from beyond its base. `crafted` compares 1, 2 and 8 threads.
    let mut entries = Vec::new();
    for family in 0..30 {
        let end = if family % 3 == 0 { 4 } else { 0 };
        let delta = Delta::new(4, 4).copy(end, 4).done();
        entries.push(Entry::new(2 * family, Base::Blob, b"root".to_vec()));
        entries.push(Entry::new(2 * family + 1, Base::Entry(entries.len() - 1), delta));
    }
    let (_, outcome) = crafted(&entries);
    assert_eq!((outcome.objects.len(), outcome.failures.len()), (50, 10));
}

#[test]
fn a_panic_of_one_worker_reaches_the_caller() {
    let repo = edited();
    let forest = DeltaForest::new(repo.open(), None, |error| panic!("{error}"));
    for threads in THREADS {
        let pool = pool(threads);
        let options = options(pool.as_ref(), 1);
        let walk = || forest.walk(&options, &|| Panic(Collect::default()));
        assert!(catch_unwind(AssertUnwindSafe(walk)).is_err(), "{threads}");
        let walk = || forest.walk(&options, &|| -> Collect { panic!("no visitor") });
        assert!(catch_unwind(AssertUnwindSafe(walk)).is_err(), "{threads}");
        // The pool is still usable.
        assert!(!forest.walk(&options, &Collect::default).is_empty());
    }
}

#[test]
fn a_walk_that_is_stopped_ends() {
    let repo = edited();
    let forest = DeltaForest::new(repo.open(), None, |error| panic!("{error}"));
    for threads in THREADS {
        let visited = AtomicUsize::new(0);
        forest.walk(&options(pool(threads).as_ref(), 1), &|| Count { visited: &visited, most: 5 });
        // Each worker may be visiting one object when another worker reaches the limit.
        let visited = visited.into_inner();
        assert!((5..5 + threads).contains(&visited), "{visited} with {threads} threads");
    }
}

#[test]
fn there_is_at_most_one_visitor_for_each_thread() {
    // Each worker may hold its share of the memory budget, so more workers would exceed it.
    let repo = heavy();
    let forest = DeltaForest::new(repo.open(), None, |error| panic!("{error}"));
    for threads in THREADS {
        let pool = pool(threads);
        let made = AtomicUsize::new(0);
        let make = || {
            made.fetch_add(1, Ordering::Relaxed);
            Collect::default()
        };
        let visitors = forest.walk(&options(pool.as_ref(), 1 << 20), &make);
        assert_eq!(visitors.len(), made.into_inner());
        assert!((1..=threads).contains(&visitors.len()), "{threads}");
    }
}

#[test]
fn a_worker_keeps_to_its_memory_budget() {
    // A chain of 40 objects of 200 kB, each of which has a second delta that is visited after the chain
    // below it: without a limit all 40 are held at the same time.
    let (count, len) = (40, 200_000);
    let mut entries = vec![Entry::new(0, Base::Blob, Random(9).bytes(len as usize))];
    let copy = || Delta::new(len, len).copy_all(len as u32).done();
    entries.extend((1..count).map(|at| Entry::new(at, Base::Entry(at as usize - 1), copy())));
    let second = |at: u64| Entry::new(count + at, Base::Entry(at as usize), copy());
    entries.extend((0..count).map(second));
    let repo = Repo::init(HashKind::Sha1);
    write(&repo, &craft::pair(&entries));
    let forest = DeltaForest::new(repo.open(), None, |error| panic!("{error}"));
    let peak = |budget| {
        let visited = AtomicUsize::new(0);
        let make = || Count { visited: &visited, most: usize::MAX };
        let walk = || drop(forest.walk(&options(None, budget), &make));
        let peak = allocation_counter::measure(walk).bytes_max;
        assert_eq!(visited.into_inner(), entries.len());
        peak
    };
    let (free, limited) = (peak(64 << 20), peak(1 << 20));
    assert!(free > count * len, "{free}");
    assert!(limited < 3 << 20, "{limited}");
}
