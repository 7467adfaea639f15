//! Users: the administrator of a new database, and those that operators add.

use super::events::insert_events;
use super::{Store, StoreError, change, read};
use crate::audit::{Actor, Event, name};
use crate::permission::Permissions;
use crate::store::token_rows::{NewToken, insert_token};
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::Timestamp;

/// The email address of the first administrator.
pub const ADMINISTRATOR: &str = "admin@localhost";

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The identifier.
    pub id: Uuid,
    /// The email address, which is unique.
    pub email: String,
    /// The name.
    pub name: String,
    /// The permissions.
    pub permissions: Permissions,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time at which the user was disabled, if any.
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

/// Inserts a user in an open transaction.
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
    /// Creates the organization of an empty database and its administrator with a token. Returns
    /// `true` if this call created them; of several concurrent replicas, exactly one does.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn bootstrap(&self, admin: &User, token: &NewToken) -> Result<bool, StoreError> {
        let organization = id::random()?;
        let events = [
            Actor::SYSTEM.event(name::USER_CREATED, None)?.about_user(admin.id),
            Actor::SYSTEM.event(name::CREATED, Some(token.id))?,
        ];
        let created = change!(self, |tx| {
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
        Ok(created)
    }

    /// Adds a user. Returns `false` if the email address is already used.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
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

    /// Returns all users, ordered by email address.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows: Vec<UserRow> = read!(self, |pool| {
            sqlx::query_as("SELECT id, email, name, permissions, created_at, disabled_at FROM users ORDER BY email")
                .fetch_all(pool)
                .await?
        });
        rows.into_iter().map(UserRow::user).collect()
    }

    /// Returns the user with an email address or identifier.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
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

    /// Replaces a user's permissions.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
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
        self.notify_replicas(&[]).await;
        Ok(())
    }

    /// Disables a user, so that all of their tokens are rejected. Returns `true` if the user was
    /// enabled before.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
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
        self.notify_replicas(&[]).await;
        Ok(disabled)
    }
}
