//! Pages of tokens for the web pages: filtered, sorted, and continued from the last row of another
//! page instead of an offset, so that a late page is as fast as the first one.

use super::listing::{
    EXPIRING_WITHIN, Listing, Order, StateFilter, pattern, push_listing_conditions,
};
use super::search::search;
use super::token_rows::{COLUMNS, Token, TokenRow};
use super::{Dialect, Store, StoreError, read};
use crate::sort::Direction;
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::{SignedDuration, Timestamp};
use sqlx::QueryBuilder;
use std::collections::HashMap;

/// Time before its expiry in which a token's owner is reminded of it.
pub const REMIND_WITHIN: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The use of the tokens of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// Any use or none.
    #[default]
    Any,
    /// Never used.
    Never,
    /// Neither used nor created since this time.
    NotSince(Timestamp),
}

/// The criteria, the order and the position of a page of tokens.
#[derive(Clone, Debug)]
pub struct TokenQuery {
    /// The criteria, the order and the size; its offset is not used.
    pub listing: Listing,
    /// A scope that the tokens have.
    pub scope: Option<String>,
    /// The use of the tokens.
    pub usage: Usage,
    /// The position; the first page if absent.
    pub position: Option<TokenPosition>,
}

/// The position of a page in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPosition {
    /// The page that follows a token.
    After(TokenCursor),
    /// The page that precedes a token.
    Before(TokenCursor),
}

/// A token's place in the order of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenCursor {
    key: CursorKey,
    id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum CursorKey {
    Text(String),
    Number(i64),
}

impl TokenCursor {
    /// Returns the place of a token in an order.
    #[must_use]
    pub fn of(token: &Token, order: Order) -> Self {
        let micros = |at: Option<Timestamp>| at.map_or(-1, time::to_row);
        let key = match order {
            Order::Name => CursorKey::Text(super::token_rows::fold(&token.name)),
            Order::CreatedAt => CursorKey::Number(time::to_row(token.created_at)),
            Order::ExpiresAt => CursorKey::Number(token.expires_at.to_row()),
            Order::LastUsedAt => CursorKey::Number(micros(token.last_used_at)),
            Order::Leaked => CursorKey::Number(micros(token.leak.as_ref().map(|leak| leak.date))),
        };
        Self { key, id: token.id }
    }

    /// Formats the cursor for a query.
    #[must_use]
    pub fn encode(&self) -> String {
        match &self.key {
            CursorKey::Text(text) => format!("{}.{text}", self.id),
            CursorKey::Number(number) => format!("{}.{number}", self.id),
        }
    }

    /// Parses a cursor of a list with an order.
    #[must_use]
    pub fn decode(text: &str, order: Order) -> Option<Self> {
        let (id, key) = text.split_once('.')?;
        let key = match order {
            Order::Name => CursorKey::Text(key.to_owned()),
            _ => CursorKey::Number(key.parse().ok()?),
        };
        Some(Self { key, id: Uuid::parse(id)? })
    }
}

/// A page of tokens.
#[derive(Clone, Debug)]
pub struct TokenSlice {
    /// The tokens, in order.
    pub tokens: Vec<Token>,
    /// `true` if tokens precede the page.
    pub has_previous: bool,
    /// `true` if tokens follow the page.
    pub has_next: bool,
}

/// A token that expires soon.
#[derive(Clone, Debug)]
pub struct ExpiringToken {
    /// The identifier.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The time of expiry.
    pub expires_at: Timestamp,
}

