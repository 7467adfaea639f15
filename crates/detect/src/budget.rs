//! The budget of a search: how much work the content of encoded text may cost.
//!
//! Input: the length of the searched bytes, then the work that is done. Output: whether decoding may
//! continue. The budget measures work, never time, so that the same input always gives the same
//! result. It does not limit the search of the bytes themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The work that every search may spend, however few bytes it searches: a short text may hold one
/// file that compresses well.
const LEAST: u64 = 1 << 20;

/// The work that each searched byte adds. One unit costs at most about a nanosecond.
const PER_BYTE: u64 = 32;

/// Work per byte of decoded text, and its search.
pub(super) const DECODED: u64 = 2;
/// Work per byte that was unpacked, and its search.
pub(super) const UNPACKED: u64 = 1;
/// Work per byte of a run in decoded content: more is done there than elsewhere.
pub(super) const RUN: u64 = 4;
/// Work per place in decoded content where a token may begin.
pub(super) const PLACE: u64 = 128;
/// Work per byte that is decoded from such a place.
pub(super) const TRIED: u64 = 4;

/// What is left of the work that a search may spend on decoded content.
#[derive(Debug, Default)]
pub(super) struct Budget {
    left: u64,
    is_exceeded: bool,
    stop: Option<Arc<AtomicBool>>,
}

impl Budget {
    /// Makes a budget that ends when `stop` becomes true.
    pub(super) fn interruptible(stop: Arc<AtomicBool>) -> Self {
        Self { stop: Some(stop), ..Self::default() }
    }

    /// Starts the search of `len` bytes.
    pub(super) fn start(&mut self, len: usize) {
        self.left = LEAST + PER_BYTE * len as u64;
    }

    /// Takes work off the budget.
    #[inline]
    pub(super) fn spend(&mut self, work: u64) {
        self.left = self.left.saturating_sub(work);
    }

    /// Returns `true` if nothing is left for work that remains to be done, and records that.
    pub(super) fn is_spent(&mut self) -> bool {
        self.is_exceeded |= self.is_empty();
        self.is_empty()
    }

    /// Returns `true` if nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Records that something was not decoded to its end.
    pub(super) fn exceed(&mut self) {
        self.is_exceeded = true;
    }

    /// Returns `true` if the search shall end.
    #[inline]
    pub(super) fn is_interrupted(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Returns `true`, once, if something was not decoded to its end.
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
