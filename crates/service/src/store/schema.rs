//! The version of a database's tables: compares it with the migrations of this program, and
//! migrates. Both databases have the same versions.

use super::error::StoreError;
use super::token_rows::fold;
use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;

/// The migrations of SQLite.
pub(super) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
/// The migrations of PostgreSQL.
pub(super) static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The table that records the migrations of a database.
pub(super) const MIGRATIONS: &str = "_sqlx_migrations";

/// The version that folds email addresses, by a function of the database.
const FOLDED_EMAILS: i64 = 5;

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
    if exists { migrated(connection, &SQLITE).await } else { Ok(TablesState::Empty) }
}

/// Returns the state of a PostgreSQL database's tables.
pub(super) async fn of_postgres(connection: &mut PgConnection) -> Result<TablesState, StoreError> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(MIGRATIONS)
        .fetch_one(&mut *connection)
        .await?;
    if exists { migrated(connection, &POSTGRES).await } else { Ok(TablesState::Empty) }
}

/// Returns the state of tables that migrations created.
async fn migrated(
    connection: &mut impl Migrate,
    migrator: &Migrator,
) -> Result<TablesState, StoreError> {
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

/// Folds the email addresses of a migrated database again: `LOWER` changes only ASCII letters in
/// SQLite, and in PostgreSQL as far as the locale of the database goes. An address that another user
/// has in the folded form remains as it is.
macro_rules! fold_emails {
    ($connection:ident) => {
        let rows: Vec<(Vec<u8>, String, String)> =
            sqlx::query_as("SELECT id, email, folded_email FROM users")
                .fetch_all(&mut *$connection)
                .await?;
        for (id, email, folded) in rows {
            let whole = fold(&email);
            if whole != folded {
                sqlx::query("UPDATE users SET folded_email = $1 WHERE id = $2 AND NOT EXISTS (SELECT 1 FROM users WHERE folded_email = $1)")
                    .bind(whole)
                    .bind(id)
                    .execute(&mut *$connection)
                    .await?;
            }
        }
    };
}

/// Migrates an SQLite database to the version of this program.
pub(super) async fn migrate_sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let state = of_sqlite(connection).await?;
    if state == TablesState::Current {
        return Ok(());
    }
    SQLITE.run(&mut *connection).await?;
    if let TablesState::Outdated(version) = state {
        if version < FOLDED_EMAILS {
            fold_emails!(connection);
        }
        report_migration(version);
    }
    Ok(())
}

fn report_migration(from: i64) {
    let to = needed();
    tracing::info!("migrated the tables from version {from} to version {to}");
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
    })?;
    if version > 0 {
        if version < FOLDED_EMAILS {
            fold_emails!(connection);
        }
        report_migration(version);
    }
    Ok(())
}
