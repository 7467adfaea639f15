use super::super::format::Format;
use super::super::test_sink::Collected;
use super::super::test_zip::{Header, ZIP64, Zip, end_record, extra};

fn walk(bytes: &[u8]) -> Collected {
    Collected::walk(bytes, Format::Zip)
}

fn text(name: &'static str, content: &str) -> (&'static str, String) {
    (name, content.to_owned())
}

const NO_DIRECTORY: (&str, &str) =
    ("", "damaged: no central directory; entries were read in file order");

#[test]
fn sizes_in_a_data_descriptor_are_not_needed() {
    let (header, packed) = Header::deflated("a", b"first");
    let mut zip = Zip::default();
    zip.list(&header, 0);
    let local = header.described_later().local();
    zip.entries.extend([&local[..], &packed, &header.descriptor()].concat());
    zip.store("b", b"second");
    let expected = [text("a", "first"), text("b", "second")];
    let whole = walk(&zip.finish());
    assert_eq!((whole.texts(), whole.issues()), (expected.to_vec(), vec![]));
    // Deflate knows its own end, so the entries can be read without the directory, too.
    let cut = walk(&zip.entries);
    assert_eq!((cut.texts(), cut.issues()), (expected.to_vec(), vec![NO_DIRECTORY]));
}

#[test]
fn a_stored_entry_without_a_size_is_read_by_the_directory_only() {
    let header = Header::stored("a", b"first");
    let mut zip = Zip::default();
    zip.list(&header, 0);
    let local = header.described_later().local();
    zip.entries.extend([&local[..], b"first", &header.descriptor()].concat());
    zip.store("b", b"second");
    let whole = walk(&zip.finish());
    assert_eq!(whole.texts(), [text("a", "first"), text("b", "second")]);
    assert_eq!(whole.issues(), []);
    let cut = walk(&zip.entries);
    assert_eq!(cut.texts(), [text("b", "second")]);
    let unsized_entry =
        ("a", "damaged: entry size is recorded only in the central directory, which is missing");
    assert_eq!(cut.issues(), [NO_DIRECTORY, unsized_entry]);
}

#[test]
fn zip64_fields_replace_only_those_that_do_not_fit() {
    let content = b"content";
    let len = (content.len() as u64).to_le_bytes();
    let offset = 0_u64.to_le_bytes();
    let header = Header::stored("a", content);
    for (packed, size, at, wide) in [
        (ZIP64, ZIP64, ZIP64, [len, len, offset].concat()),
        (header.packed, header.len, ZIP64, offset.to_vec()),
        (header.packed, ZIP64, 0, len.to_vec()),
    ] {
        // Another extra field may come first.
        let extra = [extra(0x5455, b"\x01date"), extra(1, &wide)].concat();
        let central = Header { packed, len: size, extra, ..header.clone() };
        let mut zip = Zip { entries: [&header.local()[..], content].concat(), ..Zip::default() };
        zip.list(&central, at);
        let walked = walk(&zip.finish());
        assert_eq!(walked.texts(), [text("a", "content")], "{central:?}");
        assert_eq!(walked.issues(), []);
    }
}

#[test]
fn a_zip64_end_record_locates_the_directory() {
    let mut zip = Zip::default();
    zip.store("a", b"content");
    let at = (zip.entries.len() + zip.directory.len()) as u64;
    let record = |size: u64, offset: u64| {
        let fields = [[0_u64.to_le_bytes(); 4].concat(), size.to_le_bytes().to_vec()].concat();
        let head = [&b"PK\x06\x06"[..], &44_u64.to_le_bytes()].concat();
        [&head[..], &fields[4..], &offset.to_le_bytes()].concat()
    };
    let wide = record(zip.directory.len() as u64, zip.entries.len() as u64);
    assert_eq!(wide.len(), 56);
    let locator = [&b"PK\x06\x07"[..], &[0; 4], &at.to_le_bytes(), &1_u32.to_le_bytes()].concat();
    let end = end_record(u16::MAX, ZIP64, ZIP64);
    let parts = [&zip.entries[..], &zip.directory, &wide, &locator, &end].concat();
    // Behind a prefix the offset in the locator is too short, so the record is found by its length.
    for prefix in [&b""[..], b"#!/bin/sh\n"] {
        let walked = walk(&[prefix, &parts].concat());
        assert_eq!(walked.texts(), [text("a", "content")]);
        assert_eq!(walked.issues(), []);
    }
}

#[test]
fn names_keep_their_bytes_in_any_encoding() {
    let mut zip = Zip::default();
    zip.add(&Header { name: b"caf\x82".to_vec(), ..Header::stored("", b"cp437") }, b"cp437");
    zip.add(&Header { flags: 0x800, ..Header::stored("café", b"utf-8") }, b"utf-8");
    let walked = walk(&zip.finish());
    assert_eq!(walked.texts(), [text("caf\\x82", "cp437"), text("café", "utf-8")]);
    assert_eq!(walked.issues(), []);
}

