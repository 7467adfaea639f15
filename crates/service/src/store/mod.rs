//! The database: SQLite for one machine, PostgreSQL for several, with the same statements.
//!
//! Every change and its audit event are one transaction. Statements use `$1`, which both databases
//! understand, and column types that both have: bytes, 64-bit integers and text.

mod aggregates;
pub mod audit;
pub mod leaks;
pub mod listing;
pub mod tokens;
pub mod users;

use ddpatrol_token::Uuid;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};
use std::str::FromStr;
use std::time::Duration;

/// How long a statement may wait for a connection or for another writer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The channel on which replicas on one PostgreSQL tell each other what to forget.
pub(crate) const CHANNEL: &str = "ddpatrol_changes";

/// A database, open and migrated.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file, one machine.
    Sqlite(Sqlite),
    /// A server that several replicas share.
    Postgres(PgPool),
}

/// SQLite's two pools: it has one writer at a time, so ours wait in line for one connection
/// instead of polling for a lock.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: SqlitePool,
    reader: SqlitePool,
}

/// What happens if there is no SQLite file yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is made.
    Create,
    /// It is an error.
    Refuse,
}

/// What went wrong in the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database that the service knows.
    #[error(
        "`{0}` is no database: use sqlite:FILE or postgres://USER@HOST/NAME (a password goes into DATABASE_URL)"
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
    /// A row holds what the service never wrote.
    #[error("the database holds a faulty row in `{0}`")]
    Row(&'static str),
}

/// Reads with a pool of either database; `$body` is compiled for both.
macro_rules! read {
    ($store:expr, |$pool:ident| $body:expr) => {
        match $store {
            $crate::store::Store::Sqlite(pools) => {
                let $pool = &pools.reader;
                $body
            }
            $crate::store::Store::Postgres(pool) => {
                let $pool = pool;
                $body
            }
        }
    };
}

/// Writes in a transaction of either database, committed when `$body` has ended with a value.
macro_rules! change {
    ($store:expr, |$tx:ident| $body:expr) => {
        match $store {
            $crate::store::Store::Sqlite(pools) => {
                let mut $tx = pools.writer.begin_with("BEGIN IMMEDIATE").await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
            $crate::store::Store::Postgres(pool) => {
                let mut $tx = pool.begin().await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
        }
    };
}

pub(crate) use {change, read};

impl Store {
    /// Opens the database at `url` (`sqlite:FILE` or `postgres://…`) and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError`] where the URL names no database, it cannot be opened, or not migrated.
    pub async fn open(url: &str, missing: Missing) -> Result<Self, StoreError> {
        let store = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Self::open_sqlite(url, missing).await?,
            Some("postgres" | "postgresql") => Self::open_postgres(url).await?,
            _ => return Err(StoreError::Url(without_password(url))),
        };
        match &store {
            Self::Sqlite(pools) => sqlx::migrate!("migrations/sqlite").run(&pools.writer).await?,
            Self::Postgres(pool) => sqlx::migrate!("migrations/postgres").run(pool).await?,
        }
        Ok(store)
    }

    async fn open_sqlite(url: &str, missing: Missing) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { url: without_password(url), source };
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(StoreError::Url(url.to_owned()));
        }
        let options = SqliteConnectOptions::from_str(url)
            .map_err(failed)?
            .create_if_missing(missing == Missing::Create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let pool = |connections| {
            SqlitePoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE)
        };
        let writer = pool(1).connect_with(options.clone()).await.map_err(failed)?;
        let reader = pool(8).connect_with(options.read_only(true)).await.map_err(failed)?;
        Ok(Self::Sqlite(Sqlite { writer, reader }))
    }

    async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { url: without_password(url), source };
        let options = PgConnectOptions::from_str(url)
            .map_err(failed)?
            .application_name("ddpatrold")
            .options([("synchronous_commit", "on"), ("statement_timeout", "10s")]);
        // A pool would try for long and then tell only that it did; one connection tells why.
        options.connect().await.map_err(failed)?.close().await.map_err(failed)?;
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(failed)?;
        Ok(Self::Postgres(pool))
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError::Statement`] where it gives none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        read!(self, |pool| {
            sqlx::query("SELECT 1").execute(pool).await?;
        });
        Ok(())
    }

    /// Tells the other replicas to forget a token, or all. It only makes them faster, since what they
    /// remember does not live long; so a failure is logged and nothing more.
    pub(crate) async fn tell(&self, token: Option<Uuid>) {
        let Self::Postgres(pool) = self else { return };
        let payload = token.map(|id| id.to_string()).unwrap_or_default();
        let told =
            sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(pool);
        if let Err(error) = told.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "other replicas were not told of a change"
            );
        }
    }

    /// Closes every connection, after what runs on it has ended.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pools) => {
                pools.reader.close().await;
                pools.writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
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
    use super::*;

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
