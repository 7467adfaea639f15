//! Copies all rows between PostgreSQL and the file of a backup.

use super::rows::{CopiedTable, Reader, Value, insert, tables};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, TypeInfo as _, ValueRef as _};

/// Number of rows that a cursor returns at a time.
const FETCH: usize = 512;
/// Size at which a part of `COPY` is sent, in bytes.
const PART: usize = 256 * 1024;
/// The header of `COPY`'s binary format: a signature, no flags, no extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Reads all rows of one moment into a file with empty tables of the same version.
pub(super) async fn read(
    from: &mut PgConnection,
    copy: &mut SqliteConnection,
) -> Result<(), sqlx::Error> {
    let mut snapshot = from.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *snapshot).await?;
    let mut transaction = copy.begin().await?;
    for table in tables(&mut transaction).await?.iter().filter(|table| !table.is_of_migrations()) {
        let (columns, name) = (table.column_list(), &table.name);
        let statement =
            format!("DECLARE copied NO SCROLL CURSOR FOR SELECT {columns} FROM \"{name}\"");
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *snapshot).await?;
        loop {
            let fetch = format!("FETCH {FETCH} FROM copied");
            let rows = sqlx::query(AssertSqlSafe(fetch))
                .persistent(false)
                .fetch_all(&mut *snapshot)
                .await?;
            let rows = rows.iter().map(values).collect::<Result<Vec<_>, _>>()?;
            insert(&mut transaction, table, &rows).await?;
            if rows.len() < FETCH {
                break;
            }
        }
        sqlx::query("CLOSE copied").execute(&mut *snapshot).await?;
    }
    transaction.commit().await?;
    snapshot.commit().await
}

fn values(row: &PgRow) -> Result<Vec<Value>, sqlx::Error> {
    (0..row.len())
        .map(|at| {
            let raw = row.try_get_raw(at)?;
            if raw.is_null() {
                return Ok(Value::Null);
            }
            let kind = raw.type_info().name().to_owned();
            match kind.as_str() {
                "INT8" => Ok(Value::Integer(row.try_get(at)?)),
                "BYTEA" => Ok(Value::Blob(row.try_get(at)?)),
                "TEXT" => Ok(Value::Text(row.try_get(at)?)),
                _ => Err(sqlx::Error::Protocol(format!("column {at} has the type {kind}"))),
            }
        })
        .collect()
}

/// Replaces all rows of a database, whose tables have the same version, by those of a file.
pub(super) async fn write(
    copy: &mut SqliteConnection,
    to: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let mut tables = tables(copy).await?;
    tables.retain(|table| !table.is_of_migrations());
    // Opening the service's tables leaves rows about its clock.
    for table in tables.iter().rev() {
        sqlx::query(AssertSqlSafe(format!("DELETE FROM \"{}\"", table.name)))
            .execute(&mut *to)
            .await?;
    }
    for table in &tables {
        write_table(copy, to, table).await?;
        restart_sequence(to, table).await?;
    }
    Ok(())
}

async fn write_table(
    copy: &mut SqliteConnection,
    to: &mut PgConnection,
    table: &CopiedTable,
) -> Result<(), sqlx::Error> {
    let (columns, name) = (table.column_list(), &table.name);
    let statement = format!("COPY \"{name}\" ({columns}) FROM STDIN (FORMAT binary)");
    let mut sink = to.copy_in_raw(&statement).await?;
    let mut part = COPY_HEADER.to_vec();
    let mut reader = Reader::new(table);
    while let Some(rows) = reader.next(copy).await? {
        for row in &rows {
            append_row(row, &mut part)?;
            if part.len() >= PART {
                sink.send(std::mem::take(&mut part)).await?;
            }
        }
    }
    part.extend((-1_i16).to_be_bytes());
    sink.send(part).await?;
    sink.finish().await?;
    Ok(())
}

/// Appends a row in `COPY`'s binary format.
fn append_row(row: &[Value], to: &mut Vec<u8>) -> Result<(), sqlx::Error> {
    let too_long = |_| sqlx::Error::Protocol("a row is too long".to_owned());
    to.extend(i16::try_from(row.len()).map_err(too_long)?.to_be_bytes());
    for value in row {
        let number;
        let bytes: &[u8] = match value {
            Value::Null => {
                to.extend((-1_i32).to_be_bytes());
                continue;
            }
            Value::Integer(value) => {
                number = value.to_be_bytes();
                &number
            }
            Value::Text(text) => text.as_bytes(),
            Value::Blob(bytes) => bytes,
        };
        to.extend(i32::try_from(bytes.len()).map_err(too_long)?.to_be_bytes());
        to.extend(bytes);
    }
    Ok(())
}

/// Makes a generated column continue after the largest value that was restored.
async fn restart_sequence(to: &mut PgConnection, table: &CopiedTable) -> Result<(), sqlx::Error> {
    let column: Option<String> = sqlx::query_scalar(
        "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'",
    )
    .bind(&table.name)
    .fetch_optional(&mut *to)
    .await?;
    if let Some(column) = column {
        let name = &table.name;
        let statement = format!(
            "SELECT setval(pg_get_serial_sequence($1, $2), COALESCE(MAX(\"{column}\"), 1)) FROM \"{name}\""
        );
        sqlx::query(AssertSqlSafe(statement)).bind(name).bind(&column).execute(to).await?;
    }
    Ok(())
}
