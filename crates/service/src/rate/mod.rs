//! Rate limits: fixed windows for each class of requests and each caller, reported in the headers
//! that Datadog's clients read.
//!
//! A request is counted for each of its keys: its token and the token's owner, or its address and,
//! for IPv6, the network of the address. The request is allowed only if every key is below its
//! limit, and only allowed requests are counted. Windows follow a steady clock, not the wall clock.

mod allowance;
mod class;
mod key;
mod lookups;
mod table;
mod unanswered;

pub use allowance::Allowance;
pub use class::{Class, ClassRate, Rate};
pub use key::{Key, Keys};
pub use lookups::{Lookup, LookupOutcome};

use crate::lock::lock;
use crate::steady::Steady;
use std::sync::{Mutex, MutexGuard};
use table::Table;
use unanswered::Unanswered;

/// The limits and counts of all callers.
#[derive(Debug)]
pub struct Limits {
    rates: Option<[Rate; Class::ALL.len()]>,
    tables: [Mutex<Table>; Class::ALL.len()],
    unanswered: Unanswered,
    clock: Steady,
}

impl Limits {
    /// Creates limits with the default rates, except for the given classes.
    #[must_use]
    pub fn new(given: &[ClassRate]) -> Self {
        let mut rates = Class::ALL.map(Class::default_rate);
        for &ClassRate { class, rate } in given {
            rates[class as usize] = rate;
        }
        Self { rates: Some(rates), ..Self::none() }
    }

    /// Creates limits that allow every request.
    #[must_use]
    pub fn none() -> Self {
        let tables = Class::ALL.map(|_| Mutex::default());
        Self { rates: None, tables, unanswered: Unanswered::default(), clock: Steady::start() }
    }

    /// Counts a request, provided that each of its keys is below its limit. Returns `None` if there
    /// are no limits.
    pub fn take(&self, class: Class, keys: Keys) -> Option<Allowance> {
        self.take_at(class, keys, self.clock.seconds())
    }

    fn take_at(&self, class: Class, keys: Keys, now: u64) -> Option<Allowance> {
        let rate = self.rates.as_ref()?[class as usize];
        Some(Allowance::take(&mut self.table(class), class, rate, keys, now))
    }

    /// Refunds an allowed request for each of its keys.
    pub fn refund(&self, allowance: &Allowance, keys: Keys) {
        allowance.refund(&mut self.table(allowance.class), keys);
    }

    /// Refunds an allowed request for its user only, so that requests without permission do not use
    /// up the limit of the user's other tokens.
    pub fn refund_user(&self, allowance: &Allowance, keys: Keys) {
        if let Some(user) = keys.user() {
            self.refund(allowance, user);
        }
    }

    fn table(&self, class: Class) -> MutexGuard<'_, Table> {
        lock(&self.tables[class as usize])
    }
}

#[cfg(test)]
mod tests;
