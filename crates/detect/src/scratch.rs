//! The memory of one worker: buffers, automaton states and the budget, reused from blob to blob.
//!
//! Input: none. Output: buffers to work in, and whether a search exceeded its limits. It searches
//! nothing itself.

use super::budget::Budget;
use super::encoded::decode::Decoded;
use super::encoded::stream::Chain;
use regex_automata::hybrid::dfa::Cache;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The capacity above which a buffer is not kept.
const MOST_KEPT: usize = 4 << 20;

/// What one worker needs to search; reused from blob to blob.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) cache: Option<Cache>,
    pub(super) ends: Vec<usize>,
    pub(super) window: Vec<u8>,
    pub(super) decoded: Decoded,
    /// Whether something may be encoded beyond the bytes that a candidate depends on.
    pub(super) is_intricate: bool,
    pub(super) budget: Budget,
    pub(super) progress: Progress,
    /// Buffers to decode into, to be used again.
    buffers: Vec<Vec<u8>>,
}

/// What was decoded so far in the search of one text.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Base64 that was decoded and searched as text, and goes on behind the searched part.
    pub(super) chains: Vec<Chain>,
    /// The stretch of UTF-16 that was decoded last.
    pub(super) utf16: Range<usize>,
}

impl Scratch {
    /// Makes one whose searches end early when `stop` becomes true.
    #[must_use]
    pub fn interruptible(stop: Arc<AtomicBool>) -> Self {
        Self { budget: Budget::interruptible(stop), ..Self::default() }
    }

    /// Returns `true`, once, if encoded text was not decoded to its end, because that exceeded the
    /// limits on work or memory.
    #[inline]
    pub fn take_overrun(&mut self) -> bool {
        self.budget.take_exceeded()
    }

    /// Lends an empty buffer.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    /// Takes a buffer back for the next loan.
    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MOST_KEPT {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }
}
