//! The monitor: samples the database's clock every second, measures how long clocks have agreed, and
//! decides whether the time may be trusted with what cannot be undone.
//!
//! A time is trusted once clocks have agreed for [`Monitor`]'s window, ten minutes unless configured.
//! The latest trusted time is stored. A clock that is far ahead of it has to agree for longer, a
//! hundredth of the difference, so that a process that starts with a wrong clock neither deletes
//! events nor makes its time the trusted one before an operator can react. While no time has been
//! trusted, the time of the newest event takes its place, as it was before this service wrote any.

use super::agreement::{Agreement, Disagreement, Reading, Rounded};
use super::{Anchor, EARLIEST, GRACE, follow_database, follow_wall};
use crate::metrics::{Metrics, Retention};
use crate::store::clock::DatabaseTime;
use crate::store::{Store, StoreError};
use crate::time::whole_micros;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// For how long clocks have to agree before a time is trusted, unless configured.
pub const WINDOW: Duration = Duration::from_secs(600);
/// Interval at which clocks are compared.
const EVERY: Duration = Duration::from_secs(1);
/// Time limit of a sample of the database's clock.
const SAMPLE_WITHIN: Duration = Duration::from_secs(5);
/// Maximum age of the stored trusted time.
const STORE_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// The part of the difference to the latest trusted time for which clocks have to agree.
const GAP_PART: u32 = 100;

/// Why the time is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Clocks disagree.
    #[error("{0}")]
    Disagreement(Disagreement),
    /// The clock is behind the latest trusted time.
    #[error(
        "the clock is {} behind the latest trusted time: set the clock, or run `ddpatrold admin clock reset` if the trusted time is wrong",
        Rounded(*.0)
    )]
    Behind(SignedDuration),
    /// The clock shows a time before this program existed.
    #[error("the clock is wrong: it shows {0}, and this program is younger; set the clock")]
    TooOld(Timestamp),
    /// The clock is far ahead of the latest trusted time.
    #[error(
        "the clock is {} ahead of the latest trusted time: it is trusted after {needed:?} of agreement, or after `ddpatrold admin clock reset`",
        Rounded(*.ahead)
    )]
    Ahead {
        /// The difference.
        ahead: SignedDuration,
        /// For how long clocks have to agree.
        needed: Duration,
    },
    /// Clocks have not agreed for long enough.
    #[error("the clocks have agreed for {} of {} s", agreed.as_secs(), needed.as_secs())]
    Early {
        /// For how long clocks have agreed.
        agreed: Duration,
        /// For how long clocks have to agree.
        needed: Duration,
    },
}

/// The state that was logged last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Early,
    Disagreement,
    Behind,
    Ahead,
    Trusted,
}

impl From<&Result<Timestamp, Doubt>> for Condition {
    fn from(assessed: &Result<Timestamp, Doubt>) -> Self {
        match assessed {
            Ok(_) => Self::Trusted,
            Err(Doubt::Disagreement(_)) => Self::Disagreement,
            Err(Doubt::Behind(_) | Doubt::TooOld(_)) => Self::Behind,
            Err(Doubt::Ahead { .. }) => Self::Ahead,
            Err(Doubt::Early { .. }) => Self::Early,
        }
    }
}

#[derive(Debug)]
struct State {
    agreement: Agreement,
    /// The disagreement that the last observation found.
    disagreement: Option<Disagreement>,
    /// The stored trusted time as last read.
    stored: Option<Timestamp>,
    /// The same, anchored when it was first read.
    trusted: Option<Anchor>,
    /// The time to compare with while no time is trusted, as last read.
    stored_reference: Option<Timestamp>,
    /// The same, anchored when it was first read.
    reference: Option<Anchor>,
    condition: Condition,
}

