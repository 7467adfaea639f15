//! A reader that shows what passes through it.
//!
//! In goes a member's reader; whoever reads the member's bytes as an archive gets them from here, and
//! on the way they go through windows to the sink, are counted, and held against the limits. What is
//! left unread is read at the end, so that all of it is scanned.

use super::account::{Account, Level};
use super::bytes::Bytes;
use super::feed::{Feed, Window};
use super::format::HEAD;
use super::place::Place;
use crate::blob::{Blob, Origin};
use std::io::{self, Read, Seek, SeekFrom};

/// A member's bytes on their way.
pub(super) struct Tee<'t, 'w> {
    account: &'t Account<'w>,
    place: &'t Place,
    level: Level,
    inner: &'t mut dyn Read,
    feed: Feed,
    head: [u8; HEAD],
    head_len: usize,
    head_at: usize,
    ended: bool,
    /// Why it cannot be read on, unless a deeper reader has told that already.
    pub(super) failed: Option<Failure>,
}

/// The reason why reading failed.
pub(super) enum Failure {
    /// For this reason, which is to be told.
    New(io::Error),
    /// For a reason that was told.
    Told,
}

impl<'t, 'w> Tee<'t, 'w> {
    pub(super) fn new(
        account: &'t Account<'w>,
        place: &'t Place,
        level: Level,
        inner: &'t mut dyn Read,
    ) -> Self {
        Self {
            account,
            place,
            level,
            inner,
            feed: account.feed(),
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
        while self.head_len < HEAD {
            match self.pull(&mut head[self.head_len..]) {
                Ok(0) | Err(_) => break,
                Ok(len) => self.head_len += len,
            }
        }
        self.head = head;
        &self.head[..self.head_len]
    }

    /// Reads what is left, and ends the windows.
    pub(super) fn finish(mut self) -> Option<Failure> {
        while !self.ended && self.failed.is_none() {
            let told = self.account.reported();
            let read = match self.account.check() {
                Ok(()) => self.inner.read(self.feed.room()),
                Err(error) => Err(error),
            };
            match self.took(read, told) {
                Ok(len) => {
                    let (account, place, level) = (self.account, self.place, self.level);
                    self.feed.advance(len, &mut |window| see(account, (place, level), &window));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let (account, place, level) = (self.account, self.place, self.level);
        self.feed.finish(&mut |window| see(account, (place, level), &window));
        account.give_back(self.feed);
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
        let told = self.account.reported();
        let read = match self.account.check() {
            Ok(()) => self.inner.read(buffer),
            Err(error) => Err(error),
        };
        let len = self.took(read, told)?;
        let (account, place, level) = (self.account, self.place, self.level);
        self.feed.push(&buffer[..len], &mut |window| see(account, (place, level), &window));
        Ok(len)
    }

    /// Counts what was read, or keeps why nothing was.
    fn took(&mut self, read: io::Result<usize>, told: u64) -> io::Result<usize> {
        match read {
            Ok(0) => {
                self.ended = true;
                Ok(0)
            }
            Ok(len) => {
                self.account.took(len, self.level);
                Ok(len)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let is_told = self.account.reported() != told || self.account.is_stopped();
                let again = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(if is_told { Failure::Told } else { Failure::New(error) });
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

fn see(account: &Account<'_>, (place, level): (&Place, Level), window: &Window<'_>) {
    let origin = match level {
        Level::Stdin => Origin::Stdin,
        Level::Member => Origin::File(&place.path),
    };
    account.visit(&Blob {
        origin,
        bytes: window.bytes,
        offset: window.offset,
        position: window.position,
        own: window.own.clone(),
        layer: place.layer.as_ref(),
    });
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