#[test]
fn a_local_name_of_another_length_does_not_shift_the_content() {
    // Some programs write the name in another encoding, and other extra fields, into the local header.
    let header = Header::stored("café", b"content");
    let extra = extra(0x7075, b"\x01crc.caf\xc3\xa9");
    let local = Header { name: b"caf\x82".to_vec(), extra, ..header.clone() };
    let mut zip = Zip { entries: [&local.local()[..], b"content"].concat(), ..Zip::default() };
    zip.list(&header, 0);
    let walked = walk(&zip.finish());
    assert_eq!((walked.texts(), walked.issues()), (vec![text("café", "content")], vec![]));
}

#[test]
fn both_entries_of_one_name_are_read() {
    let mut zip = Zip::default();
    zip.store("a", b"first");
    zip.store("a", b"second");
    let walked = walk(&zip.finish());
    assert_eq!(walked.texts(), [text("a", "first"), text("a", "second")]);
    assert_eq!(walked.issues(), []);
}

#[test]
fn a_damaged_directory_is_reported_and_the_entries_are_read_in_order() {
    let mut zip = Zip::default();
    zip.store("a", b"first");
    let second = zip.directory.len();
    zip.store("b", b"second");
    zip.directory[second] = b'X';
    let walked = walk(&zip.finish());
    // The first entry is in the part of the directory that can be read.
    let expected = [text("a", "first"), text("a", "first"), text("b", "second")];
    assert_eq!(walked.texts(), expected);
    let words = "damaged: invalid central directory; entries were read in file order";
    assert_eq!(walked.issues(), [("", words)]);
}

#[test]
fn an_entry_that_the_directory_does_not_list_is_read() {
    let mut zip = Zip::default();
    zip.store("a", b"first");
    let deleted = Header::stored("deleted", b"a long enough content to be no descriptor");
    zip.entries
        .extend([&deleted.local()[..], b"a long enough content to be no descriptor"].concat());
    zip.store("b", b"second");
    let walked = walk(&zip.finish());
    let mut names: Vec<&str> = walked.members.iter().map(|it| it.0.as_str()).collect();
    names.sort_unstable();
    assert_eq!((names, walked.issues()), (vec!["a", "b", "deleted"], vec![]));
}

#[test]
fn a_prefix_shifts_the_offsets_or_is_counted_in_them() {
    let prefix = b"#!/bin/sh\nexec java -jar \"$0\"\n";
    let mut zip = Zip::default();
    zip.store("a", b"content");
    let unaware = [&prefix[..], &zip.finish()].concat();
    let len = u32::try_from(prefix.len()).expect("a short prefix");
    let aware = Zip { directory: Header::stored("a", b"content").central(len), ..zip };
    let aware = [&prefix[..], &aware.finish_behind(len)].concat();
    for bytes in [unaware, aware] {
        let walked = walk(&bytes);
        assert_eq!((walked.texts(), walked.issues()), (vec![text("a", "content")], vec![]));
    }
}

#[test]
fn an_entry_that_cannot_be_read_is_reported_and_the_next_is_read() {
    let header = Header::stored("a", b"content");
    let wrong_crc = Header { crc: 1, ..header.clone() };
    let encrypted = Header { flags: 1, ..header.clone() };
    let unknown = Header { method: 97, ..header.clone() };
    for (header, words) in [
        (wrong_crc, "damaged, or cannot be read to its end: checksum mismatch"),
        (encrypted, "not unpacked: it is encrypted"),
        (unknown, "not unpacked: unsupported compression method 97"),
    ] {
        let mut zip = Zip::default();
        zip.add(&header, b"content");
        zip.store("b", b"second");
        let walked = walk(&zip.finish());
        assert_eq!(walked.texts().last(), Some(&text("b", "second")));
        assert_eq!(walked.issues(), [("a", words)]);
    }
}

#[test]
fn an_offset_without_a_local_header_is_reported_and_the_next_is_read() {
    let mut zip = Zip::default();
    zip.store("b", b"second");
    zip.list(&Header::stored("a", b"content"), 7);
    let walked = walk(&zip.finish());
    assert_eq!(walked.texts(), [text("b", "second")]);
    assert_eq!(
        walked.issues(),
        [("a", "damaged: local header is not at the offset given by the central directory")]
    );
}

#[test]
fn a_folder_has_no_content_and_no_issue() {
    let mut zip = Zip::default();
    zip.store("folder/", b"");
    zip.store("folder/a", b"content");
    let walked = walk(&zip.finish());
    assert_eq!((walked.texts(), walked.issues()), (vec![text("folder/a", "content")], vec![]));
}
