//! Shared code of the fuzz targets. For archives: walks any bytes with small limits, and checks that the
//! walk ends, that no limit is exceeded, and that every path is below that of the archive.

pub mod tokens;

use ddpatrol::blob::Context;
use ddpatrol::blob::{Blob, Origin};
use ddpatrol::source::archive::{
    ArchiveFile, ArchiveOptions, Format, GitHandling, Input, Limits, MemberSink, WalkCount, detect,
    walk,
};
use ddpatrol_scan::issue::ArchiveIssue;
use ddpatrol_scan::place::Place;
use std::io::Cursor;
use std::path::Path;

/// Maximum number of bytes unpacked from one input.
const UNPACKED: u64 = 4 << 20;

#[derive(Default)]
struct Count {
    unpacked: u64,
    members: u64,
}

impl MemberSink for Count {
    fn blob(&mut self, blob: &Blob<'_>) {
        assert!(blob.own.end <= blob.bytes.len());
        if let Origin::File(place) | Origin::Name(place) = blob.origin {
            assert!(place.to_place().path().as_os_str().as_encoded_bytes().starts_with(b"x"));
        }
    }

    fn issue(&mut self, issue: ArchiveIssue, place: &Place) {
        assert!(place.path().as_os_str().as_encoded_bytes().starts_with(b"x"));
        assert!(!issue.to_string().is_empty());
    }

    fn count(&mut self, counted: WalkCount) {
        match counted {
            WalkCount::Unpacked(len) => self.unpacked += len,
            WalkCount::Member => self.members += 1,
            WalkCount::Archive | WalkCount::Input(_) => {}
        }
        // The walk may count one read beyond the limit before it ends.
        assert!(self.unpacked <= UNPACKED + (1 << 20) && self.members <= 10_001);
    }

    fn is_interrupted(&self) -> bool {
        false
    }

    fn git_handling(&self) -> GitHandling {
        GitHandling::Objects
    }
}

fn options() -> ArchiveOptions {
    ArchiveOptions {
        depth: 3,
        limits: Limits { unpacked: UNPACKED, ratio: 1_000, members: 10_000, spool: 1 << 20 },
        context: Context { before: 100, after: 400 },
    }
}

/// Walks bytes as an archive of this format, from memory and as a stream.
pub fn walk_as(format: Format, bytes: &[u8]) {
    let found = ArchiveFile { place: Path::new("x").into(), format, layer: None };
    let mut whole = Cursor::new(bytes);
    // Reads from memory never fail; the walk reports all other errors to the sink.
    let _ = walk(Input::Whole(&mut whole), &found, &options(), &mut Count::default());
    let _ = walk(Input::Stdin(&mut &*bytes), &found, &options(), &mut Count::default());
}

/// Walks bytes in their detected format.
pub fn walk_any(bytes: &[u8], name: &str) {
    if let Some(format) = detect(bytes, Path::new(name)) {
        walk_as(format, bytes);
    }
}
