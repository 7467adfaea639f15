//! Users: the administrator of a new database, and those that operators add.

use super::events::insert_events;
use super::{Dialect, Store, StoreError, change, read};
use crate::audit::{Actor, Event, name};
use crate::permission::{Permission, Permissions};
use crate::store::token_rows::{NewToken, fold, insert_token};
use crate::token_kind::TokenKind;
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::Timestamp;
use sqlx::QueryBuilder;

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
    /// The title, if any.
    pub title: Option<String>,
    /// `true` for a service account.
    pub service_account: bool,
    /// The time of the last change, if any.
    pub modified_at: Option<Timestamp>,
}

impl User {
    /// Returns the kind of the user's tokens.
    #[must_use]
    pub const fn token_kind(&self) -> TokenKind {
        if self.service_account { TokenKind::ServiceAccount } else { TokenKind::Personal }
    }
}

/// The columns of a [`UserRow`].
pub(super) const COLUMNS: &str = "SELECT id, email, name, permissions, created_at, disabled_at, title, service_account, modified_at FROM users";

#[derive(sqlx::FromRow)]
pub(super) struct UserRow {
    id: Vec<u8>,
    email: String,
    name: String,
    permissions: i64,
    created_at: i64,
    disabled_at: Option<i64>,
    title: Option<String>,
    service_account: i64,
    modified_at: Option<i64>,
}

impl UserRow {
    pub(super) fn user(self) -> Result<User, StoreError> {
        Ok(User {
            id: id::from_row(&self.id).ok_or(StoreError::Row("users"))?,
            email: self.email,
            name: self.name,
            permissions: Permissions::from_row(self.permissions),
            created_at: time::from_row(self.created_at),
            disabled_at: self.disabled_at.map(time::from_row),
            title: self.title,
            service_account: self.service_account != 0,
            modified_at: self.modified_at.map(time::from_row),
        })
    }
}

/// The result of a change of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// The user is changed.
    Done,
    /// The user was already in this state; nothing was written.
    Already,
    /// Nobody could manage other people's tokens after the change; nothing was written.
    LastAdministrator,
}

/// Enabled administrators; two rows suffice to know that one of them is not the last.
const ADMINISTRATORS: &str = "SELECT id FROM users WHERE disabled_at IS NULL AND permissions & 4 <> 0 AND service_account = 0 LIMIT 2";

/// Returns `true` if a user is the only enabled one with `org_app_keys_write`, in an open
/// transaction. On PostgreSQL, the lock makes concurrent changes wait for each other.
macro_rules! is_last_administrator {
    ($tx:ident, $user:expr, $dialect:expr) => {{
        if $dialect == Dialect::Postgres {
            sqlx::query("SELECT 1 FROM organization FOR UPDATE").execute(&mut *$tx).await?;
        }
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(ADMINISTRATORS).fetch_all(&mut *$tx).await?;
        matches!(rows.as_slice(), [only] if only.as_slice() == $user.as_bytes().as_slice())
    }};
}

