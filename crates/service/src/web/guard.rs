//! Middleware of the pages: checks where forms come from, finds the visitor, limits the time,
//! formats errors, and sets the security headers.

use super::error::PageError;
use super::layout::{self, Frame};
use super::params::{Params, encode};
use super::state::{SharedWeb, Web};
use super::visitor::Visitor;
use crate::api::error::ApiError;
use crate::openid::CALLBACK;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use std::sync::Arc;
use std::time::Duration;

/// Time limit of a request.
const MAX_TIME: Duration = Duration::from_secs(30);
/// Number of expiring tokens that a page names.
const REMINDERS: u32 = 4;

/// Security headers of every page.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Handles a request for a page that requires a session.
pub(super) async fn require_visitor(
    State(web): SharedWeb,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Err(error) = check_form(&web, &parts) {
        return finish(&web, error.into_response(), Frame::Outside);
    }
    if let Some(redirect) = without_tokens(&parts) {
        return finish(&web, redirect, Frame::Outside);
    }
    let visitor = match Visitor::find(&web, &parts).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => return finish(&web, sign_in_first(&parts), Frame::Outside),
        Err(error) => return finish(&web, error.into_response(), Frame::Outside),
    };
    let visitor = match with_reminders(&web, visitor, &parts.method).await {
        Ok(visitor) => visitor,
        Err(error) => return finish(&web, error.into_response(), Frame::Outside),
    };
    parts.extensions.insert(visitor.caller.clone());
    parts.extensions.insert(visitor.clone());
    let response = run(next, Request::from_parts(parts, body)).await;
    finish(&web, response, Frame::Inside(&visitor))
}

/// Handles a request for a page that requires no session.
pub(super) async fn allow_anyone(State(web): SharedWeb, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let is_sign_in = parts.method == Method::POST || parts.uri.path() == CALLBACK;
    if is_sign_in && let Ok(Some(previous)) = Visitor::find(&web, &parts).await {
        // Reading the body drops the headers of a request without a token.
        parts.extensions.insert(previous);
    }
    let response = match check_form(&web, &parts) {
        Ok(()) => run(next, Request::from_parts(parts, body)).await,
        Err(error) => error.into_response(),
    };
    finish(&web, response, Frame::Outside)
}

/// Responds to a request whose handler panicked.
pub(super) fn panicked() -> Response {
    let text = "The page failed. Try again.";
    let error = PageError::new(StatusCode::INTERNAL_SERVER_ERROR, text);
    let mut response = layout::error_page(&error, Frame::Outside);
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Responds to a request for an unknown path: with a page to browsers, and otherwise as the API.
pub(super) async fn missing(web: Arc<Web>, request: Request) -> Response {
    let accepts = request.headers().get(header::ACCEPT);
    let is_browser = accepts.is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    if !is_browser || request.uri().path().starts_with("/api/") {
        let mut response = ApiError::new(StatusCode::NOT_FOUND, "unknown path").into_response();
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, no_store);
        return response;
    }
    let (parts, _) = request.into_parts();
    let error = PageError::new(StatusCode::NOT_FOUND, "There is no page at this address.");
    let visitor = Visitor::find(&web, &parts).await.ok().flatten();
    let frame = visitor.as_ref().map_or(Frame::Outside, Frame::Inside);
    finish(&web, error.into_response(), frame)
}

/// Checks that a request which changes state comes from a form of these pages.
fn check_form(web: &Web, parts: &Parts) -> Result<(), PageError> {
    let host = host(parts);
    if web.origin.of_request(host).is_none() {
        let text = "The pages are not served for this host name. Set --public-url.";
        return Err(PageError::new(StatusCode::FORBIDDEN, text));
    }
    if parts.method == Method::GET
        || parts.method == Method::HEAD
        || web.origin.is_own_form(&parts.headers, host)
    {
        return Ok(());
    }
    let text = "The form was not sent from a page of this service.";
    Err(PageError::new(StatusCode::FORBIDDEN, text))
}

