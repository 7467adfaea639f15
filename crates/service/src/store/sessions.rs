//! Sessions of the web pages, the links that start them, and the forms that were sent. Only digests
//! of secrets are stored; each change is written with its event.

use super::events::insert_events;
use super::token_rows::read_scopes;
use super::{Store, StoreError, change, read};
use crate::audit::{Actor, Event, UserRef, name};
use crate::expiry::Expiry;
use crate::permission::Permissions;
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::{SignedDuration, Timestamp};
use sqlx::QueryBuilder;

/// Time without a request after which a session ends.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// Maximum duration of a session.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// Interval at which the time of the last request is written.
const TOUCH: SignedDuration = SignedDuration::from_secs(60);
/// Time for which ended sessions, used links and sent forms are kept.
const KEEP: SignedDuration = SignedDuration::from_hours(24);
/// Maximum number of sessions that one transaction ends.
const END_BATCH: i64 = 100;

/// A digest of a secret of the web pages.
pub type SecretDigest = [u8; 32];

/// A new session.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The identifier.
    pub id: Uuid,
    /// The digest of the cookie.
    pub digest: SecretDigest,
    /// The user.
    pub user: Uuid,
    /// The token that starts the session, if any.
    pub token: Option<Uuid>,
    /// The authentication method that starts the session.
    pub method: &'static str,
    /// The address of the browser.
    pub ip: String,
    /// The declared user agent.
    pub user_agent: String,
}

/// The token of a session.
#[derive(Clone, Debug)]
pub struct SessionToken {
    /// The identifier.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The expiry.
    pub expires_at: Expiry,
}

/// A session that has not ended.
#[derive(Clone, Debug)]
pub struct Session {
    /// The identifier.
    pub id: Uuid,
    /// The user.
    pub user: UserRef,
    /// The user's name.
    pub user_name: String,
    /// The user's permissions, limited to the scopes of the token, if any.
    pub permissions: Permissions,
    /// The token that started the session, if any.
    pub token: Option<SessionToken>,
    /// The authentication method that started the session.
    pub method: String,
    /// The time of the sign-in.
    pub created_at: Timestamp,
    /// The time of the last request, to the minute.
    pub used_at: Timestamp,
    /// The address of the browser.
    pub ip: String,
    /// The declared user agent.
    pub user_agent: String,
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: Vec<u8>,
    user_id: Vec<u8>,
    email: String,
    user_name: String,
    permissions: i64,
    token_id: Option<Vec<u8>>,
    token_name: Option<String>,
    scopes: Option<String>,
    expires_at: Option<i64>,
    method: String,
    created_at: i64,
    used_at: i64,
    ip: String,
    user_agent: String,
}

const COLUMNS: &str = "SELECT s.id, s.user_id, u.email, u.name AS user_name, u.permissions, s.token_id, t.name AS token_name, t.scopes, t.expires_at, s.method, s.created_at, s.used_at, s.ip, s.user_agent FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN tokens t ON t.id = s.token_id";

impl SessionRow {
    fn session(self) -> Result<Session, StoreError> {
        let faulty = || StoreError::Row("sessions");
        let whole_id = |bytes: &[u8]| id::from_row(bytes).ok_or_else(faulty);
        let mut permissions = Permissions::from_row(self.permissions);
        let token = match (self.token_id, self.token_name, self.scopes, self.expires_at) {
            (Some(id), Some(name), Some(scopes), Some(expires_at)) => {
                let scopes = read_scopes(&scopes)?;
                permissions = permissions.within(&scopes);
                let (id, expires_at) = (whole_id(&id)?, Expiry::from_row(expires_at));
                Some(SessionToken { id, name, scopes, expires_at })
            }
            (None, ..) => None,
            _ => return Err(faulty()),
        };
        Ok(Session {
            id: whole_id(&self.id)?,
            user: UserRef { id: whole_id(&self.user_id)?, email: self.email.into() },
            user_name: self.user_name,
            permissions,
            token,
            method: self.method,
            created_at: time::from_row(self.created_at),
            used_at: time::from_row(self.used_at),
            ip: self.ip,
            user_agent: self.user_agent,
        })
    }
}

/// Adds the condition that a session has not ended, that its user is enabled, and that its token is
/// live.
macro_rules! push_open {
    ($query:ident, $now:expr) => {
        let now: Timestamp = $now;
        $query.push(" AND s.ended_at IS NULL AND u.disabled_at IS NULL AND s.used_at > ");
        $query.push_bind(before(now, IDLE)).push(" AND s.created_at > ");
        $query.push_bind(before(now, LONGEST));
        $query.push(" AND (s.token_id IS NULL OR (t.revoked_at IS NULL AND t.expires_at > ");
        $query.push_bind(time::to_row(now)).push("))");
    };
}

