//! The coarse clock for the deadlines of connections, and ticks that are shared between tasks.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The length of a tick of the coarse clock.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// Converts seconds to ticks.
pub(super) const fn ticks(seconds: u32) -> u32 {
    seconds * 4
}

/// A clock that advances every [`TICK`].
#[derive(Debug)]
pub(super) struct TickClock {
    start: Instant,
    now: AtomicU32,
}

impl TickClock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), now: AtomicU32::new(1) }
    }

    /// Returns the current tick, which is never 0.
    pub(super) fn now(&self) -> u32 {
        self.now.load(Relaxed)
    }

    pub(super) fn advance(&self) -> u32 {
        let ticks = self.start.elapsed().as_millis() / TICK.as_millis();
        let now = u32::try_from(ticks).unwrap_or(u32::MAX).max(1);
        self.now.store(now, Relaxed);
        now
    }
}

/// An atomic optional tick.
#[derive(Debug, Default)]
pub(super) struct OptionalTick(AtomicU32);

impl OptionalTick {
    /// The representation of `None`, which [`TickClock::now`] never returns.
    const NONE: u32 = 0;

    pub(super) fn get(&self) -> Option<u32> {
        let tick = self.0.load(Relaxed);
        (tick != Self::NONE).then_some(tick)
    }

    pub(super) fn set(&self, tick: u32) {
        self.0.store(tick, Relaxed);
    }

    pub(super) fn clear(&self) {
        self.0.store(Self::NONE, Relaxed);
    }
}
