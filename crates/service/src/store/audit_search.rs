//! Searches the audit trail: selects the indexes for a filter, and reads one page at a time.
//!
//! Nearly all events are uses of tokens. The indexes by name and by user exclude uses, since each
//! index would slow down every check of a token; the uses of a user are found through their tokens.

use super::search::search;
use super::{Dialect, Store, StoreError};
use crate::audit::condition::{NameSearch, SqlPart};
use crate::audit::{Cursor, Event, Filter, Page, name};
use crate::sort::Direction;
use crate::{id, time};
use sqlx::QueryBuilder;
use std::sync::Arc;

const COLUMNS: &str = "SELECT e.sequence, e.id, e.at, e.name, e.action, e.actor, e.user_id, e.user_email, e.auth_method, e.asset_type, e.asset_id, e.method, e.path, e.host, e.status, e.user_agent, e.ip, e.metadata FROM ";

/// The index that finds events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Index {
    /// All events by time.
    Time,
    /// The events of one token or user as the asset.
    Asset,
    /// All events except uses, by time.
    Changes,
    /// All events except uses, by name.
    ChangesByName,
    /// All events except uses, by user.
    ChangesByUser,
    /// All events except uses, by email address.
    ChangesByEmail,
    /// The uses of each token of a user.
    UsesOfTokens,
}

impl Index {
    const fn name(self) -> &'static str {
        match self {
            Self::Time => "audit_events_by_time",
            Self::Asset | Self::UsesOfTokens => "audit_events_by_asset",
            Self::Changes => "audit_changes_by_time",
            Self::ChangesByName => "audit_changes_by_name",
            Self::ChangesByUser => "audit_changes_by_user",
            Self::ChangesByEmail => "audit_changes_by_email",
        }
    }

    /// Returns the condition of a partial index.
    fn condition(self) -> Option<String> {
        match self {
            Self::Time | Self::Asset => None,
            Self::UsesOfTokens => Some(format!("name = '{}'", name::USED)),
            _ => Some(format!("name <> '{}'", name::USED)),
        }
    }
}

/// Returns the indexes that together find every event of a filter exactly once.
fn indexes(filter: &Filter) -> Vec<Index> {
    if filter.asset().is_some() {
        return vec![Index::Asset];
    }
    let changes = match (filter.user(), filter.email()) {
        (Some(_), _) => Index::ChangesByUser,
        (None, Some(_)) => Index::ChangesByEmail,
        (None, None) if !filter.excludes_uses() => return vec![Index::Time],
        (None, None) if filter.name().is_some() => return vec![Index::ChangesByName],
        (None, None) => return vec![Index::Changes],
    };
    let mut indexes = Vec::new();
    if !filter.only_uses() {
        indexes.push(changes);
    }
    if !filter.excludes_uses() {
        indexes.push(Index::UsesOfTokens);
    }
    indexes
}

/// Adds the range of events that a filter and a page select in an index.
macro_rules! push_range {
    ($query:ident, $alias:literal, $index:ident, $filter:ident, $page:ident) => {
        if let Some(condition) = $index.condition() {
            $query.push(concat!(" AND ", $alias, ".")).push(condition);
        }
        if let Some(from) = $filter.from {
            $query.push(concat!(" AND ", $alias, ".at >= ")).push_bind(time::to_row(from));
        }
        if let Some(to) = $filter.to {
            $query.push(concat!(" AND ", $alias, ".at < ")).push_bind(time::to_row(to));
        }
        let (beyond, up_to) = match $page.direction {
            Direction::Ascending => (">", "<="),
            Direction::Descending => ("<", ">="),
        };
        for (place, comparison) in [($page.after, beyond), ($page.last, up_to)] {
            if let Some(Cursor { at, sequence }) = place {
                $query.push(concat!(" AND (", $alias, ".at, ", $alias, ".sequence) "));
                $query.push(comparison).push(" (").push_bind(at);
                $query.push(", ").push_bind(sequence).push(")");
            }
        }
    };
}

