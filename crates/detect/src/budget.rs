//! The budget of a search: the work that decoding nested content may cost.
//!
//! Input: the length of the searched bytes, then the work done. Output: whether decoding may continue.
//! The budget counts work instead of time, so that the same input always gives the same result. It does
//! not limit the search of the input bytes themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The work that every search may spend, even on few bytes: a short text may contain a file that
/// compresses well.
const LEAST: u64 = 1 << 20;

/// The work added per searched byte. One unit takes about a nanosecond at most.
const PER_BYTE: u64 = 32;

/// Work for decoding and searching one byte of base64 text.
pub(super) const DECODED: u64 = 2;
/// Work for decompressing and searching one byte.
pub(super) const UNPACKED: u64 = 1;
/// Work per byte of a run in decoded content, where most checks happen.
pub(super) const RUN: u64 = 4;
/// Work per candidate in decoded content.
pub(super) const PLACE: u64 = 128;
/// Work per byte decoded at a candidate.
pub(super) const TRIED: u64 = 4;

/// The remaining work that a search may spend on decoded content.
#[derive(Debug, Default)]
pub(super) struct Budget {
    left: u64,
    is_exceeded: bool,
    stop: Option<Arc<AtomicBool>>,
}

impl Budget {
    /// Creates a budget whose searches end when `stop` becomes `true`.
    pub(super) fn interruptible(stop: Arc<AtomicBool>) -> Self {
        Self { stop: Some(stop), ..Self::default() }
    }

    /// Starts the search of `len` bytes.
    pub(super) fn start(&mut self, len: usize) {
        self.left = LEAST + PER_BYTE * len as u64;
    }

    /// Charges work to the budget.
    #[inline]
    pub(super) fn spend(&mut self, work: u64) {
        self.left = self.left.saturating_sub(work);
    }

    /// Returns `true` if the budget is used up while work remains, and records that.
    pub(super) fn is_spent(&mut self) -> bool {
        self.is_exceeded |= self.is_empty();
        self.is_empty()
    }

    /// Returns `true` if the budget is used up.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Records that content was not decoded to its end.
    pub(super) fn exceed(&mut self) {
        self.is_exceeded = true;
    }

    /// Returns `true` if the search must end.
    #[inline]
    pub(super) fn is_interrupted(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Returns `true` if content was not decoded to its end, and clears the flag.
    #[inline]
    pub(super) fn take_exceeded(&mut self) -> bool {
        std::mem::take(&mut self.is_exceeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_exceeded_only_if_work_remains() {
        let mut budget = Budget::default();
        budget.start(10);
        budget.spend(LEAST + 10 * PER_BYTE - 1);
        assert!(!budget.is_spent() && !budget.take_exceeded());
        budget.spend(5);
        assert!(!budget.take_exceeded());
        assert!(budget.is_spent() && budget.take_exceeded() && !budget.take_exceeded());
        budget.start(10);
        assert!(!budget.is_spent());
    }
}
