//! The service's clock, which determines expiry and the times in rows and events.
//!
//! With PostgreSQL, the clock is an estimate of the server's clock: a sample is taken every second
//! and extrapolated with the boot-time clock. The replica's own wall clock has no influence. With
//! SQLite, the clock is the wall clock, but never earlier than the latest trusted time minus
//! [`GRACE`].
//!
//! A process serves one database, so the clock is process-wide. [`monitor`] updates it and
//! determines whether clocks agree. Reading the clock never waits for the database.

pub mod agreement;
pub mod monitor;

use crate::lock::{read, write};
use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use std::sync::RwLock;
use std::time::{Duration, SystemTime};

/// Maximum lag of the clock behind the latest trusted time on SQLite.
pub const GRACE: SignedDuration = SignedDuration::from_mins(5);
/// A time before the release of this version (2026-11-01). Earlier times are never trusted, and no
/// database is initialized at an earlier time, because its first token would expire too soon.
pub const EARLIEST: Timestamp = Timestamp::constant(1_793_491_200, 0);
/// Maximum round trip of a sample of the database's clock; slower samples are ignored.
const LONGEST_ROUND_TRIP: Duration = Duration::from_millis(500);
/// Maximum age of the estimate; then any consistent sample replaces it, even a less precise one.
const ESTIMATE_LIFETIME: SignedDuration = SignedDuration::from_secs(60);

/// A reading of a clock of this machine that has an arbitrary start and is not affected by changes
/// of the wall clock.
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

/// A time, and the reading of the boot-time clock at that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    time: Timestamp,
    boot: Ticks,
}

impl Anchor {
    /// Creates an anchor at a reading of the boot-time clock.
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
    /// The boot-time clock after the response was received.
    pub received: Ticks,
}

impl Sample {
    fn is_precise(&self) -> bool {
        self.received.saturating_sub(self.sent).unsigned_abs() <= LONGEST_ROUND_TRIP
    }
}

/// An estimate of the database's clock, from a sample. The estimate is behind that clock only by
/// its drift between samples, and ahead of it by at most the round trip of the sample, so that no
/// token is accepted after its expiry.
#[derive(Clone, Copy, Debug)]
struct Estimate(Anchor);

impl Estimate {
    fn new(sample: &Sample) -> Self {
        Self(Anchor::new(sample.time, sample.sent))
    }

    /// Returns the new sample as the estimate if it is tighter, contradicts this estimate (the
    /// database's clock was changed), or this estimate is old; otherwise returns this estimate.
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
    match *read(&BASIS) {
        Basis::Wall { floor: None } => wall(),
        Basis::Wall { floor: Some(floor) } => wall().max(floor.at(boot())),
        Basis::Database(Estimate(anchor)) => anchor.at(boot()),
    }
}

/// Returns the service's time without the lower bound by the latest trusted time.
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
    // On other systems no such clock is portable; a suspended system then appears as a step of the
    // wall clock.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::Monotonic;
    ticks(clock)
}

/// Reads the monotonic clock, which does not advance while the system is suspended.
fn monotonic() -> Ticks {
    ticks(ClockId::Monotonic)
}

fn ticks(clock: ClockId) -> Ticks {
    let time = clock_gettime(clock);
    SignedDuration::new(time.tv_sec, i32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Makes the service follow the database's clock.
pub(crate) fn follow_database(sample: &Sample) {
    let mut basis = write(&BASIS);
    *basis = match *basis {
        Basis::Database(estimate) if sample.is_precise() => {
            Basis::Database(estimate.refined(sample))
        }
        Basis::Database(estimate) => Basis::Database(estimate),
        Basis::Wall { .. } => Basis::Database(Estimate::new(sample)),
    };
}

/// Makes the service follow the wall clock, with the trusted time minus [`GRACE`] as the lower
/// bound.
pub(crate) fn follow_wall(trusted: Option<Anchor>) {
    let floor = trusted.map(|Anchor { time, boot }| Anchor {
        time: time.checked_sub(GRACE).unwrap_or(Timestamp::MIN),
        boot,
    });
    *write(&BASIS) = Basis::Wall { floor };
}

/// Returns the estimated clock of the database, if the service follows it.
fn database(boot: Ticks) -> Option<Timestamp> {
    match *read(&BASIS) {
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

    /// Returns the estimate at a boot time, in milliseconds.
    fn at(estimate: Estimate, at: i64) -> i64 {
        estimate.0.at(ms(at)).as_millisecond()
    }

    #[test]
    fn an_estimate_is_ahead_of_the_database_by_at_most_the_round_trip() {
        // The database's clock is the boot-time clock plus 1,000 ms; it was read at 5, between 0
        // and 20.
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