impl State {
    /// Adopts the stored trusted time if it is another one than before.
    fn adopt(&mut self, reading: &Reading, stored: Option<Timestamp>) {
        // A row keeps microseconds.
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

    /// Adopts the stored reference if it is another one than before.
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
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

impl Monitor {
    /// Creates a monitor that trusts the time after `window` of agreement.
    #[must_use]
    pub fn new(window: Duration, metrics: Arc<Metrics>) -> Self {
        let state = State {
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
        let Ok(told) = asked.await else { return Ok(()) };
        let told = told?;
        if let Some(sample) = &told.sample {
            follow_database(sample);
            if !sample.is_precise() {
                return Ok(());
            }
        }
        let Some(reading) = Reading::take() else { return Ok(()) };
        if let Some(time) = self.update(&reading, &told) {
            store.trust(time).await?;
            self.lock().adopt(&reading, Some(time));
        }
        Ok(())
    }

    /// Takes an observation into account; returns the time if it should be stored as trusted.
    fn update(&self, reading: &Reading, told: &DatabaseTime) -> Option<Timestamp> {
        let mut state = self.lock();
        state.adopt(reading, told.trusted);
        state.adopt_reference(reading, told.reference);
        state.disagreement = state.agreement.observe(reading);
        let assessed = self.assess(&state, reading);
        let retention = if assessed.is_ok() { Retention::Deletes } else { Retention::Refused };
        self.metrics.clocks_observed(state.agreement.duration(reading), retention);
        self.report(&mut state, &assessed);
        let old = |stored| reading_time(reading).duration_since(stored) >= STORE_EVERY;
        assessed.ok().filter(|_| state.stored.is_none_or(old))
    }

    /// Logs a change of condition, once; every step is one.
    fn report(&self, state: &mut State, assessed: &Result<Timestamp, Doubt>) {
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
            Err(Doubt::Early { .. }) => {}
            Err(doubt) => tracing::warn!(
                "{doubt}; expiry events are not written and audit events are not deleted before the clocks have agreed for {:?}",
                self.window
            ),
        }
    }

    /// Returns the present time if it is trusted.
    ///
    /// # Errors
    /// [`Doubt`] if it is not.
    pub fn trusted_time(&self) -> Result<Timestamp, Doubt> {
        let early = Doubt::Early { agreed: Duration::ZERO, needed: self.window };
        let reading = Reading::take().ok_or(early)?;
        self.assess(&self.lock(), &reading)
    }

    fn assess(&self, state: &State, reading: &Reading) -> Result<Timestamp, Doubt> {
        let found = state.disagreement.or_else(|| state.agreement.disagreement(reading));
        if let Some(disagreement) = found {
            return Err(Doubt::Disagreement(disagreement));
        }
        let time = reading_time(reading);
        if time < EARLIEST {
            return Err(Doubt::TooOld(time));
        }
        let ahead = state
            .trusted
            .or(state.reference)
            .map_or(SignedDuration::ZERO, |trusted| time.duration_since(trusted.at(reading.boot)));
        if ahead < -GRACE {
            return Err(Doubt::Behind(ahead.abs()));
        }
        let gap = Duration::try_from(ahead).unwrap_or_default() / GAP_PART;
        let (agreed, needed) = (state.agreement.duration(reading), self.window.max(gap));
        match agreed >= needed {
            true => Ok(time),
            false if gap > self.window => Err(Doubt::Ahead { ahead, needed }),
            false => Err(Doubt::Early { agreed, needed }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time of a reading that matters: the database's clock, or else the wall clock.
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

    /// A monitor with a window of ten minutes that has run for `seconds` with a constantly wrong
    /// clock, after a time that was trusted at second 0; returns its last assessment.
    fn run(seconds: i64, wall_off: i64) -> Result<Timestamp, Doubt> {
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
    fn a_right_clock_is_trusted_after_the_window_and_not_before() {
        assert!(matches!(run(599, 0), Err(Doubt::Early { .. })));
        assert_eq!(run(600, 0), Ok(reading(600, 0).wall));
    }

    #[test]
    fn a_clock_behind_the_trusted_time_is_never_trusted() {
        assert!(matches!(run(5_000, -3_600), Err(Doubt::Behind(_))));
        assert!(run(5_000, -200).is_ok(), "within the five minutes");
    }

    #[test]
    fn a_time_before_the_program_existed_is_never_trusted() {
        let monitor = Monitor::new(WINDOW, Arc::default());
        let mut state = monitor.lock();
        for second in 0..=5_000 {
            state.disagreement = state.agreement.observe(&reading(second, -7_000_000));
        }
        let assessed = monitor.assess(&state, &reading(5_000, -7_000_000));
        assert!(matches!(assessed, Err(Doubt::TooOld(_))), "{assessed:?}");
    }

    #[test]
    fn a_clock_far_ahead_of_the_trusted_time_has_to_agree_for_longer() {
        let day = 86_400;
        assert!(matches!(run(5_000, 400 * day), Err(Doubt::Ahead { .. })));
        assert!(matches!(run(5_000, 10 * day), Err(Doubt::Ahead { .. })));
        assert!(run(9_000, 10 * day).is_ok(), "a machine that was switched off for ten days");
    }
}
