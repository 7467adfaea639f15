//! The service's clock: the time that decides expiry and that rows and events carry.
//!
//! With PostgreSQL it is an estimate of the server's clock: a sample taken every second, carried
//! forward by the boot-time clock. The replica's own wall clock has no influence. With SQLite it is
//! the wall clock, but never earlier than the latest trusted time minus [`GRACE`].
//!
//! A process serves one database, so the clock is process-wide. [`monitor`] keeps it up to date and
//! decides whether clocks agree; reading the clock never waits for the database.

pub mod agreement;
pub mod monitor;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// Maximum lag of the clock behind the latest trusted time on SQLite.
pub const GRACE: SignedDuration = SignedDuration::from_mins(5);
/// A time before this version of the program existed (2026-11-01) is never trusted, and no new
/// database is initialized at one, because its first token would end early.
pub const EARLIEST: Timestamp = Timestamp::constant(1_793_491_200, 0);
/// Samples of the database's clock that took longer are ignored.
const LONGEST_ROUND_TRIP: Duration = Duration::from_millis(500);
/// After this time, a consistent but less precise sample replaces the estimate.
const ESTIMATE_LIFETIME: SignedDuration = SignedDuration::from_secs(60);

/// A point on a clock of this machine that wall-clock changes do not affect, since an arbitrary
/// start.
pub type Ticks = SignedDuration;

static BASIS: RwLock<Basis> = RwLock::new(Basis::Wall { floor: None });

/// The basis of the service's clock.
#[derive(Clone, Copy, Debug)]
enum Basis {
    /// The wall clock, never earlier than `floor` (SQLite).
    Wall { floor: Option<Anchor> },
    /// The estimated clock of the database (PostgreSQL).
    Database(Estimate),
}

/// A time at a reading of the boot-time clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    time: Timestamp,
    boot: Ticks,
}

impl Anchor {
    /// Anchors a time at a reading of the boot-time clock.
    #[must_use]
    pub const fn new(time: Timestamp, boot: Ticks) -> Self {
        Self { time, boot }
    }

    /// Returns the time at another reading of the boot-time clock.
    #[must_use]
    pub fn at(self, boot: Ticks) -> Timestamp {
        saturating_add(self.time, boot.saturating_sub(self.boot))
    }
}

/// A reading of the database's clock, taken between `sent` and `received`.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The database's clock.
    pub time: Timestamp,
    /// The boot-time clock before the query was sent.
    pub sent: Ticks,
    /// The boot-time clock after the answer was received.
    pub received: Ticks,
}

impl Sample {
    fn is_precise(&self) -> bool {
        self.received.saturating_sub(self.sent).unsigned_abs() <= LONGEST_ROUND_TRIP
    }
}

/// The database's clock as last sampled. The estimate is never behind that clock by more than its
/// drift between samples, and ahead by at most the round trip of its sample, so that no token is
/// accepted after its end.
#[derive(Clone, Copy, Debug)]
struct Estimate(Anchor);

impl Estimate {
    fn new(sample: &Sample) -> Self {
        Self(Anchor::new(sample.time, sample.sent))
    }

    /// Returns the better estimate of this one and a new sample: the sample if it is tighter, if it
    /// contradicts this estimate (the database's clock was changed), or if this one is old.
    fn refined(self, sample: &Sample) -> Self {
        let now = self.0.at(sample.sent);
        let tighter = sample.time <= now;
        let contradicts = sample.time > self.0.at(sample.received);
        let old = sample.sent.saturating_sub(self.0.boot) >= ESTIMATE_LIFETIME;
        if tighter || contradicts || old { Self::new(sample) } else { self }
    }
}

/// Returns the service's time.
#[must_use]
pub fn now() -> Timestamp {
    match *BASIS.read().unwrap_or_else(PoisonError::into_inner) {
        Basis::Wall { floor: None } => wall(),
        Basis::Wall { floor: Some(floor) } => wall().max(floor.at(boot())),
        Basis::Database(Estimate(anchor)) => anchor.at(boot()),
    }
}

