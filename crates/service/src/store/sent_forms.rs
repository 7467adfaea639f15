//! Forms of the web pages that were sent, so that sending one again changes nothing.

use super::sessions::SecretDigest;
use super::{Store, StoreError, change, read};
use crate::{id, time};
use ddpatrol_token::Uuid;

impl Store {
    /// Records that a form was sent. Returns `false` if it had been sent before.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn claim_form(&self, form: &SecretDigest) -> Result<bool, StoreError> {
        Ok(change!(self, |tx| {
            sqlx::query(
                "INSERT INTO sent_forms (digest, sent_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            )
            .bind(form.as_slice())
            .bind(time::to_row(time::now()))
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1
        }))
    }

    /// Records the token that a form created.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn form_created(&self, form: &SecretDigest, token: Uuid) -> Result<(), StoreError> {
        change!(self, |tx| {
            sqlx::query("UPDATE sent_forms SET token_id = $1 WHERE digest = $2")
                .bind(token.as_bytes().as_slice())
                .bind(form.as_slice())
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Forgets a form whose request was refused, so that it can be sent again.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn release_form(&self, form: &SecretDigest) -> Result<(), StoreError> {
        change!(self, |tx| {
            sqlx::query("DELETE FROM sent_forms WHERE digest = $1 AND token_id IS NULL")
                .bind(form.as_slice())
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Returns the token that a form created, if any.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn token_of_form(&self, form: &SecretDigest) -> Result<Option<Uuid>, StoreError> {
        let row: Option<Vec<u8>> = read!(self, |pool| {
            sqlx::query_scalar(
                "SELECT token_id FROM sent_forms WHERE digest = $1 AND token_id IS NOT NULL",
            )
            .bind(form.as_slice())
            .fetch_optional(pool)
            .await?
        });
        Ok(row.and_then(|bytes| id::from_row(&bytes)))
    }
}
