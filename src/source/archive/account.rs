//! The account of a walk: counts and limits, the sink, and why the walk ends early.
//!
//! All state is in cells, since a member is read through the readers of all the archives around it,
//! which all count here. It knows neither formats nor readers.

use super::fault::Fault;
use super::feed::Feed;
use super::options::ArchiveOptions;
use super::place::Place;
use super::sink::{Counted, Histories, Packed, Sink};
use crate::source::{Code, Gap};
use ddpatrol_scan::blob::{Blob, Origin};
use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;

/// The ratio is checked once this many bytes were unpacked: a small file of zeros is no bomb.
const GRACE: u64 = 1 << 30;

/// Counts, limits and the sink of one walk.
pub(super) struct Account<'a> {
    options: &'a ArchiveOptions,
    sink: RefCell<&'a mut dyn Sink>,
    feeds: RefCell<Vec<Feed>>,
    /// The folders of the last member, whose names were scanned.
    folders: RefCell<Vec<u8>>,
    outermost: Cell<u64>,
    unpacked: Cell<u64>,
    members: Cell<u64>,
    told: Cell<u64>,
    stopped: Cell<Option<Stop>>,
}

/// The level of bytes: only those of members count as unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// They are standard input itself.
    Stdin,
    /// They were unpacked.
    Member,
}

/// Why a walk ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Interrupted,
    Unpacked,
    Ratio,
    Members,
}

impl<'a> Account<'a> {
    pub(super) fn new(options: &'a ArchiveOptions, sink: &'a mut dyn Sink) -> Self {
        Self {
            options,
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

    /// Returns the options of the walk.
    pub(super) fn options(&self) -> &ArchiveOptions {
        self.options
    }

    /// Sets the length of the outermost archive, in bytes.
    pub(super) fn set_outermost(&self, len: u64) {
        self.outermost.set(len);
    }

    /// Counts an archive that is opened.
    pub(super) fn count_archive(&self) {
        self.sink.borrow_mut().count(Counted::Archive);
    }

    /// Reports something below the outermost archive that was not scanned.
    pub(super) fn gap(&self, path: &Path, fault: &Fault) {
        self.sink.borrow_mut().gap(fault.gap(), fault.code(), path, fault.to_string());
    }

    /// Reports, once for the outermost archive, the limit that ended the walk.
    pub(super) fn report_limit(&self, place: &Place) {
        let stop = match self.stopped.get() {
            None | Some(Stop::Interrupted) => return,
            Some(stop) => stop,
        };
        let message = format!("not read to its end: {}", self.told_limit(stop));
        let code = match stop {
            Stop::Members => Code::Members,
            Stop::Ratio => Code::UnpackRatio,
            Stop::Unpacked | Stop::Interrupted => Code::UnpackedSize,
        };
        self.sink.borrow_mut().gap(Gap::Unread, code, &place.path, message);
    }

    /// Hands on a repository.
    pub(super) fn found(&self, packed: Packed) {
        self.sink.borrow_mut().repository(packed);
    }

    /// Returns the treatment of packs.
    pub(super) fn histories(&self) -> Histories {
        self.sink.borrow().histories()
    }

    /// Yields the name of a member whose content is not scanned.
    pub(super) fn name(&self, parent: &Place, name: &[u8]) -> Result<(), Fault> {
        self.check().map_err(|_| Fault::Stopped)?;
        self.members.set(self.members.get() + 1);
        self.sink.borrow_mut().count(Counted::Member);
        if self.members.get() > self.options.limits.members {
            self.stopped.set(Some(Stop::Members));
            return Err(Fault::Stopped);
        }
        // Members repeat the names of their folders: what the last name has, too, was scanned.
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

    /// Reports something that was not scanned, unless the walk has ended.
    pub(super) fn tell(&self, place: &Place, fault: &Fault) {
        if matches!(fault, Fault::Stopped) || self.is_stopped() {
            return;
        }
        self.told.set(self.told.get() + 1);
        self.sink.borrow_mut().gap(fault.gap(), fault.code(), &place.path, fault.to_string());
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
