//! Creates, reads, updates and revokes tokens. Each change is written with its event. The rows are in
//! `token_rows`, rotations in `rotation`.

pub use super::authority::Authority;
pub use super::token_rows::{Leak, NewToken, Token};

use super::authority::is_authorized;
use super::events::insert_events;
use super::token_rows::{COLUMNS, TokenRow, fold, insert_token, lock_tokens, write_scopes};
use super::{Dialect, Store, StoreError, change, read};
use crate::audit::Event;
use crate::time;
use crate::token_kind::TokenKind;
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
    /// A rotation, at the end of its overlap.
    Rotation,
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
            Self::Rotation => "rotation",
        }
    }
}

/// The tokens that a look-up can find.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The owner of whom it finds all tokens.
    pub owner: Uuid,
    /// The kinds of which it finds the tokens of all owners.
    pub kinds: &'static [TokenKind],
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

/// The result of an update or a rotation.
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

    /// Returns a token, whether live or dead, if it is within the reach of the look-up. A token
    /// beyond it takes the same statements, rows and checks as one that does not exist.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn token_within(&self, id: Uuid, reach: Reach) -> Result<Option<Token>, StoreError> {
        let row: Option<TokenRow> = read!(self, |pool| {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push(" WHERE id = ").push_bind(id.as_bytes().as_slice());
            query.push(" AND (owner = ").push_bind(reach.owner.as_bytes().as_slice());
            for kind in reach.kinds {
                query.push(" OR kind = ").push_bind(kind.to_row());
            }
            query.push(")").build_query_as().fetch_optional(pool).await?
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
}
