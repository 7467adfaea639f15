//! A rate limit for log lines that any client can cause.

use crate::lock::lock;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Minimum time between two lines with the same reason.
const EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Logged {
    at: Instant,
    /// The number of events since then that were not logged.
    since: u64,
}

/// Selects the events that are logged.
#[derive(Debug, Default)]
pub(crate) struct LogLimit(Mutex<HashMap<&'static str, Logged>>);

impl LogLimit {
    /// Counts an event. If the event is to be logged, returns the number of events since the last
    /// logged one, including this one.
    pub(crate) fn count(&self, reason: &'static str) -> Option<u64> {
        let mut logged = lock(&self.0);
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
