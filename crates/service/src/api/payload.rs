//! Request bodies are read before their handler runs: within a length, a time, and a budget of
//! memory that all requests share.
//!
//! Two budgets of [`Bodies`] serve requests that need no token. Bodies up to [`SMALL`] take from the
//! first what has arrived of them, so that a client that sends slowly holds little. A longer body
//! then takes from the second, at once, all that it can come to need, parsed form included. The
//! answer keeps its memory until the client has read it.

use super::error::ApiError;
use super::memory::{Bodies, Reservation};
use crate::leak;
use crate::service::Service;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Frame, SizeHint};
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The length of a body that is small, in bytes.
const SMALL: usize = 16 * 1024;
/// The length of a body of the token API, and of a form, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// What a request costs beside its body, in bytes.
const OVERHEAD: usize = 6 * 1024;
/// What an entry of a report costs beside its text, with its part of the answer, in bytes.
const ENTRY: usize = 128;
/// The length of the pieces in which a long answer is written, in bytes.
const PIECE: usize = 16 * 1024;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(15);
/// How long a request waits for memory.
const MEMORY_WITHIN: Duration = Duration::from_secs(5);

/// What a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A request with a live token.
    Token,
    /// A form without a token.
    Form,
    /// A leak report.
    Report,
}

impl Payload {
    const fn limit(self) -> usize {
        match self {
            Self::Token | Self::Form => MAX_BODY,
            Self::Report => leak::MAX_BODY,
        }
    }

    /// The length up to which memory is taken as the body arrives.
    const fn small(self) -> usize {
        match self {
            Self::Token => MAX_BODY,
            Self::Form | Self::Report => SMALL,
        }
    }
}

/// Counts and logs a body that was not read.
fn count_refusal(service: &Service, error: BodyError, address: IpAddr) {
    let reason = error.name();
    service.metrics.body_refused(reason);
    if let Some(count) = service.bodies.log.count(reason) {
        tracing::warn!(%address, reason, count, "a request's body was not read: {error}");
    }
}

/// Reads a request's body and hands it to the handler in one piece.
pub async fn read_body(
    State((service, payload)): State<(Arc<Service>, Payload)>,
    request: Request,
    next: Next,
) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let address = service.caller_address(&parts);
    if payload != Payload::Token {
        shrink(&mut parts);
    }
    let mut reader = BodyReader::new(&service.bodies, payload, address);
    let bytes = match reader.read(body).await {
        Ok(bytes) => bytes,
        Err(error) => {
            count_refusal(&service, error, address);
            return error.into_response();
        }
    };
    let mut response = next.run(Request::from_parts(parts, bytes.into())).await;
    // The handler has dropped the body and what it read from it.
    let length =
        response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
    if let Some(length) = length
        && length > PIECE
        && payload != Payload::Token
    {
        let BodyReader { small, mut large, .. } = reader;
        drop(small);
        large.lower(length);
        response =
            response.map(|body| Body::new(Pieces { body, rest: Bytes::new(), memory: large }));
    }
    response
}

/// Drops what no handler of a request without a token reads, since it would be held while the body
/// arrives, and copies the rest, since all headers share their memory.
fn shrink(parts: &mut Parts) {
    let needed = [
        header::CONTENT_TYPE,
        header::HOST,
        header::USER_AGENT,
        HeaderName::from_static("x-forwarded-for"),
        HeaderName::from_static(leak::github::IDENTIFIER),
        HeaderName::from_static(leak::github::SIGNATURE),
    ];
    let mut kept = HeaderMap::with_capacity(needed.len());
    for name in needed {
        for value in parts.headers.get_all(&name) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                kept.append(name.clone(), value);
            }
        }
    }
    parts.headers = kept;
    let path = match (parts.uri.scheme_str(), parts.uri.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}{}", parts.uri.path()),
        _ => parts.uri.path().to_owned(),
    };
    if let Ok(uri) = path.parse() {
        parts.uri = uri;
    }
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum BodyError {
    #[error("the body is too long")]
    TooLong,
    #[error("the body did not arrive within {} seconds", BODY_WITHIN.as_secs())]
    TooSlow,
    #[error("too many other bodies are being read; try again")]
    NoMemory,
    #[error("the body ended early or is malformed")]
    Broken,
}

