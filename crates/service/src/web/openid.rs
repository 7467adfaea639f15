//! Sign-in by OpenID Connect: sends the browser to the provider, and takes it back.

use super::error::{PageError, sentence};
use super::guard::own_path;
use super::layout;
use super::params::Params;
use super::state::{PageResult, SharedWeb, Web};
use super::visitor::{Visitor, browser, end_previous, session_cookie};
use crate::audit::method;
use crate::openid::{OpenIdAnswer, OpenIdError, OpenIdProvider, Proof};
use crate::time;
use crate::web_secret::WebSecret;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use jiff::SignedDuration;
use maud::{Markup, html};
use std::sync::Arc;

/// Time in which a person must sign in at the provider, in seconds.
const WITHIN_SECONDS: i64 = 600;
/// Time after which a person must sign in again to open the form of a sensitive change.
const RECENT: SignedDuration = SignedDuration::from_mins(15);
/// Time after which such a form is no longer accepted.
const STILL_RECENT: SignedDuration = SignedDuration::from_mins(45);

/// Returns the name of the cookie that connects the answer with the browser.
fn cookie_name(web: &Web) -> &'static str {
    if web.origin.is_secure() { "__Host-openid" } else { "openid" }
}

/// Returns the cookie. It is `Lax`, because the provider's answer is a navigation from its site.
fn cookie(web: &Web, value: String) -> Cookie<'static> {
    Cookie::build((cookie_name(web), value))
        .path("/")
        .http_only(true)
        .secure(web.origin.is_secure())
        .same_site(SameSite::Lax)
        .build()
}

/// The button that signs in at the provider; nothing without a provider.
pub(super) fn button(web: &Web, next: &str, proof: Proof) -> Markup {
    html! {
        @if web.openid.is_some() {
            form method="post" action="/sign-in/openid" {
                @if !next.is_empty() { input type="hidden" name="next" value=(next); }
                @if proof == Proof::Fresh { input type="hidden" name="again" value="yes"; }
                button.primary.wide { "Sign in with OpenID Connect" }
            }
        }
    }
}

fn provider(web: &Web) -> Result<&Arc<OpenIdProvider>, PageError> {
    web.openid.as_ref().ok_or_else(|| PageError::not_found("page"))
}

/// Runs a request to the provider on a thread that may block.
async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, OpenIdError> + Send + 'static,
) -> Result<T, PageError> {
    let done = tokio::task::spawn_blocking(run).await;
    let failed = |text: String| PageError::new(StatusCode::SERVICE_UNAVAILABLE, text);
    let done = done.map_err(|_| failed("The sign-in failed. Try again.".to_owned()))?;
    done.map_err(|error| match &error {
        OpenIdError::Provider(_) => {
            tracing::error!(error = &error as &dyn std::error::Error, "sign-in failed");
            failed("The OpenID Connect provider does not answer as expected. Try again.".to_owned())
        }
        OpenIdError::State | OpenIdError::Token(_) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "sign-in rejected");
            PageError::new(StatusCode::FORBIDDEN, sentence(&error.to_string()))
        }
    })
}

/// Fetches the provider's metadata, so that the content policy names its origin.
pub(super) async fn prepare(web: &Web) {
    if let Some(provider) = &web.openid
        && provider.origin().is_none()
    {
        let provider = Arc::clone(provider);
        // A failure is reported when a person uses the button.
        let _ = blocking(move || provider.metadata()).await;
    }
}

/// Sends the browser to the provider.
pub(super) async fn start(State(web): SharedWeb, jar: CookieJar, body: Bytes) -> PageResult {
    let params = Params::parse(std::str::from_utf8(&body).unwrap_or_default())?;
    let provider = Arc::clone(provider(&web)?);
    let origin = web.origin.of_request(None).unwrap_or_default();
    let proof = if params.has("again") { Proof::Fresh } else { Proof::Session };
    let secret = WebSecret::random()?;
    let given = secret.clone();
    let url = blocking(move || provider.start(&given, &origin, proof)).await?;
    let mark = if proof == Proof::Fresh { "1" } else { "0" };
    let now = time::now().as_second();
    let value = format!("{}.{mark}.{now}.{}", secret.expose(), own_path(params.get("next")));
    let jar = jar.add(cookie(&web, value));
    Ok((jar, Redirect::to(&url)).into_response())
}

/// The content of the cookie.
struct Started {
    secret: WebSecret,
    proof: Proof,
    next: String,
}

impl Started {
    fn read(web: &Web, jar: &CookieJar) -> Option<Self> {
        let cookie = jar.get(cookie_name(web))?;
        let mut parts = cookie.value().splitn(4, '.');
        let (secret, mark) = (parts.next()?, parts.next()?);
        let started: i64 = parts.next()?.parse().ok()?;
        let next = parts.next()?;
        let age = time::now().as_second().checked_sub(started)?;
        if !(0..=WITHIN_SECONDS).contains(&age) {
            return None;
        }
        let proof = if mark == "1" { Proof::Fresh } else { Proof::Session };
        Some(Self { secret: WebSecret::parse(secret)?, proof, next: own_path(next).to_owned() })
    }
}

/// Takes the browser back and starts a session. The answer is a page that navigates on, because
/// browsers do not send a new `Strict` cookie on a redirect that follows a navigation from another
/// site.
pub(super) async fn callback(
    State(web): SharedWeb,
    parts: Parts,
    jar: CookieJar,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let provider = Arc::clone(provider(&web)?);
    let Some(started) = Started::read(&web, &jar) else {
        let text = "The sign-in was not started in this browser, or took too long.";
        return Err(PageError::new(StatusCode::FORBIDDEN, text));
    };
    if params.has("error") {
        let text = "The OpenID Connect provider did not sign you in.";
        return Err(PageError::new(StatusCode::FORBIDDEN, text));
    }
    let origin = web.origin.of_request(None).unwrap_or_default();
    let answer = OpenIdAnswer {
        code: params.get("code").to_owned(),
        state: params.get("state").to_owned(),
        proof: started.proof,
    };
    let secret = started.secret.clone();
    let identity = blocking(move || provider.finish(&secret, &origin, &answer)).await?;
    let secret = web.service.sign_in_by_openid(&identity, &browser(&web, &parts)).await?;
    end_previous(&web, &parts).await?;
    let mut used = cookie(&web, String::new());
    used.make_removal();
    let jar = jar.add(used).add(session_cookie(&secret, &web.origin));
    Ok((jar, layout::continue_to(&started.next)).into_response())
}

/// A step of a sensitive change, which requires a recent sign-in at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The form is opened.
    Open,
    /// The form was sent.
    Send,
}

/// Returns a page that asks the visitor to sign in again, and then opens a path, if they signed in
/// at the provider too long ago for a step of a sensitive change.
pub(super) fn ask_again(web: &Web, visitor: &Visitor, step: Step, path: &str) -> Option<Response> {
    let limit = match step {
        Step::Open => RECENT,
        Step::Send => STILL_RECENT,
    };
    if !is_older(visitor, limit) {
        return None;
    }
    let content = html! {
        div.panel.narrow {
            h1 { "Confirm who you are" }
            p { "This change is sensitive, and you signed in too long ago. Nothing was changed yet." }
            (button(web, path, Proof::Fresh))
        }
    };
    let page = layout::WebPage {
        title: "Confirm who you are",
        section: layout::Section::None,
        notice: None,
        content,
    };
    Some(layout::page(visitor, page))
}

fn is_older(visitor: &Visitor, limit: SignedDuration) -> bool {
    visitor.session.method == method::OPENID
        && time::now().duration_since(visitor.session.created_at) > limit
}
