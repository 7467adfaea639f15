//! Opens archives and compressed files, recognized by their content, down to plain bytes.
//!
//! Input: bytes and a name for them. Output: windows of every member, member names and issues, pushed to
//! a [`MemberSink`]. Members stream through windows of constant size. Formats that must be read from
//! their end are held in a bounded buffer that spills into an unnamed temporary file. A member name is a
//! label and never reaches the file system. The raw bytes of a nested archive are pushed as well, so
//! that a member that cannot be unpacked is still searched in its raw form. The caller pushes the raw
//! bytes of the outermost archive, unless they come as a stream.
//!
//! The container formats are implemented here, because no other crate reads all members of a name that
//! occurs twice, reads on after damage, and does not trust recorded sizes. Other crates decode compressed
//! streams and 7z.
//!
//! # Examples
//! ```
//! use ddpatrol_archive::{Format, detect};
//! use std::path::Path;
//!
//! assert_eq!(detect(b"PK\x03\x04", Path::new("a.zip")), Some(Format::Zip));
//! assert_eq!(detect(b"key=value", Path::new("a.zip")), None);
//! ```

mod account;
mod ar;
mod bundle;
mod bytes;
mod cab;
mod capture;
mod compress;
mod cpio;
mod cpio_header;
mod decode_error;
mod elsewhere;
mod fault;
mod format;
mod header;
pub mod image;
mod index_pack;
mod iso;
mod layers;
mod member_path;
mod objects;
mod options;
mod pack_scan;
mod pdf;
mod pdf_lzw;
mod pdf_map;
mod pdf_syntax;
mod pdf_text;
mod pg_dump;
mod png;
mod program;
mod readers;
mod repo_extractor;
mod rpm;
mod sevenz;
mod sink;
mod slice_reader;
mod sqlite;
mod stream;
mod tar;
mod tar_header;
mod tee;
#[cfg(test)]
mod test_sink;
#[cfg(test)]
mod test_zip;
mod unopened;
mod walker;
mod zip;
mod zip_directory;

pub use bytes::Bytes;
pub use capture::{Capture, CaptureKind};
pub use elsewhere::{Memory, Parts, detect_whole, may_be_elsewhere};
pub use format::{Format, HEAD, archive_hint, detect};
pub use options::{ArchiveOptions, Limits};
pub use sink::{ExtractedRepo, ExtractedRepos, GitHandling, MemberSink, WalkCount};
pub use unopened::Unopened;
pub use walker::ArchiveFile;

use ddpatrol_scan::blob::Blob;
use ddpatrol_scan::issue::ArchiveIssue;
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::place::Place;
use ddpatrol_scan::{BlobSink, Run, add};
use std::io::{self, Read};

/// The bytes of an archive to walk.
pub enum Input<'a> {
    /// Bytes whose raw form the caller scans itself; only the members are pushed.
    Whole(&'a mut dyn Bytes),
    /// Standard input; its raw bytes and its members are pushed in one pass.
    Stdin(&'a mut dyn Read),
}

/// How a source reads archives.
#[derive(Clone, Debug)]
pub struct ArchiveSettings {
    /// Limits on nesting and size.
    pub options: ArchiveOptions,
    /// The list for repositories found in archives; `None` leaves them unextracted.
    pub repositories: Option<ExtractedRepos>,
}

/// Forwards blobs to a sink, and issues and counts to a run.
pub struct RunSink<'a> {
    /// Scans windows and names.
    pub sink: &'a mut dyn BlobSink,
    /// Receives issues and counts.
    pub run: &'a Run,
    /// Receives repositories.
    pub repositories: Option<&'a ExtractedRepos>,
}

impl MemberSink for RunSink<'_> {
    fn blob(&mut self, blob: &Blob<'_>) {
        self.sink.blob(blob);
    }

    fn issue(&mut self, issue: ArchiveIssue, place: &Place) {
        self.run.report(issue, Some(place));
    }

    fn count(&mut self, counted: WalkCount) {
        let tally = &self.run.tally;
        match counted {
            WalkCount::Archive => add(&tally.archives, 1),
            WalkCount::Member => add(&tally.members, 1),
            WalkCount::Input(len) => add(&tally.bytes, len),
            WalkCount::Unpacked(len) => add(&tally.unpacked, len),
        }
    }

    fn is_interrupted(&self) -> bool {
        self.run.is_interrupted()
    }

    fn git_handling(&self) -> GitHandling {
        match self.repositories {
            Some(_) => GitHandling::Repositories,
            None => GitHandling::Skipped,
        }
    }

    fn repository(&mut self, packed: ExtractedRepo) {
        if let Some(list) = self.repositories {
            lock(list).push(packed);
        }
    }
}

/// Walks an archive; issues are reported to `sink`.
///
/// # Errors
/// Errors of reading the input itself.
pub fn walk(
    input: Input<'_>,
    found: &ArchiveFile,
    options: &ArchiveOptions,
    sink: &mut dyn MemberSink,
) -> io::Result<()> {
    let walker = walker::Walker::new(options, sink, readers::read);
    match input {
        Input::Whole(bytes) => walker.whole(found, bytes),
        Input::Stdin(reader) => walker.stdin(found, reader),
    }
}
