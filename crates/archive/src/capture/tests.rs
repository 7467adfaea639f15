use super::super::test_zip::Zip;
use super::*;
use std::io::Cursor;

/// A zip with one member.
fn zip(content: &[u8]) -> Vec<u8> {
    let mut zip = Zip::default();
    zip.store("m", content);
    zip.finish()
}

/// Captures bytes that are read in pieces of `step` bytes.
fn capture(bytes: &[u8], limit: u64, step: usize) -> Captured {
    let kind = CaptureKind::of(&bytes[..bytes.len().min(crate::HEAD)]);
    let mut inner = Cursor::new(bytes);
    let mut capture = Capture::new(&mut inner, kind, limit);
    let mut buffer = vec![0; step];
    while capture.read(&mut buffer).expect("memory") > 0 {}
    capture.finish().expect("memory")
}

/// Returns the outcome as a word.
fn outcome(bytes: &[u8], limit: u64) -> &'static str {
    let outcomes = [7, 1_000, 1 << 20].map(|step| match capture(bytes, limit, step) {
        Captured::Nothing => "nothing",
        Captured::Archive(CapturedArchive { format: Format::Zip, .. }) => "zip",
        Captured::Archive(_) => "other archive",
        Captured::TooLong => "too long",
    });
    assert!(outcomes.iter().all(|it| *it == outcomes[0]), "{outcomes:?}");
    outcomes[0]
}

/// The first sector of a disk.
fn boot_sector() -> Vec<u8> {
    let mut sector = vec![0; 510];
    sector.extend(b"\x55\xaa");
    sector
}

#[test]
fn a_zip_behind_other_content_is_found_whatever_the_length_of_that_content() {
    let zip = zip(b"content");
    for before in [&b"x".repeat(20_000)[..], &b"\0x".repeat(20_000), b"\xff\0y"] {
        let bytes = [before, &zip].concat();
        assert_eq!(outcome(&bytes, zip.len() as u64), "zip");
        assert_eq!(outcome(&bytes, zip.len() as u64 - 1), "too long");
    }
}

#[test]
fn a_zip_whose_header_exceeds_the_limit_is_reported() {
    let zip = zip(&b"content".repeat(300));
    let disk = [boot_sector(), vec![1; 100_000]].concat();
    let empty_disk = vec![0; 100_000];
    // The signature of an entry that is not one begins the part that is kept.
    let constant = [b"\xff\0PK\x03\x04".as_slice(), &[1; 100_000]].concat();
    for before in [&disk, &empty_disk, &constant] {
        let bytes = [before, &zip[..]].concat();
        assert_eq!(outcome(&bytes, 1 << 20), "zip");
        for limit in [0, 600, 50_000, bytes.len() as u64 - 3] {
            assert_eq!(outcome(&bytes, limit), "too long", "{limit}");
        }
        let mut commented = bytes.clone();
        let at = commented.len() - 2;
        commented[at..].copy_from_slice(&40_000_u16.to_le_bytes());
        commented.extend(vec![b'c'; 40_000]);
        assert_eq!(outcome(&commented, 50_000), "too long");
    }
}

#[test]
fn long_content_without_an_archive_is_not_reported() {
    let disk = [boot_sector(), vec![1; 100_000]].concat();
    let constant = [b"\xff\0PK\x03\x04".as_slice(), &[1; 100_000], b"PK\x05\x06", &[0xff; 30]];
    let empty = [&vec![0; 100_000][..], b"PK\x05\x06", &[0; 18]].concat();
    for bytes in [disk, constant.concat(), vec![0; 100_000], empty] {
        assert_eq!(outcome(&bytes, 1_000), "nothing");
    }
}

#[test]
fn a_disk_image_that_exceeds_the_limit_is_reported() {
    let mut image = vec![0; 40_000];
    image[32 << 10..(32 << 10) + 7].copy_from_slice(b"\x01CD001\x01");
    assert_eq!(outcome(&image, 1 << 20), "other archive");
    assert_eq!(outcome(&image, 39_000), "too long");
}

#[test]
fn an_error_of_the_temporary_file_is_returned_and_the_content_is_read_to_its_end() {
    let bytes = [boot_sector(), vec![1; 10_000]].concat();
    let mut inner = Cursor::new(&bytes);
    let mut capture = Capture::new(&mut inner, CaptureKind::Disk, 1 << 20);
    capture.read_exact(&mut [0; 600]).expect("memory");
    capture.state = CaptureState::Failed(io::Error::from(io::ErrorKind::StorageFull));
    let mut rest = Vec::new();
    capture.read_to_end(&mut rest).expect("memory");
    assert_eq!(rest.len(), bytes.len() - 600);
    let error = capture.finish().err().expect("an error");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
