//! Middleware for every request: its identifier, its span in the log, its duration, and the
//! security headers of its response. Writes nothing to the audit trail.

use crate::audit::clean;
use crate::redact::holds_token;
use crate::request_log::RequestLog;
use crate::service::Service;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument as _;

/// The header with a request's identifier.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Maximum length of an identifier from a trusted proxy, in bytes.
const MAX_ID: usize = 64;
/// The route of a request with an unknown path, in metrics.
const NO_ROUTE: &str = "none";

/// Handles a request in a span with its identifier, method and redacted path, which the log adds to
/// every line about the request. The response has the identifier in `X-Request-Id`.
pub async fn observe(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let id = identifier(&service, &parts);
    let method = method(&parts.method);
    let route = parts.extensions.get::<MatchedPath>().cloned();
    let path = clean(parts.uri.path());
    let span = tracing::info_span!("request", id, method, path);
    let address = (service.request_log == RequestLog::All).then(|| service.caller_address(&parts));
    let handled = next.run(Request::from_parts(parts, body)).instrument(span.clone());
    let mut response = handled.await;
    let elapsed = started.elapsed();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    service.metrics.handled(method, route, elapsed);
    if let Some(address) = address {
        let (status, milliseconds) = (response.status().as_u16(), elapsed.as_secs_f64() * 1_000.0);
        tracing::info!(parent: &span, status, milliseconds, %address, "request");
    }
    protect(response.headers_mut());
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(&REQUEST_ID, id);
    }
    response
}

/// Returns the identifier that a trusted proxy gave a request, or a new one.
fn identifier(service: &Service, parts: &Parts) -> String {
    let given = parts.headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_valid = |id: &&str| {
        (1..=MAX_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && !holds_token(id)
    };
    if let Some(id) = given.filter(is_valid)
        && service.is_from_trusted_proxy(parts)
    {
        return id.to_owned();
    }
    let mut bytes = [0; 8];
    // Not a number in sequence, which would reveal how many requests others make. Without a random
    // source, requests fail for other reasons.
    let _ = getrandom::fill(&mut bytes);
    format!("{:016x}", u64::from_le_bytes(bytes))
}

/// Returns the name of a method, with one name for all that no route has.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Adds the headers that prevent browsers from interpreting a response as a page or a script. A
/// response that is a page has its own.
fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Makes browsers use TLS for this host (HSTS); for responses over TLS only.
pub async fn require_tls(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let age = HeaderValue::from_static("max-age=31536000");
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, age);
    response
}
