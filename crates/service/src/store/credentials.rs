//! Credentials: the data to verify presented tokens, read on separate connections.

use super::token_rows::read_scopes;
use super::{Store, StoreError, read};
use crate::expiry::Expiry;
use crate::permission::Permissions;
use crate::token_kind::TokenKind;
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::Timestamp;

/// The data to verify a presented token.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The digest of the whole token.
    pub digest: [u8; 32],
    /// The kind.
    pub kind: TokenKind,
    /// The owner.
    pub owner: Uuid,
    /// The owner's email address.
    pub email: String,
    /// The owner's permissions, limited to the scopes.
    pub permissions: Permissions,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The expiry.
    pub expires_at: Expiry,
    /// `true` if the token was revoked or its owner disabled.
    pub dead: bool,
}

#[derive(sqlx::FromRow)]
struct CredentialRow {
    digest: Vec<u8>,
    kind: i64,
    owner: Vec<u8>,
    email: String,
    permissions: i64,
    scopes: String,
    created_at: i64,
    expires_at: i64,
    dead: i64,
}

impl Store {
    /// Reads the credential of a token with a digest. The database compares the digest, so that a
    /// query about a known identifier takes no longer than one about an unknown identifier.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn credential(
        &self,
        id: Uuid,
        digest: &[u8; 32],
    ) -> Result<Option<Credential>, StoreError> {
        let row: Option<CredentialRow> = read!(self, credentials, |pool| {
            sqlx::query_as("SELECT digest, kind, owner, email, permissions, scopes, tokens.created_at, expires_at, CAST(CASE WHEN revoked_at IS NULL AND disabled_at IS NULL THEN 0 ELSE 1 END AS BIGINT) AS dead FROM tokens JOIN users ON users.id = owner WHERE tokens.id = $1 AND digest = $2")
                .bind(id.as_bytes().as_slice())
                .bind(digest.as_slice())
                .fetch_optional(pool)
                .await?
        });
        let faulty = || StoreError::Row("tokens");
        row.map(|row| {
            let scopes = read_scopes(&row.scopes)?;
            Ok(Credential {
                digest: row.digest.try_into().map_err(|_| faulty())?,
                kind: TokenKind::from_row(row.kind),
                owner: id::from_row(&row.owner).ok_or_else(faulty)?,
                email: row.email,
                permissions: Permissions::from_row(row.permissions).within(&scopes),
                scopes,
                created_at: time::from_row(row.created_at),
                expires_at: Expiry::from_row(row.expires_at),
                dead: row.dead != 0,
            })
        })
        .transpose()
    }
}
