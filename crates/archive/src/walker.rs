//! The walk: opens members that are archives, and yields the others to the sink.
//!
//! Input: members, from the reader of each format. Output: blobs, names and issues, to the sink. Formats
//! are not parsed here; counts and limits are in [`Account`].

use super::account::{Account, ByteOrigin};
use super::bytes::{Bytes, Exact};
use super::capture::{Capture, CaptureKind, Captured, CapturedArchive};
use super::fault::Fault;
use super::format::{Format, detect};
use super::member_path::MemberPlace;
use super::options::ArchiveOptions;
use super::repo_extractor::RepoExtractor;
use super::sink::{ExtractedRepo, GitHandling, MemberSink};
use super::tee::{Failure, Tee};
use ddpatrol_scan::issue::ArchiveLimit;
use ddpatrol_scan::place::Place;
use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use tempfile::SpooledTempFile;

/// Bytes of a nested archive held in memory before it spills into a temporary file.
const MAX_IN_MEMORY: usize = 4 << 20;
/// Bytes read at a time of members that are not archives.
const BUFFER: usize = 64 << 10;

/// Reads an archive of a format and passes its members to the walker.
pub(super) type ReadFormat =
    for<'w, 's> fn(&Walker<'w>, Format, &MemberPlace, Source<'s>) -> Result<(), Fault>;

/// The walk of one outermost archive.
pub(super) struct Walker<'a> {
    account: Account<'a>,
    read_format: ReadFormat,
    extractor: Option<RepoExtractor>,
    /// A buffer for members that are not archives.
    buffer: Cell<Vec<u8>>,
}