impl BodyError {
    /// The label in metrics and the log.
    const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::TooSlow => "too_slow",
            Self::NoMemory => "no_memory",
            Self::Broken => "broken",
        }
    }

    fn into_response(self) -> Response {
        let status = match self {
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow | Self::NoMemory => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::BAD_REQUEST,
        };
        let mut response = ApiError::new(status, self.to_string()).into_response();
        if self == Self::NoMemory {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

struct BodyReader {
    payload: Payload,
    small: Reservation,
    large: Reservation,
}

impl BodyReader {
    fn new(bodies: &Bodies, payload: Payload, address: IpAddr) -> Self {
        let small = if payload == Payload::Token { &bodies.token } else { &bodies.small };
        Self {
            payload,
            small: small.reservation(address),
            large: bodies.large.reservation(address),
        }
    }

    async fn read(&mut self, mut body: Body) -> Result<Bytes, BodyError> {
        let limit = self.payload.limit();
        let hint = body.size_hint();
        let declared = usize::try_from(hint.lower()).unwrap_or(usize::MAX);
        if declared > limit {
            return Err(BodyError::TooLong);
        }
        let whole = hint.exact().map_or(limit, |_| declared);
        self.small.raise(OVERHEAD).map_err(|_| BodyError::NoMemory)?;
        let deadline = Instant::now() + BODY_WITHIN;
        let mut bytes = Vec::new();
        loop {
            let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let frame = timeout_at(deadline, frame).await.map_err(|_| BodyError::TooSlow)?;
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > limit {
                return Err(BodyError::TooLong);
            }
            self.make_room(&mut bytes, length, whole).await?;
            bytes.extend_from_slice(&data);
        }
        self.reserve_entries(&bytes).await?;
        Ok(bytes.into())
    }

    /// Reserves memory for a body of which `length` bytes have arrived, of at most `whole`.
    async fn make_room(
        &mut self,
        bytes: &mut Vec<u8>,
        length: usize,
        whole: usize,
    ) -> Result<(), BodyError> {
        if length <= bytes.capacity() {
            return Ok(());
        }
        let small = self.payload.small();
        if length <= small {
            let capacity = length.next_multiple_of(1024).min(small);
            self.small.raise(OVERHEAD + 2 * capacity).map_err(|_| BodyError::NoMemory)?;
            bytes.reserve_exact(capacity - bytes.len());
            return Ok(());
        }
        let whole = whole.max(length);
        let room = self.large.raise_within(2 * whole, MEMORY_WITHIN).await;
        room.map_err(|_| BodyError::NoMemory)?;
        self.small.lower(OVERHEAD);
        // All at once, so that the body is neither moved nor followed by room for twice as much.
        bytes.reserve_exact(whole - bytes.len());
        Ok(())
    }

    /// Reserves memory for what a report's entries cost beside their text.
    async fn reserve_entries(&mut self, bytes: &Vec<u8>) -> Result<(), BodyError> {
        if self.payload != Payload::Report {
            return Ok(());
        }
        let commas = bytes.iter().filter(|&&byte| byte == b',').count();
        let entries = (commas + 1).min(leak::MAX_ENTRIES);
        let parsed = if bytes.len() > SMALL { 2 * bytes.capacity() } else { 0 };
        let room = self.large.raise_within(parsed + entries * ENTRY, MEMORY_WITHIN).await;
        room.map_err(|_| BodyError::NoMemory)
    }
}

/// A long answer, which is copied piece by piece to the connection so that its memory stays
/// reserved until most of it is read.
#[derive(Debug)]
struct Pieces {
    body: Body,
    rest: Bytes,
    #[expect(dead_code, reason = "its drop gives the memory back")]
    memory: Reservation,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while self.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        let length = PIECE.min(self.rest.len());
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.size_hint().exact() {
            Some(length) => SizeHint::with_exact(length + self.rest.len() as u64),
            None => SizeHint::default(),
        }
    }
}
