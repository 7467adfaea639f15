//! The files of backups and restorations: a file that becomes visible only when it is complete, and
//! the check of a backup before it is restored.

use super::error::{BackupError, RestoreError};
use super::manifest::{self, Manifest};
use crate::id;
use crate::store::pools::{companions, open_existing};
use crate::store::schema::{self, TablesState};
use jiff::Timestamp;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// SQLite's code for a file that is no database.
const NOT_A_DATABASE: &str = "26";

/// The contents of a backup, for the operator.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// The time of the backup; later changes are not in it.
    pub created_at: Timestamp,
    /// The version of the tables.
    pub version: i64,
    /// The number of users.
    pub users: i64,
    /// The number of tokens.
    pub tokens: i64,
    /// The number of audit events.
    pub events: i64,
}

/// A new file of mode 0600 that gets its name when it is complete; removed if that never happens.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    target: PathBuf,
    is_published: bool,
}

impl Partial {
    /// Creates a file beside `target`, which must not exist.
    pub(super) fn create(target: &Path) -> Result<Self, BackupError> {
        if target.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(target.display().to_string()));
        }
        let failed = |source| BackupError::Write { path: target.display().to_string(), source };
        let mut name = target.as_os_str().to_owned();
        let number = id::random().map_err(|error| failed(io::Error::other(error)))?;
        name.push(format!(".{number}.partial"));
        let path = PathBuf::from(name);
        create_private(&path).map_err(failed)?;
        Ok(Self { path, target: target.to_owned(), is_published: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the file and gives it its name. Fails if a file with the name exists by now.
    pub(super) fn publish(mut self) -> Result<(), BackupError> {
        let target = self.target.display().to_string();
        let failed = |source| BackupError::Write { path: target.clone(), source };
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(failed)?;
        // An empty file reserves the name: a rename alone would replace a file of someone else.
        match create_private(&self.target) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists(target));
            }
            Err(error) => return Err(failed(error)),
        }
        if let Err(error) = std::fs::rename(&self.path, &self.target) {
            let _ = std::fs::remove_file(&self.target);
            return Err(failed(error));
        }
        self.is_published = true;
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(failed)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_published {
            let [log, index] = companions(&self.path);
            for file in [&self.path, &log, &index] {
                // Some of them do not exist.
                let _ = std::fs::remove_file(file);
            }
        }
    }
}

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Opens a file that only this process uses and that is synced when it is complete.
pub(super) async fn open_scratch(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Off)
        .foreign_keys(false);
    SqliteConnection::connect_with(&options).await
}

/// A backup that was checked: it is complete, unchanged, and of a version that this program
/// supports.
#[derive(Debug)]
pub struct BackupFile {
    path: PathBuf,
    connection: SqliteConnection,
    schema: TablesState,
    summary: Summary,
}

impl BackupFile {
    /// Opens and checks a backup. The file is not changed.
    ///
    /// # Errors
    /// [`RestoreError`] if the file is not a backup, is damaged, or is of a newer version.
    pub async fn open(path: &Path) -> Result<Self, RestoreError> {
        let shown = path.display().to_string();
        File::open(path).map_err(|source| RestoreError::Read { path: shown.clone(), source })?;
        let damaged = |problem: String| RestoreError::Damaged { path: shown.clone(), problem };
        let unreadable = |error: sqlx::Error| {
            let code = error.as_database_error().and_then(|error| error.code());
            if code.is_some_and(|code| code == NOT_A_DATABASE) {
                RestoreError::NotABackup(shown.clone())
            } else {
                damaged(error.to_string())
            }
        };
        let mut connection = open_existing(path).await.map_err(unreadable)?;
        let manifest = Manifest::read(&mut connection).await.map_err(unreadable)?;
        let manifest = manifest.ok_or_else(|| RestoreError::NotABackup(shown.clone()))?;
        let problems: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)")
            .fetch_all(&mut connection)
            .await
            .map_err(|error| damaged(error.to_string()))?;
        if problems != ["ok"] {
            return Err(damaged(problems.join("; ")));
        }
        let schema = schema::of_sqlite(&mut connection).await?;
        let digest = manifest::digest(&mut connection).await;
        if digest.map_err(|error| damaged(error.to_string()))? != manifest.digest {
            return Err(damaged("its rows do not match its digest".to_owned()));
        }
        let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_optional(&mut connection);
        if dangling.await?.is_some() {
            return Err(damaged("a row refers to a row that does not exist".to_owned()));
        }
        let version = match schema {
            TablesState::Empty => return Err(RestoreError::NotABackup(shown)),
            TablesState::Outdated(version) => version,
            TablesState::Current => schema::needed(),
        };
        let (users, tokens, events) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM tokens), (SELECT COUNT(*) FROM audit_events)",
        )
        .fetch_one(&mut connection)
        .await?;
        let created_at = manifest.created_at;
        let summary = Summary { created_at, version, users, tokens, events };
        Ok(Self { path: path.to_owned(), connection, schema, summary })
    }

    /// Returns the contents of the backup.
    #[must_use]
    pub const fn summary(&self) -> Summary {
        self.summary
    }

    /// Closes the file.
    pub async fn close(self) {
        // Nothing was written.
        let _ = self.connection.close().await;
    }

    /// Copies the backup beside `target`, without its manifest.
    pub(super) async fn copy_to(&self, target: &Path) -> Result<Partial, RestoreError> {
        // The database first: its write-ahead log is part of it and must not be moved alone.
        let [log, index] = companions(target);
        for file in [target, &log, &index] {
            if file.exists() {
                return Err(RestoreError::Exists(file.display().to_string()));
            }
        }
        let partial = Partial::create(target)?;
        let failed = |source| RestoreError::Write { path: target.display().to_string(), source };
        // Copied in place: `fs::copy` would also copy the mode.
        let mut from = File::open(&self.path).map_err(failed)?;
        let mut to = OpenOptions::new().write(true).open(partial.path()).map_err(failed)?;
        io::copy(&mut from, &mut to).map_err(failed)?;
        drop(to);
        let mut copy = open_scratch(partial.path()).await?;
        sqlx::query("DROP TABLE backup_manifest").execute(&mut copy).await?;
        copy.close().await?;
        Ok(partial)
    }

    /// Copies the backup to a temporary file, and migrates its tables to the version of this
    /// program.
    pub(super) async fn current_copy(&self) -> Result<Partial, RestoreError> {
        let copy = self.copy_to(&std::env::temp_dir().join("ddpatrold-restore")).await?;
        if self.schema != TablesState::Current {
            let mut connection = open_scratch(copy.path()).await?;
            schema::migrate_sqlite(&mut connection).await?;
            connection.close().await?;
        }
        Ok(copy)
    }
}
