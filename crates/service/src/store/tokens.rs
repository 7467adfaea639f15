//! Tokens: created, found, changed and revoked; the events of expired ones. Of the token itself only
//! a digest is kept.

use super::events::insert_events;
use super::{Dialect, Store, StoreError, change, read};
use crate::audit::{Actor, Event, name};
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::Timestamp;
use sqlx::QueryBuilder;

/// What ended a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedBy {
    /// Its owner or an administrator, by the API.
    Api,
    /// Whoever held it, by RFC 7009.
    Holder,
    /// An operator at the command line.
    Operator,
    /// The policy, after a leak report.
    Leak,
}

impl RevokedBy {
    /// The word in a row, in metrics and in events.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Holder => "holder",
            Self::Operator => "operator",
            Self::Leak => "leak",
        }
    }
}

/// A token to keep: everything but its secret.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The identifier, which the token's alias spells.
    pub id: Uuid,
    /// The digest of the whole token, see [`crate::auth::digest`].
    pub digest: [u8; 32],
    /// Whose it is.
    pub owner: Uuid,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A leak report's mark on a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The mark's own identifier.
    pub id: Uuid,
    /// When it was reported first.
    pub date: Timestamp,
    /// Who reported it.
    pub source: String,
}

/// A token as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The identifier.
    pub id: Uuid,
    /// Whose it is.
    pub owner: Uuid,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When its name or scopes changed last.
    pub modified_at: Option<Timestamp>,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Its mark, if it leaked.
    pub leak: Option<Leak>,
}

/// Who orders a change of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// An operator, who holds the database.
    Operator,
    /// Whoever holds this token, which has to be live when the change is made.
    Token(Uuid),
}

/// The result of a creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The token is created.
    Done,
    /// The caller's token is no longer live; nothing was written.
    Unauthorized,
}

/// A change of a token's name or scopes.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The token as the caller read it.
    pub previous: &'a Token,
    /// The new name, if it changes.
    pub name: Option<&'a str>,
    /// The new scopes, if they change.
    pub scopes: Option<&'a [String]>,
}

/// The result of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// The token is changed.
    Done,
    /// Another request changed the token first; nothing was written.
    Outdated,
    /// The token is revoked, expired or missing; nothing was written.
    Dead,
    /// The caller's token is no longer live; nothing was written.
    Unauthorized,
}

/// What came of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The token is revoked now.
    Done,
    /// It had been before.
    Already,
    /// There is no such token.
    Missing,
}

#[derive(sqlx::FromRow)]
pub(super) struct TokenRow {
    id: Vec<u8>,
    owner: Vec<u8>,
    name: String,
    scopes: String,
    created_at: i64,
    expires_at: i64,
    modified_at: Option<i64>,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
    leak_id: Option<Vec<u8>>,
    leaked_at: Option<i64>,
    leak_source: Option<String>,
}

pub(super) const COLUMNS: &str = "SELECT id, owner, name, scopes, created_at, expires_at, modified_at, last_used_at, revoked_at, leak_id, leaked_at, leak_source FROM tokens";

impl TokenRow {
    pub(super) fn token(self) -> Result<Token, StoreError> {
        let faulty = || StoreError::Row("tokens");
        let leak = match (self.leak_id, self.leaked_at) {
            (Some(id), Some(date)) => Some(Leak {
                id: id::from_row(&id).ok_or_else(faulty)?,
                date: time::from_row(date),
                source: self.leak_source.unwrap_or_default(),
            }),
            _ => None,
        };
        Ok(Token {
            id: id::from_row(&self.id).ok_or_else(faulty)?,
            owner: id::from_row(&self.owner).ok_or_else(faulty)?,
            name: self.name,
            scopes: read_scopes(&self.scopes)?,
            created_at: time::from_row(self.created_at),
            expires_at: time::from_row(self.expires_at),
            modified_at: self.modified_at.map(time::from_row),
            last_used_at: self.last_used_at.map(time::from_row),
            revoked_at: self.revoked_at.map(time::from_row),
            leak,
        })
    }
}

pub(super) fn read_scopes(text: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Row("tokens"))
}

pub(super) fn write_scopes(scopes: &[String]) -> String {
    serde_json::Value::from(scopes).to_string()
}