/// The tokens and the last activity of a user.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserActivity {
    /// The number of live tokens.
    pub live_tokens: i64,
    /// The time of the last use of a token or a session.
    pub last_seen: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct TokenActivityRow {
    owner: Vec<u8>,
    live_tokens: i64,
    last: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct SessionActivityRow {
    #[sqlx(rename = "user_id")]
    user: Vec<u8>,
    last: Option<i64>,
}

/// The owner of a token, for lists.
#[derive(Clone, Debug, Default)]
pub struct Owner {
    /// The email address.
    pub email: String,
    /// `true` if the user is disabled, so that requests with their tokens are rejected.
    pub is_disabled: bool,
}

/// Adds identifiers and the closing parenthesis to a query.
macro_rules! push_ids {
    ($query:ident, $ids:expr) => {{
        let mut ids = $query.separated(", ");
        for id in $ids.iter() {
            ids.push_bind(id.as_bytes().as_slice());
        }
        $query.push(")");
    }};
}

impl Store {
    /// Returns a page of tokens.
    ///
    /// # Errors
    /// [`StoreError::SearchTime`] if the search takes too long; another [`StoreError`] if the
    /// database fails or contains an invalid row.
    pub async fn token_slice(&self, asked: &TokenQuery) -> Result<TokenSlice, StoreError> {
        let now = time::to_row(time::now());
        let dialect = self.dialect();
        let listing = &asked.listing;
        let backward = matches!(asked.position, Some(TokenPosition::Before(_)));
        let direction = match (listing.direction, backward) {
            (Direction::Ascending, false) | (Direction::Descending, true) => Direction::Ascending,
            _ => Direction::Descending,
        };
        let column = listing.order.column();
        let order = format!(" ORDER BY {column} {0}, id {0}", direction.sql());
        let size = listing.size as usize;
        let rows: Vec<TokenRow> = search!(self, |connection| {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push(" WHERE id IN (SELECT id");
            push_listing_conditions!(query, listing, now, dialect);
            if let Some(scope) = &asked.scope {
                query.push(" AND scopes LIKE ").push_bind(scope_pattern(scope));
                query.push(" ESCAPE '\\'");
            }
            match asked.usage {
                Usage::Any => {}
                Usage::Never => {
                    query.push(" AND last_used_at IS NULL");
                }
                Usage::NotSince(at) => {
                    query.push(" AND COALESCE(last_used_at, created_at) < ");
                    query.push_bind(time::to_row(at));
                }
            }
            if let Some(TokenPosition::After(cursor) | TokenPosition::Before(cursor)) =
                &asked.position
            {
                let beyond = if direction == Direction::Ascending { ">" } else { "<" };
                query.push(format!(" AND ({column}, id) {beyond} ("));
                match &cursor.key {
                    CursorKey::Text(text) => query.push_bind(text.as_str()),
                    CursorKey::Number(number) => query.push_bind(*number),
                };
                query.push(", ").push_bind(cursor.id.as_bytes().as_slice()).push(")");
            }
            query.push(&order).push(" LIMIT ").push_bind(i64::from(listing.size) + 1);
            query.push(")").push(&order);
            query.build_query_as().fetch_all(&mut *connection).await?
        });
        let mut tokens =
            rows.into_iter().map(TokenRow::token).collect::<Result<Vec<_>, StoreError>>()?;
        let more = tokens.len() > size;
        tokens.truncate(size);
        if backward {
            tokens.reverse();
        }
        let (has_previous, has_next) = match asked.position {
            None => (false, more),
            Some(TokenPosition::After(_)) => (true, more),
            Some(TokenPosition::Before(_)) => (more, true),
        };
        Ok(TokenSlice { tokens, has_previous, has_next })
    }

    /// Returns up to `at_most` live tokens of an owner that expire within [`REMIND_WITHIN`].
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn expiring_tokens(
        &self,
        owner: Uuid,
        at_most: u32,
    ) -> Result<Vec<ExpiringToken>, StoreError> {
        let now = time::now();
        let end = now.checked_add(REMIND_WITHIN).unwrap_or(Timestamp::MAX);
        let hint = match self.dialect() {
            Dialect::Sqlite => " INDEXED BY tokens_of_owner_by_expiry",
            Dialect::Postgres => "",
        };
        let rows: Vec<(Vec<u8>, String, i64)> = read!(self, |pool| {
            let mut query = QueryBuilder::new("SELECT id, name, expires_at FROM tokens");
            query.push(hint).push(" WHERE revoked_at IS NULL AND owner = ");
            query.push_bind(owner.as_bytes().as_slice()).push(" AND expires_at > ");
            query.push_bind(time::to_row(now)).push(" AND expires_at <= ");
            query.push_bind(time::to_row(end)).push(" ORDER BY expires_at LIMIT ");
            query.push_bind(i64::from(at_most));
            query.build_query_as().fetch_all(pool).await?
        });
        rows.into_iter()
            .map(|(id, name, at)| {
                let id = id::from_row(&id).ok_or(StoreError::Row("tokens"))?;
                Ok(ExpiringToken { id, name, expires_at: time::from_row(at) })
            })
            .collect()
    }

    /// Returns the names of tokens.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn token_names(
        &self,
        tokens: impl IntoIterator<Item = Uuid>,
    ) -> Result<HashMap<[u8; 16], String>, StoreError> {
        let mut tokens: Vec<Uuid> = tokens.into_iter().collect();
        tokens.sort_by_key(|id| *id.as_bytes());
        tokens.dedup();
        if tokens.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(Vec<u8>, String)> = read!(self, |pool| {
            let mut query = QueryBuilder::new("SELECT id, name FROM tokens WHERE id IN (");
            push_ids!(query, tokens);
            query.build_query_as().fetch_all(pool).await?
        });
        rows.into_iter()
            .map(|(id, name)| {
                let id = id::from_row(&id).ok_or(StoreError::Row("tokens"))?;
                Ok((*id.as_bytes(), name))
            })
            .collect()
    }

    /// Returns the owners of tokens by their identifiers.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn owners(
        &self,
        users: impl IntoIterator<Item = Uuid>,
    ) -> Result<HashMap<[u8; 16], Owner>, StoreError> {
        let mut users: Vec<Uuid> = users.into_iter().collect();
        users.sort_by_key(|id| *id.as_bytes());
        users.dedup();
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(Vec<u8>, String, Option<i64>)> = read!(self, |pool| {
            let mut query =
                QueryBuilder::new("SELECT id, email, disabled_at FROM users WHERE id IN (");
            push_ids!(query, users);
            query.build_query_as().fetch_all(pool).await?
        });
        rows.into_iter()
            .map(|(id, email, disabled_at)| {
                let id = id::from_row(&id).ok_or(StoreError::Row("users"))?;
                Ok((*id.as_bytes(), Owner { email, is_disabled: disabled_at.is_some() }))
            })
            .collect()
    }

    /// Returns the activity of users; those without any are missing.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn user_activity(
        &self,
        users: &[Uuid],
    ) -> Result<HashMap<[u8; 16], UserActivity>, StoreError> {
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let now = time::to_row(time::now());
        let (tokens, sessions): (Vec<TokenActivityRow>, Vec<SessionActivityRow>) =
            read!(self, |pool| {
                let mut query = QueryBuilder::new(
                    "SELECT owner, CAST(SUM(CASE WHEN revoked_at IS NULL AND expires_at > ",
                );
                query.push_bind(now).push(
                    " THEN 1 ELSE 0 END) AS BIGINT) AS live_tokens, MAX(last_used_at) AS last",
                );
                query.push(" FROM tokens WHERE owner IN (");
                push_ids!(query, users);
                query.push(" GROUP BY owner");
                let tokens = query.build_query_as().fetch_all(pool).await?;
                let mut query = QueryBuilder::new(
                    "SELECT user_id, MAX(used_at) AS last FROM sessions WHERE user_id IN (",
                );
                push_ids!(query, users);
                query.push(" GROUP BY user_id");
                (tokens, query.build_query_as().fetch_all(pool).await?)
            });
        let mut activity = HashMap::<[u8; 16], UserActivity>::new();
        let faulty = || StoreError::Row("users");
        for TokenActivityRow { owner, live_tokens, last } in tokens {
            let owner = id::from_row(&owner).ok_or_else(faulty)?;
            let last_seen = last.map(time::from_row);
            activity.insert(*owner.as_bytes(), UserActivity { live_tokens, last_seen });
        }
        for SessionActivityRow { user, last } in sessions {
            let user = id::from_row(&user).ok_or_else(faulty)?;
            let entry = activity.entry(*user.as_bytes()).or_default();
            entry.last_seen = entry.last_seen.max(last.map(time::from_row));
        }
        Ok(activity)
    }
}

/// Returns the pattern for a scope in the JSON list of a row.
fn scope_pattern(scope: &str) -> String {
    format!("%\"{}\"%", scope.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let id = Uuid::from_bytes([7; 16]);
        for (key, order) in [
            (CursorKey::Text("a.b é".to_owned()), Order::Name),
            (CursorKey::Number(-1), Order::LastUsedAt),
        ] {
            let cursor = TokenCursor { key, id };
            assert_eq!(TokenCursor::decode(&cursor.encode(), order), Some(cursor));
        }
        assert_eq!(TokenCursor::decode("x", Order::Name), None);
        assert_eq!(TokenCursor::decode(&format!("{id}.x"), Order::CreatedAt), None);
    }
}
