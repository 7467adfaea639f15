//! The audit trail's rows: appended, read page by page, and forgotten when they are old.

use super::aggregates::update_metadata;
use super::{Store, StoreError, change, read};
use crate::audit::queue::Batch;
use crate::audit::{Event, Filter, Page};
use crate::{id, time};
use jiff::Timestamp;
use sqlx::QueryBuilder;

/// How many rows one statement inserts; a few fixed sizes, so that each statement is prepared once.
pub(super) const CHUNKS: [usize; 3] = [128, 16, 1];
/// How many old rows one transaction forgets.
const FORGET_AT_ONCE: i64 = 5_000;

/// The columns of an event, in the order in which [`insert_events`] binds them.
pub(super) const INSERT: &str = "INSERT INTO audit_events (id, at, name, action, actor, user_id, user_email, auth_method, asset_type, asset_id, method, path, host, status, user_agent, ip, metadata) ";

const SELECT: &str = "SELECT sequence, id, at, name, action, actor, user_id, user_email, auth_method, asset_type, asset_id, method, path, host, status, user_agent, ip, metadata FROM audit_events WHERE 1 = 1";

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

#[derive(sqlx::FromRow)]
struct EventRow {
    sequence: i64,
    id: Vec<u8>,
    at: i64,
    name: String,
    action: String,
    actor: String,
    user_id: Option<Vec<u8>>,
    user_email: Option<String>,
    auth_method: String,
    asset_type: String,
    asset_id: Option<Vec<u8>>,
    method: Option<String>,
    path: Option<String>,
    host: Option<String>,
    status: Option<i64>,
    user_agent: Option<String>,
    ip: Option<String>,
    metadata: Option<String>,
}

impl Store {
    /// Appends events, updates aggregated ones, and records each token's last use, all in one
    /// transaction.
    ///
    /// # Errors
    /// [`StoreError::Statement`]: nothing was written.
    pub async fn append_uses(&self, batch: &Batch) -> Result<(), StoreError> {
        let used = last_uses(batch);
        change!(self, |tx| {
            insert_events!(tx, &batch.events);
            update_metadata!(tx, &batch.updates);
            for (token, at) in &used {
                sqlx::query(
                    "UPDATE tokens SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)",
                )
                .bind(at)
                .bind(token.as_slice())
                .execute(&mut *tx)
                .await?;
            }
        });
        Ok(())
    }

    /// Reads the events that a filter lets through, a page of them.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds a faulty row.
    pub async fn events(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Vec<(i64, Event)>, StoreError> {
        let rows: Vec<EventRow> = read!(self, |pool| {
            let mut query = QueryBuilder::new(SELECT);
            if let Some(from) = filter.from {
                query.push(" AND at >= ").push_bind(time::to_row(from));
            }
            if let Some(to) = filter.to {
                query.push(" AND at < ").push_bind(time::to_row(to));
            }
            for (column, value) in filter.texts() {
                query.push(" AND ").push(column).push(" = ").push_bind(value);
            }
            for (column, value) in filter.ids() {
                query.push(" AND ").push(column).push(" = ").push_bind(value.as_bytes().as_slice());
            }
            let (beyond, order) = if page.descending { ("<", "DESC") } else { (">", "ASC") };
            if let Some((at, sequence)) = page.after {
                query.push(" AND (at, sequence) ").push(beyond).push(" (").push_bind(at);
                query.push(", ").push_bind(sequence).push(")");
            }
            query.push(format!(" ORDER BY at {order}, sequence {order} LIMIT "));
            query.push_bind(i64::from(page.limit));
            query.build_query_as().fetch_all(pool).await?
        });
        rows.into_iter().map(|row| Ok((row.sequence, event(row)?))).collect()
    }

    /// Forgets events from before `horizon`; returns how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`] where the database fails.
    pub async fn forget_events(&self, horizon: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let rows = change!(self, |tx| {
                sqlx::query("DELETE FROM audit_events WHERE sequence IN (SELECT sequence FROM audit_events WHERE at < $1 LIMIT $2)")
                    .bind(time::to_row(horizon))
                    .bind(FORGET_AT_ONCE)
                    .execute(&mut *tx)
                    .await?
                    .rows_affected()
            });
            forgotten += rows;
            if rows < FORGET_AT_ONCE.unsigned_abs() {
                return Ok(forgotten);
            }
        }
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

fn event(row: EventRow) -> Result<Event, StoreError> {
    use crate::audit::{Request, User};
    let faulty = || StoreError::Row("audit_events");
    let whole_id = |bytes: Vec<u8>| id::from_row(&bytes).ok_or_else(faulty);
    let user = match (row.user_id, row.user_email) {
        (Some(user), Some(email)) => Some(User { id: whole_id(user)?, email: email.into() }),
        _ => None,
    };
    let request = row.method.map(|method| Request {
        method: method.into(),
        path: row.path.unwrap_or_default(),
        host: row.host.unwrap_or_default(),
        user_agent: row.user_agent.unwrap_or_default(),
        ip: row.ip.unwrap_or_default(),
    });
    Ok(Event {
        id: whole_id(row.id)?,
        at: time::from_row(row.at),
        name: row.name.into(),
        action: row.action.into(),
        actor: row.actor.into(),
        user,
        auth_method: row.auth_method.into(),
        asset_type: row.asset_type.into(),
        asset: row.asset_id.map(whole_id).transpose()?,
        request,
        status: row.status.map(|status| u16::try_from(status).map_err(|_| faulty())).transpose()?,
        metadata: row
            .metadata
            .map(|text| serde_json::from_str(&text).map_err(|_| faulty()))
            .transpose()?,
    })
}