fn before(now: Timestamp, duration: SignedDuration) -> i64 {
    time::to_row(now.checked_sub(duration).unwrap_or(Timestamp::MIN))
}

/// Inserts a session in an open transaction.
macro_rules! insert_session {
    ($tx:ident, $session:expr, $at:expr) => {
        sqlx::query("INSERT INTO sessions (id, digest, user_id, token_id, method, created_at, used_at, ip, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)")
            .bind($session.id.as_bytes().as_slice())
            .bind($session.digest.as_slice())
            .bind($session.user.as_bytes().as_slice())
            .bind($session.token.as_ref().map(|id| id.as_bytes().as_slice()))
            .bind($session.method)
            .bind(time::to_row($at))
            .bind($session.ip.as_str())
            .bind($session.user_agent.as_str())
            .execute(&mut *$tx)
            .await?
    };
}

impl Store {
    /// Starts a session.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn start_session(
        &self,
        session: &NewSession,
        event: &Event,
    ) -> Result<(), StoreError> {
        change!(self, |tx| {
            insert_session!(tx, session, event.at);
            insert_events!(tx, std::slice::from_ref(event));
        });
        Ok(())
    }

    /// Creates a link that starts a session once.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn add_link(
        &self,
        digest: &SecretDigest,
        user: Uuid,
        expires_at: Timestamp,
        event: &Event,
    ) -> Result<(), StoreError> {
        change!(self, |tx| {
            sqlx::query(
                "INSERT INTO sign_in_links (digest, user_id, expires_at) VALUES ($1, $2, $3)",
            )
            .bind(digest.as_slice())
            .bind(user.as_bytes().as_slice())
            .bind(time::to_row(expires_at))
            .execute(&mut *tx)
            .await?;
            insert_events!(tx, std::slice::from_ref(event));
        });
        Ok(())
    }

    /// Returns the user of a link that is valid and was not used.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn link_user(&self, digest: &SecretDigest) -> Result<Option<UserRef>, StoreError> {
        let row: Option<(Vec<u8>, String)> = read!(self, |pool| {
            sqlx::query_as("SELECT users.id, email FROM sign_in_links JOIN users ON users.id = user_id WHERE digest = $1 AND used_at IS NULL AND expires_at > $2 AND disabled_at IS NULL")
                .bind(digest.as_slice())
                .bind(time::to_row(time::now()))
                .fetch_optional(pool)
                .await?
        });
        row.map(|(user, email)| {
            let id = id::from_row(&user).ok_or(StoreError::Row("sign_in_links"))?;
            Ok(UserRef { id, email: email.into() })
        })
        .transpose()
    }

    /// Uses a link to start a session. Returns `false`, and writes nothing, if the link is no
    /// longer valid.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn use_link(
        &self,
        digest: &SecretDigest,
        session: &NewSession,
        event: &Event,
    ) -> Result<bool, StoreError> {
        Ok(change!(self, |tx| {
            let used = sqlx::query("UPDATE sign_in_links SET used_at = $1 WHERE digest = $2 AND used_at IS NULL AND expires_at > $1 AND user_id = $3")
                .bind(time::to_row(event.at))
                .bind(digest.as_slice())
                .bind(session.user.as_bytes().as_slice())
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if used {
                insert_session!(tx, session, event.at);
                insert_events!(tx, std::slice::from_ref(event));
            }
            used
        }))
    }

    /// Returns the session of a cookie. Its user and its token are judged again by each call.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn session(&self, digest: &SecretDigest) -> Result<Option<Session>, StoreError> {
        let now = time::now();
        let row: Option<SessionRow> = read!(self, credentials, |pool| {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push(" WHERE s.digest = ").push_bind(digest.as_slice());
            push_open!(query, now);
            query.build_query_as().fetch_optional(pool).await?
        });
        let session = row.map(SessionRow::session).transpose()?;
        if let Some(session) = &session
            && now.duration_since(session.used_at) >= TOUCH
        {
            change!(self, |tx| {
                sqlx::query("UPDATE sessions SET used_at = $1 WHERE id = $2 AND used_at < $1")
                    .bind(time::to_row(now))
                    .bind(session.id.as_bytes().as_slice())
                    .execute(&mut *tx)
                    .await?;
            });
        }
        Ok(session)
    }

    /// Returns up to `at_most` sessions of a user that have not ended, the newest first: those that
    /// follow a session, if one is given.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or contains an invalid row.
    pub async fn sessions_of(
        &self,
        user: Uuid,
        after: Option<Uuid>,
        at_most: u32,
    ) -> Result<Vec<Session>, StoreError> {
        let rows: Vec<SessionRow> = read!(self, |pool| {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push(" WHERE s.user_id = ").push_bind(user.as_bytes().as_slice());
            push_open!(query, time::now());
            if let Some(after) = after {
                query.push(
                    " AND (s.created_at, s.id) < (SELECT created_at, id FROM sessions WHERE id = ",
                );
                query.push_bind(after.as_bytes().to_vec()).push(" AND user_id = s.user_id)");
            }
            query.push(" ORDER BY s.created_at DESC, s.id DESC LIMIT ");
            query.push_bind(i64::from(at_most));
            query.build_query_as().fetch_all(pool).await?
        });
        rows.into_iter().map(SessionRow::session).collect()
    }

    /// Ends a session of a user. Returns `false`, and writes nothing, if it had ended or is another
    /// user's.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn end_session(
        &self,
        session: Uuid,
        user: Uuid,
        event: &Event,
    ) -> Result<bool, StoreError> {
        Ok(change!(self, |tx| {
            let ended = sqlx::query("UPDATE sessions SET ended_at = $1 WHERE id = $2 AND user_id = $3 AND ended_at IS NULL")
                .bind(time::to_row(event.at))
                .bind(session.as_bytes().as_slice())
                .bind(user.as_bytes().as_slice())
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if ended {
                insert_events!(tx, std::slice::from_ref(event));
            }
            ended
        }))
    }

    /// Deletes all sessions and sign-in links, without events.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn forget_sessions(&self) -> Result<(), StoreError> {
        change!(self, |tx| {
            for sql in ["DELETE FROM sessions", "DELETE FROM sign_in_links"] {
                sqlx::query(sql).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// Ends sessions that reached a limit, or whose user or token is no longer valid, and writes an
    /// event for each. Deletes old sessions, links and forms. Returns the number of sessions that
    /// ended.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn end_old_sessions(&self) -> Result<usize, StoreError> {
        let now = time::now();
        let rows: Vec<(Vec<u8>, Vec<u8>, String)> = read!(self, |pool| {
            let mut query = QueryBuilder::new(
                "SELECT s.id, u.id, u.email FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN tokens t ON t.id = s.token_id WHERE s.ended_at IS NULL AND (u.disabled_at IS NOT NULL OR s.used_at <= ",
            );
            query.push_bind(before(now, IDLE)).push(" OR s.created_at <= ");
            query.push_bind(before(now, LONGEST));
            query.push(" OR t.revoked_at IS NOT NULL OR t.expires_at <= ");
            query.push_bind(time::to_row(now)).push(") ORDER BY s.id LIMIT ").push_bind(END_BATCH);
            query.build_query_as().fetch_all(pool).await?
        });
        let mut ended = 0;
        for (session, user, email) in rows {
            let faulty = || StoreError::Row("sessions");
            let session = id::from_row(&session).ok_or_else(faulty)?;
            let user = UserRef { id: id::from_row(&user).ok_or_else(faulty)?, email: email.into() };
            let owner = user.id;
            let event = Actor { user: Some(user), ..Actor::SYSTEM }
                .event(name::SESSION_ENDED, None)?
                .about_session(session)
                .with("reason", "limit");
            ended += usize::from(self.end_session(session, owner, &event).await?);
        }
        let horizon = before(now, KEEP);
        let old: Option<i64> = read!(self, |pool| {
            sqlx::query_scalar("SELECT COUNT(*) FROM (SELECT 1 AS old FROM sent_forms WHERE sent_at < $1 UNION ALL SELECT 1 FROM sign_in_links WHERE expires_at < $1 UNION ALL SELECT 1 FROM sessions WHERE ended_at < $1) AS rows")
                .bind(horizon)
                .fetch_optional(pool)
                .await?
        });
        if old.unwrap_or(0) > 0 {
            change!(self, |tx| {
                for sql in [
                    "DELETE FROM sent_forms WHERE sent_at < $1",
                    "DELETE FROM sign_in_links WHERE expires_at < $1",
                    "DELETE FROM sessions WHERE ended_at < $1",
                ] {
                    sqlx::query(sql).bind(horizon).execute(&mut *tx).await?;
                }
            });
        }
        Ok(ended)
    }
}
