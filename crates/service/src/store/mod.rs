//! The database: SQLite for one machine, PostgreSQL for several, with the same SQL statements.
//!
//! Each change and its audit event are written in one transaction. Statements use `$1`, which both
//! databases support, and common column types: bytes, 64-bit integers and text.

mod aggregates;
pub mod audit;
pub mod audit_search;
mod authority;
pub mod backup;
pub mod clock;
pub mod credentials;
mod error;
mod events;
pub mod identities;
pub mod leak_pages;
pub mod leaks;
pub mod listing;
mod open;
#[cfg(test)]
mod plans;
pub mod pools;
mod postgres;
pub mod readiness;
pub mod rotation;
mod schema;
pub mod search;
pub mod sent_forms;
pub mod service_accounts;
pub mod sessions;
pub mod token_pages;
mod token_rows;
pub mod tokens;
pub mod user_listing;
pub mod users;
mod wal;

pub use error::StoreError;
pub(crate) use error::without_password;
pub use pools::{Missing, PoolSize, sqlite_file};

use ddpatrol_token::Uuid;
use pools::{PoolUsage, Pools};
use sqlx::postgres::{PgPool, Postgres};
use sqlx::sqlite::Sqlite;

/// The channel on which replicas on one PostgreSQL notify each other of changed tokens.
pub(crate) const CHANNEL: &str = "ddpatrol_changes";
/// Maximum number of tokens in one notification. For more tokens, replicas invalidate all.
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
    /// A writing transaction locks the whole database. There are no statistics, so queries name
    /// their indexes.
    Sqlite,
    /// Transactions lock rows; those that change several rows lock them in the order of their
    /// identifiers.
    Postgres,
}

/// Reads from a pool of either database, by default from the one for everything except
/// authentication and searches. `$body` is compiled for both databases.
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

/// Writes in a transaction of either database, which is committed if `$body` evaluates to a value.
/// After a failure, or if the future is dropped, the connection is closed; see [`pools::Writer`].
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
    /// Returns the pool to listen for notifications on; `None` for SQLite, which has no other
    /// replicas.
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

    /// Notifies the other replicas to invalidate tokens: all tokens if `tokens` is empty or long. A
    /// failure is only logged, since cached tokens expire soon without a notification.
    pub(crate) async fn notify_replicas(&self, tokens: &[Uuid]) {
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
                "cannot notify other replicas of a change"
            );
        }
    }

    /// Returns the usage of each pool of connections. PostgreSQL's pool for changes is also the one
    /// for reads.
    pub(crate) fn pool_usage(&self) -> Vec<PoolUsage> {
        match self {
            Self::Sqlite(pools) => pools.usage(),
            Self::Postgres(pools) => pools.usage().split_off(1),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::batch::{Attempt, Batch};
    use crate::audit::{Actor, name};
    use std::time::Duration;

    /// Runs a future on its own runtime.
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
    fn a_full_database_accepts_changes_again_once_it_has_space() {
        let dir = tempfile::tempdir().expect("a directory");
        run(async {
            let (store, writer) = sqlite(&dir).await;
            // The limit applies to one connection: the next one has space again.
            sqlx::query("PRAGMA max_page_count = 60").execute(&writer).await.expect("a limit");
            let full = append(&store).await.expect_err("there is no space");
            assert!(format!("{full:?}").contains("full"), "{full:?}");
            append(&store).await.expect("there is space");
        });
    }

    #[test]
    fn a_change_that_is_dropped_midway_is_rolled_back() {
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
}
