//! The monitor samples the database's clock every second, measures the agreement of clocks, and
//! determines whether the time can be trusted with irreversible actions.
//!
//! The time is trusted once clocks have agreed for a window, by default ten minutes. The latest
//! trusted time is stored. A clock that is far ahead of it must agree for longer, for a hundredth
//! of the difference. A process that starts with a wrong clock therefore neither deletes events nor
//! stores its time as trusted before an operator can react. Until a time is trusted, the time of
//! the newest event before the start of the service is used for the comparison.

use super::agreement::{Agreement, Disagreement, Reading, Rounded};
use super::{Anchor, EARLIEST, GRACE, follow_database, follow_wall};
use crate::lock::lock;
use crate::metrics::{Metrics, Retention};
use crate::store::clock::DatabaseTime;
use crate::store::{Store, StoreError};
use crate::time::whole_micros;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Default time that clocks must agree before the time is trusted.
pub const WINDOW: Duration = Duration::from_secs(600);
/// Interval between comparisons of the clocks.
const EVERY: Duration = Duration::from_secs(1);
/// Time limit of a sample of the database's clock.
const SAMPLE_WITHIN: Duration = Duration::from_secs(5);
/// Maximum age of the stored trusted time.
const STORE_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// Divisor of the difference to the latest trusted time; the result is the time that clocks must
/// agree.
const GAP_PART: u32 = 100;

/// The reason why the time is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// Clocks disagree.
    #[error("{0}")]
    Disagreement(Disagreement),
    /// The clock is behind the latest trusted time.
    #[error(
        "the clock is {} behind the latest trusted time: set the clock, or run `ddpatrold admin clock reset` if the trusted time is wrong",
        Rounded(*.0)
    )]
    Behind(SignedDuration),
    /// The clock shows a time before the release of this program.
    #[error("the clock shows {0}, earlier than the release of this program; set the clock")]
    BeforeRelease(Timestamp),
    /// The clock is far ahead of the latest trusted time.
    #[error(
        "the clock is {} ahead of the latest trusted time: the time is trusted after {needed:?} of agreement, or after `ddpatrold admin clock reset`",
        Rounded(*.ahead)
    )]
    Ahead {
        /// The difference.
        ahead: SignedDuration,
        /// The time that clocks must agree.
        needed: Duration,
    },
    /// Clocks have not agreed for long enough.
    #[error("the clocks have agreed for {} of {} s", agreed.as_secs(), needed.as_secs())]
    Early {
        /// The time for which clocks have agreed.
        agreed: Duration,
        /// The time that clocks must agree.
        needed: Duration,
    },
}

/// The last logged state of the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Early,
    Disagreement,
    Behind,
    Ahead,
    Trusted,
}

impl From<&Result<Timestamp, ClockError>> for Condition {
    fn from(assessed: &Result<Timestamp, ClockError>) -> Self {
        match assessed {
            Ok(_) => Self::Trusted,
            Err(ClockError::Disagreement(_)) => Self::Disagreement,
            Err(ClockError::Behind(_) | ClockError::BeforeRelease(_)) => Self::Behind,
            Err(ClockError::Ahead { .. }) => Self::Ahead,
            Err(ClockError::Early { .. }) => Self::Early,
        }
    }
}

#[derive(Debug)]
struct MonitorState {
    agreement: Agreement,
    /// The disagreement at the last observation, if any.
    disagreement: Option<Disagreement>,
    /// The stored trusted time at the last read.
    stored: Option<Timestamp>,
    /// The stored trusted time, anchored when it was first read.
    trusted: Option<Anchor>,
    /// The stored reference at the last read: the time to compare with until a time is trusted.
    stored_reference: Option<Timestamp>,
    /// The stored reference, anchored when it was first read.
    reference: Option<Anchor>,
    condition: Condition,
}

