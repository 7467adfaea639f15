//! The database: SQLite for one machine, PostgreSQL for several, with the same statements.
//!
//! Every change and its audit event are one transaction. Statements use `$1`, which both databases
//! understand, and column types that both have: bytes, 64-bit integers and text.

mod aggregates;
pub mod audit;
pub mod audit_search;
pub mod clock;
pub mod credentials;
pub mod leaks;
pub mod listing;
#[cfg(test)]
mod plans;
pub mod pools;
pub mod readiness;
pub mod search;
pub mod tokens;
pub mod users;

use ddpatrol_token::Uuid;
use pools::{Pools, open_postgres, open_sqlite};
use sqlx::postgres::{PgPool, Postgres};
use sqlx::sqlite::Sqlite;
use std::time::Duration;

/// Maximum time that a statement waits for a connection or for another writer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The channel on which replicas on one PostgreSQL notify each other of changed tokens.
pub(crate) const CHANNEL: &str = "ddpatrol_changes";
/// The most tokens that a notification names; beyond, replicas forget all.
const NAMED_TOKENS: usize = 16;

/// A database, open and migrated.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file, one machine.
    Sqlite(Pools<Sqlite>),
    /// A server that several replicas share.
    Postgres(Pools<Postgres>),
}

/// The differences between the databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// A writing transaction locks the whole database. Without statistics, so that queries name
    /// their indexes.
    Sqlite,
    /// Transactions lock rows; those that change many lock them in the order of their ids.
    Postgres,
}

/// The treatment of a missing SQLite file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Create the file.
    Create,
    /// Fail.
    Refuse,
}

/// An error of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL has another scheme than those of the supported databases.
    #[error(
        "`{0}` is no database: use sqlite:FILE or postgres://USER@HOST/NAME (a password belongs into DATABASE_URL)"
    )]
    Url(String),
    /// The database cannot be opened.
    #[error("cannot open the database {url}")]
    Open {
        /// The database, without its password.
        url: String,
        /// Why.
        source: sqlx::Error,
    },
    /// The tables cannot be brought up to date.
    #[error("cannot migrate the database's tables")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("the database failed")]
    Statement(#[from] sqlx::Error),
    /// The system's random source failed.
    #[error(transparent)]
    Random(#[from] ddpatrol_token::mint::RandomError),
    /// A search took too long.
    #[error(
        "the search took longer than {} s; narrow the time range with filter[from] and filter[to] or add a filter",
        search::TIME_LIMIT.as_secs()
    )]
    SearchTime,
    /// A row holds what the service never wrote.
    #[error("the database holds a faulty row in `{0}`")]
    Row(&'static str),
}

/// Reads with a pool of either database, by default the one for all but authentication and
/// searches; `$body` is compiled for both.
macro_rules! read {
    ($store:expr, |$pool:ident| $body:expr) => {
        $crate::store::read!($store, reader, |$pool| $body)
    };
    ($store:expr, $purpose:ident, |$pool:ident| $body:expr) => {
        match $store {
            $crate::store::Store::Sqlite(pools) => {
                let $pool = &pools.$purpose;
                $body
            }
            $crate::store::Store::Postgres(pools) => {
                let $pool = &pools.$purpose;
                $body
            }
        }
    };
}

/// Writes in a transaction of either database, committed if `$body` ends with a value. If anything
/// fails, or the future is dropped, the connection is closed; see [`pools::Writer`].
macro_rules! change {
    ($store:expr, |$tx:ident| $body:expr) => {
        match $store {
            $crate::store::Store::Sqlite(pools) => {
                $crate::store::change!(@begin "BEGIN IMMEDIATE", pools, |$tx| $body)
            }
            $crate::store::Store::Postgres(pools) => {
                $crate::store::change!(@begin "BEGIN", pools, |$tx| $body)
            }
        }
    };
    (@begin $begin:literal, $pools:ident, |$tx:ident| $body:expr) => {{
        let mut writer = $crate::store::pools::Writer::acquire(&$pools.writer).await?;
        let mut $tx = sqlx::Connection::begin_with(writer.connection(), $begin).await?;
        let value = $body;
        $tx.commit().await?;
        writer.committed();
        value
    }};
}

pub(crate) use {change, read};

