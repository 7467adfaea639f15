//! A sink for unit tests that keeps everything a walk yields.

use super::{ArchiveFile, ArchiveOptions, Format, Input, Limits, MemberSink, WalkCount, walk};
use ddpatrol_scan::blob::{Blob, Context, Origin};
use ddpatrol_scan::issue::ArchiveIssue;
use ddpatrol_scan::place::Place;
use std::io::Cursor;
use std::path::Path;

/// The path of the outermost archive in tests.
const PATH: &str = "a";

/// Everything that a walk has yielded.
#[derive(Default)]
pub(super) struct Collected {
    /// The members by their names below the outermost archive, in order, with their content.
    pub(super) members: Vec<(String, Vec<u8>)>,
    /// The issues with the names that they concern, in order.
    pub(super) issues: Vec<(String, String)>,
    pub(super) unpacked: u64,
    pub(super) is_interrupted: bool,
}

impl Collected {
    /// Walks bytes as an archive with small limits.
    pub(super) fn walk(bytes: &[u8], format: Format) -> Self {
        let mut collected = Self::default();
        collected.walk_with(bytes, format, &options());
        collected
    }

    pub(super) fn walk_with(&mut self, bytes: &[u8], format: Format, options: &ArchiveOptions) {
        let found = ArchiveFile { place: Path::new(PATH).into(), format, layer: None };
        let mut bytes = Cursor::new(bytes);
        walk(Input::Whole(&mut bytes), &found, options, self).expect("memory can be read");
    }

    /// Returns the names and contents of the members, for comparisons.
    pub(super) fn texts(&self) -> Vec<(&str, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.members.iter().map(|(name, bytes)| (name.as_str(), text(bytes))).collect()
    }

    /// Returns the issues, for comparisons.
    pub(super) fn issues(&self) -> Vec<(&str, &str)> {
        self.issues.iter().map(|(name, words)| (name.as_str(), words.as_str())).collect()
    }
}

/// Options for small archives.
pub(super) fn options() -> ArchiveOptions {
    let limits = Limits { unpacked: 1 << 20, ratio: 1_000, members: 1_000, spool: 1 << 20 };
    ArchiveOptions { depth: 3, limits, context: Context { before: 10, after: 40 } }
}

/// Returns the path of a member without the outermost archive, `\xNN` for bytes that are not UTF-8.
fn name(place: &Place) -> String {
    let path = place.path();
    let path = path.as_os_str().as_encoded_bytes();
    let below = path.strip_prefix(PATH.as_bytes()).expect("a path below the archive");
    let below = below.strip_prefix(b"!/").unwrap_or(below);
    below.utf8_chunks().fold(String::new(), |text, chunk| {
        let invalid: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
        text + chunk.valid() + &invalid
    })
}

impl MemberSink for Collected {
    fn blob(&mut self, blob: &Blob<'_>) {
        let Origin::File(place) = blob.origin else { return };
        let name = name(&place.to_place());
        let own = &blob.bytes[blob.own.clone()];
        match self.members.last_mut() {
            Some((last, bytes)) if blob.offset > 0 && *last == name => {
                bytes.extend_from_slice(own);
            }
            _ => self.members.push((name, own.to_vec())),
        }
    }

    fn issue(&mut self, issue: ArchiveIssue, place: &Place) {
        self.issues.push((name(place), issue.to_string()));
    }

    fn count(&mut self, counted: WalkCount) {
        if let WalkCount::Unpacked(len) = counted {
            self.unpacked += len;
        }
    }

    fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }
}
