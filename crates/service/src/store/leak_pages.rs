//! Pages of leaked tokens, the newest report first, and the acknowledgement of reports.

use super::events::insert_events;
use super::search::search;
use super::token_pages::Owner;
use super::{Dialect, Store, StoreError, change};
use crate::audit::{Event, name};
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::Timestamp;
use sqlx::QueryBuilder;

/// A leaked token with its report.
#[derive(Clone, Debug)]
pub struct LeakedToken {
    /// The token.
    pub id: Uuid,
    /// The name of the token.
    pub name: String,
    /// The owner.
    pub owner: Owner,
    /// The time of the first report.
    pub leaked_at: Timestamp,
    /// The reporter.
    pub source: String,
    /// The URL where the token was found; may be empty.
    pub url: String,
    /// The location at that URL; may be empty.
    pub location: String,
    /// The time of expiry.
    pub expires_at: Timestamp,
    /// The time of the revocation.
    pub revoked_at: Option<Timestamp>,
    /// The cause of the revocation.
    pub revoked_by: Option<String>,
    /// The time at which a person acknowledged the report, and their address.
    pub acknowledged: Option<Acknowledgement>,
}

/// The acknowledgement of a report.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    /// The time.
    pub at: Timestamp,
    /// The person's email address.
    pub by: String,
}

/// The criteria and the position of a page of leaked tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeakQuery {
    /// `true` for only those that are live or not acknowledged.
    pub only_open: bool,
    /// The last leak of the previous page.
    pub after: Option<LeakCursor>,
    /// Maximum number of leaks.
    pub size: u32,
}

/// A place in the list of leaked tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeakCursor {
    /// The time of the report, in microseconds.
    pub at: i64,
    /// The token.
    pub token: Uuid,
}

impl LeakCursor {
    /// Formats the cursor for a query.
    #[must_use]
    pub fn encode(self) -> String {
        format!("{}.{}", self.at, self.token)
    }

    /// Parses a cursor.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let (at, token) = text.split_once('.')?;
        Some(Self { at: at.parse().ok()?, token: Uuid::parse(token)? })
    }
}

#[derive(sqlx::FromRow)]
struct LeakRow {
    id: Vec<u8>,
    name: String,
    email: String,
    disabled_at: Option<i64>,
    leaked_at: i64,
    leak_source: Option<String>,
    leak_url: Option<String>,
    expires_at: i64,
    revoked_at: Option<i64>,
    revoked_by: Option<String>,
    leak_acknowledged_at: Option<i64>,
    leak_acknowledged_by: Option<String>,
    metadata: Option<String>,
}

/// The columns, with the metadata of the event, which is written within the same minute.
const COLUMNS: &str = "SELECT t.id, t.name, u.email, u.disabled_at, t.leaked_at, t.leak_source, t.leak_url, t.expires_at, t.revoked_at, t.revoked_by, t.leak_acknowledged_at, t.leak_acknowledged_by, (SELECT e.metadata FROM audit_events e WHERE e.asset_id = t.id AND e.at BETWEEN t.leaked_at - 60000000 AND t.leaked_at + 60000000 AND e.name = ";

impl LeakRow {
    fn leak(self) -> Result<LeakedToken, StoreError> {
        let metadata: Option<serde_json::Value> =
            self.metadata.and_then(|text| serde_json::from_str(&text).ok());
        let location = metadata
            .as_ref()
            .and_then(|metadata| metadata.get("leak_location")?.as_str().map(str::to_owned));
        let acknowledged = self.leak_acknowledged_at.map(|at| Acknowledgement {
            at: time::from_row(at),
            by: self.leak_acknowledged_by.unwrap_or_default(),
        });
        Ok(LeakedToken {
            id: id::from_row(&self.id).ok_or(StoreError::Row("tokens"))?,
            name: self.name,
            owner: Owner { email: self.email, is_disabled: self.disabled_at.is_some() },
            leaked_at: time::from_row(self.leaked_at),
            source: self.leak_source.unwrap_or_default(),
            url: self.leak_url.unwrap_or_default(),
            location: location.unwrap_or_default(),
            expires_at: time::from_row(self.expires_at),
            revoked_at: self.revoked_at.map(time::from_row),
            revoked_by: self.revoked_by,
            acknowledged,
        })
    }
}

impl Store {
    /// Returns a page of leaked tokens.
    ///
    /// # Errors
    /// [`StoreError::SearchTime`] if the search takes too long; another [`StoreError`] if the
    /// database fails or contains an invalid row.
    pub async fn leaked_tokens(&self, asked: LeakQuery) -> Result<Vec<LeakedToken>, StoreError> {
        let now = time::to_row(time::now());
        let hint = match self.dialect() {
            Dialect::Sqlite => " INDEXED BY tokens_leaked",
            Dialect::Postgres => "",
        };
        let rows: Vec<LeakRow> = search!(self, |connection| {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push_bind(name::LEAKED).push(" LIMIT 1) AS metadata FROM tokens t");
            query.push(hint).push(" JOIN users u ON u.id = t.owner WHERE t.leaked_at IS NOT NULL");
            if asked.only_open {
                query.push(" AND (t.leak_acknowledged_at IS NULL OR (t.revoked_at IS NULL AND t.expires_at > ");
                query.push_bind(now).push("))");
            }
            if let Some(LeakCursor { at, token }) = asked.after {
                query.push(" AND (t.leaked_at, t.id) < (").push_bind(at).push(", ");
                query.push_bind(token.as_bytes().to_vec()).push(")");
            }
            query.push(" ORDER BY t.leaked_at DESC, t.id DESC LIMIT ");
            query.push_bind(i64::from(asked.size));
            query.build_query_as().fetch_all(&mut *connection).await?
        });
        rows.into_iter().map(LeakRow::leak).collect()
    }

    /// Acknowledges the report of a leaked token. Returns `false`, and writes nothing, if there is
    /// none or it was acknowledged before.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn acknowledge_leak(
        &self,
        token: Uuid,
        by: &str,
        event: &Event,
    ) -> Result<bool, StoreError> {
        Ok(change!(self, |tx| {
            let done = sqlx::query("UPDATE tokens SET leak_acknowledged_at = $1, leak_acknowledged_by = $2 WHERE id = $3 AND leaked_at IS NOT NULL AND leak_acknowledged_at IS NULL")
                .bind(time::to_row(event.at))
                .bind(by)
                .bind(token.as_bytes().as_slice())
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if done {
                insert_events!(tx, std::slice::from_ref(event));
            }
            done
        }))
    }
}
