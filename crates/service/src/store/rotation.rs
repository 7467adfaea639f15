//! Rotates tokens, and records the ends of tokens: expired ones get an event, and rotated ones are
//! revoked when they reach the end of their overlap.

use super::authority::{Authority, is_authorized};
use super::events::insert_events;
use super::token_rows::{NewToken, Token, insert_token, lock_tokens, write_scopes};
use super::tokens::{RevokedBy, UpdateOutcome};
use super::{Dialect, Store, StoreError, change, read};
use crate::audit::{Actor, Event, name, token_metadata};
use crate::expiry::Expiry;
use crate::token_kind::TokenKind;
use crate::{id, time};
use jiff::Timestamp;

/// The replacement of a token by a new one.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// The old token as the caller read it.
    pub old: &'a Token,
    /// The new token.
    pub new: &'a NewToken,
    /// The new expiry of the old token.
    pub end: Expiry,
    /// The time of the old token's revocation if it is revoked at once.
    pub revoked_at: Option<Timestamp>,
}

/// The number of tokens whose end was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Tokens that expired.
    pub expired: usize,
    /// Rotated tokens that were revoked at the end of their overlap.
    pub rotated: usize,
}

/// Expired tokens; those that were rotated are also revoked. The outer condition checks for changes
/// made while the statement waits.
const EXPIRE_SQLITE: &str = "UPDATE tokens SET expired_at = $1, revoked_at = CASE WHEN replaced_by IS NOT NULL THEN expires_at END, revoked_by = CASE WHEN replaced_by IS NOT NULL THEN 'rotation' END WHERE revoked_at IS NULL AND expired_at IS NULL AND id IN (SELECT id FROM tokens WHERE revoked_at IS NULL AND expired_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2) RETURNING id, kind, replaced_by";
/// Locks rows in the order of their identifiers, to avoid deadlocks.
const EXPIRE_POSTGRES: &str = "WITH due AS (SELECT id FROM tokens WHERE id IN (SELECT id FROM tokens WHERE revoked_at IS NULL AND expired_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2) ORDER BY id FOR UPDATE) UPDATE tokens SET expired_at = $1, revoked_at = CASE WHEN replaced_by IS NOT NULL THEN expires_at END, revoked_by = CASE WHEN replaced_by IS NOT NULL THEN 'rotation' END FROM due WHERE tokens.id = due.id AND revoked_at IS NULL AND expired_at IS NULL RETURNING tokens.id, kind, replaced_by";

impl Store {
    /// Replaces a live token by a new one and writes the events, provided that the old token is
    /// still as it was read, was not replaced before, and the authority is valid.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn rotate_token(
        &self,
        rotation: &Rotation<'_>,
        authority: Authority,
        events: &[Event],
    ) -> Result<UpdateOutcome, StoreError> {
        let Rotation { old, new, end, revoked_at } = *rotation;
        let id = old.id.as_bytes().as_slice();
        let dialect = self.dialect();
        let rotated = change!(self, |tx| {
            if let (Dialect::Postgres, Authority::Token(token)) = (dialect, authority) {
                lock_tokens!(tx, [id, token.as_bytes().as_slice()]);
            }
            if !is_authorized!(tx, authority, new.created_at, dialect) {
                UpdateOutcome::Unauthorized
            } else {
                let replaced = sqlx::query(
                    "UPDATE tokens SET replaced_by = $1, expires_at = $2, revoked_at = $3, revoked_by = $4 WHERE id = $5 AND revoked_at IS NULL AND replaced_by IS NULL AND expires_at > $6 AND expires_at = $7 AND name = $8 AND scopes = $9",
                )
                .bind(new.id.as_bytes().as_slice())
                .bind(end.to_row())
                .bind(revoked_at.map(time::to_row))
                .bind(revoked_at.map(|_| RevokedBy::Rotation.as_str()))
                .bind(id)
                .bind(time::to_row(new.created_at))
                .bind(old.expires_at.to_row())
                .bind(old.name.as_str())
                .bind(write_scopes(&old.scopes))
                .execute(&mut *tx)
                .await?
                .rows_affected()
                    == 1;
                if replaced {
                    insert_token!(tx, new);
                    insert_events!(tx, events);
                    UpdateOutcome::Done
                } else {
                    UpdateOutcome::Outdated
                }
            }
        });
        if rotated == UpdateOutcome::Done {
            self.notify_replicas(&[old.id]).await;
        }
        Ok(rotated)
    }

    /// Writes the event of each token that expired at or before `now`, exactly once for any number
    /// of concurrent replicas, and revokes those that were rotated. Returns the number of tokens.
    /// The flag that an event was written does not affect whether a token is accepted.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn expire_tokens(&self, now: Timestamp, at_most: u32) -> Result<Ended, StoreError> {
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
            return Ok(Ended::default());
        }
        let sql = match self.dialect() {
            Dialect::Sqlite => EXPIRE_SQLITE,
            Dialect::Postgres => EXPIRE_POSTGRES,
        };
        let ended = change!(self, |tx| {
            let rows: Vec<EndedRow> =
                sqlx::query_as(sql).bind(now).bind(i64::from(at_most)).fetch_all(&mut *tx).await?;
            let mut ended = Ended::default();
            let events = rows.iter().map(|row| row.event(&mut ended));
            let events = events.collect::<Result<Vec<_>, StoreError>>()?;
            insert_events!(tx, &events);
            ended
        });
        Ok(ended)
    }
}

/// A token whose end was recorded.
#[derive(sqlx::FromRow)]
struct EndedRow {
    id: Vec<u8>,
    kind: i64,
    replaced_by: Option<Vec<u8>>,
}

impl EndedRow {
    /// Returns the event of the token's end, and counts it.
    fn event(&self, ended: &mut Ended) -> Result<Event, StoreError> {
        let token = id::from_row(&self.id).ok_or(StoreError::Row("tokens"))?;
        let kind = TokenKind::from_row(self.kind);
        let Some(new) = &self.replaced_by else {
            ended.expired += 1;
            return Ok(Actor::SYSTEM.event(name::EXPIRED, Some(token))?.of(kind));
        };
        ended.rotated += 1;
        let new = id::from_row(new).ok_or(StoreError::Row("tokens"))?;
        Ok(Actor::SYSTEM
            .event(name::REVOKED, Some(token))?
            .of(kind)
            .with("revoked_by", RevokedBy::Rotation.as_str())
            .with("replaced_by", token_metadata(new)))
    }
}
