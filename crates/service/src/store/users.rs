//! People: the administrator of a new database, and those that operators add.

use super::events::insert_events;
use super::{Store, StoreError, change, read};
use crate::audit::{Actor, Event, name};
use crate::permission::Permissions;
use crate::store::token_rows::{NewToken, insert_token};
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::Timestamp;

/// The address of the administrator that a new database begins with.
pub const ADMINISTRATOR: &str = "admin@localhost";

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their identifier.
    pub id: Uuid,
    /// Their address, which is theirs alone.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub permissions: Permissions,
    /// Since when they are known.
    pub created_at: Timestamp,
    /// Since when they may do nothing any more.
    pub disabled_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: Vec<u8>,
    email: String,
    name: String,
    permissions: i64,
    created_at: i64,
    disabled_at: Option<i64>,
}

impl UserRow {
    fn user(self) -> Result<User, StoreError> {
        Ok(User {
            id: id::from_row(&self.id).ok_or(StoreError::Row("users"))?,
            email: self.email,
            name: self.name,
            permissions: Permissions::from_row(self.permissions),
            created_at: time::from_row(self.created_at),
            disabled_at: self.disabled_at.map(time::from_row),
        })
    }
}

/// Inserts a person in an open transaction.
macro_rules! insert_user {
    ($tx:ident, $user:expr) => {
        sqlx::query(
            "INSERT INTO users (id, email, name, permissions, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (email) DO NOTHING",
        )
        .bind($user.id.as_bytes().as_slice())
        .bind($user.email.as_str())
        .bind($user.name.as_str())
        .bind($user.permissions.to_row())
        .bind(time::to_row($user.created_at))
        .execute(&mut *$tx)
        .await?
        .rows_affected()
            == 1
    };
}

impl Store {
    /// Gives an empty database its organization and its administrator with a token; returns whether
    /// it did so, which of several replicas that start together exactly one does.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was written.
    pub async fn begin(&self, admin: &User, token: &NewToken) -> Result<bool, StoreError> {
        let organization = id::random()?;
        let events = [
            Actor::SYSTEM.event(name::USER_CREATED, None)?.about_user(admin.id),
            Actor::SYSTEM.event(name::CREATED, Some(token.id))?,
        ];
        let begun = change!(self, |tx| {
            let first = sqlx::query(
                "INSERT INTO organization (singleton, id, name, created_at) VALUES (1, $1, 'Default', $2) ON CONFLICT (singleton) DO NOTHING",
            )
            .bind(organization.as_bytes().as_slice())
            .bind(time::to_row(admin.created_at))
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if first {
                let _new = insert_user!(tx, admin);
                insert_token!(tx, token);
                insert_events!(tx, &events);
            }
            first
        });
        Ok(begun)
    }

    /// Adds a person; returns whether their address was free.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was written.
    pub async fn add_user(&self, user: &User, event: &Event) -> Result<bool, StoreError> {
        let added = change!(self, |tx| {
            let added = insert_user!(tx, user);
            if added {
                insert_events!(tx, std::slice::from_ref(event));
            }
            added
        });
        Ok(added)
    }

    /// Lists everybody, by address.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds a faulty row.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows: Vec<UserRow> = read!(self, |pool| {
            sqlx::query_as("SELECT id, email, name, permissions, created_at, disabled_at FROM users ORDER BY email")
                .fetch_all(pool)
                .await?
        });
        rows.into_iter().map(UserRow::user).collect()
    }

    /// Finds a person by address or identifier.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds a faulty row.
    pub async fn user(&self, email_or_id: &str) -> Result<Option<User>, StoreError> {
        let id = Uuid::parse(email_or_id).map(|id| id.as_bytes().to_vec());
        let row: Option<UserRow> = read!(self, |pool| {
            sqlx::query_as("SELECT id, email, name, permissions, created_at, disabled_at FROM users WHERE email = $1 OR id = $2")
                .bind(email_or_id)
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        row.map(UserRow::user).transpose()
    }

    /// Replaces a person's permissions.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was written.
    pub async fn set_permissions(
        &self,
        user: Uuid,
        permissions: Permissions,
        event: &Event,
    ) -> Result<(), StoreError> {
        change!(self, |tx| {
            sqlx::query("UPDATE users SET permissions = $1 WHERE id = $2")
                .bind(permissions.to_row())
                .bind(user.as_bytes().as_slice())
                .execute(&mut *tx)
                .await?;
            insert_events!(tx, std::slice::from_ref(event));
        });
        self.tell(&[]).await;
        Ok(())
    }

    /// Disables a person: none of their tokens is accepted any more. Returns whether they were
    /// enabled before.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was written.
    pub async fn disable_user(&self, user: Uuid, event: &Event) -> Result<bool, StoreError> {
        let disabled = change!(self, |tx| {
            let disabled = sqlx::query(
                "UPDATE users SET disabled_at = $1 WHERE id = $2 AND disabled_at IS NULL",
            )
            .bind(time::to_row(event.at))
            .bind(user.as_bytes().as_slice())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if disabled {
                insert_events!(tx, std::slice::from_ref(event));
            }
            disabled
        });
        self.tell(&[]).await;
        Ok(disabled)
    }
}
