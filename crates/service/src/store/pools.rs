//! Connections to the database, in pools by purpose, so that no kind of work uses up the
//! connections of another: authentication never waits for a search.

use super::error::{StoreError, without_password};
use super::postgres;
use sqlx::pool::{Pool, PoolConnection, PoolOptions};
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Database};
use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

/// Maximum time that a statement waits for a connection or for another writer.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Maximum number of concurrent searches, in addition to [`OWN_LISTS`].
pub(crate) const SEARCHES: u32 = 3;
/// Maximum number of concurrent lists of the caller's own tokens.
pub(crate) const OWN_LISTS: u32 = 2;

/// SQLite connections for authentication.
const SQLITE_CREDENTIALS: u32 = 4;
/// SQLite connections for all other reads except searches.
const SQLITE_READERS: u32 = 4;

/// Maximum number of PostgreSQL connections of a replica, by default 18: 5 for authentication, 5 for
/// searches, and 8 for changes, other reads and the notification listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSize(u32);

impl PoolSize {
    /// The smallest size: one connection for authentication and one for notifications, besides
    /// those for searches and three for the rest.
    pub const MIN: u32 = SEARCHES + OWN_LISTS + 5;

    /// Returns a size; `None` below [`PoolSize::MIN`].
    #[must_use]
    pub fn new(connections: u32) -> Option<Self> {
        (connections >= Self::MIN).then_some(Self(connections))
    }

    /// Connections for authentication.
    const fn credentials(self) -> u32 {
        (self.0 - SEARCHES - OWN_LISTS) * 5 / 13
    }

    /// Connections for changes, other reads and the notification listener.
    const fn others(self) -> u32 {
        self.0 - SEARCHES - OWN_LISTS - self.credentials()
    }
}

impl Default for PoolSize {
    fn default() -> Self {
        Self(18)
    }
}

/// PostgreSQL's own time limit of a search, in case it cannot be cancelled: one second more than
/// [`super::search::TIME_LIMIT`].
const SEARCH_STATEMENT_TIME: &str = "6s";

/// The action for a missing SQLite file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Create the file.
    Create,
    /// Fail.
    Fail,
}

/// The pools of one database.
#[derive(Debug)]
pub struct Pools<DB: Database> {
    /// For changes. SQLite has one writer at a time, so changes queue for one connection instead of
    /// polling for a lock.
    pub(crate) writer: Pool<DB>,
    /// For authentication.
    pub(crate) credentials: Pool<DB>,
    /// For searches and lists of the caller's own tokens.
    pub(crate) search: Pool<DB>,
    /// For other reads.
    pub(crate) reader: Pool<DB>,
}

impl<DB: Database> Clone for Pools<DB> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
            credentials: self.credentials.clone(),
            search: self.search.clone(),
            reader: self.reader.clone(),
        }
    }
}

/// The connections of a pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolUsage {
    /// The purpose of the pool.
    pub name: &'static str,
    /// Connections in use.
    pub used: usize,
    /// Open connections that are not in use.
    pub idle: usize,
    /// The maximum number of connections.
    pub max: u32,
}

impl<DB: Database> Pools<DB> {
    /// Returns the usage of each pool.
    pub(super) fn usage(&self) -> Vec<PoolUsage> {
        [
            ("writer", &self.writer),
            ("reader", &self.reader),
            ("credentials", &self.credentials),
            ("search", &self.search),
        ]
        .into_iter()
        .map(|(name, pool)| {
            let idle = pool.num_idle();
            let used = (pool.size() as usize).saturating_sub(idle);
            PoolUsage { name, used, idle, max: pool.options().get_max_connections() }
        })
        .collect()
    }

