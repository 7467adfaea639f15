//! Agreement of clocks: the time for which the wall clock, the monotonic clock, the boot-time clock
//! and the database's clock have been consistent. The input is readings; [`Agreement`] itself reads
//! no clock.
//!
//! Differences between the first three clocks are compared with those at the start of a window, to
//! detect a step of the wall clock or a suspended system. The database's clock and the wall clock
//! must show the same time.

use super::{LONGEST_ROUND_TRIP, Ticks};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::time::Duration;

/// Maximum change of a difference between clocks within a window.
pub const MAX_STEP: SignedDuration = SignedDuration::from_secs(1);
/// Maximum difference between the wall clock and the database's clock.
pub const MAX_DIFFERENCE: SignedDuration = SignedDuration::from_secs(5);
/// Maximum time between two observations; after it, agreement is unknown.
const MAX_SILENCE: SignedDuration = SignedDuration::from_secs(10);

/// Readings of all clocks, taken at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The wall clock.
    pub wall: Timestamp,
    /// The monotonic clock.
    pub monotonic: Ticks,
    /// The boot-time clock.
    pub boot: Ticks,
    /// The database's clock, if it has its own clock.
    pub database: Option<Timestamp>,
}

impl Reading {
    /// Reads all clocks. Returns `None` if the process was interrupted for so long that the
    /// readings are not simultaneous.
    #[must_use]
    pub fn take() -> Option<Self> {
        let monotonic = super::monotonic();
        let (wall, boot) = (super::wall(), super::boot());
        let took = super::monotonic().saturating_sub(monotonic);
        (took.unsigned_abs() <= LONGEST_ROUND_TRIP / 10).then(|| Self {
            wall,
            monotonic,
            boot,
            database: super::database(boot),
        })
    }
}

/// A duration without its sign, rounded for display.
#[derive(Debug)]
pub(super) struct Rounded(pub(super) SignedDuration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.0.abs();
        let rounded = if by < SignedDuration::from_mins(1) {
            SignedDuration::from_millis(i64::try_from(by.as_millis()).unwrap_or_default())
        } else {
            SignedDuration::from_secs(by.saturating_add(SignedDuration::from_millis(500)).as_secs())
        };
        write!(f, "{rounded:#}")
    }
}

/// A step of a clock, for display.
struct StepDisplay(SignedDuration);

impl fmt::Display for StepDisplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.0.is_negative() { "back" } else { "ahead" };
        write!(f, "{side} by {}", Rounded(self.0))
    }
}

/// The reason why clocks disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// The wall clock was set.
    WallStep(SignedDuration),
    /// The database's clock was set, or a different server responded.
    DatabaseStep(SignedDuration),
    /// The system was suspended.
    Suspended(SignedDuration),
    /// The wall clock is ahead of the database's clock by this duration.
    Difference(SignedDuration),
}

