use super::super::test_sink::{Collected, options};
use super::super::test_zip::{Header, Zip};
use super::*;
use crate::Limits;
use std::path::Path;

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = Zip::default();
    members.iter().for_each(|(name, content)| zip.store(name, content));
    zip.finish()
}

fn walk(bytes: &[u8], options: &ArchiveOptions) -> Collected {
    let mut collected = Collected::default();
    collected.walk_with(bytes, Format::Zip, options);
    collected
}

fn names(collected: &Collected) -> Vec<&str> {
    collected.members.iter().map(|it| it.0.as_str()).collect()
}

#[test]
fn an_archive_beyond_the_depth_is_reported_and_its_bytes_are_scanned() {
    let inner = zip(&[("c", b"content")]);
    let outer = zip(&[("b.zip", &inner), ("d", b"next")]);
    let walked = walk(&outer, &ArchiveOptions { depth: 2, ..options() });
    assert_eq!(names(&walked), ["b.zip!/c", "b.zip", "d"]);
    assert_eq!(walked.issues(), []);
    let walked = walk(&outer, &ArchiveOptions { depth: 1, ..options() });
    assert_eq!(names(&walked), ["b.zip", "d"]);
    assert_eq!(walked.members[0].1, inner);
    let words = "not read: zip archive inside 1 other archive; raise --archive-depth to open it";
    assert_eq!(walked.issues(), [("b.zip", words)]);
}

#[test]
fn the_limit_on_unpacked_bytes_ends_the_walk_and_is_reported_once() {
    let content = [b'x'; 600];
    let inner = zip(&[("c", &content), ("d", &content)]);
    let limits = Limits { unpacked: 1_000, ..options().limits };
    let walked =
        walk(&zip(&[("b.zip", &inner), ("e", b"")]), &ArchiveOptions { limits, ..options() });
    let words = "not read to its end: it unpacks to more than 1000 bytes (--max-unpacked)";
    assert_eq!(walked.issues(), [("", words)]);
    assert!(!names(&walked).contains(&"e"), "{:?}", names(&walked));
}

#[test]
fn a_nested_archive_counts_at_every_level() {
    let inner = zip(&[("c", b"content")]);
    let walked = walk(&zip(&[("b.zip", &inner)]), &options());
    assert_eq!(walked.unpacked, inner.len() as u64 + 7);
}

#[test]
fn the_limit_on_members_ends_the_walk_and_is_reported_once() {
    let limits = Limits { members: 2, ..options().limits };
    let outer = zip(&[("b", b"1"), ("folder/", b""), ("d", b"3"), ("e", b"4")]);
    let walked = walk(&outer, &ArchiveOptions { limits, ..options() });
    assert_eq!(names(&walked), ["b"], "names without content count, too");
    let words = "not read to its end: it unpacks to more than 2 members";
    assert_eq!(walked.issues(), [("", words)]);
}

#[test]
fn a_nested_archive_above_the_limit_is_reported_and_the_next_is_read() {
    let inner = zip(&[("c", &[b'x'; 200])]);
    let limits = Limits { spool: 100, ..options().limits };
    let outer = zip(&[("b.zip", &inner), ("d", b"next")]);
    let walked = walk(&outer, &ArchiveOptions { limits, ..options() });
    assert_eq!(names(&walked), ["b.zip", "d"]);
    assert_eq!(walked.members[0].1, inner);
    assert_eq!(
        walked.issues(),
        [("b.zip", "not read: exceeds the limit of 100 bytes for a nested archive")]
    );
}

#[test]
fn the_ratio_is_checked_above_one_gibibyte() {
    let limits = Limits { unpacked: u64::MAX, ratio: 1_000, ..options().limits };
    let options = ArchiveOptions { limits, ..options() };
    let mut collected = Collected::default();
    let account = Account::new(&options, &mut collected);
    account.set_outermost(1_000);
    account.count_bytes(1 << 30, ByteOrigin::Member);
    assert!(account.check().is_ok());
    account.count_bytes(1, ByteOrigin::Member);
    assert!(account.check().is_err());
    account.report_limit(&MemberPlace::top(&Place::from(Path::new("a")), None));
    let words = "not read to its end: it unpacks to more than 1000 times its own size";
    assert_eq!(collected.issues(), [("", words)]);
}

#[test]
fn an_interrupted_walk_reports_nothing() {
    let mut collected = Collected { is_interrupted: true, ..Collected::default() };
    let (mut header, packed) = Header::deflated("b", b"content");
    header.crc = 1;
    let mut zip = Zip::default();
    zip.add(&header, &packed);
    collected.walk_with(&zip.finish(), Format::Zip, &options());
    assert_eq!((collected.texts(), collected.issues()), (vec![], vec![]));
}
