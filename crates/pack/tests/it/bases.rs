//! Delta bases that are far, missing, broken, unlisted, or part of a cycle.

use crate::craft::{self, Base, Delta, Entry, Pair, id};
use crate::effect::{Subject, contents, crafted, walked};
use ddpatrol_pack::{Fault, HashKind, Kind, ObjectId, Pack, PackError, Reader};
use std::collections::HashMap;

fn offset(pack: &Pack, id: ObjectId) -> u64 {
    let position = pack.index().find(id.as_bytes()).expect("it is listed");
    pack.index().offset(position).expect("it has an offset")
}

/// Reads an object; `other` is a blob outside the pack.
fn read(
    pack: &Pack,
    wanted: ObjectId,
    other: Option<(ObjectId, &[u8])>,
) -> Result<(Kind, Vec<u8>), PackError> {
    let mut elsewhere = |id: &ObjectId| {
        let content = other.filter(|other| other.0 == *id)?.1;
        Some((Kind::Blob, content.to_vec()))
    };
    pack.read(offset(pack, wanted), &mut Reader::default(), &mut elsewhere)
}

#[test]
fn cycles_are_reported_and_other_objects_are_visited() {
    let copy = || Delta::new(4, 4).copy(0, 4).done();
    let entries = [
        Entry::new(1, Base::Blob, b"root".to_vec()),
        Entry::new(2, Base::Named(id(3)), copy()),
        Entry::new(3, Base::Named(id(2)), copy()),
        Entry::new(4, Base::Named(id(4)), copy()),
        Entry::new(5, Base::Named(id(3)), copy()),
        Entry::new(6, Base::Back(0), copy()),
        Entry::new(7, Base::Entry(5), copy()),
        Entry::new(8, Base::Named(id(1)), Delta::new(4, 3).copy(1, 3).done()),
    ];
    let (repo, outcome) = crafted(&entries);
    assert_eq!(contents(&outcome), [(1, &b"root"[..]), (8, b"oot")]);
    let mut reported: Vec<_> = outcome.failures.iter().map(|it| (it.1, &it.2[..])).collect();
    reported.sort();
    let cycle = "its delta chain is a cycle";
    let mut expected: Vec<_> = (2..8).map(|it| (Some(id(it)), cycle)).collect();
    expected.sort();
    assert_eq!(reported, expected);
    let pack = repo.open();
    for number in 2..8 {
        let error = read(&pack, id(number), None).expect_err("it has no root");
        assert!(matches!(error.fault, Fault::Cycle), "{error}");
        assert_eq!(error.offset, Some(offset(&pack, id(number))));
        assert_eq!(error.id, Some(id(number)));
    }
}

#[test]
fn deltas_on_entries_that_the_index_does_not_list_are_visited() {
    let unlisted = |entry: Entry| Entry { listed: false, ..entry };
    let delta = |tail: &[u8]| Delta::new(4, 5).copy(0, 4).insert(tail).done();
    let entries = [
        unlisted(Entry::new(1, Base::Blob, b"root".to_vec())),
        unlisted(Entry::new(2, Base::Entry(0), Delta::new(4, 4).copy(2, 2).insert(b"!!").done())),
        Entry::new(3, Base::Entry(1), delta(b"a")),
        Entry::new(4, Base::Entry(1), delta(b"b")),
        Entry::new(5, Base::Entry(0), delta(b"c")),
        Entry::new(6, Base::Blob, Vec::new()),
    ];
    let (_, outcome) = crafted(&entries);
    assert_eq!(outcome.failures, []);
    let expected = [(3, &b"ot!!a"[..]), (4, b"ot!!b"), (5, b"rootc"), (6, b"")];
    assert_eq!(contents(&outcome), expected);
}

#[test]
fn a_base_outside_the_pack_is_named_and_can_be_supplied() {
    let entries = [
        Entry::new(1, Base::Named(id(9)), Delta::new(4, 2).copy(1, 2).done()),
        Entry::new(2, Base::Entry(0), Delta::new(2, 3).copy(0, 2).insert(b"m").done()),
    ];
    let (repo, outcome) = crafted(&entries);
    assert!(outcome.objects.is_empty());
    let text = format!("its delta base {} is not in the pack", id(9));
    assert!(outcome.failures.iter().any(|it| it.1 == Some(id(1)) && it.2 == text));
    assert!(outcome.failures.iter().any(|it| it.1 == Some(id(2))));
    let pack = repo.open();
    let read = read(&pack, id(2), Some((id(9), b"base")));
    assert_eq!(read.expect("its base is supplied"), (Kind::Blob, b"asm".to_vec()));
}

