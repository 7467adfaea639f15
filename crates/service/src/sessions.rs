//! The rules of sessions of the web pages: sign-in, sign-out, and the links that sign a person in.
//! Does not read cookies or format pages.

use crate::audit::{self, Actor, UserRef, method, name};
use crate::auth::{CachedToken, Verdict};
use crate::caller::{Caller, CallerCredential};
use crate::openid::Identity;
use crate::permission::{Permission, Permissions};
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::sessions::NewSession;
use crate::store::users::{User, UserChange};
use crate::store::{Store, StoreError};
use crate::web_secret::WebSecret;
use crate::{id, time};
use ddpatrol_token::Uuid;
use ddpatrol_token::mint::RandomError;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// Time for which a sign-in link is valid.
pub const LINK_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// A browser that signs in.
#[derive(Clone, Debug)]
pub struct Browser {
    /// The request, for the audit trail.
    pub request: Arc<audit::Request>,
}

/// A link that signs a person in once.
#[derive(Clone, Debug)]
pub struct SignInLink {
    /// The secret code.
    pub code: WebSecret,
    /// The end of its validity.
    pub expires_at: Timestamp,
}

impl SignInLink {
    /// Returns the address of the link at an origin.
    #[must_use]
    pub fn url(&self, origin: &str) -> String {
        format!("{origin}/sign-in/link?code={}", self.code.expose())
    }
}

/// Creates a sign-in link for a user.
///
/// # Errors
/// [`StoreError`] if the database fails; nothing was written.
pub async fn create_link(
    store: &Store,
    user: &User,
    actor: &Actor,
) -> Result<SignInLink, StoreError> {
    let code = WebSecret::random()?;
    let expires_at = time::now().checked_add(LINK_LIFETIME).unwrap_or(Timestamp::MAX);
    let event = actor
        .event(name::LINK_CREATED, None)?
        .about_user(user.id)
        .with("email", user.email.as_str())
        .with("expires_at", expires_at.to_string());
    store.add_link(&code.digest(), user.id, expires_at, &event).await?;
    Ok(SignInLink { code, expires_at })
}

