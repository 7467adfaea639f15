//! The manifest of a backup: a table of its own in the file, with the time of the backup and a
//! digest of all other rows. SQLite's own check finds broken pages, but no changed values.

use super::rows;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnection;

/// The manifest of a backup.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    /// The time of the backup.
    pub(super) created_at: Timestamp,
    /// The digest of all rows of all other tables.
    pub(super) digest: Vec<u8>,
}

impl Manifest {
    /// Writes the manifest of a copy.
    pub(super) async fn write(
        copy: &mut SqliteConnection,
        created_at: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let digest = digest(copy).await?;
        sqlx::query("CREATE TABLE backup_manifest (singleton INTEGER PRIMARY KEY CHECK (singleton = 1), created_at INTEGER NOT NULL, program TEXT NOT NULL, digest BLOB NOT NULL)")
            .execute(&mut *copy)
            .await?;
        sqlx::query("INSERT INTO backup_manifest VALUES (1, $1, $2, $3)")
            .bind(crate::time::to_row(created_at))
            .bind(concat!("ddpatrold ", env!("CARGO_PKG_VERSION")))
            .bind(digest)
            .execute(copy)
            .await?;
        Ok(())
    }

    /// Reads the manifest; `None` if the file has none.
    pub(super) async fn read(copy: &mut SqliteConnection) -> Result<Option<Self>, sqlx::Error> {
        let exists: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1)",
        )
        .bind(rows::MANIFEST)
        .fetch_one(&mut *copy)
        .await?;
        if !exists {
            return Ok(None);
        }
        let row: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT created_at, digest FROM backup_manifest")
                .fetch_optional(copy)
                .await?;
        Ok(row.map(|(at, digest)| Self { created_at: crate::time::from_row(at), digest }))
    }
}

/// Returns the digest of all rows of all tables except the manifest.
pub(super) async fn digest(copy: &mut SqliteConnection) -> Result<Vec<u8>, sqlx::Error> {
    let mut hash = Sha256::new();
    for table in rows::tables(copy).await? {
        hash.update(table.name.as_bytes());
        for column in &table.columns {
            hash.update([0]);
            hash.update(column.as_bytes());
        }
        let mut reader = rows::Reader::new(&table);
        while let Some(rows) = reader.next(copy).await? {
            for value in rows.iter().flatten() {
                value.add_to(&mut hash);
            }
        }
    }
    Ok(hash.finalize().to_vec())
}