#[test]
fn a_broken_base_can_be_supplied() {
    let broken = Entry {
        raw: Some(b"no compressed data".to_vec()),
        ..Entry::new(1, Base::Blob, b"root".to_vec())
    };
    let middle = Delta::new(4, 4).copy(0, 4).done();
    let bad = Delta::new(4, 9).copy(0, 4).done();
    let leaf = |base| Entry::new(3, base, Delta::new(4, 5).copy(0, 4).insert(b"s").done());
    let chains = [
        vec![broken.clone(), Entry::new(2, Base::Entry(0), middle.clone()), leaf(Base::Entry(1))],
        vec![
            Entry::new(1, Base::Blob, b"root".to_vec()),
            Entry::new(2, Base::Entry(0), bad),
            leaf(Base::Entry(1)),
        ],
    ];
    for (entries, lacking) in chains.iter().zip([1, 2]) {
        let (repo, _) = crafted(entries);
        let pack = repo.open();
        let error = read(&pack, id(3), None).expect_err("its base is broken");
        assert_eq!(error.id, Some(id(lacking)));
        let read = read(&pack, id(3), Some((id(lacking), b"root")));
        assert_eq!(read.expect("its base is supplied"), (Kind::Blob, b"roots".to_vec()));
    }
}

#[test]
fn a_base_with_a_wrong_offset_can_be_supplied() {
    let entries = [
        Entry::new(1, Base::Blob, b"root".to_vec()),
        Entry::new(2, Base::Named(id(1)), Delta::new(4, 2).copy(0, 2).done()),
    ];
    let pair = craft::pair(&entries);
    let second = offset(&crafted(&entries).0.open(), id(2));
    for lying in [0, 11, pair.pack.len() as u64 - 20, 1 << 30] {
        let mut listed = [(id(1), lying), (id(2), second)];
        listed.sort_unstable();
        let (repo, outcome) = walked(&Pair { index: craft::index(&listed), ..pair.clone() });
        assert_eq!((outcome.objects.len(), outcome.failures.len()), (0, 2));
        let pack = repo.open();
        let error = read(&pack, id(2), None).expect_err("its base is missing");
        assert_eq!(error.id, Some(id(1)));
        let read = read(&pack, id(2), Some((id(1), b"root")));
        assert_eq!(read.expect("its base is supplied"), (Kind::Blob, b"ro".to_vec()));
    }
}

#[test]
fn two_ids_of_one_entry_are_both_visited_with_the_deltas_on_it() {
    let entries = [
        Entry::new(1, Base::Blob, b"root".to_vec()),
        Entry::new(2, Base::Entry(0), Delta::new(4, 2).copy(0, 2).done()),
    ];
    let second = offset(&crafted(&entries).0.open(), id(2));
    let mut listed = [(id(1), 12), (id(2), second), (id(3), 12), (id(4), second)];
    listed.sort_unstable();
    let (_, outcome) = walked(&Pair { index: craft::index(&listed), ..craft::pair(&entries) });
    let expected = [(1, &b"root"[..]), (2, b"ro"), (3, b"root"), (4, b"ro")];
    assert_eq!(contents(&outcome), expected);
    assert!(outcome.refusal.is_some(), "they count differently");
}

#[test]
fn a_chain_longer_than_any_of_git_is_visited() {
    let mut entries = vec![Entry::new(0, Base::Blob, b"0".to_vec())];
    let mut expected = vec![(0, b"0".to_vec())];
    for number in 1..9000_u64 {
        let content = number.to_string().into_bytes();
        let delta = Delta::new(expected[number as usize - 1].1.len() as u64, content.len() as u64);
        entries.push(Entry::new(
            number,
            Base::Entry(number as usize - 1),
            delta.insert(&content).done(),
        ));
        expected.push((number, content));
    }
    let root = Subject::new(HashKind::Sha1, craft::pair(&entries[..1]));
    let (outcome, _) = root.walk(&craft::pair(&entries));
    assert!(outcome.failures.is_empty());
    let ids: HashMap<_, _> = expected.iter().map(|it| (id(it.0), &it.1)).collect();
    assert_eq!(outcome.objects.len(), ids.len());
    assert!(outcome.objects.values().all(|(id, _, content)| ids[id] == content));
    let pack = root.into_repo().open();
    assert_eq!(read(&pack, id(8999), None).expect("it comes").1, b"8999");
}

