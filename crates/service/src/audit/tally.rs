//! Aggregated events: repeated uses of a kind by one token from one address are one event per
//! minute, with a count, so that nobody can grow the trail by repeating a refused request.
//!
//! An event is written when its first use comes; its count is written again every few seconds while
//! it grows. The number of events in a minute is bounded, and so is the memory: uses beyond the
//! bound are counted in an event without an address, or without a token and an address.

mod group;
mod minute;
mod uses;

pub(super) use group::Row;
pub(super) use minute::{Counted, UPDATE_EVERY, What};
pub use uses::{Kind, Limit, Use};

use super::Event;
use crate::steady::Steady;
use ddpatrol_token::mint::RandomError;
use group::Aggregate;
use minute::Minute;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The seconds that one event covers.
const PERIOD: u64 = 60;

/// The aggregated events of the current minute.
#[derive(Debug)]
pub(super) struct Tally {
    clock: Steady,
    minute: Mutex<Minute>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { clock: Steady::start(), minute: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Minute> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a use; `event` is called if it is the first of its event.
    pub(super) fn count(
        &self,
        seen: Use,
        event: impl FnOnce() -> Result<Event, RandomError>,
    ) -> Result<Counted, RandomError> {
        let number = self.clock.seconds() / PERIOD;
        let mut minute = self.lock();
        minute.enter(number);
        minute.count(seen, event)
    }

    /// Returns `true` if there is something to write now; with `All`, also counts that have grown
    /// just now.
    pub(super) fn is_due(&self, what: What) -> bool {
        self.lock().is_due(what)
    }

    /// Returns `true` if counts have grown since they were written.
    pub(super) fn has_grown(&self) -> bool {
        self.lock().has_grown()
    }

    /// Takes what has to be written, a batch at most.
    pub(super) fn take(&self, what: What) -> Vec<Aggregate> {
        self.lock().take(what)
    }
}
