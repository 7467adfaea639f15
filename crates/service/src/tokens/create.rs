//! The creation of tokens, for oneself and for other people.

use super::{require_own_permissions, require_own_scopes};
use crate::audit::{UserRef, name};
use crate::caller::Caller;
use crate::permission::Permission::{OrgAppKeysWrite, UserAppKeys};
use crate::refusal::Refusal;
use crate::service::{Minted, Service, TokenRequest, mint};
use crate::store::tokens::Creation;
use ddpatrol_token::Uuid;
use jiff::Timestamp;

/// A request to create a token, with valid fields.
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
        if let Some(end) = caller.expires_at().filter(|&end| creation.expires_at > end) {
            return Err(Refusal::Forbidden(format!(
                "data.attributes.expires_at: must not be later than the expiry of the token in use, {end}"
            )));
        }
        let owner = self.owner(caller, &creation).await?;
        let minted = mint(TokenRequest {
            owner: owner.id,
            name: creation.name,
            scopes: creation.scopes,
            expires_at: creation.expires_at,
        })?;
        let token = &minted.token;
        let mut event = caller
            .actor()
            .event(name::CREATED, Some(token.id))?
            .with_status(201)
            .with("name", token.name.as_str())
            .with("scopes", token.scopes.as_slice())
            .with("expires_at", token.expires_at.to_string());
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
        let Some(id) = creation.owner.filter(|&id| id != caller.user()) else {
            return Ok(caller.user_ref().clone());
        };
        caller.require(&[OrgAppKeysWrite])?;
        let user = self.store.user_by_id(id).await?;
        let user = user.ok_or_else(|| Refusal::invalid(FIELD, "no such user"))?;
        if user.disabled_at.is_some() {
            return Err(Refusal::invalid(FIELD, "the user is disabled"));
        }
        if user.service_account {
            return Err(Refusal::invalid(
                FIELD,
                "a service account has no personal access tokens; use its access_tokens",
            ));
        }
        require_own_permissions(caller, user.permissions, &creation.scopes)?;
        Ok(UserRef { id: user.id, email: user.email.into() })
    }
}
