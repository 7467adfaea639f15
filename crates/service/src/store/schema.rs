//! The version of a database's tables: compares it with the migrations of this program, and
//! migrates. Both databases have the same versions.

use super::error::StoreError;
use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;

/// The migrations of SQLite.
pub(super) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
/// The migrations of PostgreSQL.
pub(super) static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The table that records the migrations of a database.
pub(super) const MIGRATIONS: &str = "_sqlx_migrations";

/// PostgreSQL's code for a statement that the role may not execute.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// The tables of a database, compared with those that this program needs. A newer version is an
/// error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TablesState {
    /// There are no tables.
    Empty,
    /// The tables have an older version.
    Outdated(i64),
    /// The tables have the version of this program.
    Current,
}

/// Returns the version of the tables that this program needs.
pub(super) fn needed() -> i64 {
    SQLITE.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Returns the state of an SQLite database's tables.
pub(super) async fn of_sqlite(
    connection: &mut SqliteConnection,
) -> Result<TablesState, StoreError> {
    let exists: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1)",
    )
    .bind(MIGRATIONS)
    .fetch_one(&mut *connection)
    .await?;
    state(connection, &SQLITE, exists).await
}

/// Returns the state of a PostgreSQL database's tables.
pub(super) async fn of_postgres(connection: &mut PgConnection) -> Result<TablesState, StoreError> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(MIGRATIONS)
        .fetch_one(&mut *connection)
        .await?;
    state(connection, &POSTGRES, exists).await
}

async fn state(
    connection: &mut impl Migrate,
    migrator: &Migrator,
    exists: bool,
) -> Result<TablesState, StoreError> {
    if !exists {
        return Ok(TablesState::Empty);
    }
    if let Some(version) = connection.dirty_version(MIGRATIONS).await? {
        return Err(MigrateError::Dirty(version).into());
    }
    compare(&connection.list_applied_migrations(MIGRATIONS).await?, migrator)
}

/// Compares the migrations that were applied to a database with those of this program.
fn compare(applied: &[AppliedMigration], migrator: &Migrator) -> Result<TablesState, StoreError> {
    let Some(version) = applied.iter().map(|migration| migration.version).max() else {
        return Ok(TablesState::Empty);
    };
    let needed = needed();
    if version > needed {
        return Err(StoreError::Newer { version, needed });
    }
    for migration in applied {
        let known = migrator.iter().find(|known| known.version == migration.version);
        let known = known.ok_or(MigrateError::VersionMissing(migration.version))?;
        if known.checksum != migration.checksum {
            return Err(MigrateError::VersionMismatch(migration.version).into());
        }
    }
    Ok(if applied.len() == migrator.iter().count() {
        TablesState::Current
    } else {
        TablesState::Outdated(version)
    })
}

/// Migrates an SQLite database to the version of this program.
pub(super) async fn migrate_sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    if of_sqlite(connection).await? != TablesState::Current {
        SQLITE.run(&mut *connection).await?;
    }
    Ok(())
}

/// Migrates a PostgreSQL database to the version of this program. A role that may not change tables
/// can use tables of the right version.
pub(super) async fn migrate_postgres(connection: &mut PgConnection) -> Result<(), StoreError> {
    let version = match of_postgres(connection).await? {
        TablesState::Current => return Ok(()),
        TablesState::Empty => 0,
        TablesState::Outdated(version) => version,
    };
    // Building an index may take longer than the statement timeout of the service.
    sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await?;
    POSTGRES.run(&mut *connection).await.map_err(|error| {
        let database_error = match &error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                error.as_database_error()
            }
            _ => None,
        };
        match database_error {
            Some(denied) if denied.code().is_some_and(|code| code == INSUFFICIENT_PRIVILEGE) => {
                let cause = denied.message().to_owned();
                StoreError::MayNotMigrate { version, needed: needed(), cause }
            }
            _ => error.into(),
        }
    })
}