/// Returns the host that a request was made for.
pub(super) fn host(parts: &Parts) -> Option<&str> {
    let header = || parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    parts.uri.authority().map(|authority| authority.as_str()).or_else(header)
}

/// Redirects from an address with an access token, such as one that was pasted into a search field, to one with
/// its alias, so that pages, links and the history of the browser do not contain it.
fn without_tokens(parts: &Parts) -> Option<Response> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return None;
    }
    let query = Params::parse(parts.uri.query()?).ok()?.without_tokens()?;
    Some(Redirect::to(&format!("{}{query}", parts.uri.path())).into_response())
}

async fn with_reminders(
    web: &Web,
    mut visitor: Visitor,
    method: &Method,
) -> Result<Visitor, PageError> {
    if method == Method::GET {
        let user = visitor.caller.user();
        visitor.expiring = web.service.store.expiring_tokens(user, REMINDERS).await?;
    }
    Ok(visitor)
}

/// Sends a browser without a session to the sign-in page.
///
/// A browser does not send the cookie when another site links to a page, so it gets a page that
/// navigates on from here, with the cookie.
fn sign_in_first(parts: &Parts) -> Response {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let site = parts.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if parts.method == Method::GET && site == Some(b"cross-site") {
        return layout::continue_to(target);
    }
    let next = if parts.method == Method::GET && target != "/" { target } else { "" };
    let query = encode([("next", next)].into_iter().filter(|pair| !pair.1.is_empty()));
    Redirect::to(&format!("/sign-in{query}")).into_response()
}

/// Returns a path of these pages from an untrusted text; `/` if it is not one.
pub(super) fn own_path(text: &str) -> &str {
    let plain = text.starts_with('/')
        && !text.starts_with("//")
        && !text.contains(['\\', '\n', '\r', '\t'])
        && text.parse::<Uri>().is_ok_and(|uri| uri.scheme().is_none() && uri.authority().is_none());
    if plain && text.len() <= 2_000 { text } else { "/" }
}

async fn run(next: Next, request: Request) -> Response {
    match tokio::time::timeout(MAX_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let text = "The page took too long. Try again.";
            PageError::new(StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

/// Formats an error and sets the headers.
fn finish(web: &Web, mut response: Response, frame: Frame<'_>) -> Response {
    let status = response.status();
    if let Some(error) = response.extensions_mut().remove::<PageError>() {
        if error.status == StatusCode::UNAUTHORIZED {
            response = Redirect::to("/sign-in").into_response();
        } else {
            let headers = std::mem::take(response.headers_mut());
            response = layout::error_page(&error, frame);
            response.headers_mut().extend(headers);
        }
    } else if status == StatusCode::METHOD_NOT_ALLOWED {
        let error = PageError::new(status, "This page does not support the method.");
        response = layout::error_page(&error, frame);
    } else if is_api_error(&response) {
        let error = PageError::new(status, "The form could not be read. Try again.");
        response = layout::error_page(&error, frame);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Chromium applies the policy also to the redirect that follows a form.
    let provider = web.openid.as_ref().and_then(|openid| openid.origin());
    if let Some(provider) = provider {
        let policy =
            HEADERS[0].1.replace("form-action 'self'", &format!("form-action 'self' {provider}"));
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
    if web.origin.is_secure() {
        let value = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}

/// Returns `true` for the error of a body that could not be read, in the API's format.
fn is_api_error(response: &Response) -> bool {
    let media = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    response.status().as_u16() >= 400 && media.is_none_or(|media| !media.starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_another_site_is_not_followed() {
        for path in ["/tokens", "/security/audit?q=a%20b"] {
            assert_eq!(own_path(path), path);
        }
        for path in
            ["//evil.example", "/\\evil.example", "https://evil.example", "tokens", "", "/a\n"]
        {
            assert_eq!(own_path(path), "/", "{path}");
        }
    }
}