/// Adds the conditions of a filter and a page on the events with an alias in the query.
macro_rules! push_conditions {
    ($query:ident, $alias:literal, $index:ident, $filter:ident, $page:ident) => {
        push_range!($query, $alias, $index, $filter, $page);
        $query.push(" AND ");
        let names = match $page.last {
            Some(_) => NameSearch::EachEvent,
            None => NameSearch::AllNames,
        };
        for part in $filter.condition().sql(names) {
            match part {
                SqlPart::Sql(sql) => $query.push(sql),
                SqlPart::Alias => $query.push($alias),
                SqlPart::Text(text) => $query.push_bind(text),
                SqlPart::Id(id) => $query.push_bind(id.as_bytes().as_slice()),
                SqlPart::Number(number) => $query.push_bind(number),
            };
        }
    };
}

/// Completes the query for the last of a number of events in an index.
macro_rules! push_window {
    ($query:ident, $index:expr, $filter:expr, $page:expr, $window:expr, $dialect:expr) => {{
        let (index, filter, page): (Index, &Filter, &Page) = ($index, $filter, $page);
        let order = page.direction.sql();
        $query.push("SELECT e.at, e.sequence FROM audit_events AS e");
        if $dialect == Dialect::Sqlite {
            $query.push(" INDEXED BY ").push(index.name());
        }
        $query.push(" WHERE 1 = 1");
        if let Some(asset) = filter.asset() {
            $query.push(" AND e.asset_id = ").push_bind(asset.as_bytes().to_vec());
        }
        push_range!($query, "e", index, filter, page);
        $query.push(format!(" ORDER BY e.at {order}, e.sequence {order} LIMIT 1 OFFSET "));
        $query.push_bind(i64::from($window) - 1);
    }};
}

/// Completes a query for one index.
macro_rules! push_query {
    ($query:ident, $index:expr, $filter:expr, $page:expr, $dialect:expr) => {{
        let (index, filter, page): (Index, &Filter, &Page) = ($index, $filter, $page);
        let order = page.direction.sql();
        let hint = match $dialect {
            Dialect::Sqlite => format!(" INDEXED BY {}", index.name()),
            Dialect::Postgres => String::new(),
        };
        $query.push(COLUMNS);
        if index == Index::UsesOfTokens {
            $query.push(match $dialect {
                Dialect::Sqlite => "tokens INDEXED BY tokens_by_owner CROSS JOIN audit_events AS e WHERE e.sequence IN (SELECT i.sequence FROM audit_events AS i",
                Dialect::Postgres => "tokens CROSS JOIN LATERAL (SELECT * FROM audit_events AS i",
            });
            $query.push(hint).push(" WHERE i.asset_id = tokens.id");
            push_conditions!($query, "i", index, filter, page);
            $query.push(format!(" ORDER BY i.at {order}, i.sequence {order} LIMIT "));
            $query.push_bind(i64::from(page.limit)).push(match $dialect {
                Dialect::Sqlite => ") AND tokens.owner = ",
                Dialect::Postgres => ") AS e WHERE tokens.owner = ",
            });
            match (filter.user(), filter.email()) {
                (Some(user), _) => $query.push_bind(user.as_bytes().as_slice()),
                (None, Some(email)) => $query
                    .push("(SELECT id FROM users WHERE email = ")
                    .push_bind(email)
                    .push(")"),
                // This index is selected only for users.
                (None, None) => $query.push("NULL"),
            };
        } else {
            $query.push("audit_events AS e").push(hint).push(" WHERE 1 = 1");
            push_conditions!($query, "e", index, filter, page);
        }
        $query.push(format!(" ORDER BY e.at {order}, e.sequence {order} LIMIT "));
        $query.push_bind(i64::from(page.limit));
    }};
}

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

/// An event with its sequence number in the database.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// The sequence number, which orders events of the same time.
    pub sequence: i64,
    /// The event.
    pub event: Event,
}

impl StoredEvent {
    /// Returns the cursor of the page that follows the event.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { at: time::to_row(self.event.at), sequence: self.sequence }
    }
}

