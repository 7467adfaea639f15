//! Creates, reads, updates and revokes tokens, and records expired ones. Each change is written
//! with its event. The rows are in `token_rows`.

pub use super::token_rows::{Leak, NewToken, Token};

use super::events::insert_events;
use super::token_rows::{COLUMNS, TokenRow, fold, insert_token, lock_tokens, write_scopes};
use super::{Dialect, Store, StoreError, change, read};
use crate::audit::{Actor, Event, name};
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::Timestamp;
use sqlx::QueryBuilder;

/// The cause of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedBy {
    /// The owner or an administrator, through the API.
    Api,
    /// The owner or an administrator, on the web pages.
    Page,
    /// A holder of the token, through RFC 7009.
    Holder,
    /// An operator on the command line.
    Operator,
    /// The policy, after a leak report.
    Leak,
}

impl RevokedBy {
    /// Returns the value in rows, metrics and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::Holder => "holder",
            Self::Operator => "operator",
            Self::Leak => "leak",
        }
    }
}

/// The authority for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// An operator with access to the database.
    Operator,
    /// The holder of this token, which must be live when the change is made.
    Token(Uuid),
    /// The person in this session, which must not have ended when the change is made.
    Session(Uuid),
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
pub enum UpdateOutcome {
    /// The token is changed.
    Done,
    /// Another request changed the token first; nothing was written.
    Outdated,
    /// The token is revoked, expired or missing; nothing was written.
    Dead,
    /// The caller's token is no longer live; nothing was written.
    Unauthorized,
}

/// The criteria for the revocation of many tokens; a token must match all of those that are set.
#[derive(Clone, Copy, Debug, Default)]
pub struct RevocationCriteria {
    /// The owner.
    pub owner: Option<Uuid>,
    /// The token was created before this time.
    pub issued_before: Option<Timestamp>,
    /// The token was not used since this time, nor created.
    pub unused_since: Option<Timestamp>,
}

/// The result of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The token has been revoked.
    Done,
    /// The token was already revoked.
    Already,
    /// No such token exists.
    Missing,
}

/// Expired tokens. The outer condition checks for changes made while the statement waits.
const EXPIRE_SQLITE: &str = "UPDATE tokens SET expired_at = $1 WHERE revoked_at IS NULL AND expired_at IS NULL AND id IN (SELECT id FROM tokens WHERE revoked_at IS NULL AND expired_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2) RETURNING id";
/// Locks rows in the order of their identifiers, to avoid deadlocks.
const EXPIRE_POSTGRES: &str = "WITH due AS (SELECT id FROM tokens WHERE id IN (SELECT id FROM tokens WHERE revoked_at IS NULL AND expired_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2) ORDER BY id FOR UPDATE) UPDATE tokens SET expired_at = $1 FROM due WHERE tokens.id = due.id AND revoked_at IS NULL AND expired_at IS NULL RETURNING tokens.id";

const LIVE: &str = "SELECT 1 FROM tokens JOIN users ON users.id = owner WHERE tokens.id = $1 AND revoked_at IS NULL AND expires_at > $2 AND disabled_at IS NULL";
/// The locks make a concurrent revocation of the token or disabling of its owner wait for the end
/// of the transaction.
const LIVE_POSTGRES: &str = "SELECT 1 FROM tokens JOIN users ON users.id = owner WHERE tokens.id = $1 AND revoked_at IS NULL AND expires_at > $2 AND disabled_at IS NULL FOR SHARE";

/// Whether a session of an enabled user has not ended; `$2` is not before its start.
const IN_SESSION: &str = "SELECT 1 FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = $1 AND ended_at IS NULL AND sessions.created_at <= $2 AND disabled_at IS NULL";
const IN_SESSION_POSTGRES: &str = "SELECT 1 FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = $1 AND ended_at IS NULL AND sessions.created_at <= $2 AND disabled_at IS NULL FOR SHARE";

impl Authority {
    /// Returns the query that finds a row while the authority is valid.
    const fn sql(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Session(_), Dialect::Sqlite) => IN_SESSION,
            (Self::Session(_), Dialect::Postgres) => IN_SESSION_POSTGRES,
            (_, Dialect::Sqlite) => LIVE,
            (_, Dialect::Postgres) => LIVE_POSTGRES,
        }
    }
}

