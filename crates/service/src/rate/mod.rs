//! Rate limits: fixed windows for each class of requests and each caller, reported in the headers
//! that Datadog's clients read.
//!
//! A request counts for each of its keys: its token and the token's owner, or its address and, of
//! IPv6, the address's network. It is allowed only if every key is below its limit, and only allowed
//! requests are counted. Windows follow a steady clock, never the wall clock.

mod class;
mod key;
mod table;

pub use class::{Class, ClassRate, Rate};
pub use key::{Key, Keys};

use crate::steady::Steady;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::{Mutex, MutexGuard, PoisonError};
use table::Table;

/// The counts of all callers.
#[derive(Debug)]
pub struct Limits {
    rates: Option<[Rate; Class::ALL.len()]>,
    tables: [Mutex<Table>; Class::ALL.len()],
    clock: Steady,
}

/// What a request has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    class: Class,
    rate: Rate,
    window: u64,
    remaining: u32,
    /// Seconds until the window ends.
    reset: u64,
    /// Whether the request is within its limits.
    pub allowed: bool,
}

impl Limits {
    /// Limits with the default rates, except for those given.
    #[must_use]
    pub fn new(given: &[ClassRate]) -> Self {
        let mut rates = Class::ALL.map(Class::default_rate);
        for &ClassRate(class, rate) in given {
            rates[class as usize] = rate;
        }
        Self { rates: Some(rates), ..Self::none() }
    }

    /// No limits.
    #[must_use]
    pub fn none() -> Self {
        let tables = Class::ALL.map(|_| Mutex::default());
        Self { rates: None, tables, clock: Steady::start() }
    }

    /// Counts a request if it is within the limit of each of its keys; `None` if nothing is limited.
    pub fn take(&self, class: Class, keys: Keys) -> Option<Allowance> {
        self.take_at(class, keys, self.clock.seconds())
    }

    fn take_at(&self, class: Class, keys: Keys, now: u64) -> Option<Allowance> {
        let rate = self.rates.as_ref()?[class as usize];
        let period = u64::from(rate.period);
        let mut table = self.table(class);
        table.enter(now / period);
        let left = |key: Key| key.limit(rate).saturating_sub(table.count(key));
        let left = keys.iter().map(left).min().unwrap_or(0);
        let allowed = left > 0;
        if allowed {
            keys.iter().for_each(|key| table.add(key));
        }
        let remaining = left.saturating_sub(1).min(rate.limit);
        let (window, reset) = (table.window(), period - now % period);
        Some(Allowance { class, rate, window, remaining, reset, allowed })
    }

    /// Takes back the count of an allowed request for each of its keys.
    pub fn give_back(&self, allowance: &Allowance, keys: Keys) {
        let mut table = self.table(allowance.class);
        if allowance.allowed && table.window() == allowance.window {
            keys.iter().for_each(|key| table.subtract(key));
        }
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

impl Allowance {
    /// Writes the headers that say what a client has left.
    pub fn write(&self, status: StatusCode, headers: &mut HeaderMap) {
        let number = |value: u64| HeaderValue::from(value);
        headers.insert("x-ratelimit-limit", number(self.rate.limit.into()));
        headers.insert("x-ratelimit-period", number(self.rate.period.into()));
        headers.insert("x-ratelimit-remaining", number(self.remaining.into()));
        headers.insert("x-ratelimit-reset", number(self.reset));
        headers.insert("x-ratelimit-name", HeaderValue::from_static(self.class.name()));
        // Datadog's paths have no such header: with it, urllib3 waits and repeats a GET by itself, and
        // the official client never sees its own error.
        let others = matches!(self.class, Class::Leaks | Class::Introspect);
        if others && status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert("retry-after", number(self.reset));
        }
    }
}

#[cfg(test)]
mod tests;
