//! The visitor of a page: the session of a cookie, judged again at each request.

use super::error::PageError;
use super::origin::PublicOrigin;
use super::state::Web;
use crate::audit::{self, method};
use crate::caller::{Caller, CallerCredential, SessionCredential};
use crate::sessions::Browser;
use crate::store::sessions::Session;
use crate::store::token_pages::ExpiringToken;
use crate::web_secret::WebSecret;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// The visitor of a page.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) session: Session,
    pub(super) caller: Caller,
    pub(super) secret: WebSecret,
    /// The visitor's own tokens that expire soon.
    pub(super) expiring: Vec<ExpiringToken>,
}

impl Visitor {
    /// Finds the visitor of a request; `None` without a session that is valid now.
    pub(super) async fn find(web: &Web, parts: &Parts) -> Result<Option<Self>, PageError> {
        let Some(secret) = cookie_secret(&parts.headers, &web.origin) else { return Ok(None) };
        let Some(session) = web.service.store.session(&secret.digest()).await? else {
            return Ok(None);
        };
        let address = web.service.caller_address(parts);
        let credential = SessionCredential {
            id: session.id,
            user: session.user.clone(),
            permissions: session.permissions,
            token: session.token.clone(),
        };
        let caller = Caller {
            credential: CallerCredential::Session(Arc::new(credential)),
            auth_method: method::SESSION,
            request: audit::Request::new(parts, address.to_string()),
            address,
        };
        Ok(Some(Self { session, caller, secret, expiring: Vec::new() }))
    }

    /// Returns the token that every form of the session contains.
    pub(super) fn form_token(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.secret.derive(b"form token"))
    }

    /// Returns `true` if a form contains the token of the session.
    pub(super) fn is_own_form_token(&self, given: &str) -> bool {
        self.form_token().as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// Returns the name of the session's cookie.
pub(super) fn cookie_name(origin: &PublicOrigin) -> &'static str {
    // Browsers accept the prefix only with `Secure`, and on loopback there is no TLS.
    if origin.is_secure() { "__Host-session" } else { "session" }
}

fn cookie_secret(headers: &HeaderMap, origin: &PublicOrigin) -> Option<WebSecret> {
    let jar = CookieJar::from_headers(headers);
    WebSecret::parse(jar.get(cookie_name(origin))?.value())
}

/// Returns the cookie that starts a session in the browser, without a lifetime of its own.
pub(super) fn session_cookie(secret: &WebSecret, origin: &PublicOrigin) -> Cookie<'static> {
    cookie(secret.expose().to_owned(), origin)
}

/// Returns the cookie that removes the session from the browser.
pub(super) fn ended_cookie(origin: &PublicOrigin) -> Cookie<'static> {
    let mut cookie = cookie(String::new(), origin);
    cookie.make_removal();
    cookie
}

fn cookie(value: String, origin: &PublicOrigin) -> Cookie<'static> {
    Cookie::build((cookie_name(origin), value))
        .path("/")
        .http_only(true)
        .secure(origin.is_secure())
        .same_site(SameSite::Strict)
        .build()
}

/// Returns the browser of a request that signs in.
pub(super) fn browser(web: &Web, parts: &Parts) -> Browser {
    let address = web.service.caller_address(parts);
    Browser { request: audit::Request::new(parts, address.to_string()) }
}

/// Ends the session that the browser had before it signed in again.
pub(super) async fn end_previous(web: &Web, parts: &Parts) -> Result<(), PageError> {
    if let Some(previous) = parts.extensions.get::<Visitor>() {
        web.service.end_own_session(&previous.caller, previous.session.id).await?;
    }
    Ok(())
}