/// Returns `true` if an authority is valid, in an open transaction and until its end.
macro_rules! is_authorized {
    ($tx:ident, $authority:expr, $at:expr, $dialect:expr) => {
        match $authority {
            Authority::Operator => true,
            Authority::Token(id) | Authority::Session(id) => sqlx::query($authority.sql($dialect))
                .bind(id.as_bytes().as_slice())
                .bind(time::to_row($at))
                .fetch_optional(&mut *$tx)
                .await?
                .is_some(),
        }
    };
}

impl Store {
    /// Inserts a new token and its event if the authority is valid.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
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

    /// Returns a token, whether live or dead.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn token(&self, id: Uuid) -> Result<Option<Token>, StoreError> {
        let row: Option<TokenRow> = read!(self, |pool| {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push(" WHERE id = ").push_bind(id.as_bytes().as_slice());
            query.build_query_as().fetch_optional(pool).await?
        });
        row.map(TokenRow::token).transpose()
    }

    /// Changes the name or the scopes of a live token and writes the event, provided that the token
    /// still has the name and the scopes of `previous` and the authority is valid.
    ///
    /// The statement that updates the row also compares it with `previous`. The caller's checks of
    /// `previous` are therefore valid for the updated row.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn update_token(
        &self,
        change: &Change<'_>,
        authority: Authority,
        event: &Event,
    ) -> Result<UpdateOutcome, StoreError> {
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
                UpdateOutcome::Done
            } else if !authorized {
                UpdateOutcome::Unauthorized
            } else {
                let live = sqlx::query(
                    "SELECT 1 FROM tokens WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2",
                )
                .bind(id)
                .bind(time::to_row(event.at))
                .fetch_optional(&mut *tx)
                .await?
                .is_some();
                if live { UpdateOutcome::Outdated } else { UpdateOutcome::Dead }
            }
        });
        if update == UpdateOutcome::Done {
            self.notify_replicas(&[previous.id]).await;
        }
        Ok(update)
    }

    /// Revokes a token, and writes its event if the token was not already revoked.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn revoke_token(
        &self,
        token: Uuid,
        by: RevokedBy,
        event: &Event,
    ) -> Result<Revocation, StoreError> {
        let event = event.clone().with("revoked_by", by.as_str());
        let revoked = change!(self, |tx| {
            let revoked = sqlx::query(
                "UPDATE tokens SET revoked_at = $1, revoked_by = $2 WHERE id = $3 AND revoked_at IS NULL",
            )
            .bind(time::to_row(event.at))
            .bind(by.as_str())
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
        self.notify_replicas(&[token]).await;
        if revoked {
            return Ok(Revocation::Done);
        }
        Ok(match self.token(token).await? {
            Some(_) => Revocation::Already,
            None => Revocation::Missing,
        })
    }

    /// Returns up to `at_most` live tokens that match all criteria, ordered by identifier and after
    /// the given one.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn revocable_tokens(
        &self,
        criteria: &RevocationCriteria,
        after: Option<Uuid>,
        at_most: u32,
    ) -> Result<Vec<Token>, StoreError> {
        let now = time::to_row(time::now());
        let rows: Vec<TokenRow> = read!(self, |pool| {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push(" WHERE revoked_at IS NULL AND expires_at > ").push_bind(now);
            if let Some(after) = &after {
                query.push(" AND id > ").push_bind(after.as_bytes().as_slice());
            }
            if let Some(owner) = &criteria.owner {
                query.push(" AND owner = ").push_bind(owner.as_bytes().as_slice());
            }
            if let Some(time) = criteria.issued_before {
                query.push(" AND created_at < ").push_bind(time::to_row(time));
            }
            if let Some(time) = criteria.unused_since {
                query.push(" AND COALESCE(last_used_at, created_at) < ");
                query.push_bind(time::to_row(time));
            }
            query.push(" ORDER BY id LIMIT ").push_bind(i64::from(at_most));
            query.build_query_as().fetch_all(pool).await?
        });
        rows.into_iter().map(TokenRow::token).collect()
    }

    /// Writes the event of each token that expired at or before `now`, exactly once for any number
    /// of concurrent replicas. Returns the number of tokens. The flag that an event was written
    /// does not affect whether a token is accepted.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
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
