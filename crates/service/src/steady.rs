//! A steady clock: it starts at the wall clock's time and advances with the monotonic clock, so
//! that windows of time neither repeat nor jump when the wall clock is set.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that cannot be set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    started: Instant,
    offset: Duration,
}

impl Steady {
    /// Starts a clock at the wall clock's time, so that windows begin at its whole minutes.
    pub(crate) fn start() -> Self {
        let offset = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), offset }
    }

    /// Returns the seconds since 1970, provided that the wall clock has not been set since the
    /// start.
    pub(crate) fn seconds(&self) -> u64 {
        (self.offset + self.started.elapsed()).as_secs()
    }
}
