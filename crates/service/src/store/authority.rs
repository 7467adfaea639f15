//! The authority for a change, checked in the transaction of the change.

use ddpatrol_token::Uuid;

/// The authority for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// An operator with access to the database.
    Operator,
    /// The holder of this token, which must be live when the change is made.
    Token(Uuid),
}

pub(super) const LIVE: &str = "SELECT 1 FROM tokens JOIN users ON users.id = owner WHERE tokens.id = $1 AND revoked_at IS NULL AND expires_at > $2 AND disabled_at IS NULL";
/// The locks make a concurrent revocation of the token or disabling of its owner wait for the end
/// of the transaction.
pub(super) const LIVE_POSTGRES: &str = "SELECT 1 FROM tokens JOIN users ON users.id = owner WHERE tokens.id = $1 AND revoked_at IS NULL AND expires_at > $2 AND disabled_at IS NULL FOR SHARE";

/// Returns `true` if an authority is valid, in an open transaction and until its end.
macro_rules! is_authorized {
    ($tx:ident, $authority:expr, $at:expr, $dialect:expr) => {
        match $authority {
            $crate::store::tokens::Authority::Operator => true,
            $crate::store::tokens::Authority::Token(token) => {
                let sql = match $dialect {
                    $crate::store::Dialect::Sqlite => $crate::store::authority::LIVE,
                    $crate::store::Dialect::Postgres => $crate::store::authority::LIVE_POSTGRES,
                };
                sqlx::query(sql)
                    .bind(token.as_bytes().as_slice())
                    .bind($crate::time::to_row($at))
                    .fetch_optional(&mut *$tx)
                    .await?
                    .is_some()
            }
        }
    };
}

pub(super) use is_authorized;
