//! Failures of backups and restorations.

use crate::store::StoreError;
use std::io;

/// A failure to make a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file exists.
    #[error("{0} exists already: a backup overwrites nothing")]
    Exists(String),
    /// The file cannot be written.
    #[error("cannot write the backup {path}")]
    Write {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The database contains nothing.
    #[error("the database is empty: there is nothing to back up")]
    Empty,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A statement failed.
    #[error("cannot copy the database")]
    Statement(#[from] sqlx::Error),
}

/// A failure to restore a backup.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be read.
    #[error("cannot read the backup {path}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The file is not a backup.
    #[error("{0} is not a backup made by `ddpatrold admin backup`")]
    NotABackup(String),
    /// The backup is damaged.
    #[error("the backup {path} is damaged: {problem}")]
    Damaged {
        /// The file.
        path: String,
        /// The problem.
        problem: String,
    },
    /// The target exists.
    #[error(
        "{0} exists already: a restoration overwrites nothing; name a new file with `--database sqlite:FILE`"
    )]
    Exists(String),
    /// The target contains something.
    #[error("the database {0} is not empty: a restoration overwrites nothing; create another one")]
    NotEmpty(String),
    /// The target cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A statement failed.
    #[error("cannot restore the backup")]
    Statement(#[from] sqlx::Error),
}

impl From<BackupError> for RestoreError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Exists(path) => Self::Exists(path),
            BackupError::Write { path, source } => Self::Write { path, source },
            BackupError::Store(error) => Self::Store(error),
            BackupError::Statement(error) => Self::Statement(error),
            BackupError::Empty => Self::NotABackup(String::new()),
        }
    }
}
