//! The walk: opens what is an archive, hands members on, keeps to the limits.
//!
//! It knows no format; each format's file hands it members. All state is in cells, since a member is
//! read through the readers of all the archives around it, which all count here.

use super::feed::Feed;
use super::format::{Format, detect, is_program};
use super::place::Place;
use super::repository::{Keeper, Packed};
use super::tee::{Exact, Failure, Level, Polled, Tee};
use super::{ArchiveOptions, Bytes, Counted, Fault, Found, Histories, Sink};
use super::{ar, bundle, cpio, objects, pdf, rpm, sevenz, sqlite, stream, tar, zip};
use crate::blob::{Blob, Origin};
use crate::source::Gap;
use std::cell::{Cell, RefCell};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::SpooledTempFile;

/// What is held of a nested archive before it spills into a temporary file.
const HELD: usize = 4 << 20;
/// The ratio is looked at once so much was unpacked: a small file of zeros is no bomb.
const GRACE: u64 = 1 << 30;

/// One walk of one outermost archive.
pub(super) struct Walker<'a> {
    options: &'a ArchiveOptions,
    sink: RefCell<&'a mut dyn Sink>,
    feeds: RefCell<Vec<Feed>>,
    /// The folders of the last member, whose names were looked at.
    folders: RefCell<Vec<u8>>,
    outermost: Cell<u64>,
    unpacked: Cell<u64>,
    members: Cell<u64>,
    told: Cell<u64>,
    keeper: Option<Keeper>,
    stopped: Cell<Option<Stop>>,
}

/// Why a walk ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Interrupted,
    Unpacked,
    Ratio,
    Members,
}

