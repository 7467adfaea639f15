//! The caller of an operation: the holder of a live token, with the request for the audit trail.

use crate::audit::{self, Actor};
use crate::auth::CachedToken;
use crate::permission::Permission;
use crate::refusal::Refusal;
use ddpatrol_token::Uuid;
use std::net::IpAddr;
use std::sync::Arc;

/// The caller of an operation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The caller's token and its permissions.
    pub token: Arc<CachedToken>,
    /// The method by which the token was presented.
    pub auth_method: &'static str,
    /// The request, for the audit trail.
    pub request: audit::Request,
    /// The address that the request came from.
    pub address: IpAddr,
}

impl Caller {
    /// Returns the caller as an actor in the audit trail.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            user: Some(self.token.user.clone()),
            auth_method: self.auth_method,
            token: Some(self.token.id),
            request: Some(self.request.clone()),
        }
    }

    /// Returns the caller's user.
    #[must_use]
    pub fn user(&self) -> Uuid {
        self.token.user.id
    }

    /// Returns `true` if the caller's token has a permission.
    #[must_use]
    pub fn has(&self, permission: Permission) -> bool {
        self.token.permissions.contains(permission)
    }

    /// Checks that the caller has at least one of some permissions.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] with the permissions.
    pub fn require(&self, any: &[Permission]) -> Result<(), Refusal> {
        if any.iter().any(|&permission| self.has(permission)) {
            Ok(())
        } else {
            Err(Refusal::missing_permission(any))
        }
    }
}
