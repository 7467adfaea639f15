//! The rotation of tokens: a new token with the same owner, name, scopes and lifetime replaces an
//! old one, which remains live for an overlap.
//!
//! The secret of the new token is in no row, so a repeated request cannot return it again. A token
//! is therefore rotated at most once, and a repetition names the replacement, which can be rotated
//! in turn.

use super::{TokenPath, UPDATE_ATTEMPTS, is_dead, require_own_permissions, require_own_scopes};
use crate::audit::{Event, name, token_metadata};
use crate::caller::Caller;
use crate::expiry::Expiry;
use crate::refusal::Refusal;
use crate::service::{Minted, Service, TokenRequest, a_year_after, mint};
use crate::store::rotation::Rotation;
use crate::store::tokens::{NewToken, RevokedBy, Token, UpdateOutcome};
use crate::store::users::User;
use crate::time;
use crate::token_kind::TokenKind;
use jiff::SignedDuration;

/// Maximum time for which the old token remains live.
pub const MAX_OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// A request to rotate a token, with valid fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenRotation {
    /// The time for which the old token remains live, at most [`MAX_OVERLAP`].
    pub overlap: SignedDuration,
}

/// A token that replaced another one.
#[derive(Debug)]
pub struct Rotated {
    /// The old token, as it was.
    pub old: Token,
    /// The new token.
    pub new: Minted,
}

impl Service {
    /// Rotates a token that the caller may change; see [`Service::changeable_token`]. The caller's
    /// token must be another one, have all scopes of the old token, and expire no earlier than the
    /// new one, unless that is a service account's.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not rotate the token, the token is dead or was rotated before,
    /// or the database fails.
    pub async fn rotate_token(
        &self,
        caller: &Caller,
        path: TokenPath<'_>,
        rotation: TokenRotation,
    ) -> Result<Rotated, Refusal> {
        for _ in 0..UPDATE_ATTEMPTS {
            let old = self.changeable_token(caller, path).await?;
            if is_dead(&old) && old.replaced_by.is_none() {
                return Err(path.missing());
            }
            let owner = self.require_rotatable(caller, &old).await?;
            let new = mint(TokenRequest {
                kind: old.kind,
                owner: old.owner,
                name: old.name.clone(),
                scopes: old.scopes.clone(),
                expires_at: next_expiry(&old),
            })?;
            require_outlived(caller, &new.token)?;
            let replacement = Replacement { old: &old, new: &new, rotation };
            match self.replace(caller, &owner, &replacement).await? {
                UpdateOutcome::Done => return Ok(Rotated { old, new }),
                UpdateOutcome::Unauthorized => return Err(Refusal::Unauthorized),
                // The next attempt states the reason.
                UpdateOutcome::Dead | UpdateOutcome::Outdated => {}
            }
        }
        Err(Refusal::Contended("token"))
    }

    /// Checks that the caller may rotate a token. Returns its owner.
    async fn require_rotatable(&self, caller: &Caller, old: &Token) -> Result<User, Refusal> {
        if Some(old.id) == caller.token_id() {
            return Err(Refusal::Forbidden(
                "a token cannot rotate itself; use another token".to_owned(),
            ));
        }
        if let Some(new) = old.replaced_by {
            return Err(Refusal::Conflict(format!(
                "the token was rotated before and is replaced by {new}; if its key was lost, rotate {new}"
            )));
        }
        let owner = self.store.user_by_id(old.owner).await?.ok_or(Refusal::NO_USER)?;
        if owner.disabled_at.is_some() {
            return Err(Refusal::Conflict("the owner of the token is disabled".to_owned()));
        }
        require_own_scopes(caller, &old.scopes)?;
        require_own_permissions(caller, owner.permissions, &old.scopes)?;
        Ok(owner)
    }

    /// Writes a rotation if the old token has not changed since it was read.
    async fn replace(
        &self,
        caller: &Caller,
        owner: &User,
        replacement: &Replacement<'_>,
    ) -> Result<UpdateOutcome, Refusal> {
        let Replacement { old, new, rotation } = *replacement;
        let now = new.token.created_at;
        let end = time::whole_micros(now.checked_add(rotation.overlap).unwrap_or(now));
        let revoked_at = rotation.overlap.is_zero().then_some(end);
        let end = Expiry::At(end).min(old.expires_at);
        let rotation = Rotation { old, new: &new.token, end, revoked_at };
        let events = events(caller, owner, &rotation)?;
        let authority = caller.authority();
        let replaced = self.store.rotate_token(&rotation, authority, &events).await;
        // Also after a failure, since the database may have committed the rotation.
        self.authenticator.invalidate(old.id);
        let replaced = replaced?;
        if replaced == UpdateOutcome::Done {
            let owner = crate::audit::UserRef { id: owner.id, email: owner.email.as_str().into() };
            self.authenticator.created(&new.token, owner);
            if revoked_at.is_some() {
                self.metrics.revoked(RevokedBy::Rotation, 1);
            }
        }
        Ok(replaced)
    }
}

/// A rotation before it is written.
#[derive(Clone, Copy)]
struct Replacement<'a> {
    old: &'a Token,
    new: &'a Minted,
    rotation: TokenRotation,
}

/// Returns the expiry of the token that replaces another one: after the same lifetime, but at most
/// one year from now; never if the old token does not expire.
fn next_expiry(old: &Token) -> Expiry {
    let Some(end) = old.expires_at.time() else { return Expiry::Never };
    let now = time::now();
    let lifetime = end.duration_since(old.created_at);
    let latest = a_year_after(now);
    Expiry::At(now.checked_add(lifetime).map_or(latest, |end| end.min(latest)))
}

/// Checks that the caller's token expires no earlier than the new one, unless that is a service
/// account's.
fn require_outlived(caller: &Caller, new: &NewToken) -> Result<(), Refusal> {
    let (end, expires_at) = (caller.expires_at(), new.expires_at);
    if new.kind == TokenKind::Personal && expires_at > end {
        return Err(Refusal::Forbidden(format!(
            "the new token would expire at {expires_at}, later than the token in use at {end}"
        )));
    }
    Ok(())
}

/// Returns the events of a rotation: about the old token, and about the new one.
fn events(caller: &Caller, owner: &User, rotation: &Rotation<'_>) -> Result<Vec<Event>, Refusal> {
    let Rotation { old, new, end, revoked_at } = *rotation;
    let actor = caller.actor();
    let event = |name, token| -> Result<Event, Refusal> {
        Ok(actor.event(name, Some(token))?.of(old.kind).with_status(201))
    };
    let mut created = event(name::CREATED, new.id)?
        .with("name", new.name.as_str())
        .with("scopes", new.scopes.as_slice())
        .with("expires_at", new.expires_at)
        .with("replaces", token_metadata(old.id));
    if owner.id != caller.user() {
        created = created.with("owner", owner.email.as_str());
    }
    let rotated = event(name::ROTATED, old.id)?
        .with("replaced_by", token_metadata(new.id))
        .with("previous_expires_at", old.expires_at)
        .with("expires_at", end);
    let mut events = vec![rotated, created];
    if revoked_at.is_some() {
        let revoked = event(name::REVOKED, old.id)?;
        events.push(revoked.with("revoked_by", RevokedBy::Rotation.as_str()));
    }
    Ok(events)
}
