//! A reader that also pushes the bytes it reads to the sink.
//!
//! Input: the reader of a member. Output: the same bytes to the reader of its format, and windows of them to
//! the sink; they are counted and checked against the limits. The rest is read at the end, so that the
//! whole member is scanned.

use super::account::{Account, ByteOrigin};
use super::bytes::Bytes;
use super::format::HEAD;
use super::member_path::MemberPlace;
use ddpatrol_scan::blob::Origin;
use ddpatrol_scan::issue::ArchiveLimit;
use ddpatrol_scan::read_full;
use ddpatrol_scan::window::{MAX_WINDOW, PushWindows, Window};
use std::io::{self, Read, Seek, SeekFrom};

/// Reads a member and pushes its bytes to the sink.
pub(super) struct Tee<'t, 'w> {
    scanned: ScanWindows<'t, 'w>,
    inner: &'t mut dyn Read,
    windows: PushWindows,
    head: [u8; HEAD],
    head_len: usize,
    head_at: usize,
    ended: bool,
    /// The failure that ended reading.
    pub(super) failed: Option<Failure>,
}

/// Pushes the windows of a member to the sink.
#[derive(Clone, Copy)]
struct ScanWindows<'t, 'w> {
    account: &'t Account<'w>,
    place: &'t MemberPlace,
    origin: ByteOrigin,
}

impl ScanWindows<'_, '_> {
    fn visit(&self, window: Window<'_>) {
        if window.is_empty() {
            return;
        }
        let origin = match self.origin {
            ByteOrigin::Stdin => Origin::Stdin,
            ByteOrigin::Member => Origin::File((&*self.place.place).into()),
        };
        self.account.blob(&window.blob(origin, self.place.layer.as_ref()));
    }
}

/// A failure to read a member.
pub(super) enum Failure {
    /// An error that is not reported yet.
    New(io::Error),
    /// The walk ended; its reason is reported once, for the outermost archive.
    Stopped,
}

impl<'t, 'w> Tee<'t, 'w> {
    pub(super) fn new(
        account: &'t Account<'w>,
        place: &'t MemberPlace,
        origin: ByteOrigin,
        inner: &'t mut dyn Read,
    ) -> Self {
        Self {
            scanned: ScanWindows { account, place, origin },
            inner,
            windows: account.borrow_windows(),
            head: [0; HEAD],
            head_len: 0,
            head_at: 0,
            ended: false,
            failed: None,
        }
    }

    /// Returns the beginning without consuming it.
    pub(super) fn peek(&mut self) -> &[u8] {
        if self.head_len > 0 {
            return &self.head[..self.head_len];
        }
        let mut head = [0; HEAD];
        // While there is no head, `self` reads from the member. An error is kept in `failed`.
        self.head_len = read_full(self, &mut head).len;
        self.head = head;
        &self.head[..self.head_len]
    }

    /// Reads the rest and finishes the windows.
    pub(super) fn finish(mut self) -> Option<Failure> {
        while !self.ended && self.failed.is_none() {
            let read = match self.scanned.account.check() {
                Ok(()) => self.inner.read(self.windows.room()),
                Err(error) => Err(error),
            };
            match self.record(read) {
                Ok(len) => {
                    let scanned = self.scanned;
                    self.windows.advance(len, &mut |window| scanned.visit(window));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let scanned = self.scanned;
        let has_cut = self.windows.has_cut_base64();
        self.windows.finish(&mut |window| scanned.visit(window));
        if has_cut {
            scanned.account.report(scanned.place, ArchiveLimit::Encoded(MAX_WINDOW));
        }
        scanned.account.return_windows(self.windows);
        self.failed
    }

    /// Reads more from the member.
    fn pull(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        if self.failed.is_some() {
            return Err(io::Error::other("reading failed before"));
        }
        let read = match self.scanned.account.check() {
            Ok(()) => self.inner.read(buffer),
            Err(error) => Err(error),
        };
        let len = self.record(read)?;
        let scanned = self.scanned;
        self.windows.push(&buffer[..len], &mut |window| scanned.visit(window));
        Ok(len)
    }

    /// Counts the bytes that were read, or keeps the failure.
    fn record(&mut self, read: io::Result<usize>) -> io::Result<usize> {
        match read {
            Ok(0) => {
                self.ended = true;
                Ok(0)
            }
            Ok(len) => {
                self.scanned.account.count_bytes(len, self.scanned.origin);
                Ok(len)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let again = io::Error::new(error.kind(), error.to_string());
                let is_stopped = self.scanned.account.is_stopped();
                self.failed = Some(if is_stopped { Failure::Stopped } else { Failure::New(error) });
                Err(again)
            }
        }
    }
}

impl Read for Tee<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.head_at < self.head_len {
            let len = buffer.len().min(self.head_len - self.head_at);
            buffer[..len].copy_from_slice(&self.head[self.head_at..self.head_at + len]);
            self.head_at += len;
            return Ok(len);
        }
        self.pull(buffer)
    }
}

/// Bytes of an archive whose reads fail once the walk must end: a decoder may read a whole archive before
/// it returns a single byte.
pub(super) struct Polled<'p, 'w> {
    account: &'p Account<'w>,
    inner: &'p mut dyn Bytes,
}

impl<'p, 'w> Polled<'p, 'w> {
    pub(super) fn new(account: &'p Account<'w>, inner: &'p mut dyn Bytes) -> Self {
        Self { account, inner }
    }
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.account.check()?;
        self.inner.read(buffer)
    }
}

impl Seek for Polled<'_, '_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