/// Returns the service's time regardless of the latest trusted time.
#[must_use]
pub fn without_floor() -> Timestamp {
    database(boot()).unwrap_or_else(wall)
}

/// Reads the system's wall clock.
#[must_use]
pub fn wall() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX)
}

/// Reads the boot-time clock, which includes the time that the system was suspended.
#[must_use]
pub fn boot() -> Ticks {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::Boottime;
    // Elsewhere no other clock is portable; a suspended system then shows as a step of the wall
    // clock only.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::Monotonic;
    ticks(clock)
}

/// Reads the monotonic clock, which stands still while the system is suspended.
fn monotonic() -> Ticks {
    ticks(ClockId::Monotonic)
}

fn ticks(clock: ClockId) -> Ticks {
    let time = clock_gettime(clock);
    SignedDuration::new(time.tv_sec, i32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Follows the database's clock from now on.
pub(crate) fn follow_database(sample: &Sample) {
    let mut basis = BASIS.write().unwrap_or_else(PoisonError::into_inner);
    *basis = match *basis {
        Basis::Database(estimate) if sample.is_precise() => {
            Basis::Database(estimate.refined(sample))
        }
        Basis::Database(estimate) => Basis::Database(estimate),
        Basis::Wall { .. } => Basis::Database(Estimate::new(sample)),
    };
}

/// Follows the wall clock from now on, never earlier than the trusted time minus [`GRACE`].
pub(crate) fn follow_wall(trusted: Option<Anchor>) {
    let floor = trusted.map(|Anchor { time, boot }| Anchor {
        time: time.checked_sub(GRACE).unwrap_or(Timestamp::MIN),
        boot,
    });
    *BASIS.write().unwrap_or_else(PoisonError::into_inner) = Basis::Wall { floor };
}

/// Returns the estimated clock of the database, if the service follows it.
fn database(boot: Ticks) -> Option<Timestamp> {
    match *BASIS.read().unwrap_or_else(PoisonError::into_inner) {
        Basis::Wall { .. } => None,
        Basis::Database(Estimate(anchor)) => Some(anchor.at(boot)),
    }
}

fn saturating_add(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(if duration.is_negative() {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> Ticks {
        Ticks::from_millis(millis)
    }

    fn sample(time: i64, sent: i64, received: i64) -> Sample {
        Sample {
            time: Timestamp::from_millisecond(time).expect("a time"),
            sent: ms(sent),
            received: ms(received),
        }
    }

    /// The estimate at boot-time `at`, in milliseconds.
    fn at(estimate: Estimate, at: i64) -> i64 {
        estimate.0.at(ms(at)).as_millisecond()
    }

    #[test]
    fn an_estimate_is_ahead_of_the_database_by_at_most_the_round_trip() {
        // The database's clock is the boot-time clock plus 1,000 ms; it was read at 5 of 0 to 20.
        let first = Estimate::new(&sample(1_005, 0, 20));
        assert_eq!(at(first, 100), 1_105);
        let tighter = first.refined(&sample(1_201, 200, 202));
        assert_eq!(at(tighter, 300), 1_301);
        let looser = tighter.refined(&sample(1_450, 400, 480));
        assert_eq!(at(looser, 500), 1_501);
    }

    #[test]
    fn an_estimate_follows_a_change_of_the_databases_clock() {
        let estimate = Estimate::new(&sample(1_000, 0, 2));
        assert_eq!(at(estimate.refined(&sample(9_500, 500, 502)), 600), 9_600);
        assert_eq!(at(estimate.refined(&sample(-7_000, 500, 502)), 600), -6_900);
    }

    #[test]
    fn an_old_estimate_is_replaced_by_a_consistent_sample() {
        let estimate = Estimate::new(&sample(1_000, 0, 1));
        assert_eq!(at(estimate.refined(&sample(62_010, 61_000, 61_020)), 61_000), 62_010);
    }
}
