//! Keeps events that anybody can cause from flooding the log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Minimum time between two lines of one reason.
const EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Logged {
    at: Instant,
    /// Events since then that were not logged.
    since: u64,
}

/// Decides which of many equal events are logged.
#[derive(Debug, Default)]
pub(crate) struct LogLimit(Mutex<HashMap<&'static str, Logged>>);

impl LogLimit {
    /// Counts an event. Returns the number of events since the last one that was logged, this one
    /// included, if it is to be logged.
    pub(crate) fn count(&self, reason: &'static str) -> Option<u64> {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let Some(last) = logged.get_mut(reason) else {
            logged.insert(reason, Logged { at: now, since: 0 });
            return Some(1);
        };
        last.since += 1;
        if now.duration_since(last.at) < EVERY {
            return None;
        }
        last.at = now;
        Some(std::mem::take(&mut last.since))
    }
}