impl Service {
    /// Starts a session with a sign-in link. Returns `None` if the link is not valid.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn sign_in_by_link(
        &self,
        code: &WebSecret,
        browser: &Browser,
    ) -> Result<Option<WebSecret>, StoreError> {
        let digest = code.digest();
        let Some(user) = self.store.link_user(&digest).await? else { return Ok(None) };
        let start = SessionStart::new(browser, user, None, method::SIGN_IN_LINK)?;
        let used = self.store.use_link(&digest, &start.session, &start.event).await?;
        Ok(used.then_some(start.secret))
    }

    /// Starts a session with a live token: it has the scopes of the token and ends with it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; nothing was written.
    pub async fn sign_in_by_token(
        &self,
        token: &CachedToken,
        browser: &Browser,
    ) -> Result<WebSecret, StoreError> {
        let user = token.user.clone();
        let start = SessionStart::new(browser, user, Some(token.id), method::BEARER)?;
        self.store.start_session(&start.session, &start.event).await?;
        Ok(start.secret)
    }

    /// Starts a session of a person at an OpenID Connect provider.
    ///
    /// A person is found by issuer and subject. The first time, an invited user without an identity
    /// at this issuer is bound by the verified email address. Groups, if they are configured,
    /// replace the user's permissions.
    ///
    /// # Errors
    /// [`Refusal`] if nobody was invited under this identity, or the database fails.
    pub async fn sign_in_by_openid(
        &self,
        identity: &Identity,
        browser: &Browser,
    ) -> Result<WebSecret, Refusal> {
        let user = self.user_of(identity, browser).await?;
        if user.disabled_at.is_some() || user.service_account {
            return Err(not_invited());
        }
        let user_ref = UserRef { id: user.id, email: user.email.as_str().into() };
        let permissions = identity.permissions.filter(|&it| it != user.permissions);
        if let Some(permissions) = permissions {
            let names = |permissions: Permissions| {
                permissions.iter().map(Permission::name).collect::<Vec<_>>()
            };
            let event = openid_actor(&user_ref, browser)
                .event(name::USER_UPDATED, None)?
                .about_user(user.id)
                .with("permissions", names(permissions))
                .with("previous_permissions", names(user.permissions));
            let changed = self.store.set_permissions(user.id, permissions, &event).await?;
            self.authenticator.invalidate_all();
            if changed == UserChange::LastAdministrator {
                tracing::warn!(
                    user = %user.id,
                    "groups would remove the last administrator; the permissions are unchanged"
                );
            }
        }
        let start = SessionStart::new(browser, user_ref, None, method::OPENID)?;
        self.store.start_session(&start.session, &start.event).await?;
        Ok(start.secret)
    }

    async fn user_of(&self, identity: &Identity, browser: &Browser) -> Result<User, Refusal> {
        let Identity { issuer, subject, verified_email, .. } = identity;
        if let Some(id) = self.store.identity_user(issuer, subject).await? {
            return self.store.user_by_id(id).await?.ok_or_else(not_invited);
        }
        let email = verified_email.as_ref().ok_or_else(not_invited)?;
        let user = self.store.user(email).await?.ok_or_else(not_invited)?;
        let is_same = user.email.to_lowercase() == email.to_lowercase();
        if !is_same || user.disabled_at.is_some() || user.service_account {
            return Err(not_invited());
        }
        let user_ref = UserRef { id: user.id, email: user.email.as_str().into() };
        let event = openid_actor(&user_ref, browser)
            .event(name::IDENTITY_BOUND, None)?
            .about_user(user.id)
            .with("issuer", issuer.as_str());
        if self.store.bind_identity(issuer, subject, user.id, &event).await? {
            Ok(user)
        } else {
            Err(not_invited())
        }
    }

    /// Ends one of the caller's own sessions, all of which have the rights of the same person. A
    /// session that was started with a token can end only itself.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not end it, or the database fails.
    pub async fn end_own_session(&self, caller: &Caller, session: Uuid) -> Result<(), Refusal> {
        let own = session == caller.credential_id();
        if !own && !is_person(caller) {
            return Err(Refusal::Forbidden(
                "a session that was started with a token can end only itself".to_owned(),
            ));
        }
        let reason = if own { "signed out" } else { "ended in another session" };
        let event = caller
            .actor()
            .event(name::SESSION_ENDED, None)?
            .about_session(session)
            .with("reason", reason);
        let ended = self.store.end_session(session, caller.user(), &event).await?;
        if ended || own { Ok(()) } else { Err(Refusal::NotFound("session")) }
    }
}

/// Returns `true` if the caller is a person who signed in, and not the holder of a token.
#[must_use]
pub fn is_person(caller: &Caller) -> bool {
    matches!(&caller.credential, CallerCredential::Session(session) if session.token.is_none())
}

/// Returns the token of a verdict if it is live.
#[must_use]
pub fn live(verdict: Verdict) -> Option<std::sync::Arc<CachedToken>> {
    match verdict {
        Verdict::Live(token) => Some(token),
        Verdict::Dead(_) | Verdict::Unknown => None,
    }
}

fn openid_actor(user: &UserRef, browser: &Browser) -> Actor {
    let request = Some(Arc::clone(&browser.request));
    Actor { user: Some(user.clone()), request, ..Actor::without_user(method::OPENID) }
}

/// Returns the refusal for a person whom nobody invited. It is the same for every cause.
fn not_invited() -> Refusal {
    Refusal::Forbidden(
        "nobody was invited with this account: ask an administrator to add your verified email address"
            .to_owned(),
    )
}

/// The parts of a session that starts.
struct SessionStart {
    secret: WebSecret,
    session: NewSession,
    event: audit::Event,
}

impl SessionStart {
    fn new(
        browser: &Browser,
        user: UserRef,
        token: Option<Uuid>,
        method: &'static str,
    ) -> Result<Self, RandomError> {
        let secret = WebSecret::random()?;
        let session = NewSession {
            id: id::random()?,
            digest: secret.digest(),
            user: user.id,
            token,
            method,
            ip: browser.request.ip.clone(),
            user_agent: browser.request.user_agent.clone(),
        };
        let request = Some(Arc::clone(&browser.request));
        let event = Actor { user: Some(user), auth_method: method, token, session: None, request }
            .event(name::SESSION_STARTED, None)?
            .about_session(session.id);
        Ok(Self { secret, session, event })
    }
}
