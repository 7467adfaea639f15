//! Source of one stream: standard input, or a FIFO that the user names. A separate thread reads it, so that
//! waiting can be interrupted.
//!
//! Input: a stream. Output: blobs. If the stream starts as an archive, its members are scanned while it is
//! read; it is not stored, except for formats that need random access.

use super::archive::{
    self, ArchiveFile, ArchiveSettings, Capture, CaptureKind, Captured, CapturedArchive, HEAD,
    Input, RunSink,
};
use super::chunks::Chunks;
use super::window::{End, Windows};
use super::{Issue, Run, Sink, Sinks, Source, add};
use ddpatrol_scan::blob::{Context, Origin};
use ddpatrol_scan::issue::{ArchiveIssue, Stream};
use ddpatrol_scan::place::Place;
use ddpatrol_scan::{Filled, read_full};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

/// Standard input, or another stream that cannot be read twice.
pub struct Stdin<F> {
    open: F,
    /// The path by which the user named the stream; `None` for standard input.
    path: Option<PathBuf>,
    context: Context,
    archives: Option<ArchiveSettings>,
}

impl<F> Stdin<F> {
    /// Wraps a function that opens the input on the reading thread. Without `archives`, archives are not
    /// unpacked.
    pub fn new(open: F, context: Context, archives: Option<ArchiveSettings>) -> Self {
        Self { open, path: None, context, archives }
    }

    /// Sets the path of the stream in findings and issues.
    #[must_use]
    pub fn named(self, path: PathBuf) -> Self {
        Self { path: Some(path), ..self }
    }
}

impl<F, R> Source for Stdin<F>
where
    F: Fn() -> R + Clone + Send + Sync + 'static,
    R: Read,
{
    fn read(&self, sinks: &dyn Sinks, run: &Run) {
        let reader = Chunks::new(self.open.clone(), run);
        let path = self.path.as_deref();
        let scan =
            StreamScan { path, context: self.context, archives: self.archives.as_ref(), run };
        match scan.run(reader, sinks.sink()) {
            Ok(()) if run.is_interrupted() => {}
            Ok(()) => add(&run.tally.files, 1),
            Err(_) if run.is_interrupted() => {}
            Err(error) => {
                let stream = if path.is_some() { Stream::Named } else { Stream::Stdin };
                let issue = Issue::StreamUnreadable { stream, source: error };
                run.report(issue, self.path.clone());
            }
        }
    }
}

/// The scan of a stream.
struct StreamScan<'a> {
    /// Its path, if it has one.
    path: Option<&'a Path>,
    context: Context,
    archives: Option<&'a ArchiveSettings>,
    run: &'a Run,
}

impl StreamScan<'_> {
    /// Scans the whole stream.
    fn run(&self, mut reader: Chunks<'_>, mut sink: Box<dyn Sink + '_>) -> io::Result<()> {
        let Some(ArchiveSettings { options, repositories }) = self.archives else {
            return self.scan_plain(&mut reader, &mut *sink);
        };
        let repositories = repositories.as_ref();
        let mut head = [0; HEAD];
        let Filled { len, error } = read_full(&mut reader, &mut head);
        if let Some(error) = error {
            self.scan_plain(&mut &head[..len], &mut *sink)?;
            return Err(error);
        }
        let head = &head[..len];
        let mut whole = Cursor::new(head).chain(reader);
        let place = self.path.map_or(Place::Stdin, Place::from);
        if let Some(format) = archive::detect(head, Path::new("")) {
            let found = ArchiveFile { place, format, layer: None };
            let mut sink = RunSink { sink: &mut *sink, run: self.run, repositories };
            return archive::walk(Input::Stdin(&mut whole), &found, options, &mut sink);
        }
        let room = options.limits.spool;
        let mut capture = Capture::new(&mut whole, CaptureKind::of(head), room);
        self.scan_plain(&mut capture, &mut *sink)?;
        let CapturedArchive { format, mut bytes } = match capture.finish() {
            Ok(Captured::Archive(archive)) => archive,
            Ok(Captured::Nothing) => return Ok(()),
            Ok(Captured::TooLong) => {
                self.run.report(Issue::StreamSpool { limit: room }, Some(&place));
                return Ok(());
            }
            Err(error) => {
                self.run.report(ArchiveIssue::Unreadable(error), Some(&place));
                return Ok(());
            }
        };
        let found = ArchiveFile { place, format, layer: None };
        let mut sink = RunSink { sink: &mut *sink, run: self.run, repositories };
        archive::walk(Input::Whole(&mut bytes), &found, options, &mut sink)
    }

    /// Scans bytes without unpacking.
    fn scan_plain(&self, reader: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
        let origin = self.path.map_or(Origin::Stdin, |path| Origin::File(path.into()));
        let end = Windows::new(self.context).push_all(origin, reader, sink, self.run);
        match end {
            End::Whole(_) | End::Interrupted => Ok(()),
            End::Failed(error) => Err(error),
        }
    }
}