/// A part of the events that match a filter.
#[derive(Clone, Debug)]
pub struct EventSlice {
    /// The events, in order.
    pub events: Vec<StoredEvent>,
    /// The last place that was searched, if there are events beyond it.
    pub searched_to: Option<Cursor>,
}

impl Store {
    /// Returns a page of the events that match a filter, and reads at most `window` events of the
    /// index for it, so that the time does not depend on the length of the trail. Filters that an
    /// index answers are not limited.
    ///
    /// # Errors
    /// [`StoreError::SearchTime`] if the search takes too long; another [`StoreError`] if the
    /// database fails or contains an invalid row.
    pub async fn events_within(
        &self,
        filter: &Filter,
        page: &Page,
        window: u32,
    ) -> Result<EventSlice, StoreError> {
        let dialect = self.dialect();
        let last: Option<(i64, i64)> = match indexes(filter).as_slice() {
            &[index @ (Index::Time | Index::Changes | Index::Asset)] if filter.has_condition() => {
                search!(self, |connection| {
                    let mut query = QueryBuilder::new("");
                    push_window!(query, index, filter, page, window, dialect);
                    query.build_query_as().fetch_optional(&mut *connection).await?
                })
            }
            _ => None,
        };
        let searched_to = last.map(|(at, sequence)| Cursor { at, sequence });
        let mut narrowed = filter.clone();
        if let (Some(place), Direction::Descending) = (searched_to, page.direction) {
            // SQLite searches the index for one start only, and compares the other place with
            // every event in the time range.
            narrowed.from = Some(time::from_row(place.at));
        }
        let page = Page { last: searched_to, ..page.clone() };
        let events = self.events(&narrowed, &page).await?;
        Ok(EventSlice { events, searched_to })
    }

    /// Returns a page of the events that match a filter.
    ///
    /// # Errors
    /// [`StoreError::SearchTime`] if the search takes too long; another [`StoreError`] if the
    /// database fails or contains an invalid row.
    pub async fn events(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let filter = &self.with_stored_emails(filter).await?;
        let dialect = self.dialect();
        let mut rows: Vec<EventRow> = search!(self, |connection| {
            let mut rows = Vec::new();
            for index in indexes(filter) {
                let mut query = QueryBuilder::new("");
                push_query!(query, index, filter, page, dialect);
                let found: Vec<EventRow> =
                    query.build_query_as().fetch_all(&mut *connection).await?;
                rows.extend(found);
            }
            rows
        });
        rows.sort_by_key(|row| (row.at, row.sequence));
        if page.direction == Direction::Descending {
            rows.reverse();
        }
        rows.truncate(page.limit as usize);
        rows.into_iter()
            .map(|row| Ok(StoredEvent { sequence: row.sequence, event: event(row)? }))
            .collect()
    }

    /// Replaces email addresses by those of the users, which may differ in case.
    async fn with_stored_emails(&self, filter: &Filter) -> Result<Filter, StoreError> {
        let mut filter = filter.clone();
        for email in filter.emails() {
            if let Some(user) = self.user(&email).await? {
                filter.replace_email(&email, &user.email);
            }
        }
        Ok(filter)
    }
}

fn event(row: EventRow) -> Result<Event, StoreError> {
    use crate::audit::{Request, UserRef};
    let faulty = || StoreError::Row("audit_events");
    let whole_id = |bytes: Vec<u8>| id::from_row(&bytes).ok_or_else(faulty);
    let user = match (row.user_id, row.user_email) {
        (Some(user), Some(email)) => Some(UserRef { id: whole_id(user)?, email: email.into() }),
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
        request: request.map(Arc::new),
        status: row.status.map(|status| u16::try_from(status).map_err(|_| faulty())).transpose()?,
        metadata: row
            .metadata
            .map(|text| serde_json::from_str(&text).map_err(|_| faulty()))
            .transpose()?,
    })
}

#[cfg(test)]
mod tests;
