//! Creates and changes service accounts, each change with its events.

use super::authority::{Authority, is_authorized};
use super::events::insert_events;
use super::token_rows::fold;
use super::users::{User, insert_user};
use super::{Store, StoreError, change};
use crate::audit::Event;
use crate::time;

/// A change of a service account.
#[derive(Clone, Debug)]
pub struct AccountChange<'a> {
    /// The account as the caller read it.
    pub previous: &'a User,
    /// The email address after the change.
    pub email: String,
    /// The name after the change.
    pub name: String,
    /// `true` if the account is disabled after the change.
    pub disabled: bool,
}

/// The result of a creation or a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountOutcome {
    /// The account is written.
    Done,
    /// Another user has the email address; nothing was written.
    Taken,
    /// Another request changed the account first; nothing was written.
    Outdated,
    /// The caller's token is no longer live; nothing was written.
    Unauthorized,
}

impl Store {
    /// Adds a service account and writes its event if the authority is valid.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn add_account(
        &self,
        account: &User,
        authority: Authority,
        event: &Event,
    ) -> Result<AccountOutcome, StoreError> {
        let dialect = self.dialect();
        Ok(change!(self, |tx| {
            if !is_authorized!(tx, authority, event.at, dialect) {
                AccountOutcome::Unauthorized
            } else if insert_user!(tx, account) {
                insert_events!(tx, std::slice::from_ref(event));
                AccountOutcome::Done
            } else {
                AccountOutcome::Taken
            }
        }))
    }

    /// Changes a service account and writes the events, provided that the account is still as it
    /// was read and the authority is valid.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn change_account(
        &self,
        change: &AccountChange<'_>,
        authority: Authority,
        events: &[Event],
    ) -> Result<AccountOutcome, StoreError> {
        let AccountChange { previous, email, name, disabled } = change;
        let id = previous.id.as_bytes().as_slice();
        let at = time::now();
        let disabled_at = disabled.then_some(previous.disabled_at.unwrap_or(at)).map(time::to_row);
        let dialect = self.dialect();
        let changed = change!(self, |tx| {
            let taken = || {
                sqlx::query(
                    "SELECT 1 FROM users WHERE (folded_email = $1 OR email = $2) AND id <> $3 LIMIT 1",
                )
                .bind(fold(email))
                .bind(email.as_str())
                .bind(id)
            };
            if !is_authorized!(tx, authority, at, dialect) {
                AccountOutcome::Unauthorized
            } else if taken().fetch_optional(&mut *tx).await?.is_some() {
                AccountOutcome::Taken
            } else {
                let changed = sqlx::query(
                    "UPDATE users SET email = $1, folded_email = $2, name = $3, disabled_at = $4, modified_at = $5 WHERE id = $6 AND service_account = 1 AND email = $7 AND name = $8 AND CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END = $9",
                )
                .bind(email.as_str())
                .bind(fold(email))
                .bind(name.as_str())
                .bind(disabled_at)
                .bind(time::to_row(at))
                .bind(id)
                .bind(previous.email.as_str())
                .bind(previous.name.as_str())
                .bind(i32::from(previous.disabled_at.is_some()))
                .execute(&mut *tx)
                .await?
                .rows_affected()
                    == 1;
                if changed {
                    insert_events!(tx, events);
                    AccountOutcome::Done
                } else {
                    AccountOutcome::Outdated
                }
            }
        });
        self.notify_replicas(&[]).await;
        Ok(changed)
    }
}
