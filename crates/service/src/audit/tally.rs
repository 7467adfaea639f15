//! Aggregated events: repeated uses of one kind by one token from one address become one event per
//! minute with a count, so that repeated rejected requests do not grow the audit trail.
//!
//! An event is written at its first use; while its count grows, the count is written again every
//! few seconds. The number of events per minute is limited, and so is the memory: further uses are
//! counted in an event without an address, or without a token and an address.

mod group;
mod minute;
mod uses;

pub(super) use group::Row;
pub(super) use minute::{Counted, Flush, UPDATE_EVERY};
pub use uses::{Limit, Use, UseKind};

use super::Event;
use crate::lock::lock;
use crate::steady::Steady;
use ddpatrol_token::mint::RandomError;
use group::Aggregate;
use minute::Minute;
use std::sync::{Mutex, MutexGuard};

/// The period that one event covers, in seconds.
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
        lock(&self.minute)
    }

    /// Counts a use. Calls `event` if the use is the first of an event.
    pub(super) fn count(
        &self,
        token_use: Use,
        event: impl FnOnce() -> Result<Event, RandomError>,
    ) -> Result<Counted, RandomError> {
        let number = self.clock.seconds() / PERIOD;
        let mut minute = self.lock();
        minute.enter(number);
        minute.count(token_use, event)
    }

    /// Returns `true` if there are events to write; with `All`, also those that are due later.
    pub(super) fn is_due(&self, flush: Flush) -> bool {
        self.lock().is_due(flush)
    }

    /// Returns `true` if counts have grown since they were last written.
    pub(super) fn has_grown(&self) -> bool {
        self.lock().has_grown()
    }

    /// Takes at most one batch of events to write.
    pub(super) fn take(&self, flush: Flush) -> Vec<Aggregate> {
        self.lock().take(flush)
    }
}
