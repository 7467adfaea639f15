//! The tables of a backup's file, and their rows as values without a table's types.

use crate::store::schema::MIGRATIONS;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, TypeInfo as _, ValueRef as _};

/// The table of the manifest, which is not part of the contents.
pub(super) const MANIFEST: &str = "backup_manifest";
/// Number of rows that are in memory at a time. A row has at most a few KiB.
const BATCH: i64 = 512;
/// Maximum number of parameters of a statement, below SQLite's limit of 32,766.
const MAX_PARAMETERS: usize = 4_096;

/// A table with the names of its columns.
#[derive(Clone, Debug)]
pub(super) struct CopiedTable {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
}

impl CopiedTable {
    /// Returns the columns, separated by commas.
    pub(super) fn column_list(&self) -> String {
        self.columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ")
    }

    /// Returns `true` if the rows record migrations, which each database writes itself.
    pub(super) fn is_of_migrations(&self) -> bool {
        self.name == MIGRATIONS
    }
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Value {
    /// Adds a value to a digest, unambiguously.
    pub(super) fn add_to(&self, hash: &mut Sha256) {
        let (kind, bytes): (u8, &[u8]) = match self {
            Self::Null => (b'n', &[]),
            Self::Integer(number) => (b'i', &number.to_be_bytes()),
            Self::Text(text) => (b't', text.as_bytes()),
            Self::Blob(bytes) => (b'b', bytes),
        };
        hash.update([kind]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
}

/// Returns the tables of a file except the manifest, referenced tables before those that refer to
/// them.
pub(super) async fn tables(copy: &mut SqliteConnection) -> Result<Vec<CopiedTable>, sqlx::Error> {
    let mut names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name <> $1 ORDER BY name",
    )
    .bind(MANIFEST)
    .fetch_all(&mut *copy)
    .await?;
    let mut tables = Vec::new();
    while !names.is_empty() {
        let mut later = Vec::new();
        for name in &names {
            let referenced: Vec<String> =
                sqlx::query_scalar("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)")
                    .bind(name)
                    .fetch_all(&mut *copy)
                    .await?;
            if referenced.iter().any(|other| other != name && names.contains(other)) {
                later.push(name.clone());
                continue;
            }
            let columns = sqlx::query_scalar("SELECT name FROM pragma_table_info($1) ORDER BY cid")
                .bind(name)
                .fetch_all(&mut *copy)
                .await?;
            tables.push(CopiedTable { name: name.clone(), columns });
        }
        if later.len() == names.len() {
            return Err(sqlx::Error::Protocol("tables refer to each other in a circle".into()));
        }
        names = later;
    }
    Ok(tables)
}

/// Reads the rows of a table in batches, in the order of their row numbers.
#[derive(Debug)]
pub(super) struct Reader {
    query: String,
    after: Option<i64>,
}

impl Reader {
    pub(super) fn new(table: &CopiedTable) -> Self {
        let (columns, name) = (table.column_list(), &table.name);
        let query = format!(
            "SELECT rowid, {columns} FROM \"{name}\" WHERE rowid > $1 ORDER BY rowid LIMIT {BATCH}"
        );
        Self { query, after: Some(i64::MIN) }
    }

    /// Returns the next rows; `None` after the last ones.
    pub(super) async fn next(
        &mut self,
        copy: &mut SqliteConnection,
    ) -> Result<Option<Vec<Vec<Value>>>, sqlx::Error> {
        let Some(after) = self.after else { return Ok(None) };
        let query = sqlx::query(AssertSqlSafe(self.query.clone())).bind(after);
        let rows = query.fetch_all(copy).await?;
        self.after = rows.last().map(|row| row.try_get(0)).transpose()?;
        if rows.is_empty() {
            return Ok(None);
        }
        rows.iter().map(values).collect::<Result<Vec<_>, _>>().map(Some)
    }
}

/// Returns the values of a row after its row number.
fn values(row: &SqliteRow) -> Result<Vec<Value>, sqlx::Error> {
    (1..row.len())
        .map(|at| {
            let raw = row.try_get_raw(at)?;
            if raw.is_null() {
                return Ok(Value::Null);
            }
            let kind = raw.type_info().name().to_owned();
            Ok(match kind.as_str() {
                "INTEGER" | "BOOLEAN" => Value::Integer(row.try_get_unchecked(at)?),
                "BLOB" => Value::Blob(row.try_get_unchecked(at)?),
                _ => Value::Text(row.try_get_unchecked(at)?),
            })
        })
        .collect()
}

/// Inserts rows into a table of a file.
pub(super) async fn insert(
    copy: &mut SqliteConnection,
    table: &CopiedTable,
    rows: &[Vec<Value>],
) -> Result<(), sqlx::Error> {
    let (columns, name) = (table.column_list(), &table.name);
    for chunk in rows.chunks((MAX_PARAMETERS / table.columns.len()).max(1)) {
        let mut query = sqlx::QueryBuilder::new(format!("INSERT INTO \"{name}\" ({columns}) "));
        query.push_values(chunk, |mut row, values| {
            for value in values {
                match value {
                    Value::Null => row.push_bind(None::<i64>),
                    Value::Integer(number) => row.push_bind(*number),
                    Value::Text(text) => row.push_bind(text.as_str()),
                    Value::Blob(bytes) => row.push_bind(bytes.as_slice()),
                };
            }
        });
        query.build().execute(&mut *copy).await?;
    }
    Ok(())
}
