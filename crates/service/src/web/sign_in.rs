//! Sign-in by a link that is valid once or by a token, and sign-out.

use super::error::PageError;
use super::forms::Posted;
use super::guard::own_path;
use super::params::{Params, encode};
use super::parts::visible;
use super::state::{PageResult, SharedWeb, Web};
use super::visitor::{browser, end_previous, ended_cookie, session_cookie};
use super::{layout, openid};
use crate::api::authentication::{LookupResult, look_up};
use crate::openid::Proof;
use crate::rate::Class;
use crate::sessions::live;
use crate::token_kind::TokenKind;
use crate::web_secret::WebSecret;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use maud::{Markup, html};

/// Shows the ways to sign in.
pub(super) async fn page(State(web): SharedWeb, RawQuery(query): RawQuery) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    openid::prepare(&web).await;
    let notice = (params.get("done") == "signed-out").then_some("You have signed out.");
    Ok(sign_in_page(&web, StatusCode::OK, params.get("next"), SignInNote { notice, problem: None }))
}

/// The notes of the sign-in page.
#[derive(Clone, Copy, Debug, Default)]
struct SignInNote<'a> {
    notice: Option<&'a str>,
    problem: Option<&'a str>,
}

fn sign_in_page(web: &Web, status: StatusCode, next: &str, note: SignInNote<'_>) -> Response {
    let problem = note.problem;
    let content = html! {
        @if let Some(notice) = note.notice { p.notice role="status" { (notice) } }
        div.panel {
            h1 { "Sign in" }
            (openid::button(web, next, Proof::Session))
            h2 { "With an access token" }
            form method="post" action="/sign-in/token" {
                @if !next.is_empty() { input type="hidden" name="next" value=(next); }
                div.field.invalid[problem.is_some()] {
                    label for="token" { "Access token" }
                    input #token type="password" name="token" required autocomplete="off" spellcheck="false"
                        autocapitalize="off" autofocus placeholder="ddpat_…"
                        aria-invalid=[problem.map(|_| "true")] aria-describedby={ "token-hint" (if problem.is_some() { " token-problem" } else { "" }) };
                    @if let Some(problem) = problem { p.problem #token-problem role="alert" { (problem) } }
                    p.hint #token-hint { "The session has the scopes of the token and ends with it." }
                }
                button.primary.wide { "Sign in" }
            }
            h2 { "With a sign-in link" }
            p.hint {
                "Open the link that the first start printed, or ask an administrator for one. On the server, "
                code { "ddpatrold admin login-link EMAIL" } " creates one. A link is valid once, for ten minutes."
            }
        }
    };
    layout::outside(status, "Sign in", &content)
}

/// Starts a session with a token.
pub(super) async fn by_token(
    State(web): SharedWeb,
    parts: Parts,
    jar: CookieJar,
    body: Bytes,
) -> PageResult {
    let params = form(&body)?;
    let next = params.get("next");
    let token = token_of(&web, &parts, params.get("token").trim()).await?;
    let Some(token) = token else {
        let problem = Some("This is not a token that is valid now.");
        let note = SignInNote { notice: None, problem };
        return Ok(sign_in_page(&web, StatusCode::FORBIDDEN, next, note));
    };
    let secret = web.service.sign_in_by_token(&token, &browser(&web, &parts)).await?;
    end_previous(&web, &parts).await?;
    let jar = jar.add(session_cookie(&secret, &web.origin));
    Ok((jar, Redirect::to(own_path(next))).into_response())
}

fn form(body: &[u8]) -> Result<Params, PageError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| PageError::new(StatusCode::BAD_REQUEST, "The form is not UTF-8."))?;
    Params::parse(text)
}

/// Returns the live token that a form contains. Failures count for the address, as in the API.
async fn token_of(
    web: &Web,
    parts: &Parts,
    given: &str,
) -> Result<Option<std::sync::Arc<crate::auth::CachedToken>>, PageError> {
    let service = &web.service;
    let address = service.caller_address(parts);
    let mut exhausted = false;
    let mut found = None;
    if let Some(presented) = service.token_parser.parse(given.as_bytes()) {
        match look_up(service, presented, address).await {
            Ok(LookupResult::Verified(verdict)) => {
                // Only people sign in.
                found = live(verdict).filter(|token| token.kind == TokenKind::Personal);
            }
            Ok(LookupResult::Exhausted(_)) => exhausted = true,
            Err(error) => return Err(crate::refusal::Refusal::from(error).into()),
        }
    }
    if found.is_none() {
        let allowance = service.limits.take(Class::Authentication, address.into());
        if exhausted || allowance.is_some_and(|allowance| !allowance.allowed) {
            return Err(too_many());
        }
    }
    Ok(found)
}

fn too_many() -> PageError {
    let text =
        "There were too many failed attempts to sign in from this address. Try again in a minute.";
    PageError::new(StatusCode::TOO_MANY_REQUESTS, text)
}

/// Shows the button that uses a sign-in link. Opening the link changes nothing, so that programs
/// which follow links in messages do not use it up.
pub(super) async fn link_page(State(web): SharedWeb, RawQuery(query): RawQuery) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let user = match WebSecret::parse(params.get("code")) {
        Some(code) => web.service.store.link_user(&code.digest()).await?,
        None => None,
    };
    let Some(user) = user else { return Ok(invalid_link()) };
    let content = html! {
        div.panel {
            h1 { "Sign in" }
            p { "This link signs you in as " strong { bdi { (visible(&user.email)) } } "." }
            form method="post" action="/sign-in/link" {
                input type="hidden" name="code" value=(params.get("code"));
                button.primary.wide autofocus { "Sign in" }
            }
            p.hint { "The link is valid once. The session ends after 30 minutes without use, and after 12 hours." }
        }
    };
    Ok(layout::outside(StatusCode::OK, "Sign in", &content))
}

/// Starts a session with a sign-in link.
pub(super) async fn by_link(
    State(web): SharedWeb,
    parts: Parts,
    jar: CookieJar,
    body: Bytes,
) -> PageResult {
    let params = form(&body)?;
    let secret = match WebSecret::parse(params.get("code")) {
        Some(code) => web.service.sign_in_by_link(&code, &browser(&web, &parts)).await?,
        None => None,
    };
    let Some(secret) = secret else {
        let address = web.service.caller_address(&parts);
        let allowance = web.service.limits.take(Class::Authentication, address.into());
        if allowance.is_some_and(|allowance| !allowance.allowed) {
            return Err(too_many());
        }
        return Ok(invalid_link());
    };
    end_previous(&web, &parts).await?;
    let jar = jar.add(session_cookie(&secret, &web.origin));
    Ok((jar, Redirect::to("/")).into_response())
}

fn invalid_link() -> Response {
    let content: Markup = html! {
        div.panel.message {
            h1 { "The link is not valid" }
            p { "It was used before or has expired. An administrator can create another one: on the page Users, or with "
                code { "ddpatrold admin login-link EMAIL" } "." }
            p { a.button href="/sign-in" { "Other ways to sign in" } }
        }
    };
    layout::outside(StatusCode::FORBIDDEN, "The link is not valid", &content)
}

/// Ends the session.
pub(super) async fn sign_out(State(web): SharedWeb, jar: CookieJar, posted: Posted) -> PageResult {
    let Posted { visitor, .. } = posted;
    web.service.end_own_session(&visitor.caller, visitor.session.id).await?;
    let jar = jar.add(ended_cookie(&web.origin));
    let query = encode([("done", "signed-out")].into_iter());
    Ok((jar, Redirect::to(&format!("/sign-in{query}"))).into_response())
}