impl Store {
    /// Opens the database at `url` (`sqlite:FILE` or `postgres://…`) and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError`] where the URL names no database, it cannot be opened, or not migrated.
    pub async fn open(url: &str, missing: Missing) -> Result<Self, StoreError> {
        let store = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Self::Sqlite(open_sqlite(url, missing).await?),
            Some("postgres" | "postgresql") => Self::Postgres(open_postgres(url).await?),
            _ => return Err(StoreError::Url(without_password(url))),
        };
        match &store {
            Self::Sqlite(pools) => sqlx::migrate!("migrations/sqlite").run(&pools.writer).await?,
            Self::Postgres(pools) => {
                // Building an index may take longer than a statement of the service may.
                let mut connection = pools.writer.acquire().await?;
                sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await?;
                sqlx::migrate!("migrations/postgres").run(&mut *connection).await?;
                connection.close().await?;
            }
        }
        if let Err(error) = store.keep_reference().await {
            // A full disk does not keep the service from answering.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot store the newest event's time to compare the clock with"
            );
        }
        store.set_clock().await?;
        Ok(store)
    }

    /// The pool to listen for notifications with; `None` on SQLite, which has no other replicas.
    #[must_use]
    pub fn listener(&self) -> Option<&PgPool> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(pools) => Some(&pools.reader),
        }
    }

    const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Notifies the other replicas to forget tokens, or all of them if there are none or many. This
    /// only makes them faster, since they forget by themselves soon; so a failure is only logged.
    pub(crate) async fn tell(&self, tokens: &[Uuid]) {
        let Self::Postgres(pools) = self else { return };
        let payloads = if (1..=NAMED_TOKENS).contains(&tokens.len()) {
            tokens.iter().map(ToString::to_string).collect()
        } else {
            vec![String::new()]
        };
        let notified =
            sqlx::query("SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload")
                .bind(CHANNEL)
                .bind(payloads)
                .execute(&pools.writer);
        if let Err(error) = notified.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot notify the other replicas of a change"
            );
        }
    }

    /// Closes every connection after its running statement.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pools) => pools.close().await,
            Self::Postgres(pools) => pools.close().await,
        }
    }
}

/// Writes a database's URL without its password and its options, which may hold one too. Of a URL
/// that leaves open where a password stands, only the scheme is told.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return match url.split_once(':') {
            Some((scheme, _)) if scheme != "sqlite" => format!("{scheme}:…"),
            _ => url.to_owned(),
        };
    };
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    match place.rsplit_once('@') {
        _ if options.contains('@') => format!("{scheme}://…"),
        None => format!("{scheme}://{place}"),
        Some((user, host)) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}@{host}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::audit::Attempt;
    use super::*;
    use crate::audit::queue::Batch;
    use crate::audit::{Actor, name};

    /// Runs a future on a runtime of its own.
    pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(future)
    }

    pub(super) async fn sqlite(dir: &tempfile::TempDir) -> (Store, sqlx::SqlitePool) {
        let url = format!("sqlite:{}", dir.path().join("unit.db").display());
        let store = Store::open(&url, Missing::Create).await.expect("a new database");
        let Store::Sqlite(pools) = &store else { panic!("not SQLite") };
        let writer = pools.writer.clone();
        (store, writer)
    }

    async fn append(store: &Store) -> Result<(), StoreError> {
        let event = Actor::SYSTEM.event(name::USED, None).expect("random bytes");
        let events = vec![event.with("filler", "x".repeat(200_000))];
        store.append_uses(&Batch { events, ..Batch::default() }, Attempt::First).await
    }

    #[test]
    fn a_full_database_takes_changes_again_as_soon_as_it_has_room() {
        let dir = tempfile::tempdir().expect("a directory");
        run(async {
            let (store, writer) = sqlite(&dir).await;
            // The limit holds for one connection: its successor has room again.
            sqlx::query("PRAGMA max_page_count = 60").execute(&writer).await.expect("a limit");
            let full = append(&store).await.expect_err("there is no room");
            assert!(format!("{full:?}").contains("full"), "{full:?}");
            append(&store).await.expect("there is room");
        });
    }

    #[test]
    fn a_change_that_is_dropped_half_way_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        run(async {
            let (store, writer) = sqlite(&dir).await;
            for micros in (0..3_000).step_by(100) {
                let limit = Duration::from_micros(micros);
                let _ = tokio::time::timeout(limit, append(&store)).await;
                append(&store).await.expect("the writer is usable");
            }
            let (whole, transactions): (i64, i64) =
                sqlx::query_as("SELECT COUNT(*), COUNT(DISTINCT id) FROM audit_events")
                    .fetch_one(&writer)
                    .await
                    .expect("a count");
            assert!(whole >= 30 && whole == transactions, "{whole} {transactions}");
        });
    }

    #[test]
    fn a_databases_password_is_never_told() {
        for (url, told) in [
            ("postgres://me:secret@db:5432/x", "postgres://me@db:5432/x"),
            ("postgres://me:s@cret@db/x?password=other", "postgres://me@db/x"),
            ("postgres://db/x", "postgres://db/x"),
            ("postgres://db/x?user=me&password=secret", "postgres://db/x"),
            ("postgres://me@db/x?password=s@cret", "postgres://…"),
            ("postgres://me:s?cret@db/x", "postgres://…"),
            ("postgres:me:secret@db/x", "postgres:…"),
            ("sqlite:file.db", "sqlite:file.db"),
        ] {
            assert_eq!(without_password(url), told);
        }
    }
}
