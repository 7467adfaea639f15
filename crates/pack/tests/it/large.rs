//! Objects above 64 MB, objects whose header states such a length, and other wrong lengths.

use crate::craft::{self, Base, Delta, Entry};
use crate::effect::{Collect, contents, crafted};
use crate::git::Repo;
use crate::random::Random;
use ddpatrol_pack::{
    DeltaForest, Fault, HashKind, Kind, Kinds, Object, ObjectId, Pack, PackError, Reader, Visitor,
    WalkOptions,
};
use std::io::{self, Read};
use std::process::Command;
use std::sync::Arc;

/// Above this length an object is streamed.
const LARGE: usize = 64 << 20;

fn options() -> WalkOptions<'static> {
    WalkOptions { kinds: Kinds::ALL, pool: None, budget: 1 << 20, skip: None }
}

/// Returns many bytes that compress well.
fn content(len: usize) -> Vec<u8> {
    let mut random = Random(21);
    let line: Vec<u8> = (0..20).flat_map(|_| random.line()).collect();
    line.iter().copied().cycle().take(len).collect()
}

/// Writes a handcrafted pack and walks it with a visitor from `make`.
fn walk<V: Visitor + Send>(entries: &[Entry], make: fn() -> V) -> V {
    let pair = craft::pair(entries);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("pack-1.pack");
    std::fs::write(&path, pair.pack).expect("the pack is written");
    std::fs::write(path.with_extension("idx"), pair.index).expect("the index is written");
    let pack = Arc::new(Pack::open(&path, HashKind::Sha1).expect("the tables fit"));
    let forest = DeltaForest::new(Arc::clone(&pack), None, |error| panic!("{error}"));
    forest.walk(&options(), &make).pop().expect("one worker")
}

#[test]
fn a_large_blob_that_git_packed_is_streamed() {
    let content = content(LARGE + 4321);
    let repo = Repo::init(HashKind::Sha1);
    let args = ["-c", "core.compression=1", "hash-object", "-w", "--stdin"];
    let id = String::from_utf8(repo.run(&args, &content)).expect("an id");
    let id: ObjectId = id.trim().parse().expect("an id");
    let prefix = repo.path().join("objects/pack/pack").display().to_string();
    repo.run(&["pack-objects", "-q", &prefix], format!("{id}\n").as_bytes());
    let pack = repo.open();
    let forest = DeltaForest::new(Arc::clone(&pack), None, |error| panic!("{error}"));
    let visitor = forest.walk(&options(), &Collect::default).pop().expect("one worker");
    assert!(visitor.errors.is_empty() && visitor.objects.is_empty());
    assert!(visitor.streamed == [(id, content.clone())]);
    let read = pack.read(12, &mut Reader::default(), &mut |_| None);
    assert!(read.expect("it can be read") == (Kind::Blob, content));
}

#[test]
fn the_largest_object_that_is_not_streamed_is_visited() {
    let blob = content(LARGE);
    let visitor = walk(&[Entry::new(1, Base::Blob, blob.clone())], Collect::default);
    assert!(visitor.errors.is_empty() && visitor.streamed.is_empty());
    assert!(visitor.objects.len() == 1 && visitor.objects[0].3 == blob);
}

#[test]
fn large_bases_and_large_results_of_deltas_are_visited() {
    let root = content(LARGE + 99);
    let len = root.len() as u64;
    // 1,100 times the same 64 KiB, and a delta on that.
    let many = (0..1100).fold(Delta::new(len, 1100 << 16), |delta, _| delta.copy(1, 1 << 16));
    let entries = [
        Entry::new(1, Base::Blob, root.clone()),
        Entry::new(
            2,
            Base::Entry(0),
            Delta::new(len, 9).copy(LARGE as u32, 7).insert(b"!!").done(),
        ),
        Entry::new(3, Base::Entry(0), many.done()),
        Entry::new(4, Base::Entry(2), Delta::new(1100 << 16, 4).copy((1099 << 16) + 2, 4).done()),
    ];
    let (_, outcome) = crafted(&entries);
    assert_eq!(outcome.failures, []);
    let first = [&root[LARGE..][..7], b"!!"].concat();
    let expected: [(u64, &[u8]); 4] =
        [(1, &root), (2, &first), (3, &root[1..][..1 << 16].repeat(1100)), (4, &root[3..7])];
    assert!(contents(&outcome) == expected);
}

/// Returns the errors of a broken large blob, with a visitor that reads to the end and with one that reads
/// only the stated length.
fn faults(entry: &Entry) -> [String; 2] {
    struct Exact(Vec<PackError>);
    impl Visitor for Exact {
        type BaseData = ();
        fn visit(&mut self, object: &mut Object<'_>, _: Option<&()>) -> Result<(), Fault> {
            panic!("{} is large", object.id());
        }
        fn stream(&mut self, _: ObjectId, len: u64, content: &mut dyn Read) -> io::Result<()> {
            let read = io::copy(&mut content.take(len), &mut io::sink())?;
            assert!(read <= len);
            Ok(())
        }
        fn failed(&mut self, error: PackError) {
            self.0.push(error);
        }
        fn is_stopped(&self) -> bool {
            false
        }
    }
    let entries = std::slice::from_ref(entry);
    let errors = [walk(entries, Collect::default).errors, walk(entries, || Exact(Vec::new())).0];
    errors.map(|errors| {
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!((errors[0].offset, errors[0].id), (Some(12), Some(entry.id)));
        errors[0].fault.to_string()
    })
}

