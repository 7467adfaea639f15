//! Opens archives and compressed files, recognized by their content, down to plain bytes.
//!
//! Input: bytes, and a name for them. Output: windows of every member, the names of members, and issues,
//! to a [`MemberSink`]. Members stream through windows of constant size; formats that must be read from their
//! end are held in a bounded buffer that spills into a nameless temporary file. The name of a member is
//! a label and never reaches the file system. The raw bytes of a nested archive are pushed as well, so
//! that a member that cannot be unpacked is still searched as it is; pushing the outermost bytes is up
//! to the caller, unless they come as a stream.
//!
//! The container formats are read here and not by other crates, because none of them offers every member
//! of a name that occurs twice, the members behind damage, and sizes that are not believed. Compressed
//! streams and 7z are decoded by other crates.
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
mod cpio;
mod cpio_header;
mod decode_error;
mod fault;
mod format;
pub mod image;
mod index_pack;
mod layers;
mod member_path;
mod objects;
mod options;
mod pack_scan;
mod pdf;
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
mod walker;
mod zip;
mod zip_directory;

pub use format::{
    END_OF_ZIP, Format, HEAD, archive_hint, detect, ends_as_zip, is_program, may_end_as_zip,
};

pub use bytes::Bytes;
pub use options::{ArchiveOptions, Limits};
pub use sink::{ExtractedRepo, ExtractedRepos, GitHandling, MemberSink, WalkCount};
pub use stream::content_name;
pub use walker::ArchiveFile;
pub use zip_directory::END_REACH;

use ddpatrol_scan::blob::Blob;
use ddpatrol_scan::issue::ArchiveIssue;
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::{BlobSink, Run, add};
use std::io::{self, Read, SeekFrom};
use std::path::Path;

/// What is to be walked.
pub enum Input<'a> {
    /// Bytes that the caller looks at itself, as they are: only what they hold is walked.
    Whole(&'a mut dyn Bytes),
    /// Standard input, which is looked at as it is and walked in one pass.
    Stdin(&'a mut dyn Read),
}

/// How a source reads archives.
#[derive(Clone, Debug)]
pub struct ArchiveSettings {
    /// How deep and how far.
    pub options: ArchiveOptions,
    /// Where the repositories in archives are listed; without it they are not unpacked.
    pub repositories: Option<ExtractedRepos>,
}

/// A sink that passes on to a sink and counts in the run.
pub struct RunSink<'a> {
    /// Looks at windows and names.
    pub sink: &'a mut dyn BlobSink,
    /// Takes issues and counts.
    pub run: &'a Run,
    /// Takes repositories.
    pub repositories: Option<&'a ExtractedRepos>,
}

impl MemberSink for RunSink<'_> {
    fn blob(&mut self, blob: &Blob<'_>) {
        self.sink.blob(blob);
    }

    fn issue(&mut self, issue: ArchiveIssue, path: &Path) {
        self.run.report(issue, Some(path.to_owned()));
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

/// Walks an archive; what was not looked at is told to `sink`.
///
/// # Errors
/// What reading the input itself fails with.
pub fn walk(
    input: Input<'_>,
    found: &ArchiveFile<'_>,
    options: &ArchiveOptions,
    sink: &mut dyn MemberSink,
) -> io::Result<()> {
    let walker = walker::Walker::new(options, sink, readers::read);
    match input {
        Input::Whole(bytes) => walker.whole(found, bytes),
        Input::Stdin(reader) => walker.stdin(found, reader),
    }
}

/// Tells what bytes are that can be read at any offset; reads their beginning, and their end if that
/// may show a zip behind something else.
///
/// # Errors
/// What reading fails with.
pub fn detect_whole(bytes: &mut dyn Bytes, name: &Path) -> io::Result<Option<Format>> {
    let mut head = [0; HEAD];
    bytes.seek(SeekFrom::Start(0))?;
    let len = bytes::fill(bytes, &mut head)?;
    if let Some(format) = detect(&head[..len], name) {
        return Ok(Some(format));
    }
    let is_zip = may_end_as_zip(&head[..len]) && zip_directory::has_end(bytes)?;
    Ok(is_zip.then_some(Format::Zip))
}
