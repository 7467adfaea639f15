//! The rules of tokens: who may see, create, update, rotate and revoke which. The API and other
//! front ends share them; neither parses requests nor formats responses.

mod change;
mod create;
pub mod fields;
mod rotate;

pub use change::TokenUpdate;
pub use create::{AccountTokenCreation, TokenCreation};
pub use rotate::{MAX_OVERLAP, Rotated, TokenRotation};

use crate::caller::Caller;
use crate::permission::Permission::{
    OrgAppKeysRead, OrgAppKeysWrite, ServiceAccountWrite, UserAppKeys,
};
use crate::permission::Permissions;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::listing::Listing;
use crate::store::tokens::{Reach, Token};
use crate::token_kind::TokenKind;
use ddpatrol_token::Uuid;

/// Maximum number of attempts to change a token while other requests change it.
const UPDATE_ATTEMPTS: usize = 16;

/// The address of a token.
#[derive(Clone, Copy, Debug)]
pub enum TokenPath<'a> {
    /// The UUID of a personal access token.
    Personal(&'a str),
    /// The UUIDs of a service account and of one of its tokens.
    OfAccount {
        /// The service account.
        account: &'a str,
        /// The token.
        token: &'a str,
    },
}

impl TokenPath<'_> {
    /// Returns the refusal for a token that does not exist, or that the caller may not see.
    const fn missing(self) -> Refusal {
        match self {
            Self::Personal(_) => Refusal::NO_TOKEN,
            Self::OfAccount { .. } => Refusal::NotFound("access token of this service account"),
        }
    }
}

/// Returns `true` if a token is revoked or expired.
#[must_use]
pub fn is_dead(token: &Token) -> bool {
    token.revoked_at.is_some() || token.expires_at.is_reached(crate::time::now())
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

/// Returns the tokens whose existence the caller may learn. Look-ups are limited to them in the
/// query, so that another person's token takes as long as an unknown identifier.
fn reach(caller: &Caller) -> Reach {
    let personal = caller.has(OrgAppKeysRead) || caller.has(OrgAppKeysWrite);
    let of_accounts = caller.has(OrgAppKeysRead) || caller.has(ServiceAccountWrite);
    let kinds: &[TokenKind] = match (personal, of_accounts) {
        (true, true) => &[TokenKind::Personal, TokenKind::ServiceAccount],
        (true, false) => &[TokenKind::Personal],
        (false, true) => &[TokenKind::ServiceAccount],
        (false, false) => &[],
    };
    Reach { owner: caller.user(), kinds }
}

impl Service {
    /// Returns a token that the caller may see: one of the caller's own, or any user's with
    /// `org_app_keys_read`. The tokens of service accounts also require one of that and
    /// `service_account_write`. Dead tokens are visible only if they leaked.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not see the token, or the database fails.
    pub async fn visible_token(
        &self,
        caller: &Caller,
        path: TokenPath<'_>,
    ) -> Result<Token, Refusal> {
        let visible = |token: &Token| match path {
            TokenPath::Personal(_) => token.owner == caller.user() || caller.has(OrgAppKeysRead),
            TokenPath::OfAccount { .. } => true,
        };
        caller.require(match path {
            TokenPath::Personal(_) => &[UserAppKeys, OrgAppKeysRead],
            TokenPath::OfAccount { .. } => &[ServiceAccountWrite, OrgAppKeysRead],
        })?;
        let token = self.find_token(caller, path).await?;
        if visible(&token) && (!is_dead(&token) || token.leak.is_some()) {
            Ok(token)
        } else {
            Err(path.missing())
        }
    }

    /// Returns a token of either kind, live or dead, that the caller may see: one of the caller's own,
    /// any user's with `org_app_keys_read`, or a service account's with `service_account_write`.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not see the token, or the database fails.
    pub async fn any_token(&self, caller: &Caller, id: &str) -> Result<Token, Refusal> {
        caller.require(&[UserAppKeys, OrgAppKeysRead, OrgAppKeysWrite, ServiceAccountWrite])?;
        let id = Uuid::parse(id).ok_or(Refusal::NO_TOKEN)?;
        let token = self.store.token_within(id, reach(caller)).await?.ok_or(Refusal::NO_TOKEN)?;
        let own = token.owner == caller.user() && caller.has(UserAppKeys);
        let administrator = caller.has(OrgAppKeysRead)
            || match token.kind {
                TokenKind::Personal => caller.has(OrgAppKeysWrite),
                TokenKind::ServiceAccount => caller.has(ServiceAccountWrite),
            };
        if own || administrator { Ok(token) } else { Err(Refusal::NO_TOKEN) }
    }

    /// Returns a token, live or dead, that the caller may change: one of the caller's own, any
    /// user's with `org_app_keys_write`, or a service account's with `service_account_write`.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not change the token, or the database fails.
    pub async fn changeable_token(
        &self,
        caller: &Caller,
        path: TokenPath<'_>,
    ) -> Result<Token, Refusal> {
        if let TokenPath::OfAccount { .. } = path {
            caller.require(&[ServiceAccountWrite])?;
            return self.find_token(caller, path).await;
        }
        caller.require(&[UserAppKeys, OrgAppKeysWrite])?;
        let token = self.find_token(caller, path).await?;
        let own = token.owner == caller.user();
        if (own && caller.has(UserAppKeys)) || caller.has(OrgAppKeysWrite) {
            Ok(token)
        } else if own || caller.has(OrgAppKeysRead) {
            Err(Refusal::missing_permission(&[OrgAppKeysWrite]))
        } else {
            Err(Refusal::NO_TOKEN)
        }
    }

    async fn find_token(&self, caller: &Caller, path: TokenPath<'_>) -> Result<Token, Refusal> {
        let (id, owner) = match path {
            TokenPath::Personal(id) => (id, None),
            TokenPath::OfAccount { account, token } => {
                (token, Some(self.service_account(account).await?.id))
            }
        };
        let id = Uuid::parse(id).ok_or(path.missing())?;
        let token = self.store.token_within(id, reach(caller)).await?.ok_or(path.missing())?;
        let found = match owner {
            None => token.kind == TokenKind::Personal,
            Some(owner) => token.kind == TokenKind::ServiceAccount && token.owner == owner,
        };
        if found { Ok(token) } else { Err(path.missing()) }
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

/// Checks that a token of another user, whose secret the caller learns, has no permission that the
/// caller's token lacks. A scope alone grants nothing: the caller's token may have it without the
/// permission, while the other user has both.
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
