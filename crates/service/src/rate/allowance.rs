//! The state of one limit after a request, and the headers that report it. The caller selects the
//! table that counts the request.

use super::class::{Class, Rate};
use super::key::{Key, Keys};
use super::table::Table;
use axum::http::{HeaderMap, HeaderValue, StatusCode};

/// The state of a limit after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub(super) class: Class,
    pub(super) rate: Rate,
    window: u64,
    pub(super) remaining: u32,
    /// Seconds until the window ends.
    pub(super) reset: u64,
    /// `true` if the request is within its limits.
    pub allowed: bool,
}

impl Allowance {
    /// Counts a request in a table, provided that each of its keys is below its limit.
    pub(super) fn take(table: &mut Table, class: Class, rate: Rate, keys: Keys, now: u64) -> Self {
        let period = u64::from(rate.period);
        table.enter(now / period);
        let left = |key: Key| key.limit(rate).saturating_sub(table.count(key));
        let left = keys.iter().map(left).min().unwrap_or(0);
        let allowed = left > 0;
        if allowed {
            keys.iter().for_each(|key| table.add(key));
        }
        let remaining = left.saturating_sub(1).min(rate.limit);
        let (window, reset) = (table.window(), period - now % period);
        Self { class, rate, window, remaining, reset, allowed }
    }

    /// Removes an allowed request from the counts of a table, unless its window has ended.
    pub(super) fn refund(&self, table: &mut Table, keys: Keys) {
        if self.allowed && table.window() == self.window {
            keys.iter().for_each(|key| table.subtract(key));
        }
    }

    /// Writes the headers that report the limit and the remaining requests.
    pub fn write(&self, status: StatusCode, headers: &mut HeaderMap) {
        let number = |value: u64| HeaderValue::from(value);
        headers.insert("x-ratelimit-limit", number(self.rate.limit.into()));
        headers.insert("x-ratelimit-period", number(self.rate.period.into()));
        headers.insert("x-ratelimit-remaining", number(self.remaining.into()));
        headers.insert("x-ratelimit-reset", number(self.reset));
        headers.insert("x-ratelimit-name", HeaderValue::from_static(self.class.name()));
        // Not for Datadog's paths: with this header, urllib3 waits and repeats a GET by itself, and
        // the official client never returns its own error.
        let others = matches!(self.class, Class::Leaks | Class::Introspect);
        if others && status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert("retry-after", number(self.reset));
        }
    }
}
