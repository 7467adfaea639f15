//! The caller of an operation: the holder of a live token or of a session of the web pages, with
//! the request for the audit trail.

use crate::audit::{self, Actor, UserRef};
use crate::auth::CachedToken;
use crate::expiry::Expiry;
use crate::permission::{Permission, Permissions};
use crate::refusal::Refusal;
use crate::store::sessions::SessionToken;
use crate::store::tokens::Authority;
use crate::token_kind::TokenKind;
use ddpatrol_token::Uuid;
use std::net::IpAddr;
use std::sync::Arc;

/// The caller of an operation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The credential and its permissions.
    pub credential: CallerCredential,
    /// The method by which the caller was authenticated.
    pub auth_method: &'static str,
    /// The request, for the audit trail.
    pub request: Arc<audit::Request>,
    /// The address that the request came from.
    pub address: IpAddr,
}

/// The credential of a caller.
#[derive(Clone, Debug)]
pub enum CallerCredential {
    /// A token that was presented with the request.
    Token(Arc<CachedToken>),
    /// A session of the web pages.
    Session(Arc<SessionCredential>),
}

/// A session as a credential.
#[derive(Clone, Debug)]
pub struct SessionCredential {
    /// The identifier of the session.
    pub id: Uuid,
    /// The user.
    pub user: UserRef,
    /// The user's permissions, limited to the scopes of the session's token, if any.
    pub permissions: Permissions,
    /// The token that the session was started with; `None` if a person signed in.
    pub token: Option<SessionToken>,
}

impl Caller {
    /// Returns the caller as an actor in the audit trail.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            user: Some(self.user_ref().clone()),
            auth_method: self.auth_method,
            token: self.token_id(),
            session: self.session_id(),
            request: Some(Arc::clone(&self.request)),
        }
    }

    /// Returns the caller's user with the email address.
    #[must_use]
    pub fn user_ref(&self) -> &UserRef {
        match &self.credential {
            CallerCredential::Token(token) => &token.user,
            CallerCredential::Session(session) => &session.user,
        }
    }

    /// Returns the caller's user.
    #[must_use]
    pub fn user(&self) -> Uuid {
        self.user_ref().id
    }

    /// Returns the caller's token, or the one that the caller's session was started with.
    #[must_use]
    pub fn token_id(&self) -> Option<Uuid> {
        match &self.credential {
            CallerCredential::Token(token) => Some(token.id),
            CallerCredential::Session(session) => session.token.as_ref().map(|token| token.id),
        }
    }

    /// Returns the caller's session of the web pages, if any.
    #[must_use]
    pub fn session_id(&self) -> Option<Uuid> {
        match &self.credential {
            CallerCredential::Token(_) => None,
            CallerCredential::Session(session) => Some(session.id),
        }
    }

    /// Returns the identifier of the token or the session.
    #[must_use]
    pub fn credential_id(&self) -> Uuid {
        match &self.credential {
            CallerCredential::Token(token) => token.id,
            CallerCredential::Session(session) => session.id,
        }
    }

    /// Returns the permissions.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        match &self.credential {
            CallerCredential::Token(token) => token.permissions,
            CallerCredential::Session(session) => session.permissions,
        }
    }

    /// Returns `true` if the caller has a permission.
    #[must_use]
    pub fn has(&self, permission: Permission) -> bool {
        self.permissions().contains(permission)
    }

    /// Returns `true` if the caller may give a scope to a token. A token can pass on its own
    /// scopes. A person can give every scope but those that name a permission which the person
    /// lacks.
    #[must_use]
    pub fn may_grant(&self, scope: &str) -> bool {
        let token_scopes = match &self.credential {
            CallerCredential::Token(token) => Some(&token.scopes),
            CallerCredential::Session(session) => session.token.as_ref().map(|token| &token.scopes),
        };
        match token_scopes {
            Some(scopes) => scopes.iter().any(|own| own == scope),
            None => Permission::from_name(scope).is_none_or(|permission| self.has(permission)),
        }
    }

    /// Returns the expiry of the caller's token; a person has none.
    #[must_use]
    pub fn expires_at(&self) -> Expiry {
        match &self.credential {
            CallerCredential::Token(token) => token.expires_at,
            CallerCredential::Session(session) => {
                session.token.as_ref().map_or(Expiry::Never, |token| token.expires_at)
            }
        }
    }

    /// Returns the kind of the caller's token. Only people start sessions.
    #[must_use]
    pub fn token_kind(&self) -> TokenKind {
        match &self.credential {
            CallerCredential::Token(token) => token.kind,
            CallerCredential::Session(_) => TokenKind::Personal,
        }
    }

    /// Returns the authority for changes: the token, which must be live, or the session, which must
    /// not have ended.
    #[must_use]
    pub fn authority(&self) -> Authority {
        match &self.credential {
            CallerCredential::Token(token) => Authority::Token(token.id),
            CallerCredential::Session(session) => match &session.token {
                Some(token) => Authority::Token(token.id),
                None => Authority::Session(session.id),
            },
        }
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
