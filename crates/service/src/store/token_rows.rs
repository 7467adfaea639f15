//! The rows of tokens: their columns, the types that they are converted from and to, and inserts
//! and locks in an open transaction. Only a digest of the token itself is stored.

use super::StoreError;
use crate::expiry::Expiry;
use crate::token_kind::TokenKind;
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::Timestamp;

/// A new token, without its secret.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The identifier; the token contains it as its alias.
    pub id: Uuid,
    /// The digest of the whole token; see [`crate::auth::digest`].
    pub digest: [u8; 32],
    /// The kind.
    pub kind: TokenKind,
    /// The owner.
    pub owner: Uuid,
    /// The name.
    pub name: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The expiry.
    pub expires_at: Expiry,
}

/// The record of a leak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The record's own identifier.
    pub id: Uuid,
    /// The time of the first report.
    pub date: Timestamp,
    /// The reporter.
    pub source: String,
}

/// A token as it is shown by the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The identifier.
    pub id: Uuid,
    /// The kind.
    pub kind: TokenKind,
    /// The owner.
    pub owner: Uuid,
    /// The name.
    pub name: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The expiry.
    pub expires_at: Expiry,
    /// The time of the last change to the name or the scopes.
    pub modified_at: Option<Timestamp>,
    /// The time of the last use.
    pub last_used_at: Option<Timestamp>,
    /// The time of the revocation.
    pub revoked_at: Option<Timestamp>,
    /// The token that replaced this one in a rotation.
    pub replaced_by: Option<Uuid>,
    /// The record of the leak, if the token leaked.
    pub leak: Option<Leak>,
}

#[derive(sqlx::FromRow)]
pub(super) struct TokenRow {
    id: Vec<u8>,
    kind: i64,
    owner: Vec<u8>,
    name: String,
    scopes: String,
    created_at: i64,
    expires_at: i64,
    modified_at: Option<i64>,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
    replaced_by: Option<Vec<u8>>,
    leak_id: Option<Vec<u8>>,
    leaked_at: Option<i64>,
    leak_source: Option<String>,
}

pub(super) const COLUMNS: &str = "SELECT id, kind, owner, name, scopes, created_at, expires_at, modified_at, last_used_at, revoked_at, replaced_by, leak_id, leaked_at, leak_source FROM tokens";

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
            kind: TokenKind::from_row(self.kind),
            owner: id::from_row(&self.owner).ok_or_else(faulty)?,
            name: self.name,
            scopes: read_scopes(&self.scopes)?,
            created_at: time::from_row(self.created_at),
            expires_at: Expiry::from_row(self.expires_at),
            modified_at: self.modified_at.map(time::from_row),
            last_used_at: self.last_used_at.map(time::from_row),
            revoked_at: self.revoked_at.map(time::from_row),
            replaced_by: match self.replaced_by {
                Some(id) => Some(id::from_row(&id).ok_or_else(faulty)?),
                None => None,
            },
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

/// Converts a name for sorting and for searching, ignoring case.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Inserts a token in an open transaction.
macro_rules! insert_token {
    ($tx:ident, $token:expr) => {
        sqlx::query(
            "INSERT INTO tokens (id, digest, owner, name, folded_name, scopes, created_at, expires_at, kind) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind($token.id.as_bytes().as_slice())
        .bind($token.digest.as_slice())
        .bind($token.owner.as_bytes().as_slice())
        .bind($token.name.as_str())
        .bind($crate::store::token_rows::fold(&$token.name))
        .bind($crate::store::token_rows::write_scopes(&$token.scopes))
        .bind($crate::time::to_row($token.created_at))
        .bind($token.expires_at.to_row())
        .bind($token.kind.to_row())
        .execute(&mut *$tx)
        .await?
    };
}

/// Locks tokens on PostgreSQL in the order of their identifiers, in an open transaction.
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

pub(super) use {insert_token, lock_tokens};
