//! SQLite's write-ahead log: its size, and checkpoints that shorten it.
//!
//! SQLite itself starts the log again only at a moment without readers. Under constant readers it
//! would grow without limit, so the service shortens it: such a checkpoint keeps new readers out of
//! the log and waits for the present ones, of which searches take longest.

use super::pools::companions;
use super::{Store, StoreError};
use crate::store::search::TIME_LIMIT;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use std::time::Duration;

/// Size above which the log is shortened if readers allow that soon, in bytes.
pub(crate) const SOFT_LIMIT: u64 = 8 * 1024 * 1024;
/// Size above which writers wait until the log is shortened, in bytes.
pub(crate) const HARD_LIMIT: u64 = 32 * 1024 * 1024;
/// Time that writers wait above [`SOFT_LIMIT`].
const SHORT_WAIT: Duration = Duration::from_millis(100);

impl Store {
    /// Returns the size of SQLite's write-ahead log in bytes; `None` for PostgreSQL.
    #[must_use]
    pub fn wal_bytes(&self) -> Option<u64> {
        let Self::Sqlite(pools) = self else { return None };
        let [log, _] = companions(pools.writer.connect_options().get_filename());
        Some(std::fs::metadata(log).map_or(0, |metadata| metadata.len()))
    }

    /// Shortens SQLite's write-ahead log if it is too long. Returns `false` if it is too long and
    /// readers prevented that.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails.
    pub async fn shorten_wal(&self) -> Result<bool, StoreError> {
        let Self::Sqlite(pools) = self else { return Ok(true) };
        let patience = match self.wal_bytes() {
            // A search may start just before, and end after its time limit.
            Some(bytes) if bytes > HARD_LIMIT => TIME_LIMIT + Duration::from_secs(1),
            Some(bytes) if bytes > SOFT_LIMIT => SHORT_WAIT,
            _ => return Ok(true),
        };
        let options = pools.writer.connect_options().as_ref().clone().busy_timeout(patience);
        let mut connection = options.connect().await?;
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
        let busy: i64 = row.try_get(0)?;
        connection.close().await?;
        Ok(busy == 0)
    }
}
