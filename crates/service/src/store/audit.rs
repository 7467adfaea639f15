//! The rows of the audit trail: appended, and deleted when they are old. For reading see
//! [`super::audit_search`].

use super::aggregates::update_metadata;
use super::tokens::lock_tokens;
use super::{Dialect, Store, StoreError, change};
use crate::audit::queue::Batch;
use crate::time;
use jiff::Timestamp;
use sqlx::QueryBuilder;

/// How many rows one statement inserts; a few fixed sizes, so that each statement is prepared once.
pub(super) const CHUNKS: [usize; 4] = [128, 32, 8, 1];
/// Maximum number of old events that one transaction deletes.
pub const FORGET_AT_ONCE: u32 = 5_000;

/// The columns of an event, in the order in which [`insert_events`] binds them.
pub(super) const INSERT: &str = "INSERT INTO audit_events (id, at, name, action, actor, user_id, user_email, auth_method, asset_type, asset_id, method, path, host, status, user_agent, ip, metadata) ";

/// Appends events in an open transaction.
macro_rules! insert_events {
    ($tx:ident, $events:expr) => {{
        let mut rest: &[$crate::audit::Event] = $events;
        for size in $crate::store::audit::CHUNKS {
            while rest.len() >= size {
                let (chunk, after) = rest.split_at(size);
                rest = after;
                let mut query = sqlx::QueryBuilder::new($crate::store::audit::INSERT);
                query.push_values(chunk, |mut row, event| {
                    row.push_bind(event.id.as_bytes().as_slice())
                        .push_bind($crate::time::to_row(event.at))
                        .push_bind(event.name.as_ref())
                        .push_bind(event.action.as_ref())
                        .push_bind(event.actor.as_ref())
                        .push_bind(event.user.as_ref().map(|user| user.id.as_bytes().as_slice()))
                        .push_bind(event.user.as_ref().map(|user| user.email.as_ref()))
                        .push_bind(event.auth_method.as_ref())
                        .push_bind(event.asset_type.as_ref())
                        .push_bind(event.asset.as_ref().map(|id| id.as_bytes().as_slice()))
                        .push_bind(event.request.as_ref().map(|r| r.method.as_ref()))
                        .push_bind(event.request.as_ref().map(|r| r.path.as_str()))
                        .push_bind(event.request.as_ref().map(|r| r.host.as_str()))
                        .push_bind(event.status.map(i64::from))
                        .push_bind(event.request.as_ref().map(|r| r.user_agent.as_str()))
                        .push_bind(event.request.as_ref().map(|r| r.ip.as_str()))
                        .push_bind(event.metadata.as_ref().map(ToString::to_string));
                });
                query.build().execute(&mut *$tx).await?;
            }
        }
    }};
}

pub(super) use insert_events;

/// The possibility that a batch is written already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The batch has not been written before.
    First,
    /// An earlier attempt failed; the database may have committed it all the same.
    Retry,
}

/// Returns `true` if an earlier attempt has written a batch, in an open transaction. The earlier
/// attempt may still be at its commit, so its tokens are locked first, which waits for its end.
macro_rules! is_written {
    ($tx:ident, $batch:expr, $used:expr, $dialect:expr) => {
        match $batch.events.first() {
            // Writing counts and last uses again changes nothing.
            None => false,
            Some(first) => {
                if $dialect == Dialect::Postgres {
                    for chunk in $used.chunks(CHUNKS[0]) {
                        lock_tokens!($tx, chunk.iter().map(|(token, _)| token.as_slice()));
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
    /// Appends events, updates aggregated ones, and records each token's last use, all in one
    /// transaction. A retry writes nothing if an earlier attempt was committed after all.
    ///
    /// # Errors
    /// [`StoreError::Statement`]: nothing was written, unless the connection was lost during the
    /// commit.
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
                    // Locked in the order of their ids, as everywhere, against deadlocks.
                    if dialect == Dialect::Postgres && size > 1 {
                        lock_tokens!(tx, chunk.iter().map(|(token, _)| token.as_slice()));
                    }
                    let mut query = QueryBuilder::new("WITH uses (token, at) AS (");
                    query.push_values(chunk, |mut row, (token, at)| {
                        row.push_bind(token.as_slice()).push_bind(at);
                    });
                    query.push(") UPDATE tokens SET last_used_at = uses.at FROM uses WHERE tokens.id = uses.token AND (last_used_at IS NULL OR last_used_at < uses.at)");
                    query.build().execute(&mut *tx).await?;
                }
            }
        });
        Ok(())
    }

    /// Deletes events from before `horizon`, at most [`FORGET_AT_ONCE`] of them; returns the number.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database fails.
    pub async fn forget_events(&self, horizon: Timestamp) -> Result<u64, StoreError> {
        Ok(change!(self, |tx| {
            sqlx::query("DELETE FROM audit_events WHERE sequence IN (SELECT sequence FROM audit_events WHERE at < $1 LIMIT $2)")
                .bind(time::to_row(horizon))
                .bind(i64::from(FORGET_AT_ONCE))
                .execute(&mut *tx)
                .await?
                .rows_affected()
        }))
    }
}

/// Finds the last use of each token that a batch shows as accepted, in the order of their ids so
/// that two replicas lock rows in the same order.
fn last_uses(batch: &Batch) -> Vec<([u8; 16], i64)> {
    let mut used = std::collections::BTreeMap::new();
    let accepted = batch.events.iter().filter(|event| event.name == crate::audit::name::USED);
    let accepted = accepted.filter_map(|event| Some((event.asset?, event.at)));
    for (token, at) in accepted.chain(batch.used.iter().copied()) {
        let last = used.entry(*token.as_bytes()).or_insert(i64::MIN);
        *last = time::to_row(at).max(*last);
    }
    used.into_iter().collect()
}