/// Inserts a user in an open transaction.
macro_rules! insert_user {
    ($tx:ident, $user:expr) => {
        sqlx::query(
            "INSERT INTO users (id, email, folded_email, name, permissions, created_at, title, service_account) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind($user.id.as_bytes().as_slice())
        .bind($user.email.as_str())
        .bind($crate::store::token_rows::fold(&$user.email))
        .bind($user.name.as_str())
        .bind($user.permissions.to_row())
        .bind($crate::time::to_row($user.created_at))
        .bind($user.title.as_deref())
        .bind(i64::from($user.service_account))
        .execute(&mut *$tx)
        .await?
        .rows_affected()
            == 1
    };
}

pub(super) use insert_user;

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

    /// Returns `true` if there is a user.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let row: Option<i64> = read!(self, |pool| {
            sqlx::query_scalar("SELECT CAST(1 AS BIGINT) FROM users LIMIT 1")
                .fetch_optional(pool)
                .await?
        });
        Ok(row.is_some())
    }

    /// Returns all users, ordered by email address.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows: Vec<UserRow> = read!(self, |pool| {
            QueryBuilder::new(COLUMNS)
                .push(" ORDER BY email")
                .build_query_as()
                .fetch_all(pool)
                .await?
        });
        rows.into_iter().map(UserRow::user).collect()
    }

    /// Returns the user with an email address, ignoring case, or an identifier.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn user(&self, email_or_id: &str) -> Result<Option<User>, StoreError> {
        if let Some(id) = Uuid::parse(email_or_id) {
            return self.user_by_id(id).await;
        }
        let row: Option<UserRow> = read!(self, |pool| {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push(" WHERE email = ").push_bind(email_or_id);
            query.push(" OR folded_email = ").push_bind(fold(email_or_id));
            // Older versions allowed addresses that differ only in case.
            query.push(" ORDER BY CASE WHEN email = ").push_bind(email_or_id);
            query.push(" THEN 0 ELSE 1 END LIMIT 1");
            query.build_query_as().fetch_optional(pool).await?
        });
        row.map(UserRow::user).transpose()
    }

    /// Returns the user with an identifier.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn user_by_id(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = read!(self, |pool| {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push(" WHERE id = ").push_bind(id.as_bytes().as_slice());
            query.build_query_as().fetch_optional(pool).await?
        });
        row.map(UserRow::user).transpose()
    }

    /// Returns the identifier of the organization.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or has no organization.
    pub async fn organization(&self) -> Result<Uuid, StoreError> {
        let row: Vec<u8> = read!(self, |pool| {
            sqlx::query_scalar("SELECT id FROM organization").fetch_one(pool).await?
        });
        id::from_row(&row).ok_or(StoreError::Row("organization"))
    }

    /// Replaces a user's permissions, unless the last administrator would lose theirs.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn set_permissions(
        &self,
        user: Uuid,
        permissions: Permissions,
        event: &Event,
    ) -> Result<UserChange, StoreError> {
        let dialect = self.dialect();
        let changed = change!(self, |tx| {
            let administers = permissions.contains(Permission::OrgAppKeysWrite);
            if !administers && is_last_administrator!(tx, user, dialect) {
                UserChange::LastAdministrator
            } else {
                sqlx::query("UPDATE users SET permissions = $1, modified_at = $2 WHERE id = $3")
                    .bind(permissions.to_row())
                    .bind(time::to_row(event.at))
                    .bind(user.as_bytes().as_slice())
                    .execute(&mut *tx)
                    .await?;
                insert_events!(tx, std::slice::from_ref(event));
                UserChange::Done
            }
        });
        self.notify_replicas(&[]).await;
        Ok(changed)
    }

    /// Disables a user, so that all of their tokens are rejected, unless the user is the last
    /// administrator.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn disable_user(&self, user: Uuid, event: &Event) -> Result<UserChange, StoreError> {
        let dialect = self.dialect();
        let disabled = change!(self, |tx| {
            if is_last_administrator!(tx, user, dialect) {
                UserChange::LastAdministrator
            } else {
                let disabled = sqlx::query(
                    "UPDATE users SET disabled_at = $1, modified_at = $1 WHERE id = $2 AND disabled_at IS NULL",
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
                if disabled { UserChange::Done } else { UserChange::Already }
            }
        });
        self.notify_replicas(&[]).await;
        Ok(disabled)
    }

    /// Enables a disabled user, so that their live tokens are accepted again.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn enable_user(&self, user: Uuid, event: &Event) -> Result<UserChange, StoreError> {
        let enabled = change!(self, |tx| {
            let enabled = sqlx::query(
                "UPDATE users SET disabled_at = NULL, modified_at = $1 WHERE id = $2 AND disabled_at IS NOT NULL",
            )
            .bind(time::to_row(event.at))
            .bind(user.as_bytes().as_slice())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if enabled {
                insert_events!(tx, std::slice::from_ref(event));
            }
            enabled
        });
        self.notify_replicas(&[]).await;
        Ok(if enabled { UserChange::Done } else { UserChange::Already })
    }
}
