//! The authority for a change, checked in the transaction of the change.

use super::Dialect;
use ddpatrol_token::Uuid;

/// The authority for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// An operator with access to the database.
    Operator,
    /// The holder of this token, which must be live when the change is made.
    Token(Uuid),
    /// The person in this session, which must not have ended when the change is made.
    Session(Uuid),
}

const LIVE: &str = "SELECT 1 FROM tokens JOIN users ON users.id = owner WHERE tokens.id = $1 AND revoked_at IS NULL AND expires_at > $2 AND disabled_at IS NULL";
/// The locks make a concurrent revocation of the token or disabling of its owner wait for the end
/// of the transaction.
const LIVE_POSTGRES: &str = "SELECT 1 FROM tokens JOIN users ON users.id = owner WHERE tokens.id = $1 AND revoked_at IS NULL AND expires_at > $2 AND disabled_at IS NULL FOR SHARE";

/// Whether a session of an enabled user has not ended; `$2` is not before its start.
const IN_SESSION: &str = "SELECT 1 FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = $1 AND ended_at IS NULL AND sessions.created_at <= $2 AND disabled_at IS NULL";
const IN_SESSION_POSTGRES: &str = "SELECT 1 FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = $1 AND ended_at IS NULL AND sessions.created_at <= $2 AND disabled_at IS NULL FOR SHARE";

impl Authority {
    /// Returns the query that finds a row while the authority is valid.
    pub(super) const fn sql(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Session(_), Dialect::Sqlite) => IN_SESSION,
            (Self::Session(_), Dialect::Postgres) => IN_SESSION_POSTGRES,
            (_, Dialect::Sqlite) => LIVE,
            (_, Dialect::Postgres) => LIVE_POSTGRES,
        }
    }
}

/// Returns `true` if an authority is valid, in an open transaction and until its end.
macro_rules! is_authorized {
    ($tx:ident, $authority:expr, $at:expr, $dialect:expr) => {
        match $authority {
            $crate::store::tokens::Authority::Operator => true,
            $crate::store::tokens::Authority::Token(id)
            | $crate::store::tokens::Authority::Session(id) => {
                sqlx::query($authority.sql($dialect))
                    .bind(id.as_bytes().as_slice())
                    .bind($crate::time::to_row($at))
                    .fetch_optional(&mut *$tx)
                    .await?
                    .is_some()
            }
        }
    };
}

pub(super) use is_authorized;
