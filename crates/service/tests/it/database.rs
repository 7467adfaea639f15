//! A database for one test: an SQLite file, or a database on the PostgreSQL server in
//! `DDPATROL_TEST_POSTGRES`, which is deleted at the end of the test.

use sqlx::migrate::Migrator;
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection,
};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// An initially empty database.
#[derive(Debug)]
pub(crate) enum Database {
    /// A file in its own directory.
    Sqlite(TempDir),
    /// The name of a database on the test server.
    Postgres(String),
}

/// The tables of the service.
const TABLES: [&str; 4] = ["organization", "users", "tokens", "audit_events"];

fn server() -> String {
    std::env::var("DDPATROL_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "this test needs PostgreSQL: scripts/postgres.sh run cargo nextest run -p ddpatrol-service"
        )
    })
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs statements on PostgreSQL outside of a transaction. Returns the first column as text.
fn postgres(url: &str, sql: &str) -> Result<Vec<String>, sqlx::Error> {
    runtime().block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let rows = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await?;
        connection.close().await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    })
}

impl Database {
    /// Creates an SQLite file.
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// Creates a database on PostgreSQL.
    pub(crate) fn postgres() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("it_{}_{number}", std::process::id());
        postgres(&server(), &format!("CREATE DATABASE {name}")).unwrap();
        Self::Postgres(name)
    }

    /// Returns the URL for `--database`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(dir) => format!("sqlite:{}", dir.path().join("it.db").display()),
            Self::Postgres(name) => {
                format!("{}/{name}", server().rsplit_once('/').unwrap().0)
            }
        }
    }

    /// Returns the address of the PostgreSQL server, as `HOST:PORT`.
    pub(crate) fn server_address(&self) -> String {
        let url = self.url();
        url.rsplit_once('@').unwrap().1.split_once('/').unwrap().0.to_owned()
    }

    /// Returns the URL of the database through a proxy in front of the PostgreSQL server.
    pub(crate) fn url_through(&self, proxy: SocketAddr) -> String {
        let Self::Postgres(name) = self else { panic!("SQLite has no server") };
        format!("postgres://ddpatrol@{proxy}/{name}")
    }

    /// Runs a query. Returns its first column, which must be text.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(_) => runtime().block_on(async {
                let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
                let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
                let texts = query.fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                texts
            }),
            Self::Postgres(_) => postgres(&self.url(), sql).unwrap(),
        }
    }

    /// Runs a statement.
    pub(crate) fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(dir) => Self::execute_in(&dir.path().join("it.db"), sql),
            Self::Postgres(_) => {
                postgres(&self.url(), sql).unwrap();
            }
        }
    }

    /// Runs a statement in an SQLite file.
    pub(crate) fn execute_in(file: &Path, sql: &str) {
        runtime().block_on(async {
            let url = format!("sqlite:{}", file.display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    /// Creates the tables of an older version.
    pub(crate) fn migrate(&self, version: i64) {
        let kind = if matches!(self, Self::Sqlite(_)) { "sqlite" } else { "postgres" };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(kind);
        runtime().block_on(async {
            let migrator = Migrator::new(folder).await.unwrap();
            match self {
                Self::Sqlite(_) => {
                    let url = format!("{}?mode=rwc", self.url());
                    let mut connection = SqliteConnection::connect(&url).await.unwrap();
                    migrator.run_to(version, &mut connection).await.unwrap();
                    connection.close().await.unwrap();
                }
                Self::Postgres(_) => {
                    let mut connection = PgConnection::connect(&self.url()).await.unwrap();
                    migrator.run_to(version, &mut connection).await.unwrap();
                    connection.close().await.unwrap();
                }
            }
        });
    }

    /// Runs a statement on PostgreSQL that may fail. Returns its first column as text.
    pub(crate) fn try_texts(&self, sql: &str) -> Result<Vec<String>, sqlx::Error> {
        postgres(&self.url(), sql)
    }

    /// Runs a statement on the server outside of this database, for statements that cannot run
    /// inside it.
    pub(crate) fn on_server(sql: &str) -> Vec<String> {
        postgres(&server(), sql).unwrap()
    }

    /// Runs a statement on a PostgreSQL database with a given URL.
    pub(crate) fn query(url: &str, sql: &str) -> Vec<String> {
        postgres(url, sql).unwrap()
    }

    /// Returns the name on PostgreSQL.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Postgres(name) => name,
            Self::Sqlite(_) => panic!("only PostgreSQL has names"),
        }
    }

    /// Calls `during` while no other connection can write to the SQLite file.
    pub(crate) fn locked(&self, during: impl FnOnce()) {
        let runtime = runtime();
        let mut connection = runtime.block_on(SqliteConnection::connect(&self.url())).unwrap();
        let mut run = |sql: &'static str| {
            runtime.block_on(connection.execute(sql)).unwrap();
        };
        run("PRAGMA busy_timeout = 30000");
        run("BEGIN IMMEDIATE");
        during();
        run("ROLLBACK");
    }

    /// Returns everything that the database stores: the bytes of all files, or all rows as text.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Sqlite(dir) => {
                for file in std::fs::read_dir(dir.path()).unwrap() {
                    bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
                }
            }
            Self::Postgres(_) => {
                for table in TABLES {
                    let rows = self.texts(&format!("SELECT row_to_json(t)::text FROM {table} t"));
                    bytes.extend(rows.join("\n").into_bytes());
                }
            }
        }
        assert!(!bytes.is_empty());
        bytes
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres(name) = self {
            // After a failed test, a second failure here would only distract.
            let _ = postgres(&server(), &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}
