//! Reading objects in windows and whole, with a small limit for large blobs.

use super::{ObjectReader, Objects, WalkResources};
use crate::cache::Holders;
use crate::repo::{Environment, Repository};
use crate::store::Store;
use ddpatrol_pack::{Fault, Object, ObjectId};
use ddpatrol_scan::blob::{Blob, Context};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::workers::Workers;
use ddpatrol_scan::{BlobSink, Run, ScannedObject, Sink, Sinks};
use ddpatrol_test_repo::Repo;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Blobs above this length in bytes are large.
const LARGE: u64 = 600_000;
/// The length of the blobs of the tests.
const LEN: usize = 1_000_000;

/// The number of bytes of each window that was pushed.
#[derive(Default)]
struct Pushed(Mutex<Vec<usize>>);

struct PushedSink<'a>(&'a Pushed);

impl Sinks for Pushed {
    fn sink(&self) -> Box<dyn Sink + '_> {
        Box::new(PushedSink(self))
    }
}

impl BlobSink for PushedSink<'_> {
    fn blob(&mut self, blob: &Blob<'_>) {
        lock(&self.0.0).push(blob.own.len());
    }
}

impl Sink for PushedSink<'_> {
    fn object(
        &mut self,
        _: &mut Object<'_>,
        _: Option<&ScannedObject>,
    ) -> Result<ScannedObject, Fault> {
        unreachable!("no pack is walked")
    }
}

/// Returns bytes that do not repeat.
fn content(len: usize) -> Vec<u8> {
    let lines =
        (0..).map(|number: u64| format!("{:x}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    lines.flat_map(String::into_bytes).take(len).collect()
}

/// Searches the blob of `HEAD:x` again; returns the lengths of what was pushed.
fn search_again(repo: &Repo, archives: &[ObjectId]) -> Vec<usize> {
    let id: ObjectId = repo.id("HEAD:x").parse().expect("an id");
    let opened = Repository::discover(repo.path(), &Environment::default()).expect("a repository");
    let store = Store::of(&opened, &mut |problem| panic!("{problem}"));
    let (run, workers, pushed) = (Run::default(), Workers::new(1), Pushed::default());
    let context = Context { before: 100, after: 100 };
    let resources = WalkResources { workers: &workers, budget: 1 << 20, context, large: LARGE };
    let reader = ObjectReader { resources, sinks: Some(&pushed), run: &run };
    let holders =
        Holders { objects: BTreeSet::from([id]), archives: archives.iter().copied().collect() };
    reader.search_again(&store, &mut Objects::default(), &holders);
    assert_eq!(run.take_diagnostics().len(), 0);
    pushed.0.into_inner().expect("no panic")
}

#[test]
fn a_large_blob_is_searched_again_in_windows_loose_and_packed() {
    let repo = Repo::new();
    repo.commit_file("x", content(LEN));
    for pack in [false, true] {
        if pack {
            repo.git(&["repack", "-adq"]);
        }
        let lengths = search_again(&repo, &[]);
        assert!(lengths.len() > 2 && lengths.iter().all(|&len| len < 400_000), "{lengths:?}");
        assert_eq!(lengths.iter().sum::<usize>(), LEN);
    }
}

#[test]
fn small_blobs_deltas_and_opened_archives_are_searched_again_whole() {
    let repo = Repo::new();
    repo.commit_file("x", content(LARGE as usize));
    assert_eq!(search_again(&repo, &[]), [LARGE as usize]);
    repo.commit_file("x", content(LEN));
    let archive = repo.id("HEAD:x").parse().expect("an id");
    assert_eq!(search_again(&repo, &[archive]), [LEN]);
    // The longest version is the base of the others.
    repo.commit_file("x", content(LEN + 10_000));
    repo.commit_file("x", content(LEN));
    repo.git(&["repack", "-adfq"]);
    assert_eq!(search_again(&repo, &[]), [LEN]);
}

#[test]
fn a_damaged_copy_of_a_large_blob_is_replaced_by_an_intact_one() {
    let repo = Repo::new();
    repo.commit_file("x", content(LEN));
    let loose = repo.loose(&repo.id("HEAD:x"));
    let intact = std::fs::read(&loose).expect("a loose object");
    repo.git(&["repack", "-adq"]);
    let pack = repo.packs(".pack").remove(0);
    let mut bytes = std::fs::read(&pack).expect("a pack");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 1_000].fill(0xff);
    std::fs::remove_file(&pack).expect("a pack");
    std::fs::write(&pack, bytes).expect("a pack");
    std::fs::create_dir_all(loose.parent().expect("a folder")).expect("a folder");
    std::fs::write(&loose, intact).expect("a loose object");
    assert_eq!(search_again(&repo, &[]).last(), Some(&LEN));
}
