//! Reads request bodies before their handler runs, within limits on the length and the time, and
//! within memory budgets that all requests share.
//!
//! Memory is reserved only for the received part of a body, so that a slow client holds little.
//! Small bodies of requests without a token have their own budget, which long bodies cannot
//! exhaust. Each owner (a site, or the user of a token) can use only a share of each budget. The
//! memory of a response stays reserved until the client has read it.

mod bodies;
mod chunks;
mod reader;

pub use bodies::Bodies;
pub use reader::Payload;

use super::budget::ReservationOwner;
use crate::caller::Caller;
use crate::service::Service;
use axum::body::HttpBody as _;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use reader::{BodyError, BodyReader};
use std::net::IpAddr;
use std::sync::Arc;

/// Maximum length of a header value that is kept while a body arrives, in bytes. Longer values are
/// truncated.
const MAX_VALUE: usize = 600;

/// The state of [`read_body`].
#[derive(Clone, Debug)]
pub(crate) struct BodyState {
    pub(crate) service: Arc<Service>,
    pub(crate) payload: Payload,
}

/// Counts and logs a body that was not read.
fn count_refusal(service: &Service, error: BodyError, address: IpAddr) {
    let reason = error.name();
    service.metrics.body_refused(reason);
    if let Some(count) = service.bodies.log.count(reason) {
        tracing::warn!(%address, reason, count, "request body not read: {error}");
    }
}

/// Reads a request's body and passes it to the handler in one piece.
pub(crate) async fn read_body(
    State(BodyState { service, payload }): State<BodyState>,
    mut request: Request,
    next: Next,
) -> Response {
    // Bodies are limited here, so the framework's own limit is not needed.
    DefaultBodyLimit::disable().apply(&mut request);
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let address = service.caller_address(&parts);
    let owner = match parts.extensions.get::<Caller>() {
        Some(caller) => ReservationOwner::User(caller.user()),
        None => {
            shrink(&mut parts, address);
            ReservationOwner::of_address(address)
        }
    };
    let mut reader = BodyReader::new(&service.bodies, payload, owner);
    let bytes = match reader.read(body).await {
        Ok(bytes) => bytes,
        Err(error) => {
            count_refusal(&service, error, address);
            return error.into_response();
        }
    };
    let response = next.run(Request::from_parts(parts, bytes.into())).await;
    reader.answer(response)
}

/// Drops the headers that no handler of a request without a token reads, and truncates the others,
/// since they are kept in memory while the body arrives. The remaining headers are copied, since
/// all headers share one buffer.
///
/// A value is truncated before it is redacted: a token at the end keeps its prefix, so its
/// remaining characters are still redacted.
fn shrink(parts: &mut Parts, address: IpAddr) {
    let mut kept = HeaderMap::with_capacity(4);
    for name in [header::CONTENT_TYPE, header::HOST, header::USER_AGENT] {
        let Some(value) = parts.headers.get(&name) else { continue };
        let value = value.as_bytes();
        if let Ok(value) = HeaderValue::from_bytes(&value[..value.len().min(MAX_VALUE)]) {
            kept.append(name, value);
        }
    }
    // The list of a trusted proxy has already been evaluated.
    if parts.headers.contains_key("x-forwarded-for")
        && let Ok(value) = HeaderValue::from_str(&address.to_string())
    {
        kept.append("x-forwarded-for", value);
    }
    parts.headers = kept;
    let path = parts.uri.path();
    let uri = match (parts.uri.scheme_str(), parts.uri.authority()) {
        (Some(scheme), Some(authority)) if authority.as_str().len() <= MAX_VALUE => {
            format!("{scheme}://{authority}{path}")
        }
        _ => path.to_owned(),
    };
    if let Ok(uri) = uri.parse() {
        parts.uri = uri;
    }
}
