//! The identities of users at OpenID Connect providers.

use super::events::insert_events;
use super::{Store, StoreError, change, read};
use crate::audit::Event;
use crate::{id, time};
use ddpatrol_token::Uuid;

impl Store {
    /// Returns the user of an identity at an OpenID Connect provider.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn identity_user(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Uuid>, StoreError> {
        let row: Option<Vec<u8>> = read!(self, |pool| {
            sqlx::query_scalar("SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2")
                .bind(issuer)
                .bind(subject)
                .fetch_optional(pool)
                .await?
        });
        row.map(|row| id::from_row(&row).ok_or(StoreError::Row("identities"))).transpose()
    }

    /// Binds an identity to a user who has none at this issuer yet. Returns `false`, and writes
    /// nothing, if either is bound already.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn bind_identity(
        &self,
        issuer: &str,
        subject: &str,
        user: Uuid,
        event: &Event,
    ) -> Result<bool, StoreError> {
        Ok(change!(self, |tx| {
            let bound = sqlx::query("INSERT INTO identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
                .bind(issuer)
                .bind(subject)
                .bind(user.as_bytes().as_slice())
                .bind(time::to_row(event.at))
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if bound {
                insert_events!(tx, std::slice::from_ref(event));
            }
            bound
        }))
    }
}
