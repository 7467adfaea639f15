//! Backups: a consistent copy of a database in one SQLite file, whichever database it is from, and
//! the restoration of such a file to an empty database of either kind.
//!
//! SQLite writes its copy itself (`VACUUM INTO`). PostgreSQL's rows are read in one transaction and
//! written to a file with the same tables, since both databases have the same tables and the column
//! types have the same values. So a backup needs no other program, and it can be checked and
//! migrated without a server. A [`manifest`] has the time of the backup and a digest of all rows.

mod error;
mod file;
mod manifest;
mod postgres;
mod rows;

pub use error::{BackupError, RestoreError};
pub use file::{BackupFile, Summary};

use super::pools::{Missing, open_file, postgres_connection, sqlite_file};
use super::schema::{self, TablesState};
use super::{Store, StoreError};
use crate::audit::{Actor, name};
use crate::time;
use file::{Partial, open_scratch};
use jiff::Timestamp;
use manifest::Manifest;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use std::path::Path;

/// Writes a backup of the database at `url` to a new file. The database may be in use, and its
/// tables may have an older version; they are not migrated.
///
/// # Errors
/// [`BackupError`] if the database cannot be read, or the file exists or cannot be written; then no
/// file remains.
pub async fn back_up(url: &str, path: &Path) -> Result<Summary, BackupError> {
    let partial = Partial::create(path)?;
    let mut created_at = time::whole_micros(crate::clock::wall());
    if sqlite_file(url).is_some() {
        copy_sqlite(url, partial.path()).await?;
    } else {
        created_at = copy_postgres(url, partial.path()).await?;
    }
    let mut copy = open_scratch(partial.path()).await?;
    Manifest::write(&mut copy, created_at).await?;
    copy.close().await?;
    // The copy is checked as a restoration would check it.
    let checked = BackupFile::open(partial.path()).await.map_err(|error| BackupError::Write {
        path: path.display().to_string(),
        source: std::io::Error::other(error),
    })?;
    let summary = checked.summary();
    checked.close().await;
    partial.publish()?;
    Ok(summary)
}

async fn copy_sqlite(url: &str, to: &Path) -> Result<(), BackupError> {
    let mut connection = open_file(url, Missing::Fail).await?;
    if schema::of_sqlite(&mut connection).await? == TablesState::Empty {
        return Err(BackupError::Empty);
    }
    sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

async fn copy_postgres(url: &str, to: &Path) -> Result<Timestamp, BackupError> {
    let mut connection = postgres_connection(url).await?;
    let micros: i64 =
        sqlx::query_scalar("SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint")
            .fetch_one(&mut connection)
            .await?;
    let version = match schema::of_postgres(&mut connection).await? {
        TablesState::Empty => return Err(BackupError::Empty),
        TablesState::Outdated(version) => version,
        TablesState::Current => schema::needed(),
    };
    let mut copy = open_scratch(to).await?;
    schema::SQLITE.run_to(version, &mut copy).await.map_err(StoreError::from)?;
    postgres::read(&mut connection, &mut copy).await?;
    copy.close().await?;
    connection.close().await?;
    Ok(time::from_row(micros))
}

/// Restores a backup to the database at `url`, which must be empty or not exist, migrates it, and
/// records the restoration in the audit trail.
///
/// # Errors
/// [`RestoreError`] if the database contains anything or fails; then the database is unchanged.
pub async fn restore(backup: &BackupFile, url: &str) -> Result<(), RestoreError> {
    if let Some(path) = sqlite_file(url) {
        return restore_sqlite(backup, &path).await;
    }
    let mut connection = postgres_connection(url).await?;
    schema::migrate_postgres(&mut connection).await?;
    let copy = backup.current_copy().await?;
    let mut rows = open_scratch(copy.path()).await?;
    sqlx::query("SET statement_timeout = 0").execute(&mut connection).await?;
    let mut transaction = connection.begin().await?;
    require_empty(&mut transaction, url).await?;
    postgres::write(&mut rows, &mut transaction).await?;
    transaction.commit().await?;
    rows.close().await?;
    connection.close().await?;
    let store = Store::open(url, Missing::Fail).await?;
    record(&store, backup.summary()).await
}

async fn restore_sqlite(backup: &BackupFile, path: &Path) -> Result<(), RestoreError> {
    let copy = backup.copy_to(path).await?;
    let url = format!("sqlite:{}", copy.path().display());
    let store = Store::open(&url, Missing::Fail).await?;
    record(&store, backup.summary()).await?;
    copy.publish()?;
    Ok(())
}

/// Records a restoration in the audit trail, and closes the database.
async fn record(store: &Store, summary: Summary) -> Result<(), RestoreError> {
    let event = Actor::OPERATOR
        .event(name::RESTORED, None)
        .map_err(StoreError::from)?
        .about_database()
        .with("backup_created_at", summary.created_at.to_string());
    store.append_event(&event).await?;
    store.close().await;
    Ok(())
}

/// Fails if a PostgreSQL database contains anything that a restoration would mix with the backup.
async fn require_empty(connection: &mut PgConnection, url: &str) -> Result<(), RestoreError> {
    // A service that starts at the same time would create an administrator.
    sqlx::query("LOCK TABLE organization IN EXCLUSIVE MODE").execute(&mut *connection).await?;
    for table in ["organization", "users", "tokens", "audit_events"] {
        let query = format!("SELECT EXISTS (SELECT 1 FROM {table})");
        if sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut *connection).await? {
            return Err(RestoreError::NotEmpty(super::error::without_password(url)));
        }
    }
    Ok(())
}