impl MonitorState {
    /// Adopts the stored trusted time if it has changed.
    fn adopt(&mut self, reading: &Reading, stored: Option<Timestamp>) {
        // A row has a precision of microseconds.
        let stored = stored.map(whole_micros);
        if self.stored == stored {
            return;
        }
        self.stored = stored;
        self.trusted = stored.map(|time| Anchor::new(time, reading.boot));
        if reading.database.is_none() {
            follow_wall(self.trusted);
        }
    }

    /// Adopts the stored reference if it has changed.
    fn adopt_reference(&mut self, reading: &Reading, stored: Option<Timestamp>) {
        if self.stored_reference != stored {
            self.stored_reference = stored;
            self.reference = stored.map(|time| Anchor::new(time, reading.boot));
        }
    }
}

/// Compares clocks and decides whether the time is trusted.
#[derive(Debug)]
pub struct Monitor {
    window: Duration,
    state: Mutex<MonitorState>,
    metrics: Arc<Metrics>,
}

impl Monitor {
    /// Creates a monitor that trusts the time after `window` of agreement.
    #[must_use]
    pub fn new(window: Duration, metrics: Arc<Metrics>) -> Self {
        let state = MonitorState {
            agreement: Agreement::new(window),
            disagreement: None,
            stored: None,
            trusted: None,
            stored_reference: None,
            reference: None,
            condition: Condition::Early,
        };
        Self { window, state: Mutex::new(state), metrics }
    }

