//! The memory of one worker: buffers, automaton states and the budget, reused for every blob.
//!
//! Output: buffers, and whether a search exceeded its limits. This file searches nothing.

use super::budget::Budget;
use super::encoded::decode::Decoded;
use super::encoded::stream::Chain;
use regex_automata::hybrid::dfa::Cache;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Buffers above this capacity are not reused.
const MAX_RETAINED: usize = 4 << 20;

/// The search state of one worker, reused for every blob.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) cache: Option<Cache>,
    pub(super) ends: Vec<usize>,
    pub(super) window: Vec<u8>,
    pub(super) decoded: Decoded,
    /// Whether encoded content may depend on more bytes than the candidates record.
    pub(super) needs_full_scan: bool,
    pub(super) budget: Budget,
    pub(super) progress: Progress,
    /// The archives found in base64, if they are collected.
    pub(super) archives: Option<Vec<EncodedArchive>>,
    /// Unused decode buffers.
    buffers: Vec<Vec<u8>>,
}

/// An archive that was decoded from base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedArchive {
    /// The offset of the encoded text in the searched bytes.
    pub start: usize,
    /// The archive, which may be cut off.
    pub bytes: Vec<u8>,
}

/// The content decoded so far in the search of one text.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Base64 that was decoded and searched as text, and continues after the searched part.
    pub(super) chains: Vec<Chain>,
    /// The range of UTF-16 that was decoded last.
    pub(super) utf16: Range<usize>,
    /// The range of UTF-32 that was decoded last.
    pub(super) utf32: Range<usize>,
}

impl Scratch {
    /// Creates a scratch whose searches end early when `stop` becomes `true`.
    #[must_use]
    pub fn interruptible(stop: Arc<AtomicBool>) -> Self {
        Self { budget: Budget::interruptible(stop), ..Self::default() }
    }

    /// Collects archives in base64 from now on, for [`Scratch::take_archives`].
    #[must_use]
    pub fn collecting_archives(mut self) -> Self {
        self.archives = Some(Vec::new());
        self
    }

    /// Returns the archives found in base64 since the last call, in the order of their offsets.
    pub fn take_archives(&mut self) -> Vec<EncodedArchive> {
        let Some(archives) = self.archives.as_mut().filter(|it| !it.is_empty()) else {
            return Vec::new();
        };
        let mut archives = std::mem::take(archives);
        archives.sort_by_key(|archive| archive.start);
        archives
    }

    /// Moves the archives after the first `known` to the text that contains their encoded text.
    pub(super) fn move_archives(&mut self, known: usize, place: impl Fn(usize) -> usize) {
        for archive in self.archives.iter_mut().flatten().skip(known) {
            archive.start = place(archive.start);
        }
    }

    pub(super) fn archive_count(&self) -> usize {
        self.archives.as_ref().map_or(0, Vec::len)
    }

    /// Returns `true` if encoded text was not decoded to its end because a limit on work or memory was
    /// exceeded, and clears the flag.
    #[inline]
    pub fn take_overrun(&mut self) -> bool {
        self.budget.take_exceeded()
    }

    /// Takes an empty buffer from the pool.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    /// Returns a buffer to the pool.
    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MAX_RETAINED {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }
}