/// Bytes that a format is read from.
pub(super) enum Source<'s> {
    Stream(&'s mut dyn Read),
    Whole(&'s mut dyn Bytes),
}

impl<'a> Walker<'a> {
    pub(super) fn new(options: &'a ArchiveOptions, sink: &'a mut dyn Sink) -> Self {
        let keeper = (sink.histories() == Histories::Repositories).then(Keeper::default);
        Self {
            options,
            keeper,
            sink: RefCell::new(sink),
            feeds: RefCell::default(),
            folders: RefCell::default(),
            outermost: Cell::default(),
            unpacked: Cell::default(),
            members: Cell::default(),
            told: Cell::default(),
            stopped: Cell::default(),
        }
    }

    /// Walks bytes that the caller has looked at.
    pub(super) fn whole(&self, found: &Found<'_>, bytes: &mut dyn Bytes) -> io::Result<()> {
        let place = Place::top(found.path, found.layer.clone());
        self.outermost.set(bytes.seek(SeekFrom::End(0))?);
        bytes.seek(SeekFrom::Start(0))?;
        let outcome = self.open(found.format, &place, Source::Whole(bytes));
        self.end(&place, outcome);
        Ok(())
    }

    /// Walks standard input, and looks at it as it is on the way.
    pub(super) fn stdin(&self, found: &Found<'_>, reader: &mut dyn Read) -> io::Result<()> {
        let place = Place::top(found.path, None);
        let mut tee = Tee::new(self, &place, Level::Stdin, reader);
        let outcome = self.open(found.format, &place, Source::Stream(&mut tee));
        let failure = tee.finish();
        self.end(&place, if failure.is_some() { Ok(()) } else { outcome });
        match failure {
            Some(Failure::New(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn end(&self, place: &Place, outcome: Result<(), Fault>) {
        if let Err(fault) = outcome {
            self.tell(place, &fault);
        }
        if let (Some(keeper), Ok(())) = (&self.keeper, self.check()) {
            let mut tell = |path: &Path, fault: &Fault| {
                self.sink.borrow_mut().gap(fault.gap(), path, fault.to_string());
            };
            let is_stopped = || self.check().is_err();
            keeper.finish(&mut |packed| self.found(packed), &mut tell, &is_stopped);
        }
        let stop = match self.stopped.get() {
            None | Some(Stop::Interrupted) => return,
            Some(stop) => stop,
        };
        let message = format!("not read to its end: {}", self.told_limit(stop));
        self.sink.borrow_mut().gap(Gap::Unread, &place.path, message);
    }

    /// Opens an archive.
    pub(super) fn open(
        &self,
        format: Format,
        place: &Place,
        source: Source<'_>,
    ) -> Result<(), Fault> {
        self.sink.borrow_mut().count(Counted::Archive);
        match source {
            Source::Stream(reader) => self.open_stream(format, place, reader),
            Source::Whole(bytes) => self.open_whole(format, place, &mut Polled::new(self, bytes)),
        }
    }

    fn open_stream(
        &self,
        format: Format,
        place: &Place,
        reader: &mut dyn Read,
    ) -> Result<(), Fault> {
        match format {
            Format::Zip | Format::SevenZ | Format::Sqlite => {
                let mut spool = self.spool(reader)?;
                self.seekable(format, place, &mut Polled::new(self, &mut spool))
            }
            Format::Tar => tar::read_stream(self, place, reader),
            format => self.streamed(format, place, reader),
        }
    }

    fn open_whole(
        &self,
        format: Format,
        place: &Place,
        bytes: &mut dyn Bytes,
    ) -> Result<(), Fault> {
        match format {
            Format::Zip | Format::SevenZ | Format::Sqlite => self.seekable(format, place, bytes),
            Format::Tar => tar::read_whole(self, place, bytes),
            format => {
                self.streamed(format, place, &mut io::BufReader::with_capacity(64 << 10, bytes))
            }
        }
    }

    fn seekable(&self, format: Format, place: &Place, bytes: &mut dyn Bytes) -> Result<(), Fault> {
        match format {
            Format::Zip => zip::read(self, place, bytes),
            Format::SevenZ => sevenz::read(self, place, bytes),
            _ => sqlite::read(self, place, bytes),
        }
    }

    fn streamed(&self, format: Format, place: &Place, reader: &mut dyn Read) -> Result<(), Fault> {
        match format {
            Format::Ar => ar::read(self, place, reader),
            Format::Cpio => cpio::read(self, place, reader),
            Format::Rpm => rpm::read(self, place, reader),
            Format::Pdf => pdf::read(self, place, reader),
            Format::Bundle | Format::Pack => bundle::read(self, place, reader),
            Format::Loose => objects::read_loose(self, place, reader),
            format => stream::read(self, place, (format, reader)),
        }
    }

    /// Takes one member: looks at its name and its content, and opens it if it is an archive.
    pub(super) fn member(
        &self,
        parent: &Place,
        name: &[u8],
        content: &mut dyn Read,
    ) -> Result<(), Fault> {
        self.name(parent, name)?;
        let place = parent.member(name);
        let limit = self.options.limits.spool;
        let Some(keeper) = &self.keeper else { return self.content(&place, content) };
        match keeper.keep(parent, (name, limit), content) {
            Ok(mut keeping) => {
                let tee = Tee::new(self, &place, Level::Member, &mut keeping);
                let failure = tee.finish();
                keeper.take(keeping, limit);
                if let Some(Failure::New(error)) = failure {
                    self.tell(&place, &error.into());
                }
                self.check().map_err(|_| Fault::Stopped)
            }
            Err(content) => self.content(&place, content),
        }
    }

    /// Hands on a repository.
    pub(super) fn found(&self, packed: Packed) {
        self.sink.borrow_mut().repository(packed);
    }

    /// Tells what is to be done with packs.
    pub(super) fn histories(&self) -> Histories {
        self.sink.borrow().histories()
    }

    /// Takes the name of a member, of which nothing else is to be looked at.
    pub(super) fn name(&self, parent: &Place, name: &[u8]) -> Result<(), Fault> {
        self.check().map_err(|_| Fault::Stopped)?;
        self.members.set(self.members.get() + 1);
        self.sink.borrow_mut().count(Counted::Member);
        if self.members.get() > self.options.limits.members {
            self.stopped.set(Some(Stop::Members));
            return Err(Fault::Stopped);
        }
        // Folders are named again by all they hold: what the last name has, too, was looked at.
        let mut folders = self.folders.borrow_mut();
        let common = folders.iter().zip(name).take_while(|(a, b)| a == b).count();
        let known = memchr::memrchr(b'/', &name[..common]).map_or(0, |slash| slash + 1);
        let new = &name[known..];
        // The shortest head has three bytes, and few names hold more than a head.
        if new.len() > 8 {
            let place = parent.member(name);
            let blob = Blob::whole(Origin::Name(&place.path), new);
            self.visit(&Blob { layer: place.layer.as_ref(), ..blob });
        }
        let folder = memchr::memrchr(b'/', name).map_or(0, |slash| slash + 1);
        folders.clear();
        folders.extend_from_slice(&name[..folder.min(64 << 10)]);
        Ok(())
    }

    /// Takes the content of a place.
    pub(super) fn content(&self, place: &Place, content: &mut dyn Read) -> Result<(), Fault> {
        let mut tee = Tee::new(self, place, Level::Member, content);
        let format = detect(tee.peek(), Path::new(&place.base));
        let outcome = match format {
            None if is_program(tee.peek()) && place.depth < self.options.depth => {
                self.behind_program(place, &mut tee)
            }
            None => Ok(()),
            Some(format) if place.depth >= self.options.depth => Err(Fault::Limit(format!(
                "it is a {} archive in {} others (--archive-depth)",
                format.name(),
                place.depth
            ))),
            Some(format) => self.open(format, place, Source::Stream(&mut tee)),
        };
        // What it holds was looked at as far as it could be read, and why no further is told once.
        let outcome = match tee.finish() {
            Some(Failure::New(error)) => Err(error.into()),
            Some(Failure::Told) => Ok(()),
            None => outcome,
        };
        if let Err(fault) = outcome {
            self.tell(place, &fault);
        }
        self.check().map_err(|_| Fault::Stopped)
    }

    /// Opens the zip that a program or script may end with.
    fn behind_program(&self, place: &Place, content: &mut dyn Read) -> Result<(), Fault> {
        let mut spool = self.spool(content)?;
        if zip::has_end(&mut spool)? {
            self.open(Format::Zip, place, Source::Whole(&mut spool))?;
        }
        Ok(())
    }

    /// Holds a stream so that it can be read at any offset.
    pub(super) fn spool(&self, reader: &mut dyn Read) -> Result<SpooledTempFile, Fault> {
        let mut spool = SpooledTempFile::new(HELD);
        let limit = self.options.limits.spool;
        let mut buffer = vec![0; 64 << 10];
        let mut held = 0;
        loop {
            let len = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // What came before may be readable; the reader itself tells why no more came.
                Err(_) => break,
            };
            held += len as u64;
            if held > limit {
                return Err(Fault::Limit(format!("{limit} bytes are the most that is held of it")));
            }
            spool.write_all(&buffer[..len])?;
        }
        spool.seek(SeekFrom::Start(0))?;
        Ok(spool)
    }

    /// Tells what was not looked at.
    pub(super) fn tell(&self, place: &Place, fault: &Fault) {
        if matches!(fault, Fault::Stopped) || self.is_stopped() {
            return;
        }
        self.told.set(self.told.get() + 1);
        self.sink.borrow_mut().gap(fault.gap(), &place.path, fault.to_string());
    }

    /// Counts what was told so far.
    pub(super) fn told(&self) -> u64 {
        self.told.get()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }

    /// Fails if the walk is to end.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.stopped.get().is_none() && self.sink.borrow().is_interrupted() {
            self.stopped.set(Some(Stop::Interrupted));
        }
        if self.is_stopped() { Err(io::Error::other("the walk was ended")) } else { Ok(()) }
    }

    /// Counts bytes that were read.
    pub(super) fn took(&self, len: usize, level: Level) {
        let len = len as u64;
        if level == Level::Stdin {
            self.outermost.set(self.outermost.get() + len);
            self.sink.borrow_mut().count(Counted::Input(len));
            return;
        }
        let unpacked = self.unpacked.get() + len;
        self.unpacked.set(unpacked);
        self.sink.borrow_mut().count(Counted::Unpacked(len));
        if let Some(stop) = self.overrun(unpacked) {
            self.stopped.set(Some(stop));
        }
    }

    /// Fails if it is known beforehand that so many bytes more would be too many.
    pub(super) fn expect(&self, len: u64) -> Result<(), Fault> {
        match self.overrun(self.unpacked.get().saturating_add(len)) {
            None => Ok(()),
            Some(stop) => Err(Fault::Limit(self.told_limit(stop))),
        }
    }

    fn overrun(&self, unpacked: u64) -> Option<Stop> {
        let limits = &self.options.limits;
        if unpacked > limits.unpacked {
            return Some(Stop::Unpacked);
        }
        let most = limits.ratio.saturating_mul(self.outermost.get());
        (unpacked > GRACE.max(most)).then_some(Stop::Ratio)
    }

    fn told_limit(&self, stop: Stop) -> String {
        let limits = &self.options.limits;
        let limit = match stop {
            Stop::Unpacked => format!("{} bytes (--max-unpacked)", limits.unpacked),
            Stop::Ratio => format!("{} bytes for each of its own", limits.ratio),
            Stop::Members => format!("{} members", limits.members),
            Stop::Interrupted => return "the walk was ended".to_owned(),
        };
        format!("it unpacks to more than {limit}")
    }

    pub(super) fn visit(&self, blob: &Blob<'_>) {
        self.sink.borrow_mut().visit(blob);
    }

    /// Lends a buffer for windows.
    pub(super) fn feed(&self) -> Feed {
        self.feeds.borrow_mut().pop().unwrap_or_else(|| Feed::new(self.options.context))
    }

    pub(super) fn give_back(&self, feed: Feed) {
        self.feeds.borrow_mut().push(feed);
    }
}

impl Walker<'_> {
    /// Takes a member of a known length out of a stream, and reads on to its end.
    pub(super) fn sized(
        &self,
        parent: &Place,
        (name, len): (&[u8], u64),
        reader: &mut dyn Read,
    ) -> Result<(), Fault> {
        let mut content = Exact::new(reader, len);
        self.member(parent, name, &mut content)?;
        // A member that could not be read to its end was told; nothing follows it.
        if content.is_done() { Ok(()) } else { content.rest().map_err(|_| Fault::Stopped) }
    }
}