    /// Observes the clocks every second; never returns.
    pub async fn watch(&self, store: &Store) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failed = false;
        loop {
            every.tick().await;
            match self.observe(store).await {
                Ok(()) => failed = false,
                Err(error) if !failed => {
                    failed = true;
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot compare the clock with the database"
                    );
                }
                Err(_) => {}
            }
        }
    }

    /// Observes all clocks once, and stores the time if it is trusted.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn observe(&self, store: &Store) -> Result<(), StoreError> {
        let asked = tokio::time::timeout(SAMPLE_WITHIN, store.database_time());
        let Ok(database_time) = asked.await else { return Ok(()) };
        let database_time = database_time?;
        if let Some(sample) = &database_time.sample {
            follow_database(sample);
            if !sample.is_precise() {
                return Ok(());
            }
        }
        let Some(reading) = Reading::take() else { return Ok(()) };
        if let Some(time) = self.update(&reading, &database_time) {
            store.trust(time).await?;
            self.lock().adopt(&reading, Some(time));
        }
        Ok(())
    }

    /// Records an observation. Returns the time if it is to be stored as trusted.
    fn update(&self, reading: &Reading, database_time: &DatabaseTime) -> Option<Timestamp> {
        let mut state = self.lock();
        state.adopt(reading, database_time.trusted);
        state.adopt_reference(reading, database_time.reference);
        state.disagreement = state.agreement.observe(reading);
        let assessed = self.assess(&state, reading);
        let retention = if assessed.is_ok() { Retention::Active } else { Retention::Suspended };
        self.metrics.clocks_observed(state.agreement.duration(reading), retention);
        self.report(&mut state, &assessed);
        let old = |stored| reading_time(reading).duration_since(stored) >= STORE_EVERY;
        assessed.ok().filter(|_| state.stored.is_none_or(old))
    }

    /// Logs a change of the state, and every step of a clock.
    fn report(&self, state: &mut MonitorState, assessed: &Result<Timestamp, ClockError>) {
        let condition = Condition::from(assessed);
        let stepped = state.disagreement.is_some_and(|found| found.is_step());
        if condition == state.condition && !stepped {
            return;
        }
        state.condition = condition;
        if condition == Condition::Disagreement {
            self.metrics.clocks_disagreed();
        }
        match assessed {
            Ok(_) => tracing::info!("the clocks have agreed for {:?}", self.window),
            Err(ClockError::Early { .. }) => {}
            Err(reason) => tracing::warn!(
                "{reason}; expired tokens are not recorded and audit events are not deleted until the clocks have agreed for {:?}",
                self.window
            ),
        }
    }

    /// Returns the current time if it is trusted.
    ///
    /// # Errors
    /// [`ClockError`] if the time is not trusted.
    pub fn trusted_time(&self) -> Result<Timestamp, ClockError> {
        let early = ClockError::Early { agreed: Duration::ZERO, needed: self.window };
        let reading = Reading::take().ok_or(early)?;
        self.assess(&self.lock(), &reading)
    }

    fn assess(&self, state: &MonitorState, reading: &Reading) -> Result<Timestamp, ClockError> {
        let found = state.disagreement.or_else(|| state.agreement.disagreement(reading));
        if let Some(disagreement) = found {
            return Err(ClockError::Disagreement(disagreement));
        }
        let time = reading_time(reading);
        if time < EARLIEST {
            return Err(ClockError::BeforeRelease(time));
        }
        let ahead = state
            .trusted
            .or(state.reference)
            .map_or(SignedDuration::ZERO, |trusted| time.duration_since(trusted.at(reading.boot)));
        if ahead < -GRACE {
            return Err(ClockError::Behind(ahead.abs()));
        }
        let gap = Duration::try_from(ahead).unwrap_or_default() / GAP_PART;
        let (agreed, needed) = (state.agreement.duration(reading), self.window.max(gap));
        match agreed >= needed {
            true => Ok(time),
            false if gap > self.window => Err(ClockError::Ahead { ahead, needed }),
            false => Err(ClockError::Early { agreed, needed }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, MonitorState> {
        lock(&self.state)
    }
}

/// Returns the time of a reading: the database's clock or, without one, the wall clock.
fn reading_time(reading: &Reading) -> Timestamp {
    reading.database.unwrap_or(reading.wall)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Ticks;

    fn reading(second: i64, wall_off: i64) -> Reading {
        Reading {
            wall: Timestamp::from_second(1_800_000_000 + second + wall_off).expect("a time"),
            monotonic: Ticks::from_secs(second),
            boot: Ticks::from_secs(second),
            database: None,
        }
    }

    /// Runs a monitor with a window of ten minutes for `seconds` with a constantly wrong clock,
    /// after a trusted time at second 0. Returns its last assessment.
    fn run(seconds: i64, wall_off: i64) -> Result<Timestamp, ClockError> {
        let monitor = Monitor::new(WINDOW, Arc::default());
        {
            let mut state = monitor.lock();
            state.trusted = Some(Anchor::new(reading(0, 0).wall, Ticks::ZERO));
            for second in 0..=seconds {
                state.disagreement = state.agreement.observe(&reading(second, wall_off));
            }
        }
        monitor.assess(&monitor.lock(), &reading(seconds, wall_off))
    }

    #[test]
    fn a_correct_clock_is_trusted_after_the_window_and_not_before() {
        assert!(matches!(run(599, 0), Err(ClockError::Early { .. })));
        assert_eq!(run(600, 0), Ok(reading(600, 0).wall));
    }

    #[test]
    fn a_clock_behind_the_trusted_time_is_never_trusted() {
        assert!(matches!(run(5_000, -3_600), Err(ClockError::Behind(_))));
        assert!(run(5_000, -200).is_ok(), "within the five minutes");
    }

    #[test]
    fn a_time_before_the_release_is_never_trusted() {
        let monitor = Monitor::new(WINDOW, Arc::default());
        let mut state = monitor.lock();
        for second in 0..=5_000 {
            state.disagreement = state.agreement.observe(&reading(second, -7_000_000));
        }
        let assessed = monitor.assess(&state, &reading(5_000, -7_000_000));
        assert!(matches!(assessed, Err(ClockError::BeforeRelease(_))), "{assessed:?}");
    }

    #[test]
    fn a_clock_far_ahead_of_the_trusted_time_must_agree_for_longer() {
        let day = 86_400;
        assert!(matches!(run(5_000, 400 * day), Err(ClockError::Ahead { .. })));
        assert!(matches!(run(5_000, 10 * day), Err(ClockError::Ahead { .. })));
        assert!(run(9_000, 10 * day).is_ok(), "a machine that was switched off for ten days");
    }
}
