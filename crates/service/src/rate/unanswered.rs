//! The lookups that the database has not answered, counted while the database is failing. Does not
//! count unsuccessful lookups.

use super::allowance::Allowance;
use super::class::{Class, Rate};
use super::key::Keys;
use super::table::Table;
use crate::lock::lock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Time after a failure during which the database is considered failing, in seconds.
const FAILING_SECONDS: u64 = 10;
/// The window of unanswered lookups while the database is failing, in seconds.
const PERIOD: u32 = 2;
/// Divisor of COUNT; the result is the limit of one window.
const LIMIT_DIVISOR: u32 = 10;
/// Minimum limit of one window.
const MIN_LIMIT: u32 = 10;

/// The unanswered lookups of a failing database.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    table: Mutex<Table>,
    /// The end of the failing state, on the clock of the limits.
    failing_until: AtomicU64,
}

impl Unanswered {
    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// Records that the database failed.
    pub(super) fn database_failed(&self, now: u64) {
        self.failing_until.fetch_max(now + FAILING_SECONDS, Ordering::Relaxed);
    }

    /// Counts a lookup if the database is failing. `rate` is the rate of unsuccessful lookups.
    pub(super) fn take(&self, rate: Rate, keys: Keys, now: u64) -> Option<Allowance> {
        if now >= self.failing_until.load(Ordering::Relaxed) {
            return None;
        }
        let rate = Rate { limit: (rate.limit / LIMIT_DIVISOR).max(MIN_LIMIT), period: PERIOD };
        Some(Allowance::take(&mut self.table(), Class::Authentication, rate, keys, now))
    }

    /// Refunds a lookup that was answered.
    pub(super) fn refund(&self, allowance: &Allowance, keys: Keys) {
        allowance.refund(&mut self.table(), keys);
    }
}