/// The bytes of an archive.
pub(super) enum Source<'s> {
    Stream(&'s mut dyn Read),
    Whole(&'s mut dyn Bytes),
}

/// An archive to walk.
#[derive(Clone, Debug)]
pub struct ArchiveFile {
    /// Its place.
    pub place: Place,
    /// Its format.
    pub format: Format,
    /// The description of the container image layer that the archive is.
    pub layer: Option<Arc<str>>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(
        options: &'a ArchiveOptions,
        sink: &'a mut dyn MemberSink,
        read_format: ReadFormat,
    ) -> Self {
        let extractor =
            (sink.git_handling() == GitHandling::Repositories).then(RepoExtractor::default);
        let account = Account::new(options, sink);
        Self { account, read_format, extractor, buffer: Cell::default() }
    }

    /// Returns the counts and limits of the walk.
    pub(super) fn account(&self) -> &Account<'a> {
        &self.account
    }

    /// Walks bytes that the caller scans itself.
    pub(super) fn whole(&self, file: &ArchiveFile, bytes: &mut dyn Bytes) -> io::Result<()> {
        let place = MemberPlace::top(&file.place, file.layer.clone());
        self.account.set_outermost(bytes.seek(SeekFrom::End(0))?);
        bytes.seek(SeekFrom::Start(0))?;
        let outcome = self.open(file.format, &place, Source::Whole(bytes));
        self.end(&place, outcome);
        Ok(())
    }

    /// Walks standard input, and also yields its raw bytes.
    pub(super) fn stdin(&self, file: &ArchiveFile, reader: &mut dyn Read) -> io::Result<()> {
        let place = MemberPlace::top(&file.place, None);
        let mut tee = Tee::new(&self.account, &place, ByteOrigin::Stdin, reader);
        let outcome = self.open(file.format, &place, Source::Stream(&mut tee));
        let failure = tee.finish();
        self.end(&place, if failure.is_some() { Ok(()) } else { outcome });
        match failure {
            Some(Failure::New(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn end(&self, place: &MemberPlace, outcome: Result<(), Fault>) {
        if let Err(fault) = outcome {
            self.account.report(place, fault);
        }
        if let (Some(extractor), Ok(())) = (&self.extractor, self.account.check()) {
            let mut report = |place: &Place, issue| self.account.report_at(place, issue);
            let is_stopped = || self.account.check().is_err();
            let mut found = |repo: ExtractedRepo| self.account.repository(repo);
            extractor.finish(&mut found, &mut report, &is_stopped);
        }
        self.account.report_limit(place);
    }

    /// Opens an archive, or reports one of a format that is not opened.
    pub(super) fn open(
        &self,
        format: Format,
        place: &MemberPlace,
        source: Source<'_>,
    ) -> Result<(), Fault> {
        if format.is_archive() {
            if place.depth > 0 && place.depth >= self.account.options().depth {
                let (format, depth) = (format.name(), place.depth);
                return Err(ArchiveLimit::Depth { format, depth }.into());
            }
            self.account.count_archive();
        }
        (self.read_format)(self, format, place, source)
    }

    /// Yields the name and content of one member, and opens it if it is an archive.
    pub(super) fn member(
        &self,
        parent: &MemberPlace,
        name: &[u8],
        content: &mut dyn Read,
    ) -> Result<(), Fault> {
        self.account.name(parent, name)?;
        let place = parent.member(name);
        let limit = self.account.options().limits.spool;
        let Some(extractor) = &self.extractor else { return self.content(&place, content) };
        match extractor.capture(parent, name, limit, content) {
            Ok(mut captured) => {
                let tee = Tee::new(&self.account, &place, ByteOrigin::Member, &mut captured);
                let failure = tee.finish();
                extractor.take(captured, limit);
                if let Some(Failure::New(error)) = failure {
                    self.account.report(&place, error);
                }
                self.account.check().map_err(|_| Fault::Stopped)
            }
            Err(content) => self.content(&place, content),
        }
    }

    /// Yields the content of a member, and opens it if it is an archive.
    pub(super) fn content(&self, place: &MemberPlace, content: &mut dyn Read) -> Result<(), Fault> {
        let mut tee = Tee::new(&self.account, place, ByteOrigin::Member, content);
        let format = detect(tee.peek(), place.base.own_path());
        let outcome = match format {
            None => self.behind_content(place, &mut tee),
            Some(format) => self.open(format, place, Source::Stream(&mut tee)),
        };
        // The content was scanned as far as it could be read; the failure is reported once.
        let outcome = match tee.finish() {
            Some(Failure::New(error)) => Err(error.into()),
            Some(Failure::Stopped) => Ok(()),
            None => outcome,
        };
        if let Err(fault) = outcome {
            self.account.report(place, fault);
        }
        self.account.check().map_err(|_| Fault::Stopped)
    }

    /// Opens an archive that follows other content, such as a program.
    fn behind_content(&self, place: &MemberPlace, content: &mut Tee<'_, '_>) -> Result<(), Fault> {
        let limit = self.account.options().limits.spool;
        let kind = CaptureKind::of(content.peek());
        let mut capture = Capture::new(content, kind, limit);
        let mut buffer = self.buffer.take();
        if buffer.is_empty() {
            buffer = vec![0; BUFFER];
        }
        loop {
            match capture.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) => {}
                // The data before the error may be readable; the reader keeps the error.
                Err(_) => break,
            }
        }
        self.buffer.set(buffer);
        match capture.finish()? {
            Captured::Archive(CapturedArchive { format, mut bytes }) => {
                self.open(format, place, Source::Whole(&mut bytes))
            }
            Captured::TooLong => Err(ArchiveLimit::Held(limit).into()),
            Captured::Nothing => Ok(()),
        }
    }

    /// Buffers a stream so that it can be read at any offset.
    pub(super) fn spool(&self, reader: &mut dyn Read) -> Result<SpooledTempFile, Fault> {
        let mut spool = SpooledTempFile::new(MAX_IN_MEMORY);
        let limit = self.account.options().limits.spool;
        let mut buffer = vec![0; 64 << 10];
        let mut held = 0;
        loop {
            let len = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The data before the error may be readable; the reader keeps the error.
                Err(_) => break,
            };
            held += len as u64;
            if held > limit {
                return Err(ArchiveLimit::Held(limit).into());
            }
            spool.write_all(&buffer[..len])?;
        }
        spool.seek(SeekFrom::Start(0))?;
        Ok(spool)
    }
}

impl Walker<'_> {
    /// Yields a member of known length from a stream, and skips to its end.
    pub(super) fn sized(
        &self,
        parent: &MemberPlace,
        name: &[u8],
        len: u64,
        reader: &mut dyn Read,
    ) -> Result<(), Fault> {
        let mut content = Exact::new(reader, len);
        self.member(parent, name, &mut content)?;
        // The failure of the member is already reported, and nothing after it can be read.
        if content.is_done() { Ok(()) } else { content.rest().map_err(|_| Fault::Stopped) }
    }
}

#[cfg(test)]
mod tests;
