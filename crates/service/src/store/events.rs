//! Inserts the rows of new events in an open transaction. Neither begins nor commits it.

/// Numbers of rows that one statement inserts. There are few sizes, so that each statement is
/// prepared only once.
pub(super) const CHUNKS: [usize; 4] = [128, 32, 8, 1];

/// The columns of an event, in the order of the bindings in [`insert_events`].
pub(super) const INSERT: &str = "INSERT INTO audit_events (id, at, name, action, actor, user_id, user_email, auth_method, asset_type, asset_id, method, path, host, status, user_agent, ip, metadata) ";

/// Appends events in an open transaction.
macro_rules! insert_events {
    ($tx:ident, $events:expr) => {{
        let mut rest: &[$crate::audit::Event] = $events;
        for size in $crate::store::events::CHUNKS {
            while rest.len() >= size {
                let (chunk, after) = rest.split_at(size);
                rest = after;
                let mut query = sqlx::QueryBuilder::new($crate::store::events::INSERT);
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
