//! The rows of aggregated events, whose counts grow within their minute.

/// How many rows one statement updates; a few fixed sizes, so that each statement is prepared once.
pub(super) const CHUNKS: [usize; 3] = [128, 16, 1];

/// Both databases name the columns of `VALUES` so. A row is found by the index on `at`.
pub(super) const UPDATE: &str = "UPDATE audit_events SET metadata = changed.column3 FROM (";
pub(super) const WHERE: &str =
    ") AS changed WHERE audit_events.at = changed.column1 AND audit_events.id = changed.column2";

/// Writes the metadata of events that have a row, in an open transaction.
macro_rules! update_metadata {
    ($tx:ident, $events:expr) => {{
        let mut rest: &[$crate::audit::Event] = $events;
        for size in $crate::store::aggregates::CHUNKS {
            while rest.len() >= size {
                let (chunk, after) = rest.split_at(size);
                rest = after;
                let mut query = sqlx::QueryBuilder::new($crate::store::aggregates::UPDATE);
                query.push_values(chunk, |mut row, event| {
                    row.push_bind($crate::time::to_row(event.at))
                        .push_bind(event.id.as_bytes().as_slice())
                        .push_bind(event.metadata.as_ref().map(ToString::to_string));
                });
                query.push($crate::store::aggregates::WHERE);
                query.build().execute(&mut *$tx).await?;
            }
        }
    }};
}

pub(super) use update_metadata;