#[test]
fn a_broken_large_blob_is_reported_however_it_is_read() {
    let blob = Entry::new(1, Base::Blob, content(LARGE + 1000));
    let claiming = |len| Entry { claimed: Some(len as u64), ..blob.clone() };
    let length = Fault::Length.to_string();
    assert_eq!(faults(&claiming(LARGE + 1001)), [&length[..]; 2], "it is shorter");
    assert_eq!(faults(&claiming(LARGE + 999)), [&length[..]; 2], "it is longer");
    let mut raw = craft::deflate(&blob.data);
    *raw.last_mut().expect("a checksum") ^= 1;
    let broken = Entry { raw: Some(raw), ..blob.clone() };
    assert_eq!(faults(&broken), [&Fault::Deflate.to_string()[..]; 2], "its checksum is wrong");
    let mut raw = craft::deflate(&blob.data);
    raw[1000..].fill(0xff);
    let broken = Entry { raw: Some(raw), ..blob.clone() };
    assert_eq!(faults(&broken), [&Fault::Deflate.to_string()[..]; 2], "its data are broken");
}

#[test]
fn a_slightly_wrong_length_is_reported() {
    let mut random = Random(23);
    let entries: Vec<Entry> = (0..1200)
        .map(|number| {
            let len = random.below(900);
            let off = 1 + random.below(400);
            let claimed = match number % 3 {
                0 => len,
                1 => len + off,
                _ => len.saturating_sub(off),
            };
            let data = content(len);
            Entry { claimed: Some(claimed as u64), ..Entry::new(number, Base::Blob, data) }
        })
        .collect();
    let visitor = walk(&entries, Collect::default);
    for entry in &entries {
        let faults: Vec<_> = visitor.errors.iter().filter(|it| it.id == Some(entry.id)).collect();
        if entry.claimed == Some(entry.data.len() as u64) {
            assert!(faults.is_empty(), "{faults:?}");
            assert!(visitor.objects.iter().any(|it| it.1 == entry.id));
        } else {
            assert!(matches!(faults[..], [error] if matches!(error.fault, Fault::Length)));
        }
    }
}

#[test]
#[cfg(unix)]
fn a_length_that_only_a_header_states_is_never_allocated() {
    let program = std::env::current_exe().expect("this program");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 400000 && exec \"$0\" --ignored --exact \"$1\""]);
    let output =
        limited.arg(program).arg("large::wrong_lengths_are_reported_in_little_memory").output();
    let output = output.expect("sh starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "a_length_that_only_a_header_states_is_never_allocated runs it in limited memory"]
fn wrong_lengths_are_reported_in_little_memory() {
    let delta = |base, len| Delta::new(base, len).copy(0, 4).done();
    let claiming = |number, base, claimed| {
        let data = if matches!(base, Base::Blob) { b"root".to_vec() } else { delta(4, 4) };
        Entry { claimed: Some(claimed), ..Entry::new(number, base, data) }
    };
    // This makes room: deflate can make 1,032 bytes of one.
    let padding = Entry::new(99, Base::Blob, Random(22).bytes(5 << 20));
    let mut entries = vec![Entry::new(0, Base::Blob, b"root".to_vec())];
    for (at, claimed) in
        [1 << 59, 1 << 40, 1 << 32, 4 << 30, 2 << 30, 60 << 20].into_iter().enumerate()
    {
        let at = 10 * (at as u64 + 1);
        entries.push(claiming(at, Base::Blob, claimed));
        entries.push(claiming(at + 1, Base::Entry(0), claimed));
        entries.push(claiming(at + 2, Base::Blob, claimed));
        let base = entries.len() - 1;
        entries.push(Entry::new(at + 3, Base::Entry(base), delta(claimed, 4)));
        entries.push(Entry::new(at + 4, Base::Entry(0), delta(4, claimed)));
        entries.push(Entry::new(at + 5, Base::Entry(0), delta(claimed, 4)));
    }
    entries.push(padding);
    let visitor = walk(&entries, Collect::default);
    let ids: Vec<_> = visitor.objects.iter().map(|it| it.1).collect();
    assert_eq!(ids, [craft::id(0), craft::id(99)]);
    for entry in &entries[1..entries.len() - 1] {
        let errors: Vec<_> = visitor.errors.iter().filter(|it| it.id == Some(entry.id)).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        let number = (10..70).find(|&it| craft::id(it) == entry.id).expect("one of ours");
        let fault = &errors[0].fault;
        let expected = match number % 10 {
            0..=2 => matches!(fault, Fault::Length),
            3 => matches!(fault, Fault::BaseBroken),
            // Lengths of results are limited to 32 bits.
            _ => matches!(fault, Fault::Delta(_) | Fault::TooLarge(4294967296..)),
        };
        assert!(expected, "{number}: {fault:?}");
    }
}
