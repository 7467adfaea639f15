//! Searches: bounded in number, in number per person and in time, and interrupted when nobody
//! waits for the result any more.

use super::StoreError;
use super::pools::SEARCHES;
use ddpatrol_token::Uuid;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Time limit of a search.
pub const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Searches that may wait for others to end.
const QUEUE: usize = 29;
/// Searches of one person, running or waiting: nobody fills the queue alone.
const PER_PERSON: usize = 16;
/// Maximum time in the queue.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// Instructions of SQLite's virtual machine between two checks whether to stop; about a
/// millisecond.
const SQLITE_STEP: i32 = 10_000;
/// Time limit for the request that cancels a search on PostgreSQL.
const CANCEL_TIME: Duration = Duration::from_secs(2);

/// Too many searches run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many searches at the same time; try again in a second")]
pub struct Busy;

/// Limits the number of searches.
#[derive(Debug)]
pub struct Searches {
    slots: Semaphore,
    /// Searches per person, running or waiting; people without any are absent.
    people: Mutex<HashMap<[u8; 16], usize>>,
}

/// The right to search, given back when dropped.
#[derive(Debug)]
pub struct Admission<'a> {
    _slot: SemaphorePermit<'a>,
    _place: Place<'a>,
}

/// A place among the searches of a person.
#[derive(Debug)]
struct Place<'a> {
    searches: &'a Searches,
    person: [u8; 16],
}

impl Default for Searches {
    fn default() -> Self {
        Self { slots: Semaphore::new(SEARCHES as usize), people: Mutex::default() }
    }
}

impl Searches {
    /// Waits shortly for the right to search.
    ///
    /// # Errors
    /// [`Busy`] if too many searches run or wait, in total or for this person.
    pub async fn admit(&self, person: Uuid) -> Result<Admission<'_>, Busy> {
        let place = self.place(*person.as_bytes())?;
        match tokio::time::timeout(MAX_WAIT, self.slots.acquire()).await {
            Ok(Ok(slot)) => Ok(Admission { _slot: slot, _place: place }),
            _ => Err(Busy),
        }
    }

    fn place(&self, person: [u8; 16]) -> Result<Place<'_>, Busy> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = people.values().sum();
        let own = people.get(&person).copied().unwrap_or_default();
        if total >= SEARCHES as usize + QUEUE || own >= PER_PERSON {
            return Err(Busy);
        }
        people.insert(person, own + 1);
        Ok(Place { searches: self, person })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut people = self.searches.people.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = people.get_mut(&self.person) {
            *count -= 1;
            if *count == 0 {
                people.remove(&self.person);
            }
        }
    }
}

/// Runs `$body` with a connection for searches of either database, within [`TIME_LIMIT`]. If the
/// time is over or the future is dropped, the database stops searching.
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

/// Recognises the databases' errors for statements that took too long.
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

/// A search on SQLite, which stops when this is dropped.
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

/// A search on PostgreSQL, which is cancelled there when this is dropped before it finished.
#[derive(Debug)]
pub(super) struct PostgresSearch {
    connection: PoolConnection<Postgres>,
    /// The server process that searches.
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
        // Not to be reused: the cancellation may arrive late.
        self.connection.close_on_drop();
        let (process, others) = (self.process, self.others.clone());
        tokio::spawn(async move {
            let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(process);
            let cancelled = tokio::time::timeout(CANCEL_TIME, cancel.execute(&others)).await;
            if !matches!(cancelled, Ok(Ok(_))) {
                tracing::warn!(process, "cannot cancel a search; it ends by its statement_timeout");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn searches_beyond_the_limits_are_refused_and_leave_no_trace() {
        let searches = Searches::default();
        let person = |number| Uuid::from_bytes([number; 16]);
        let mut places = Vec::new();
        for _ in 0..PER_PERSON {
            places.push(searches.place([1; 16]).expect("a place"));
        }
        assert_eq!(searches.place([1; 16]).expect_err("too many of one person"), Busy);
        for _ in PER_PERSON..SEARCHES as usize + QUEUE {
            let number = u8::try_from(places.len()).expect("few");
            places.push(searches.place([number; 16]).expect("a place"));
        }
        assert_eq!(searches.admit(person(99)).await.expect_err("too many in total"), Busy);
        drop(places);
        assert!(searches.admit(person(1)).await.is_ok());
        assert!(searches.people.lock().expect("unpoisoned").is_empty());
    }

    /// Counts without end, with the connections for searches.
    async fn endless(store: &crate::store::Store) -> Result<i64, StoreError> {
        Ok(search!(store, |connection| {
            sqlx::query_scalar("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n")
                .fetch_one(&mut *connection)
                .await?
        }))
    }

    #[tokio::test]
    async fn a_search_on_sqlite_stops_when_it_is_dropped_or_its_time_is_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}", dir.path().join("unit.db").display());
        let store = crate::store::Store::open(&url, crate::store::Missing::Create).await;
        let store = store.expect("a new database");
        // More than there are connections: each dropped search gives its connection back.
        for _ in 0..2 * SEARCHES {
            let dropped = tokio::time::timeout(Duration::from_millis(50), endless(&store)).await;
            assert!(dropped.is_err());
        }
        let ended = endless(&store).await;
        assert!(matches!(ended, Err(StoreError::SearchTime(_))), "{ended:?}");
    }
}
