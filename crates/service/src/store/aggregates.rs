//! The rows of aggregated events, whose counts grow within their minute.

/// Numbers of rows that one statement updates. There are few sizes, so that each statement is
/// prepared only once.
pub(super) const CHUNKS: [usize; 3] = [128, 16, 1];

/// Rows are found by the index on `at`. SQLite uses the index because it can count the rows of a
/// common table expression; with a subquery in `FROM` and 200 rows, it would scan the table.
pub(super) const CHANGED: &str = "WITH changed (at, id, metadata) AS (";
pub(super) const UPDATE: &str = ") UPDATE audit_events SET metadata = changed.metadata FROM changed WHERE audit_events.at = changed.at AND audit_events.id = changed.id";

/// Updates the metadata of events that have a row, in an open transaction.
macro_rules! update_metadata {
    ($tx:ident, $events:expr) => {{
        let mut rest: &[$crate::audit::Event] = $events;
        for size in $crate::store::aggregates::CHUNKS {
            while rest.len() >= size {
                let (chunk, after) = rest.split_at(size);
                rest = after;
                let mut query = sqlx::QueryBuilder::new($crate::store::aggregates::CHANGED);
                query.push_values(chunk, |mut row, event| {
                    row.push_bind($crate::time::to_row(event.at))
                        .push_bind(event.id.as_bytes().as_slice())
                        .push_bind(event.metadata.as_ref().map(ToString::to_string));
                });
                query.push($crate::store::aggregates::UPDATE);
                query.build().execute(&mut *$tx).await?;
            }
        }
    }};
}

pub(super) use update_metadata;
