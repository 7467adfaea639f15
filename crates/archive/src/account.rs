//! The account of a walk: counts and limits, the sink, and why the walk ends early.
//!
//! The state is in cells, because a member is read through the readers of all archives around it, and all
//! of them count here. Formats and readers are not known here.

use super::fault::Fault;
use super::member_path::MemberPlace;
use super::options::ArchiveOptions;
use super::sink::{ExtractedRepo, GitHandling, MemberSink, WalkCount};
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::issue::{ArchiveIssue, ArchiveLimit, UnpackLimit};
use ddpatrol_scan::place::Place;
use ddpatrol_scan::window::PushWindows;
use std::cell::{Cell, RefCell};
use std::io;

/// The ratio is checked only above this many unpacked bytes: a small file of zeros is not a bomb.
const MIN_RATIO_BYTES: u64 = 1 << 30;

/// Counts, limits and the sink of one walk.
pub(super) struct Account<'a> {
    options: &'a ArchiveOptions,
    sink: RefCell<&'a mut dyn MemberSink>,
    windows: RefCell<Vec<PushWindows>>,
    /// The folders of the last member; their names were scanned.
    folders: RefCell<Vec<u8>>,
    outermost: Cell<u64>,
    unpacked: Cell<u64>,
    members: Cell<u64>,
    stopped: Cell<Option<Stop>>,
}

/// The origin of bytes that were read: only those of members count as unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrigin {
    /// Standard input itself.
    Stdin,
    /// A member that was unpacked.
    Member,
}

/// The reason why a walk stops early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Interrupted,
    Limit(UnpackLimit),
}

impl<'a> Account<'a> {
    pub(super) fn new(options: &'a ArchiveOptions, sink: &'a mut dyn MemberSink) -> Self {
        Self {
            options,
            sink: RefCell::new(sink),
            windows: RefCell::default(),
            folders: RefCell::default(),
            outermost: Cell::default(),
            unpacked: Cell::default(),
            members: Cell::default(),
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
        self.sink.borrow_mut().count(WalkCount::Archive);
    }

    /// Reports something below the outermost archive that was not scanned.
    pub(super) fn report_at(&self, place: &Place, issue: ArchiveIssue) {
        self.sink.borrow_mut().issue(issue, place);
    }

    /// Reports, once for the outermost archive, the limit that ended the walk.
    pub(super) fn report_limit(&self, place: &MemberPlace) {
        if let Some(Stop::Limit(limit)) = self.stopped.get() {
            self.sink.borrow_mut().issue(ArchiveIssue::Incomplete(limit), &place.place);
        }
    }

    /// Forwards an extracted repository.
    pub(super) fn repository(&self, repo: ExtractedRepo) {
        self.sink.borrow_mut().repository(repo);
    }

    /// Returns the treatment of packs and repositories.
    pub(super) fn git_handling(&self) -> GitHandling {
        self.sink.borrow().git_handling()
    }

    /// Yields the name of a member whose content is not scanned.
    pub(super) fn name(&self, parent: &MemberPlace, name: &[u8]) -> Result<(), Fault> {
        self.check().map_err(|_| Fault::Stopped)?;
        self.members.set(self.members.get() + 1);
        self.sink.borrow_mut().count(WalkCount::Member);
        let limit = self.options.limits.members;
        if self.members.get() > limit {
            self.stopped.set(Some(Stop::Limit(UnpackLimit::Members(limit))));
            return Err(Fault::Stopped);
        }
        // Members repeat the names of their folders; the part shared with the last name was scanned.
        let mut folders = self.folders.borrow_mut();
        let common = folders.iter().zip(name).take_while(|(a, b)| a == b).count();
        let known = memchr::memrchr(b'/', &name[..common]).map_or(0, |slash| slash + 1);
        let new = &name[known..];
        // The shortest head has three bytes, and short names cannot hold a token.
        if new.len() > 8 {
            let place = parent.member(name);
            let blob = Blob::whole(Origin::Name((&*place.place).into()), new);
            self.blob(&Blob { layer: place.layer.as_ref(), ..blob });
        }
        let folder = memchr::memrchr(b'/', name).map_or(0, |slash| slash + 1);
        folders.clear();
        folders.extend_from_slice(&name[..folder.min(64 << 10)]);
        Ok(())
    }

    /// Reports something that was not scanned, unless the walk has ended.
    pub(super) fn report(&self, place: &MemberPlace, fault: impl Into<Fault>) {
        let Fault::Issue(issue) = fault.into() else { return };
        if self.is_stopped() {
            return;
        }
        self.sink.borrow_mut().issue(issue, &place.place);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }

    /// Fails if the walk must end.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.stopped.get().is_none() && self.sink.borrow().is_interrupted() {
            self.stopped.set(Some(Stop::Interrupted));
        }
        if self.is_stopped() { Err(io::Error::other("the walk was ended")) } else { Ok(()) }
    }

    /// Counts bytes that were read.
    pub(super) fn count_bytes(&self, len: usize, origin: ByteOrigin) {
        let len = len as u64;
        if origin == ByteOrigin::Stdin {
            self.outermost.set(self.outermost.get() + len);
            self.sink.borrow_mut().count(WalkCount::Input(len));
            return;
        }
        let unpacked = self.unpacked.get() + len;
        self.unpacked.set(unpacked);
        self.sink.borrow_mut().count(WalkCount::Unpacked(len));
        if let Some(limit) = self.exceeded_limit(unpacked) {
            self.stopped.set(Some(Stop::Limit(limit)));
        }
    }

    /// Fails if unpacking `len` more bytes would exceed a limit.
    pub(super) fn expect(&self, len: u64) -> Result<(), Fault> {
        match self.exceeded_limit(self.unpacked.get().saturating_add(len)) {
            None => Ok(()),
            Some(limit) => Err(ArchiveLimit::Unpack(limit).into()),
        }
    }

    /// Returns the limit that this many unpacked bytes exceed.
    fn exceeded_limit(&self, unpacked: u64) -> Option<UnpackLimit> {
        let limits = &self.options.limits;
        if unpacked > limits.unpacked {
            return Some(UnpackLimit::Bytes(limits.unpacked));
        }
        let most = limits.ratio.saturating_mul(self.outermost.get());
        (unpacked > MIN_RATIO_BYTES.max(most)).then_some(UnpackLimit::Ratio(limits.ratio))
    }

    pub(super) fn blob(&self, blob: &Blob<'_>) {
        self.sink.borrow_mut().blob(blob);
    }

    /// Lends a buffer for windows.
    pub(super) fn borrow_windows(&self) -> PushWindows {
        let windows = self.windows.borrow_mut().pop();
        windows.unwrap_or_else(|| PushWindows::new(self.options.context))
    }

    /// Takes back a buffer for windows.
    pub(super) fn return_windows(&self, windows: PushWindows) {
        self.windows.borrow_mut().push(windows);
    }
}
