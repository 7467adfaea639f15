//! The clock's row and the database's own clock: samples, and the latest trusted time.

use super::events::insert_events;
use super::{Store, StoreError, change};
use crate::audit::Event;
use crate::clock::{Anchor, Sample, boot, follow_database, follow_wall};
use crate::time;
use jiff::Timestamp;

/// Samples that are taken when a database is opened: the first one includes preparing the statement.
const FIRST_SAMPLES: u32 = 3;

/// What the database knows about the time.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseTime {
    /// A sample of the database's clock; `None` for SQLite, which has none of its own.
    pub sample: Option<Sample>,
    /// The latest trusted time.
    pub trusted: Option<Timestamp>,
}

impl Store {
    /// Lets the service's clock follow this database's.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails.
    pub(super) async fn set_clock(&self) -> Result<(), StoreError> {
        for _ in 0..FIRST_SAMPLES {
            let DatabaseTime { sample, trusted } = self.database_time().await?;
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
                let trusted: Option<i64> = sqlx::query_scalar("SELECT trusted_at FROM clock")
                    .fetch_optional(&pools.reader)
                    .await?;
                Ok(DatabaseTime { sample: None, trusted: trusted.map(time::from_row) })
            }
            Self::Postgres(pools) => {
                let mut connection = pools.reader.acquire().await?;
                let sent = boot();
                let (micros, trusted): (i64, Option<i64>) = sqlx::query_as("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT), (SELECT trusted_at FROM clock)")
                    .fetch_one(&mut *connection)
                    .await?;
                let sample = Sample { time: time::from_row(micros), sent, received: boot() };
                Ok(DatabaseTime { sample: Some(sample), trusted: trusted.map(time::from_row) })
            }
        }
    }

    /// Stores a trusted time, unless a later one is stored.
    ///
    /// # Errors
    /// [`StoreError::Statement`]: nothing was written.
    pub async fn trust(&self, time: Timestamp) -> Result<(), StoreError> {
        change!(self, |tx| {
            sqlx::query("INSERT INTO clock (singleton, trusted_at) VALUES (1, $1) ON CONFLICT (singleton) DO UPDATE SET trusted_at = excluded.trusted_at WHERE clock.trusted_at < excluded.trusted_at")
                .bind(time::to_row(time))
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Deletes the trusted time, with its event; returns `true` if there was one.
    ///
    /// # Errors
    /// [`StoreError::Statement`]: nothing was written.
    pub async fn reset_trust(&self, event: &Event) -> Result<bool, StoreError> {
        Ok(change!(self, |tx| {
            let reset =
                sqlx::query("DELETE FROM clock").execute(&mut *tx).await?.rows_affected() > 0;
            if reset {
                insert_events!(tx, std::slice::from_ref(event));
            }
            reset
        }))
    }
}