/// Folds a name for sorting and for searching without regard to case.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Inserts a token in an open transaction.
macro_rules! insert_token {
    ($tx:ident, $token:expr) => {
        sqlx::query(
            "INSERT INTO tokens (id, digest, owner, name, folded_name, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind($token.id.as_bytes().as_slice())
        .bind($token.digest.as_slice())
        .bind($token.owner.as_bytes().as_slice())
        .bind($token.name.as_str())
        .bind($crate::store::tokens::fold(&$token.name))
        .bind($crate::store::tokens::write_scopes(&$token.scopes))
        .bind($crate::time::to_row($token.created_at))
        .bind($crate::time::to_row($token.expires_at))
        .execute(&mut *$tx)
        .await?
    };
}

/// Locks tokens of PostgreSQL in the order of their ids, in an open transaction.
macro_rules! lock_tokens {
    ($tx:ident, $ids:expr) => {{
        let mut query = sqlx::QueryBuilder::new("SELECT 1 FROM tokens WHERE id IN (");
        let mut ids = query.separated(", ");
        for id in $ids {
            ids.push_bind(id);
        }
        query.push(") ORDER BY id FOR UPDATE");
        query.build().execute(&mut *$tx).await?;
    }};
}

/// Events of expired tokens: the outer condition is for what changes while the statement waits.
const EXPIRE_SQLITE: &str = "UPDATE tokens SET expired_at = $1 WHERE revoked_at IS NULL AND expired_at IS NULL AND id IN (SELECT id FROM tokens WHERE revoked_at IS NULL AND expired_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2) RETURNING id";
/// Locks rows in the order of their ids, against deadlocks.
const EXPIRE_POSTGRES: &str = "WITH due AS (SELECT id FROM tokens WHERE id IN (SELECT id FROM tokens WHERE revoked_at IS NULL AND expired_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2) ORDER BY id FOR UPDATE) UPDATE tokens SET expired_at = $1 FROM due WHERE tokens.id = due.id AND revoked_at IS NULL AND expired_at IS NULL RETURNING tokens.id";

const LIVE: &str = "SELECT 1 FROM tokens JOIN users ON users.id = owner WHERE tokens.id = $1 AND revoked_at IS NULL AND expires_at > $2 AND disabled_at IS NULL";
/// The locks make a revocation or a disabling wait for the end of the transaction.
const LIVE_POSTGRES: &str = "SELECT 1 FROM tokens JOIN users ON users.id = owner WHERE tokens.id = $1 AND revoked_at IS NULL AND expires_at > $2 AND disabled_at IS NULL FOR SHARE";

/// Returns `true` if an authority still holds, in an open transaction and until its end.
macro_rules! is_authorized {
    ($tx:ident, $authority:expr, $at:expr, $dialect:expr) => {
        match $authority {
            Authority::Operator => true,
            Authority::Token(token) => {
                let sql = match $dialect {
                    Dialect::Sqlite => LIVE,
                    Dialect::Postgres => LIVE_POSTGRES,
                };
                sqlx::query(sql)
                    .bind(token.as_bytes().as_slice())
                    .bind(time::to_row($at))
                    .fetch_optional(&mut *$tx)
                    .await?
                    .is_some()
            }
        }
    };
}

pub(super) use {insert_token, lock_tokens};

impl Store {
    /// Inserts a new token, with its event, if the authority still holds.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was written.
    pub async fn create_token(
        &self,
        token: &NewToken,
        authority: Authority,
        event: &Event,
    ) -> Result<Creation, StoreError> {
        let dialect = self.dialect();
        Ok(change!(self, |tx| {
            if is_authorized!(tx, authority, event.at, dialect) {
                insert_token!(tx, token);
                insert_events!(tx, std::slice::from_ref(event));
                Creation::Done
            } else {
                Creation::Unauthorized
            }
        }))
    }

    /// Finds a token, dead or alive.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds a faulty row.
    pub async fn token(&self, id: Uuid) -> Result<Option<Token>, StoreError> {
        let row: Option<TokenRow> = read!(self, |pool| {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push(" WHERE id = ").push_bind(id.as_bytes().as_slice());
            query.build_query_as().fetch_optional(pool).await?
        });
        row.map(TokenRow::token).transpose()
    }

    /// Changes a live token's name or scopes, with its event, if the token still has the name and
    /// the scopes of `previous`, and the authority still holds.
    ///
    /// The comparison is part of the statement that changes the row: what a caller checked against
    /// `previous` holds for the row that is changed.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was written.
    pub async fn update_token(
        &self,
        change: &Change<'_>,
        authority: Authority,
        event: &Event,
    ) -> Result<Update, StoreError> {
        let Change { previous, name, scopes } = *change;
        let id = previous.id.as_bytes().as_slice();
        let dialect = self.dialect();
        let update = change!(self, |tx| {
            if let (Dialect::Postgres, Authority::Token(token)) = (dialect, authority) {
                lock_tokens!(tx, [id, token.as_bytes().as_slice()]);
            }
            let authorized = is_authorized!(tx, authority, event.at, dialect);
            let updated = authorized && sqlx::query(
                "UPDATE tokens SET name = COALESCE($1, name), folded_name = COALESCE($2, folded_name), scopes = COALESCE($3, scopes), modified_at = $4 WHERE id = $5 AND revoked_at IS NULL AND expires_at > $4 AND name = $6 AND scopes = $7",
            )
            .bind(name)
            .bind(name.map(fold))
            .bind(scopes.map(write_scopes))
            .bind(time::to_row(event.at))
            .bind(id)
            .bind(previous.name.as_str())
            .bind(write_scopes(&previous.scopes))
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if updated {
                insert_events!(tx, std::slice::from_ref(event));
                Update::Done
            } else if !authorized {
                Update::Unauthorized
            } else {
                let live = sqlx::query(
                    "SELECT 1 FROM tokens WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2",
                )
                .bind(id)
                .bind(time::to_row(event.at))
                .fetch_optional(&mut *tx)
                .await?
                .is_some();
                if live { Update::Outdated } else { Update::Dead }
            }
        });
        if update == Update::Done {
            self.tell(&[previous.id]).await;
        }
        Ok(update)
    }

    /// Revokes a token, with its event if it was not revoked before.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was written.
    pub async fn revoke_token(
        &self,
        token: Uuid,
        by: RevokedBy,
        event: &Event,
    ) -> Result<Revocation, StoreError> {
        let event = event.clone().with("revoked_by", by.word());
        let revoked = change!(self, |tx| {
            let revoked = sqlx::query(
                "UPDATE tokens SET revoked_at = $1, revoked_by = $2 WHERE id = $3 AND revoked_at IS NULL",
            )
            .bind(time::to_row(event.at))
            .bind(by.word())
            .bind(token.as_bytes().as_slice())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if revoked {
                insert_events!(tx, std::slice::from_ref(&event));
            }
            revoked
        });
        self.tell(&[token]).await;
        if revoked {
            return Ok(Revocation::Done);
        }
        Ok(match self.token(token).await? {
            Some(_) => Revocation::Already,
            None => Revocation::Missing,
        })
    }

    /// Writes the event of tokens that ended at or before `now`, one event for each token however
    /// many replicas do so at the same time. Returns the number of tokens. The mark that an event was
    /// written does not decide whether a token is accepted.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was written.
    pub async fn expire_tokens(&self, now: Timestamp, at_most: u32) -> Result<usize, StoreError> {
        let now = time::to_row(now);
        let due: bool = read!(self, |pool| {
            sqlx::query(
                "SELECT 1 FROM tokens WHERE revoked_at IS NULL AND expired_at IS NULL AND expires_at <= $1 LIMIT 1",
            )
            .bind(now)
            .fetch_optional(pool)
            .await?
            .is_some()
        });
        if !due {
            return Ok(0);
        }
        let sql = match self.dialect() {
            Dialect::Sqlite => EXPIRE_SQLITE,
            Dialect::Postgres => EXPIRE_POSTGRES,
        };
        let expired = change!(self, |tx| {
            let rows: Vec<Vec<u8>> = sqlx::query_scalar(sql)
                .bind(now)
                .bind(i64::from(at_most))
                .fetch_all(&mut *tx)
                .await?;
            let events = rows
                .iter()
                .map(|row| {
                    let token = id::from_row(row).ok_or(StoreError::Row("tokens"))?;
                    Ok(Actor::SYSTEM.event(name::EXPIRED, Some(token))?)
                })
                .collect::<Result<Vec<_>, StoreError>>()?;
            insert_events!(tx, &events);
            events.len()
        });
        Ok(expired)
    }
}