#[test]
fn a_base_before_the_first_entry_is_reported_with_the_delta() {
    for back in [1 << 40, 20, 1] {
        let delta = Delta::new(4, 4).copy(0, 4).done();
        let entries = [
            Entry::new(1, Base::Back(back), delta.clone()),
            Entry::new(2, Base::Entry(0), delta.clone()),
            Entry::new(3, Base::Blob, b"root".to_vec()),
        ];
        let (repo, outcome) = crafted(&entries);
        assert_eq!(contents(&outcome), [(3, &b"root"[..])]);
        let mut reported: Vec<_> =
            outcome.failures.iter().map(|it| (it.0, it.1, &it.2[..])).collect();
        reported.sort();
        assert_eq!(reported[0], (Some(12), Some(id(1)), "its delta base is outside the pack"));
        assert_eq!((reported.len(), reported[1].1), (2, Some(id(2))));
        let pack = repo.open();
        let error = read(&pack, id(2), None).expect_err("there is no root");
        assert_eq!((error.offset, error.id), (Some(12), Some(id(1))), "{error}");
        assert!(matches!(error.fault, Fault::BaseOffset), "{error}");
    }
}

#[test]
fn an_invalid_delta_is_reported_with_the_reason() {
    let plain = |bytes: &[u8]| bytes.to_vec();
    let broken = [
        (Delta::new(4, 4).copy(1, 4).done(), "it copies beyond the end of its base"),
        (Delta::new(4, 1).copy(4, 1).done(), "it copies beyond the end of its base"),
        (Delta::new(4, 4).copy(u32::MAX, 4).done(), "it copies beyond the end of its base"),
        (Delta::new(3, 3).copy(0, 3).done(), "its base has another length"),
        (Delta::new(5, 4).copy(0, 4).done(), "its base has another length"),
        (Delta::new(4, 3).copy(0, 4).done(), "its result is longer than stated"),
        (Delta::new(4, 3).copy(0, 2).insert(b"ab").done(), "its result is longer than stated"),
        (Delta::new(4, 5).copy(0, 4).done(), "its result is shorter than stated"),
        (plain(&[4, 4, 0]), "it has a reserved instruction"),
        (plain(&[4, 4, 4, b'a', b'b', b'c']), "it is truncated"),
        (plain(&[4, 4, 0x91, 0]), "it is truncated"),
        (plain(&[4, 0x84]), "it is truncated"),
        (plain(&[4]), "it is truncated"),
        (
            plain(&[0x84, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]),
            "a length in it is too large",
        ),
    ];
    let root = Entry::new(0, Base::Blob, b"root".to_vec());
    let deltas =
        broken.iter().zip(1..).map(|(it, at)| Entry::new(at, Base::Entry(0), it.0.clone()));
    let entries: Vec<Entry> = std::iter::once(root).chain(deltas).collect();
    let (repo, outcome) = crafted(&entries);
    assert_eq!(contents(&outcome), [(0, &b"root"[..])]);
    let pack = repo.open();
    for ((_, why), number) in broken.iter().zip(1..) {
        let reported = outcome.failures.iter().filter(|it| it.1 == Some(id(number)));
        let reported: Vec<_> = reported.map(|it| &it.2[..]).collect();
        assert_eq!(reported, [format!("its delta is broken: {why}")], "{number}");
        let error = read(&pack, id(number), None).expect_err("it is broken");
        assert_eq!(error.fault.to_string(), reported[0]);
    }
}

#[test]
fn a_large_offset_is_read_wherever_git_reads_it() {
    let mut pair = craft::pair(&[Entry::new(1, Base::Blob, b"root".to_vec())]);
    let trailer = [12_u64.to_be_bytes(); 3].concat();
    let (pack, index) = (pair.pack.len(), pair.index.len());
    pair.pack[pack - 20..].copy_from_slice(&trailer[..20]);
    pair.index[index - 40..index - 20].copy_from_slice(&trailer[..20]);
    let (_, outcome) = walked(&pair);
    assert_eq!(contents(&outcome), [(1, &b"root"[..])]);
    // The index has no large offsets: its trailer is where the first one would be.
    pair.index[index - 44..index - 40].copy_from_slice(&[0x80, 0, 0, 0]);
    let (_, outcome) = walked(&pair);
    assert_eq!(contents(&outcome), [(1, &b"root"[..])]);
    pair.index[index - 44..index - 40].copy_from_slice(&[0x80, 0, 0, 5]);
    let (_, outcome) = walked(&pair);
    let reported = (None, Some(id(1)), "the index points outside the pack".to_owned());
    assert_eq!((outcome.objects.len(), outcome.failures), (0, vec![reported]));
}
