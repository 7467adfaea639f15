//! The reasons for which the service refuses an operation, independent of how it was requested.

use crate::auth::AuthError;
use crate::permission::Permission;
use crate::store::StoreError;
use crate::store::search::Busy;
use ddpatrol_token::mint::RandomError;

/// The reason why an operation was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The caller's token is no longer live.
    #[error("unauthorized")]
    Unauthorized,
    /// The caller is not permitted to do this.
    #[error("{0}")]
    Forbidden(String),
    /// The object does not exist, or the caller may not see it.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The request is invalid: one message per error, with the field.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    /// The request contradicts the state of the object.
    #[error("{0}")]
    Conflict(String),
    /// Too many requests change the object at the same time.
    #[error("too many requests change this {0} at the same time; try again")]
    Contended(&'static str),
    /// Too many searches run or wait.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The caller could not be verified.
    #[error(transparent)]
    Authentication(#[from] AuthError),
}

impl Refusal {
    /// The refusal for a token that does not exist or that the caller may not see.
    pub(crate) const NO_TOKEN: Self = Self::NotFound("personal access token");
    /// The refusal for a user who does not exist.
    pub(crate) const NO_USER: Self = Self::NotFound("user");

    /// Returns the refusal for a caller who has none of some permissions, any of which would
    /// suffice.
    #[must_use]
    pub fn missing_permission(permissions: &[Permission]) -> Self {
        let names: Vec<_> = permissions.iter().map(|permission| permission.name()).collect();
        let names = names.join(" or ");
        Self::Forbidden(format!(
            "this requires {names}, both as a permission of the token's owner and as a scope of the token"
        ))
    }

    /// Returns the refusal for an invalid field.
    #[must_use]
    pub fn invalid(field: &str, problem: impl std::fmt::Display) -> Self {
        Self::Invalid(vec![format!("{field}: {problem}")])
    }
}

impl From<RandomError> for Refusal {
    fn from(error: RandomError) -> Self {
        StoreError::Random(error).into()
    }
}
