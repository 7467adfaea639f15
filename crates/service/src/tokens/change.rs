//! Updates and revocations of tokens.

use super::{TokenPath, UPDATE_ATTEMPTS, is_dead, require_own_permissions, require_own_scopes};
use crate::audit::name;
use crate::caller::{Caller, CallerCredential};
use crate::permission::Permission::OrgAppKeysWrite;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::tokens::{Change, Revocation, RevokedBy, Token, UpdateOutcome};
use crate::token_kind::TokenKind;

/// A request to update a token, with valid fields.
#[derive(Clone, Debug)]
pub struct TokenUpdate {
    /// The new name.
    pub name: Option<String>,
    /// The new scopes.
    pub scopes: Option<Vec<String>>,
}

impl Service {
    /// Changes the name or the scopes of a token that the caller may change. Returns the updated
    /// token.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not make the change, the token is dead, or the database fails.
    pub async fn update_token(
        &self,
        caller: &Caller,
        path: TokenPath<'_>,
        update: &TokenUpdate,
    ) -> Result<Token, Refusal> {
        for _ in 0..UPDATE_ATTEMPTS {
            let token = self.changeable_token(caller, path).await?;
            if is_dead(&token) {
                return Err(path.missing());
            }
            match self.change(caller, &token, update).await? {
                UpdateOutcome::Done => {
                    return self.store.token(token.id).await?.ok_or(path.missing());
                }
                UpdateOutcome::Dead => return Err(path.missing()),
                UpdateOutcome::Unauthorized => return Err(Refusal::Unauthorized),
                UpdateOutcome::Outdated => {}
            }
        }
        Err(Refusal::Contended("token"))
    }

    /// Checks an update against the token as it was read, and applies it if the token has not
    /// changed.
    async fn change(
        &self,
        caller: &Caller,
        token: &Token,
        update: &TokenUpdate,
    ) -> Result<UpdateOutcome, Refusal> {
        if let Some(scopes) = &update.scopes {
            require_addable(caller, token, scopes)?;
            self.require_grantable(caller, token, scopes).await?;
        }
        let mut event = caller.actor().event(name::UPDATED, Some(token.id))?;
        event = event.of(token.kind).with_status(200);
        if let Some(name) = &update.name {
            event = event.with("name", name.as_str()).with("previous_name", token.name.as_str());
        }
        if let Some(scopes) = &update.scopes {
            event = event.with("scopes", scopes.as_slice());
            event = event.with("previous_scopes", token.scopes.as_slice());
        }
        let (name, scopes) = (update.name.as_deref(), update.scopes.as_deref());
        let change = Change { previous: token, name, scopes };
        let updated = self.store.update_token(&change, caller.authority(), &event).await;
        self.authenticator.invalidate(token.id);
        Ok(updated?)
    }

    /// Acknowledges the leak report of a token. Acknowledging it again changes nothing.
    ///
    /// # Errors
    /// [`Refusal`] if the caller lacks `org_app_keys_write`, or the database fails.
    pub async fn acknowledge_leak(&self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        caller.require(&[OrgAppKeysWrite])?;
        let token = self.any_token(caller, id).await?;
        if token.leak.is_none() {
            return Err(Refusal::NotFound("leak report"));
        }
        let event = caller.actor().event(name::LEAK_ACKNOWLEDGED, Some(token.id))?;
        let by = &caller.user_ref().email;
        self.store.acknowledge_leak(token.id, by, &event.of(token.kind)).await?;
        Ok(())
    }

    /// Checks that no added scope gives another user's token a permission that the caller's token
    /// lacks: the caller may have created the token and know its secret.
    async fn require_grantable(
        &self,
        caller: &Caller,
        token: &Token,
        scopes: &[String],
    ) -> Result<(), Refusal> {
        if token.owner == caller.user() {
            return Ok(());
        }
        let owner = self.store.user_by_id(token.owner).await?.ok_or(Refusal::NO_USER)?;
        let added = scopes.iter().filter(|scope| !token.scopes.contains(scope));
        let added: Vec<String> = added.cloned().collect();
        require_own_permissions(caller, owner.permissions, &added)
    }

    /// Revokes a token that the caller may change. Revoking it again changes nothing.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not revoke the token, or the database fails.
    pub async fn revoke_token(&self, caller: &Caller, path: TokenPath<'_>) -> Result<(), Refusal> {
        let token = self.changeable_token(caller, path).await?;
        let event = caller.actor().event(name::REVOKED, Some(token.id))?;
        let event = event.of(token.kind).with_status(204);
        let by = match caller.credential {
            CallerCredential::Token(_) => RevokedBy::Api,
            CallerCredential::Session(_) => RevokedBy::Page,
        };
        match self.revoke(token.id, by, &event).await? {
            Revocation::Missing => Err(path.missing()),
            Revocation::Done | Revocation::Already => Ok(()),
        }
    }
}

/// Checks that the caller may add the missing scopes to a token: the caller's token must have them
/// and must not expire before the other token, unless that is a service account's. Otherwise a
/// short-lived token could extend its own access.
fn require_addable(caller: &Caller, token: &Token, scopes: &[String]) -> Result<(), Refusal> {
    let mut added = scopes.iter().filter(|scope| !token.scopes.contains(scope)).peekable();
    let Some(&first) = added.peek() else { return Ok(()) };
    require_own_scopes(caller, added)?;
    let (end, target) = (caller.expires_at(), token.expires_at);
    if token.kind == TokenKind::Personal && target > end {
        return Err(Refusal::Forbidden(format!(
            "data.attributes.scopes: cannot add {first:?}: the token in use expires at {end}, before the changed token at {target}"
        )));
    }
    Ok(())
}