    /// Closes every connection after its running statement.
    pub(super) async fn close(&self) {
        self.search.close().await;
        self.credentials.close().await;
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Returns the file of an SQLite database; `None` for another database or an invalid URL.
#[must_use]
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    let options = SqliteConnectOptions::from_str(url).ok()?;
    url.starts_with("sqlite:").then(|| options.get_filename().to_owned())
}

/// Returns the files that SQLite keeps beside a database: the write-ahead log and its index.
pub(super) fn companions(database: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

/// Makes the files of a database readable for their owner alone, and creates the database's file if
/// wanted. Older versions left the mode to the umask.
fn restrict(database: &Path, missing: Missing) -> io::Result<()> {
    if missing == Missing::Create {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(database) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    let [log, index] = companions(database);
    for file in [database, &log, &index] {
        let Ok(metadata) = std::fs::metadata(file) else { continue };
        if metadata.permissions().mode() & 0o077 == 0 {
            continue;
        }
        match std::fs::set_permissions(file, Permissions::from_mode(0o600)) {
            Ok(()) => {
                tracing::info!(file = %file.display(), "set the mode of the database to 0600");
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "other users may read the database: cannot set its mode to 0600");
            }
        }
    }
    Ok(())
}

/// Returns the options for connections that may write to an SQLite file, whose mode is corrected.
fn sqlite_options(url: &str, missing: Missing) -> Result<SqliteConnectOptions, StoreError> {
    let failed = |source| StoreError::Open { url: without_password(url), source };
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::Url(url.to_owned()));
    }
    let options = SqliteConnectOptions::from_str(url).map_err(failed)?;
    if missing == Missing::Fail && !options.get_filename().exists() {
        return Err(StoreError::NoFile(options.get_filename().to_owned()));
    }
    restrict(options.get_filename(), missing).map_err(|error| failed(error.into()))?;
    Ok(options
        .create_if_missing(missing == Missing::Create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(MAX_WAIT))
}

/// Opens one connection to an SQLite file.
pub(super) async fn open_file(url: &str, missing: Missing) -> Result<SqliteConnection, StoreError> {
    let failed = |source| StoreError::Open { url: without_password(url), source };
    sqlite_options(url, missing)?.connect().await.map_err(failed)
}

/// Opens an SQLite file that nothing changes, also on a read-only medium.
pub(super) async fn open_existing(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new().filename(path).read_only(true).immutable(true).connect().await
}

/// Opens the pools of an SQLite file.
pub(super) async fn open_sqlite(url: &str, missing: Missing) -> Result<Pools<Sqlite>, StoreError> {
    let failed = |source| StoreError::Open { url: without_password(url), source };
    let options = sqlite_options(url, missing)?;
    let writer = pool(1).connect_with(options.clone()).await.map_err(failed)?;
    let options = options.read_only(true);
    let reader = pool(SQLITE_READERS).connect_with(options.clone()).await.map_err(failed)?;
    let credentials = pool(SQLITE_CREDENTIALS).connect_lazy_with(options.clone());
    let search = pool(SEARCHES + OWN_LISTS).connect_lazy_with(options);
    Ok(Pools { writer, credentials, search, reader })
}

/// Opens the pools of a PostgreSQL database.
pub(super) async fn open_postgres(
    url: &str,
    size: PoolSize,
) -> Result<Pools<Postgres>, StoreError> {
    let failed = |source| StoreError::Open { url: without_password(url), source };
    let options = postgres::options(url)?;
    postgres::connect(url, &options).await?.close().await.map_err(failed)?;
    let reader = pool(size.others()).connect_with(options.clone()).await.map_err(failed)?;
    let credentials = pool(size.credentials()).connect_lazy_with(options.clone());
    let options = options.options([("statement_timeout", SEARCH_STATEMENT_TIME)]);
    let search = pool(SEARCHES + OWN_LISTS).connect_lazy_with(options);
    Ok(Pools { writer: reader.clone(), credentials, search, reader })
}

/// Opens one connection to a PostgreSQL database.
pub(super) async fn postgres_connection(url: &str) -> Result<PgConnection, StoreError> {
    postgres::connect(url, &postgres::options(url)?).await
}

fn pool<DB: Database>(connections: u32) -> PoolOptions<DB> {
    PoolOptions::new().max_connections(connections).acquire_timeout(MAX_WAIT)
}

/// A connection for one transaction. Unless the transaction was committed, the connection is closed
/// instead of being reused: SQLite may have rolled back by itself, which sqlx's count of open
/// transactions misses, and a rollback may fail. The database rolls back the open transaction of a
/// closed connection.
#[derive(Debug)]
pub(super) struct Writer<DB: Database> {
    connection: PoolConnection<DB>,
    committed: bool,
}

impl<DB: Database> Writer<DB> {
    /// Acquires a connection for one transaction.
    pub(super) async fn acquire(pool: &Pool<DB>) -> Result<Self, sqlx::Error> {
        Ok(Self { connection: pool.acquire().await?, committed: false })
    }

    /// Returns the connection to begin the transaction on.
    pub(super) fn connection(&mut self) -> &mut DB::Connection {
        &mut self.connection
    }

    /// Returns the connection to its pool after a commit.
    pub(super) fn committed(mut self) {
        self.committed = true;
    }
}

impl<DB: Database> Drop for Writer<DB> {
    fn drop(&mut self) {
        if !self.committed {
            self.connection.close_on_drop();
        }
    }
}
