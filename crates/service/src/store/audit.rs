//! The rows of the audit trail: appends batches of uses and deletes old events. Does not read
//! events; see [`super::audit_search`].

use super::aggregates::update_metadata;
use super::events::{CHUNKS, insert_events};
use super::token_rows::lock_tokens;
use super::{Dialect, Store, StoreError, change};
use crate::audit::Event;
use crate::audit::batch::{Attempt, Batch, LastUse};
use crate::time;
use jiff::Timestamp;
use sqlx::QueryBuilder;

/// Maximum number of old events that one transaction deletes.
pub const DELETE_BATCH: u32 = 5_000;

/// Returns `true` if an earlier attempt has written a batch, in an open transaction. The earlier
/// attempt may still be committing, so its tokens are locked first, to wait for its end.
macro_rules! is_written {
    ($tx:ident, $batch:expr, $used:expr, $dialect:expr) => {
        match $batch.events.first() {
            // Writing counts and last uses twice is harmless.
            None => false,
            Some(first) => {
                if $dialect == Dialect::Postgres {
                    for chunk in $used.chunks(CHUNKS[0]) {
                        lock_tokens!($tx, chunk.iter().map(|last| last.token.as_slice()));
                    }
                }
                sqlx::query("SELECT 1 FROM audit_events WHERE at = $1 AND id = $2")
                    .bind(time::to_row(first.at))
                    .bind(first.id.as_bytes().as_slice())
                    .fetch_optional(&mut *$tx)
                    .await?
                    .is_some()
            }
        }
    };
}

impl Store {
    /// Appends one event.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails; nothing was written.
    pub(super) async fn append_event(&self, event: &Event) -> Result<(), StoreError> {
        change!(self, |tx| insert_events!(tx, std::slice::from_ref(event)));
        Ok(())
    }

    /// Appends events, updates aggregated ones, and records the last use of each token, in one
    /// transaction. A retry writes nothing if an earlier attempt was committed.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails. Nothing was written, unless the connection
    /// was lost during the commit.
    pub async fn append_uses(&self, batch: &Batch, attempt: Attempt) -> Result<(), StoreError> {
        let used = last_uses(batch);
        let dialect = self.dialect();
        change!(self, |tx| {
            if attempt == Attempt::Retry && is_written!(tx, batch, used, dialect) {
                return Ok(());
            }
            insert_events!(tx, &batch.events);
            update_metadata!(tx, &batch.updates);
            let mut rest = used.as_slice();
            for size in CHUNKS {
                while rest.len() >= size {
                    let (chunk, after) = rest.split_at(size);
                    rest = after;
                    // Locked in the order of their identifiers, as everywhere, to avoid deadlocks.
                    if dialect == Dialect::Postgres && size > 1 {
                        lock_tokens!(tx, chunk.iter().map(|last| last.token.as_slice()));
                    }
                    let mut query = QueryBuilder::new("WITH uses (token, at) AS (");
                    query.push_values(chunk, |mut row, last| {
                        row.push_bind(last.token.as_slice()).push_bind(last.at);
                    });
                    query.push(") UPDATE tokens SET last_used_at = uses.at FROM uses WHERE tokens.id = uses.token AND (last_used_at IS NULL OR last_used_at < uses.at)");
                    query.build().execute(&mut *tx).await?;
                }
            }
        });
        Ok(())
    }

    /// Deletes at most [`DELETE_BATCH`] events that are older than `horizon`. Returns their number.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails.
    pub async fn delete_events(&self, horizon: Timestamp) -> Result<u64, StoreError> {
        Ok(change!(self, |tx| {
            sqlx::query("DELETE FROM audit_events WHERE sequence IN (SELECT sequence FROM audit_events WHERE at < $1 LIMIT $2)")
                .bind(time::to_row(horizon))
                .bind(i64::from(DELETE_BATCH))
                .execute(&mut *tx)
                .await?
                .rows_affected()
        }))
    }
}

/// The last use of a token, as stored in its row.
struct LastUseRow {
    token: [u8; 16],
    at: i64,
}

/// Returns the last accepted use of each token in a batch, ordered by token, so that all replicas
/// lock rows in the same order.
fn last_uses(batch: &Batch) -> Vec<LastUseRow> {
    let mut used = std::collections::BTreeMap::new();
    let accepted = batch.events.iter().filter(|event| event.name == crate::audit::name::USED);
    let accepted = accepted.filter_map(|event| Some(LastUse { token: event.asset?, at: event.at }));
    for LastUse { token, at } in accepted.chain(batch.used.iter().copied()) {
        let at = time::to_row(at);
        used.entry(*token.as_bytes())
            .and_modify(|last: &mut i64| *last = at.max(*last))
            .or_insert(at);
    }
    used.into_iter().map(|(token, at)| LastUseRow { token, at }).collect()
}