impl Disagreement {
    /// Returns `true` if a clock was changed or the system was suspended. Clocks agree again after such an
    /// event.
    #[must_use]
    pub const fn is_step(&self) -> bool {
        !matches!(self, Self::Difference(_))
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WallStep(by) => write!(f, "the wall clock was set {}", StepDisplay(*by)),
            Self::DatabaseStep(by) => {
                write!(f, "the database's clock was set {}", StepDisplay(*by))
            }
            Self::Suspended(by) => write!(f, "the system was suspended for {}", Rounded(*by)),
            Self::Difference(by) => {
                let side = if by.is_negative() { "behind" } else { "ahead of" };
                write!(f, "the wall clock is {} {side} the database's clock", Rounded(*by))
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Observed {
    /// The reading that later ones are compared with; at most one window old.
    base: Reading,
    /// The start of the agreement, on the monotonic clock.
    since: Ticks,
    /// The last observation, on the monotonic clock.
    last: Ticks,
}

/// Measures agreement over observed readings.
#[derive(Debug)]
pub struct Agreement {
    window: SignedDuration,
    observed: Option<Observed>,
}

impl Agreement {
    /// Creates a measurement without observations. Steps are measured over `window`.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
        Self { window, observed: None }
    }

    /// Records a reading. A disagreement ends the current agreement; the next one starts with this
    /// reading.
    pub fn observe(&mut self, reading: &Reading) -> Option<Disagreement> {
        let now = reading.monotonic;
        let found = self.disagreement(reading);
        match (&mut self.observed, found) {
            (Some(observed), None) => {
                observed.last = now;
                if now.saturating_sub(observed.base.monotonic) >= self.window {
                    observed.base = *reading;
                }
            }
            (observed, _) => *observed = Some(Observed { base: *reading, since: now, last: now }),
        }
        found
    }

    /// Returns the disagreement between a reading and the earlier observations, if any.
    #[must_use]
    pub fn disagreement(&self, reading: &Reading) -> Option<Disagreement> {
        let stepped = self.observed.as_ref().and_then(|observed| step(&observed.base, reading));
        stepped.or_else(|| difference(reading))
    }

    /// Returns the duration of the agreement at a reading. It is zero if clocks disagree or were
    /// not observed for a while.
    #[must_use]
    pub fn duration(&self, reading: &Reading) -> Duration {
        let Some(observed) = &self.observed else { return Duration::ZERO };
        let silence = reading.monotonic.saturating_sub(observed.last);
        if silence > MAX_SILENCE || self.disagreement(reading).is_some() {
            return Duration::ZERO;
        }
        let agreed = observed.last.saturating_sub(observed.since);
        Duration::try_from(agreed).unwrap_or_default()
    }
}

/// Compares the differences between clocks with those at an earlier reading.
fn step(base: &Reading, reading: &Reading) -> Option<Disagreement> {
    let passed = reading.monotonic.saturating_sub(base.monotonic);
    let exceeding = |elapsed: SignedDuration| {
        let by = elapsed.saturating_sub(passed);
        (by.abs() > MAX_STEP).then_some(by)
    };
    let suspended = exceeding(reading.boot.saturating_sub(base.boot)).map(Disagreement::Suspended);
    let wall = || exceeding(reading.wall.duration_since(base.wall)).map(Disagreement::WallStep);
    let database = || {
        let elapsed = reading.database?.duration_since(base.database?);
        exceeding(elapsed).map(Disagreement::DatabaseStep)
    };
    suspended.or_else(wall).or_else(database)
}

fn difference(reading: &Reading) -> Option<Disagreement> {
    let by = reading.wall.duration_since(reading.database?);
    (by.abs() > MAX_DIFFERENCE).then_some(Disagreement::Difference(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = 600;

    /// Returns a reading at a second, with a deviation of the wall clock.
    fn reading(second: i64, wall_off: i64) -> Reading {
        Reading {
            wall: Timestamp::from_second(1_800_000_000 + second + wall_off).expect("a time"),
            monotonic: Ticks::from_secs(second),
            boot: Ticks::from_secs(second + 50),
            database: None,
        }
    }

    fn with_database(second: i64, wall_off: i64, database_off: i64) -> Reading {
        let database = reading(second, database_off).wall;
        Reading { database: Some(database), ..reading(second, wall_off) }
    }

    fn observed(readings: impl IntoIterator<Item = Reading>) -> (Agreement, Vec<Disagreement>) {
        let mut agreement = Agreement::new(Duration::from_secs(WINDOW));
        let found = readings.into_iter().filter_map(|r| agreement.observe(&r)).collect();
        (agreement, found)
    }

    #[test]
    fn agreement_lasts_from_the_first_observation_to_the_last() {
        let (agreement, found) = observed((0..=700).map(|second| reading(second, 0)));
        assert_eq!(found, []);
        assert_eq!(agreement.duration(&reading(701, 0)), Duration::from_secs(700));
    }

    #[test]
    fn a_step_ends_agreement_at_once_and_restarts_it() {
        for by in [-86_400, -2, 2, 34_560_000] {
            let before = (0..700).map(|second| reading(second, 0));
            let (mut agreement, _) = observed(before);
            assert_eq!(
                agreement.duration(&reading(700, by)),
                Duration::ZERO,
                "before it is observed"
            );
            let found = agreement.observe(&reading(700, by));
            assert_eq!(found, Some(Disagreement::WallStep(SignedDuration::from_secs(by))));
            assert_eq!(agreement.observe(&reading(701, by)), None);
            assert_eq!(agreement.duration(&reading(702, by)), Duration::from_secs(1));
            assert!(agreement.observe(&reading(703, 0)).is_some(), "and back");
        }
    }

    #[test]
    fn many_small_steps_within_a_window_count_as_a_step() {
        let (_, found) = observed((0..100).map(|second| reading(second, second / 10)));
        assert!(!found.is_empty());
        let slow = (0..10_000).map(|second| reading(second, second / 1_000));
        assert_eq!(observed(slow).1, [], "a slow drift is not a step");
    }

    #[test]
    fn a_suspended_system_ends_the_agreement() {
        let (mut agreement, _) = observed((0..700).map(|second| reading(second, 0)));
        let mut resumed = reading(700, 8 * 3_600);
        resumed.boot = Ticks::from_secs(700 + 50 + 8 * 3_600);
        let found = agreement.observe(&resumed);
        assert_eq!(found, Some(Disagreement::Suspended(SignedDuration::from_hours(8))));
        assert_eq!(agreement.duration(&resumed), Duration::ZERO);
    }

    #[test]
    fn a_wall_clock_that_differs_from_the_database_never_agrees() {
        for off in [-86_400, -6, 6, 34_560_000] {
            let (agreement, found) = observed((0..700).map(|s| with_database(s, off, 0)));
            assert_eq!(found.len(), 700);
            assert_eq!(agreement.duration(&with_database(700, off, 0)), Duration::ZERO);
        }
        let (agreement, _) = observed((0..=700).map(|second| with_database(second, 2, 0)));
        assert_eq!(agreement.duration(&with_database(700, 2, 0)), Duration::from_secs(700));
    }

    #[test]
    fn a_step_of_both_the_wall_clock_and_the_database_ends_the_agreement() {
        let (mut agreement, _) = observed((0..700).map(|second| with_database(second, 0, 0)));
        assert!(agreement.observe(&with_database(700, 9_999, 9_999)).is_some());
    }

    #[test]
    fn agreement_is_unknown_after_a_time_without_observations() {
        let (agreement, _) = observed((0..=700).map(|second| reading(second, 0)));
        assert_eq!(agreement.duration(&reading(711, 0)), Duration::ZERO);
    }
}
