//! Rate limits: fixed windows for each class of requests and each caller, reported in the headers
//! that Datadog's clients read.
//!
//! A request counts for each of its keys: its token and the token's owner, or its address and, of
//! IPv6, the address's network. It is allowed only if every key is below its limit, and only allowed
//! requests are counted. Windows follow a steady clock, never the wall clock.

mod allowance;
mod class;
mod key;
mod lookups;
mod table;
mod unanswered;

pub use allowance::Allowance;
pub use class::{Class, ClassRate, Rate};
pub use key::{Key, Keys};
pub use lookups::{Lookup, Outcome};

use crate::steady::Steady;
use std::sync::{Mutex, MutexGuard, PoisonError};
use table::Table;
use unanswered::Unanswered;

/// The counts of all callers.
#[derive(Debug)]
pub struct Limits {
    rates: Option<[Rate; Class::ALL.len()]>,
    tables: [Mutex<Table>; Class::ALL.len()],
    unanswered: Unanswered,
    clock: Steady,
}

impl Limits {
    /// Limits with the default rates, except for those given.
    #[must_use]
    pub fn new(given: &[ClassRate]) -> Self {
        let mut rates = Class::ALL.map(Class::default_rate);
        for &ClassRate { class, rate } in given {
            rates[class as usize] = rate;
        }
        Self { rates: Some(rates), ..Self::none() }
    }

    /// No limits.
    #[must_use]
    pub fn none() -> Self {
        let tables = Class::ALL.map(|_| Mutex::default());
        Self { rates: None, tables, unanswered: Unanswered::default(), clock: Steady::start() }
    }

    /// Counts a request if it is within the limit of each of its keys; `None` if nothing is limited.
    pub fn take(&self, class: Class, keys: Keys) -> Option<Allowance> {
        self.take_at(class, keys, self.clock.seconds())
    }

    fn take_at(&self, class: Class, keys: Keys, now: u64) -> Option<Allowance> {
        let rate = self.rates.as_ref()?[class as usize];
        Some(Allowance::take(&mut self.table(class), class, rate, keys, now))
    }

    /// Takes back the count of an allowed request for each of its keys.
    pub fn give_back(&self, allowance: &Allowance, keys: Keys) {
        allowance.give_back(&mut self.table(allowance.class), keys);
    }

    /// Takes back the count of an allowed request for its person: whoever may not do something does
    /// not use up what the person's other tokens may do.
    pub fn give_back_to_person(&self, allowance: &Allowance, keys: Keys) {
        if let Some(person) = keys.person() {
            self.give_back(allowance, person);
        }
    }

    fn table(&self, class: Class) -> MutexGuard<'_, Table> {
        self.tables[class as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
