//! The rules of tokens: who may see, create, update and revoke which. The API and other front ends
//! share them; neither parses requests nor formats responses.

mod change;
mod create;
pub mod fields;

pub use change::TokenUpdate;
pub use create::TokenCreation;

use crate::caller::Caller;
use crate::permission::Permission::{OrgAppKeysRead, OrgAppKeysWrite, UserAppKeys};
use crate::permission::Permissions;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::listing::Listing;
use crate::store::tokens::Token;
use ddpatrol_token::Uuid;

/// Returns `true` if a token is revoked or expired.
#[must_use]
pub fn is_dead(token: &Token) -> bool {
    token.revoked_at.is_some() || token.expires_at <= crate::time::now()
}

/// Restricts a list to the tokens that the caller may see.
///
/// # Errors
/// [`Refusal::Forbidden`] if the list names other owners.
pub fn restrict(caller: &Caller, listing: &mut Listing) -> Result<(), Refusal> {
    caller.require(&[UserAppKeys, OrgAppKeysRead])?;
    if !caller.has(OrgAppKeysRead) {
        if listing.owners.iter().any(|&owner| owner != caller.user()) {
            return Err(Refusal::missing_permission(&[OrgAppKeysRead]));
        }
        listing.owners = vec![caller.user()];
    }
    Ok(())
}

impl Service {
    /// Returns a token that the caller may see: one of the caller's own, or any user's with
    /// `org_app_keys_read`. Dead tokens are visible only if they leaked.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not see the token, or the database fails.
    pub async fn visible_token(&self, caller: &Caller, id: &str) -> Result<Token, Refusal> {
        caller.require(&[UserAppKeys, OrgAppKeysRead])?;
        let token = self.find_token(id).await?;
        let visible = token.owner == caller.user() || caller.has(OrgAppKeysRead);
        if visible && (!is_dead(&token) || token.leak.is_some()) {
            Ok(token)
        } else {
            Err(Refusal::NO_TOKEN)
        }
    }

    /// Returns a token, live or dead, that the caller may see: one of the caller's own, or any user's
    /// with `org_app_keys_read`.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not see the token, or the database fails.
    pub async fn any_token(&self, caller: &Caller, id: &str) -> Result<Token, Refusal> {
        caller.require(&[UserAppKeys, OrgAppKeysRead])?;
        let token = self.find_token(id).await?;
        if token.owner == caller.user() || caller.has(OrgAppKeysRead) {
            Ok(token)
        } else {
            Err(Refusal::NO_TOKEN)
        }
    }

    /// Returns a token, live or dead, that the caller may change: one of the caller's own, or any
    /// user's with `org_app_keys_write`.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not change the token, or the database fails.
    pub async fn changeable_token(&self, caller: &Caller, id: &str) -> Result<Token, Refusal> {
        caller.require(&[UserAppKeys, OrgAppKeysWrite])?;
        let token = self.find_token(id).await?;
        let own = token.owner == caller.user();
        if (own && caller.has(UserAppKeys)) || caller.has(OrgAppKeysWrite) {
            Ok(token)
        } else if own || caller.has(OrgAppKeysRead) {
            Err(Refusal::missing_permission(&[OrgAppKeysWrite]))
        } else {
            Err(Refusal::NO_TOKEN)
        }
    }

    async fn find_token(&self, id: &str) -> Result<Token, Refusal> {
        let id = Uuid::parse(id).ok_or(Refusal::NO_TOKEN)?;
        self.store.token(id).await?.ok_or(Refusal::NO_TOKEN)
    }
}

/// Checks that the caller's own token has every scope.
fn require_own_scopes<'a>(
    caller: &Caller,
    scopes: impl IntoIterator<Item = &'a String>,
) -> Result<(), Refusal> {
    match scopes.into_iter().find(|scope| !caller.may_grant(scope)) {
        Some(scope) => Err(Refusal::Forbidden(format!(
            "data.attributes.scopes: the token in use does not have {scope:?}"
        ))),
        None => Ok(()),
    }
}

/// Checks that a token of another person, whose secret the caller learns, has no permission that
/// the caller's token lacks. A scope alone grants nothing: the caller's token may have it without
/// the permission, while the other person has both.
fn require_own_permissions(
    caller: &Caller,
    owner: Permissions,
    scopes: &[String],
) -> Result<(), Refusal> {
    match owner.within(scopes).iter().find(|&permission| !caller.has(permission)) {
        Some(permission) => Err(Refusal::Forbidden(format!(
            "data.attributes.scopes: the owner has the permission {permission}, which the token in use does not have"
        ))),
        None => Ok(()),
    }
}
