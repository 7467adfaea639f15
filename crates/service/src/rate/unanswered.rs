//! The lookups that the database has not answered, counted while it is taken to be failing. It does
//! not count lookups in vain.

use super::allowance::Allowance;
use super::class::{Class, Rate};
use super::key::Keys;
use super::table::Table;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// For how many seconds after a failure the database is taken to be failing.
const FAILING: u64 = 10;
/// The window of unanswered lookups while the database is failing, in seconds.
const PERIOD: u32 = 2;
/// The part of COUNT that one window allows.
const PART: u32 = 10;
/// The fewest lookups that one window allows.
const AT_LEAST: u32 = 10;

/// The lookups that a failing database has not answered.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    table: Mutex<Table>,
    /// When the database is no longer taken to be failing, by the clock of the limits.
    failing_until: AtomicU64,
}

impl Unanswered {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the database failed.
    pub(super) fn database_failed(&self, now: u64) {
        self.failing_until.fetch_max(now + FAILING, Ordering::Relaxed);
    }

    /// Counts a lookup if the database is failing. `rate` is the rate of lookups in vain.
    pub(super) fn take(&self, rate: Rate, keys: Keys, now: u64) -> Option<Allowance> {
        if now >= self.failing_until.load(Ordering::Relaxed) {
            return None;
        }
        let rate = Rate { limit: (rate.limit / PART).max(AT_LEAST), period: PERIOD };
        Some(Allowance::take(&mut self.table(), Class::Authentication, rate, keys, now))
    }

    /// Takes back the count of a lookup that was answered.
    pub(super) fn give_back(&self, allowance: &Allowance, keys: Keys) {
        allowance.give_back(&mut self.table(), keys);
    }
}
