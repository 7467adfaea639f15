//! The creation of tokens: for oneself, for other people, and for service accounts.

use super::{require_own_permissions, require_own_scopes};
use crate::audit::{UserRef, name};
use crate::caller::Caller;
use crate::expiry::Expiry;
use crate::permission::Permission::{OrgAppKeysWrite, ServiceAccountWrite, UserAppKeys};
use crate::refusal::Refusal;
use crate::service::{Minted, Service, TokenRequest, mint};
use crate::store::tokens::Creation;
use crate::token_kind::TokenKind;
use ddpatrol_token::Uuid;
use jiff::Timestamp;

/// A request to create a personal access token, with valid fields.
#[derive(Clone, Debug)]
pub struct TokenCreation {
    /// The owner; the caller if absent.
    pub owner: Option<Uuid>,
    /// The name.
    pub name: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The time of expiry.
    pub expires_at: Timestamp,
}

/// A request to create a token of a service account, with valid fields.
#[derive(Clone, Debug)]
pub struct AccountTokenCreation {
    /// The name.
    pub name: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The expiry.
    pub expires_at: Expiry,
}

impl Service {
    /// Creates a token for the caller, or for another person with `org_app_keys_write`.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not create the token, its owner cannot have one, or the
    /// database fails.
    pub async fn create_token(
        &self,
        caller: &Caller,
        creation: TokenCreation,
    ) -> Result<Minted, Refusal> {
        caller.require(&[UserAppKeys, OrgAppKeysWrite])?;
        require_own_scopes(caller, &creation.scopes)?;
        let end = caller.expires_at();
        if Expiry::At(creation.expires_at) > end {
            return Err(Refusal::Forbidden(format!(
                "data.attributes.expires_at: must not be later than the expiry of the token in use, {end}"
            )));
        }
        let owner = self.owner(caller, &creation).await?;
        let request = TokenRequest {
            kind: TokenKind::Personal,
            owner: owner.id,
            name: creation.name,
            scopes: creation.scopes,
            expires_at: Expiry::At(creation.expires_at),
        };
        self.issue(caller, owner, request).await
    }

    /// Creates a token for a service account, which may expire later than the caller's token, or
    /// never.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not create the token, there is no such account, it is
    /// disabled, or the database fails.
    pub async fn create_account_token(
        &self,
        caller: &Caller,
        account: &str,
        creation: AccountTokenCreation,
    ) -> Result<Minted, Refusal> {
        caller.require(&[ServiceAccountWrite])?;
        let account = self.service_account(account).await?;
        if account.disabled_at.is_some() {
            return Err(Refusal::Conflict("the service account is disabled".to_owned()));
        }
        require_own_scopes(caller, &creation.scopes)?;
        require_own_permissions(caller, account.permissions, &creation.scopes)?;
        let owner = UserRef { id: account.id, email: account.email.into() };
        let request = TokenRequest {
            kind: TokenKind::ServiceAccount,
            owner: owner.id,
            name: creation.name,
            scopes: creation.scopes,
            expires_at: creation.expires_at,
        };
        self.issue(caller, owner, request).await
    }

    /// Mints a token and writes it with its event.
    async fn issue(
        &self,
        caller: &Caller,
        owner: UserRef,
        request: TokenRequest,
    ) -> Result<Minted, Refusal> {
        let minted = mint(request)?;
        let token = &minted.token;
        let mut event = caller
            .actor()
            .event(name::CREATED, Some(token.id))?
            .of(token.kind)
            .with_status(201)
            .with("name", token.name.as_str())
            .with("scopes", token.scopes.as_slice())
            .with("expires_at", token.expires_at);
        if owner.id != caller.user() {
            event = event.with("owner", owner.email.as_ref());
        }
        let created = self.store.create_token(token, caller.authority(), &event).await?;
        if created == Creation::Unauthorized {
            return Err(Refusal::Unauthorized);
        }
        self.authenticator.created(token, owner);
        Ok(minted)
    }

    /// Returns the owner of a new token.
    async fn owner(&self, caller: &Caller, creation: &TokenCreation) -> Result<UserRef, Refusal> {
        const FIELD: &str = "data.relationships.owned_by.data.id";
        const NO_PERSON: &str =
            "a service account has no personal access tokens; use its access_tokens";
        let Some(id) = creation.owner.filter(|&id| id != caller.user()) else {
            return match caller.token_kind() {
                TokenKind::Personal => Ok(caller.user_ref().clone()),
                TokenKind::ServiceAccount => Err(Refusal::Forbidden(NO_PERSON.to_owned())),
            };
        };
        caller.require(&[OrgAppKeysWrite])?;
        let user = self.store.user_by_id(id).await?;
        let user = user.ok_or_else(|| Refusal::invalid(FIELD, "no such user"))?;
        if user.disabled_at.is_some() {
            return Err(Refusal::invalid(FIELD, "the user is disabled"));
        }
        if user.service_account {
            return Err(Refusal::invalid(FIELD, NO_PERSON));
        }
        require_own_permissions(caller, user.permissions, &creation.scopes)?;
        Ok(UserRef { id: user.id, email: user.email.into() })
    }
}
