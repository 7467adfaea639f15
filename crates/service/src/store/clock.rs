//! The rows of the clock, and the database's own clock: samples, the latest trusted time, and the
//! reference that replaces it until a time is trusted.

use super::events::insert_events;
use super::{Store, StoreError, change, read};
use crate::audit::Event;
use crate::clock::{Anchor, Sample, boot, follow_database, follow_wall};
use crate::time;
use jiff::Timestamp;

/// Number of samples when a database is opened. The first one includes the preparation of the
/// statement.
const FIRST_SAMPLES: u32 = 3;

/// The state of the clock in the database.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseTime {
    /// A sample of the database's clock; `None` for SQLite, which has no clock of its own.
    pub sample: Option<Sample>,
    /// The latest trusted time.
    pub trusted: Option<Timestamp>,
    /// The time to compare with until a time is trusted.
    pub reference: Option<Timestamp>,
}

impl Store {
    /// Makes the service's clock follow this database.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails.
    pub(super) async fn set_clock(&self) -> Result<(), StoreError> {
        for _ in 0..FIRST_SAMPLES {
            let DatabaseTime { sample, trusted, .. } = self.database_time().await?;
            let Some(sample) = sample else {
                follow_wall(trusted.map(|time| Anchor::new(time, boot())));
                break;
            };
            follow_database(&sample);
        }
        Ok(())
    }

    /// Reads the database's clock and the latest trusted time.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails.
    pub async fn database_time(&self) -> Result<DatabaseTime, StoreError> {
        match self {
            Self::Sqlite(pools) => {
                let (trusted, reference): (Option<i64>, Option<i64>) = sqlx::query_as(
                    "SELECT (SELECT trusted_at FROM clock), (SELECT at FROM clock_reference)",
                )
                .fetch_one(&pools.reader)
                .await?;
                let (trusted, reference) =
                    (trusted.map(time::from_row), reference.map(time::from_row));
                Ok(DatabaseTime { sample: None, trusted, reference })
            }
            Self::Postgres(pools) => {
                let mut connection = pools.reader.acquire().await?;
                let sent = boot();
                let (micros, trusted, reference): (i64, Option<i64>, Option<i64>) = sqlx::query_as("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT), (SELECT trusted_at FROM clock), (SELECT at FROM clock_reference)")
                    .fetch_one(&mut *connection)
                    .await?;
                let sample = Sample { time: time::from_row(micros), sent, received: boot() };
                let (trusted, reference) =
                    (trusted.map(time::from_row), reference.map(time::from_row));
                Ok(DatabaseTime { sample: Some(sample), trusted, reference })
            }
        }
    }

    /// Stores a trusted time, unless a later one is stored.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails; nothing was written.
    pub async fn trust(&self, time: Timestamp) -> Result<(), StoreError> {
        change!(self, |tx| {
            sqlx::query("INSERT INTO clock (singleton, trusted_at) VALUES (1, $1) ON CONFLICT (singleton) DO UPDATE SET trusted_at = excluded.trusted_at WHERE clock.trusted_at < excluded.trusted_at")
                .bind(time::to_row(time))
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Stores the time of the newest event as the reference, if no time is trusted and no reference
    /// is stored. Must be called before this process writes events, since their time may be wrong.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails; nothing was written.
    pub(super) async fn store_reference(&self) -> Result<(), StoreError> {
        let newest: Option<i64> = read!(self, |pool| {
            sqlx::query_scalar("SELECT at FROM audit_events WHERE NOT EXISTS (SELECT 1 FROM clock) AND NOT EXISTS (SELECT 1 FROM clock_reference) ORDER BY at DESC LIMIT 1")
                .fetch_optional(pool)
                .await?
        });
        let Some(newest) = newest else { return Ok(()) };
        change!(self, |tx| {
            sqlx::query("INSERT INTO clock_reference (singleton, at) VALUES (1, $1) ON CONFLICT (singleton) DO NOTHING")
                .bind(newest)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Deletes the trusted time, and stores an event and its time as the reference.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails; nothing was written.
    pub async fn reset_trust(&self, event: &Event) -> Result<(), StoreError> {
        change!(self, |tx| {
            sqlx::query("DELETE FROM clock").execute(&mut *tx).await?;
            sqlx::query("INSERT INTO clock_reference (singleton, at) VALUES (1, $1) ON CONFLICT (singleton) DO UPDATE SET at = excluded.at")
                .bind(time::to_row(event.at))
                .execute(&mut *tx)
                .await?;
            insert_events!(tx, std::slice::from_ref(event));
        });
        Ok(())
    }
}
