//! A reader that shows what passes through it.
//!
//! In goes a member's reader; whoever reads the member's bytes as an archive gets them from here, and
//! on the way they go through windows to the sink, are counted, and held against the limits. What is
//! left unread is read at the end, so that all of it is scanned.

use super::account::{Account, Level};
use super::bytes::Bytes;
use super::format::HEAD;
use super::member_path::MemberPlace;
use ddpatrol_scan::blob::Origin;
use ddpatrol_scan::read_full;
use ddpatrol_scan::window::{PushWindows, Window};
use std::io::{self, Read, Seek, SeekFrom};

/// A member's bytes on their way.
pub(super) struct Tee<'t, 'w> {
    scanned: ScanWindows<'t, 'w>,
    inner: &'t mut dyn Read,
    windows: PushWindows,
    head: [u8; HEAD],
    head_len: usize,
    head_at: usize,
    ended: bool,
    /// Why it cannot be read any further.
    pub(super) failed: Option<Failure>,
}

/// The member whose windows go to the sink.
#[derive(Clone, Copy)]
struct ScanWindows<'t, 'w> {
    account: &'t Account<'w>,
    place: &'t MemberPlace,
    level: Level,
}

impl ScanWindows<'_, '_> {
    fn visit(&self, window: Window<'_>) {
        if window.is_empty() {
            return;
        }
        let origin = match self.level {
            Level::Stdin => Origin::Stdin,
            Level::Member => Origin::File(&self.place.path),
        };
        self.account.blob(&window.blob(origin, self.place.layer.as_ref()));
    }
}

/// The reason why reading failed.
pub(super) enum Failure {
    /// This error, which is not reported yet.
    New(io::Error),
    /// An error that was reported, for instance by the reader of an archive around it.
    Reported,
}

impl<'t, 'w> Tee<'t, 'w> {
    pub(super) fn new(
        account: &'t Account<'w>,
        place: &'t MemberPlace,
        level: Level,
        inner: &'t mut dyn Read,
    ) -> Self {
        Self {
            scanned: ScanWindows { account, place, level },
            inner,
            windows: account.borrow_windows(),
            head: [0; HEAD],
            head_len: 0,
            head_at: 0,
            ended: false,
            failed: None,
        }
    }

    /// Reads the beginning and keeps it to be read again.
    pub(super) fn peek(&mut self) -> &[u8] {
        if self.head_len > 0 {
            return &self.head[..self.head_len];
        }
        let mut head = [0; HEAD];
        // As long as there is no head, `self` reads from the member. An error is kept in `failed`.
        self.head_len = read_full(self, &mut head).len;
        self.head = head;
        &self.head[..self.head_len]
    }

    /// Reads what is left, and ends the windows.
    pub(super) fn finish(mut self) -> Option<Failure> {
        while !self.ended && self.failed.is_none() {
            let reported = self.scanned.account.reported();
            let read = match self.scanned.account.check() {
                Ok(()) => self.inner.read(self.windows.room()),
                Err(error) => Err(error),
            };
            match self.took(read, reported) {
                Ok(len) => {
                    let scanned = self.scanned;
                    self.windows.advance(len, &mut |window| scanned.visit(window));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let scanned = self.scanned;
        self.windows.finish(&mut |window| scanned.visit(window));
        scanned.account.return_windows(self.windows);
        self.failed
    }

    /// Reads on from the member.
    fn pull(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        if self.failed.is_some() {
            return Err(io::Error::other("it cannot be read on"));
        }
        let reported = self.scanned.account.reported();
        let read = match self.scanned.account.check() {
            Ok(()) => self.inner.read(buffer),
            Err(error) => Err(error),
        };
        let len = self.took(read, reported)?;
        let scanned = self.scanned;
        self.windows.push(&buffer[..len], &mut |window| scanned.visit(window));
        Ok(len)
    }

    /// Counts what was read, or keeps why nothing was.
    fn took(&mut self, read: io::Result<usize>, reported: u64) -> io::Result<usize> {
        match read {
            Ok(0) => {
                self.ended = true;
                Ok(0)
            }
            Ok(len) => {
                self.scanned.account.took(len, self.scanned.level);
                Ok(len)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let account = self.scanned.account;
                let is_reported = account.reported() != reported || account.is_stopped();
                let again = io::Error::new(error.kind(), error.to_string());
                self.failed =
                    Some(if is_reported { Failure::Reported } else { Failure::New(error) });
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

/// Bytes of an archive, of which each read fails once the walk is to end: decoders may read a whole
/// archive before they return a single byte.
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
