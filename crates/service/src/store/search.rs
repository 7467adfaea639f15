//! Searches, limited in number ([`Searches`]) and time. A search is interrupted if its caller no
//! longer waits for the result.

mod slots;

use super::StoreError;
use crate::log_limit::LogLimit;
pub use slots::{Busy, Searcher, Searches};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// Time limit of a search.
pub const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Number of instructions of SQLite's virtual machine between two checks for an interruption; about
/// a millisecond.
const SQLITE_STEP: i32 = 10_000;
/// Time limit for the request that cancels a search on PostgreSQL.
const CANCEL_TIME: Duration = Duration::from_secs(2);

/// Without this limit, a failing database would fill the log.
static LOG: LazyLock<LogLimit> = LazyLock::new(LogLimit::default);

/// Runs `$body` with a connection for searches of either database, within [`TIME_LIMIT`]. At the
/// time limit, or if the future is dropped, the database interrupts the search.
macro_rules! search {
    ($store:expr, |$connection:ident| $body:expr) => {
        match $store {
            $crate::store::Store::Sqlite(pools) => {
                let mut search =
                    $crate::store::search::SqliteSearch::begin(&pools.search).await?;
                $crate::store::search::search!(@run search, |$connection| $body)
            }
            $crate::store::Store::Postgres(pools) => {
                let mut search =
                    $crate::store::search::PostgresSearch::begin(&pools.search, &pools.reader)
                        .await?;
                $crate::store::search::search!(@run search, |$connection| $body)
            }
        }
    };
    (@run $search:ident, |$connection:ident| $body:expr) => {{
        let $connection = $search.connection();
        let running = async { Ok::<_, $crate::store::StoreError>($body) };
        let limit = $crate::store::search::TIME_LIMIT;
        let ended = tokio::time::timeout(limit, running).await;
        let found = ended.map_err(|_| $crate::store::StoreError::SearchTime(limit))?;
        let found = found.map_err($crate::store::search::interrupted)?;
        $search.finished();
        found
    }};
}

pub(super) use search;

/// Recognizes the errors of both databases for interrupted statements.
pub(super) fn interrupted(error: StoreError) -> StoreError {
    /// SQLite's `SQLITE_INTERRUPT` and PostgreSQL's `query_canceled`.
    const CODES: [&str; 2] = ["9", "57014"];
    let code = match &error {
        StoreError::Statement(sqlx::Error::Database(error)) => error.code(),
        _ => None,
    };
    if code.is_some_and(|code| CODES.contains(&code.as_ref())) {
        StoreError::SearchTime(TIME_LIMIT)
    } else {
        error
    }
}

/// A search on SQLite. The search is interrupted when this value is dropped.
#[derive(Debug)]
pub(super) struct SqliteSearch {
    connection: PoolConnection<Sqlite>,
    stop: Arc<AtomicBool>,
}

impl SqliteSearch {
    pub(super) async fn begin(pool: &SqlitePool) -> Result<Self, StoreError> {
        let mut connection = pool.acquire().await?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, end) = (Arc::clone(&stop), Instant::now() + TIME_LIMIT);
        connection.lock_handle().await?.set_progress_handler(SQLITE_STEP, move || {
            !stopped.load(Ordering::Relaxed) && Instant::now() < end
        });
        Ok(Self { connection, stop })
    }

    pub(super) fn connection(&mut self) -> &mut sqlx::SqliteConnection {
        &mut self.connection
    }

    pub(super) fn finished(self) {}
}

impl Drop for SqliteSearch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A search on PostgreSQL. The search is cancelled when this value is dropped before it finished.
#[derive(Debug)]
pub(super) struct PostgresSearch {
    connection: PoolConnection<Postgres>,
    /// The server process that runs the search.
    process: i32,
    /// Connections for the request that cancels the search.
    others: PgPool,
    finished: bool,
}

impl PostgresSearch {
    pub(super) async fn begin(pool: &PgPool, others: &PgPool) -> Result<Self, StoreError> {
        let mut connection = pool.acquire().await?;
        let process = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection);
        let process = process.await?;
        Ok(Self { connection, process, others: others.clone(), finished: false })
    }

    pub(super) fn connection(&mut self) -> &mut sqlx::PgConnection {
        &mut self.connection
    }

    pub(super) fn finished(mut self) {
        self.finished = true;
    }
}

impl Drop for PostgresSearch {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // The connection cannot be reused, since the cancellation may arrive late.
        self.connection.close_on_drop();
        let (process, others) = (self.process, self.others.clone());
        tokio::spawn(async move {
            let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(process);
            let cancelled = tokio::time::timeout(CANCEL_TIME, cancel.execute(&others)).await;
            if !matches!(cancelled, Ok(Ok(_)))
                && let Some(count) = LOG.count("cancel")
            {
                tracing::warn!(
                    count,
                    "cannot cancel a search; it runs until its statement_timeout"
                );
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::pools::SEARCHES;

    /// Runs an endless query on the connections for searches.
    async fn endless(store: &crate::store::Store) -> Result<i64, StoreError> {
        Ok(search!(store, |connection| {
            sqlx::query_scalar("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n")
                .fetch_one(&mut *connection)
                .await?
        }))
    }

    #[tokio::test]
    async fn a_search_on_sqlite_stops_when_dropped_or_at_its_time_limit() {
        let dir = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}", dir.path().join("unit.db").display());
        let store = crate::store::Store::open(&url, crate::store::Missing::Create).await;
        let store = store.expect("a new database");
        // More searches than connections: each dropped search must release its connection.
        for _ in 0..4 * SEARCHES {
            let dropped = tokio::time::timeout(Duration::from_millis(50), endless(&store)).await;
            assert!(dropped.is_err());
        }
        let ended = endless(&store).await;
        assert!(matches!(ended, Err(StoreError::SearchTime(_))), "{ended:?}");
    }
}
