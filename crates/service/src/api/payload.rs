//! Request bodies are read before their handler runs: within a length, a time, and budgets of memory
//! that all requests share.
//!
//! Memory is reserved for the part of a body that has arrived, so that a client that sends slowly
//! holds little. Of requests without a token, bodies up to `SMALL` have a budget of their own,
//! which long bodies cannot exhaust. A holder (a site, or a person with a token) can have only a
//! share of each budget. An answer keeps its memory until the client has read it.

use super::budget::{Budget, Holder, Reservation};
use super::error::ApiError;
use super::guard::Caller;
use crate::leak;
use crate::log_limit::LogLimit;
use crate::service::Service;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
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

const MIB: usize = 1024 * 1024;
/// The length of a body that is small, in bytes.
const SMALL: usize = 16 * 1024;
/// The length of a body of the token API, and of a form, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// Memory for small bodies of requests without a token, and the share of a site, in bytes.
const SMALL_MEMORY: (usize, usize) = (8 * MIB, MIB + MIB / 2);
/// Memory for the parts of long bodies that have arrived, and the share of a site, in bytes.
const LARGE_MEMORY: (usize, usize) = (17 * MIB, leak::MAX_BODY + LARGE_STEP);
/// Memory for parsing and answering long bodies, and the share of a site, in bytes.
const PARSED_MEMORY: (usize, usize) = (14 * MIB, 11 * MIB);
/// The part of it that long answers to a site may hold, in bytes.
const ANSWERS_SHARE: usize = 1280 * 1024;
/// Memory for bodies of requests with a live token, and the share of a person, in bytes.
const TOKEN_MEMORY: (usize, usize) = (16 * MIB, MIB);
/// Maximum number of small bodies without a token that arrive at the same time from a site. Others have
/// [`ADMITTED_WITHIN`] to arrive or to be admitted.
const SMALL_BODIES: usize = 8;
/// The part of a body that is read before the body is admitted, in bytes.
const UNADMITTED: usize = 4 * 1024;
/// Maximum number of long bodies that arrive at the same time: in all, and from a site.
const LONG_BODIES: (usize, usize) = (64, 1);
/// The steps in which memory for a long body is reserved, in bytes.
const LARGE_STEP: usize = 128 * 1024;
/// The least that has to arrive of a long body, in bytes per [`PACE`].
const MIN_ARRIVAL: usize = 96 * 1024;
const PACE: Duration = Duration::from_secs(3);
/// Overhead of a request beside its body, in bytes: mostly its headers after [`shrink`].
const OVERHEAD: usize = 6 * 1024;
/// Overhead of an entry of a report beside its text, with its part of the answer, in bytes.
const ENTRY: usize = 256;
/// The part of it that is the answer's, in bytes.
const ANSWER_ENTRY: usize = 128;
/// Maximum number of entries of a report that takes its memory from the budget of small bodies.
const SMALL_ENTRIES: usize = 256;
/// The length to which the values of headers are cut that are kept while a body arrives, in bytes.
const MAX_VALUE: usize = 600;
/// The length of the pieces in which a long answer is written, in bytes.
const PIECE: usize = 16 * 1024;
/// Time limit for a body to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(15);
/// Time that a small body waits for admission.
const ADMITTED_WITHIN: Duration = Duration::from_secs(5);
/// Time that a request waits for memory.
const MEMORY_WITHIN: Duration = Duration::from_secs(10);

/// The purpose of a body.
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

/// The budgets for bodies.
#[derive(Debug)]
pub struct Bodies {
    small: Arc<Budget>,
    large: Arc<Budget>,
    parsed: Arc<Budget>,
    answers: Arc<Budget>,
    token: Arc<Budget>,
    small_arriving: Arc<Budget>,
    long_arriving: Arc<Budget>,
    log: LogLimit,
}

impl Default for Bodies {
    fn default() -> Self {
        let budget = |(limit, share)| Budget::new(limit, share);
        Self {
            small: budget(SMALL_MEMORY),
            large: budget(LARGE_MEMORY),
            parsed: budget(PARSED_MEMORY),
            answers: budget((usize::MAX, ANSWERS_SHARE)),
            token: budget(TOKEN_MEMORY),
            small_arriving: budget((usize::MAX, SMALL_BODIES)),
            long_arriving: budget(LONG_BODIES),
            log: LogLimit::default(),
        }
    }
}

impl Bodies {
    /// Counts and logs a body that was not read.
    fn refused(&self, service: &Service, error: BodyError, address: IpAddr) {
        let reason = error.name();
        service.metrics.body_refused(reason);
        if let Some(count) = self.log.count(reason) {
            tracing::warn!(%address, reason, count, "a request's body was not read: {error}");
        }
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
    let holder = match parts.extensions.get::<Caller>() {
        Some(caller) => Holder::Person(caller.entry.user.id),
        None => {
            shrink(&mut parts, address);
            Holder::of_address(address)
        }
    };
    let mut reader = BodyReader::new(&service.bodies, payload, holder);
    let bytes = match reader.read(body).await {
        Ok(bytes) => bytes,
        Err(error) => {
            service.bodies.refused(&service, error, address);
            return error.into_response();
        }
    };
    let response = next.run(Request::from_parts(parts, bytes.into())).await;
    reader.answer(response)
}

/// Drops the headers that no handler of a request without a token reads, and cuts the others, since
/// they would be held while the body arrives; copies the rest, since all headers share their memory.
///
/// A value is cut before it is redacted: a token at the cut keeps its prefix, by which its rest is
/// redacted.
fn shrink(parts: &mut Parts, address: IpAddr) {
    let mut kept = HeaderMap::with_capacity(4);
    for name in [header::CONTENT_TYPE, header::HOST, header::USER_AGENT] {
        let Some(value) = parts.headers.get(&name) else { continue };
        let value = value.as_bytes();
        if let Ok(value) = HeaderValue::from_bytes(&value[..value.len().min(MAX_VALUE)]) {
            kept.append(name, value);
        }
    }
    // The list of a trusted proxy is read already.
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

/// The reader of a body, with what is reserved for its request.
struct BodyReader {
    payload: Payload,
    /// For a small body or one with a token.
    memory: Reservation,
    large: Reservation,
    parsed: Reservation,
    answer: Reservation,
    small_arriving: Reservation,
    long_arriving: Reservation,
    admitted_by: Instant,
    pace: Pace,
}

/// The part of a long body that arrived in the current interval of [`PACE`].
struct Pace {
    ends: Instant,
    arrived: usize,
}

impl Pace {
    fn start() -> Self {
        Self { ends: Instant::now() + PACE, arrived: 0 }
    }
}

impl BodyReader {
    fn new(bodies: &Bodies, payload: Payload, holder: Holder) -> Self {
        let memory = if payload == Payload::Token { &bodies.token } else { &bodies.small };
        Self {
            payload,
            memory: memory.reservation(holder),
            large: bodies.large.reservation(holder),
            parsed: bodies.parsed.reservation(holder),
            answer: bodies.answers.reservation(holder),
            small_arriving: bodies.small_arriving.reservation(holder),
            long_arriving: bodies.long_arriving.reservation(holder),
            admitted_by: Instant::now() + ADMITTED_WITHIN,
            pace: Pace::start(),
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
        raise(&mut self.memory, OVERHEAD).await?;
        let mut deadline = Instant::now() + BODY_WITHIN;
        let mut bytes = Vec::new();
        while let Some(data) = self.next(&mut body, deadline).await? {
            let length = bytes.len() + data.len();
            if length > limit {
                return Err(BodyError::TooLong);
            }
            let asked = Instant::now();
            self.make_room(&mut bytes, length, whole).await?;
            // The client is not to blame for this wait.
            let waited = asked.elapsed();
            deadline += waited;
            self.pace.ends += waited;
            bytes.extend_from_slice(&data);
        }
        self.reserve_parsed(&bytes).await?;
        // Only now, so that few bodies wait for memory while they hold some.
        self.small_arriving.lower(0);
        self.long_arriving.lower(0);
        Ok(bytes.into())
    }

    /// Waits for more of the body; `None` at its end. Until the body is admitted, it waits for that
    /// at the same time: one that arrives at once needs no admission.
    async fn next(
        &mut self,
        body: &mut Body,
        deadline: Instant,
    ) -> Result<Option<Bytes>, BodyError> {
        loop {
            let is_long = !self.long_arriving.is_empty();
            let is_admitted =
                is_long || self.payload == Payload::Token || !self.small_arriving.is_empty();
            let until = if is_long { deadline.min(self.pace.ends) } else { deadline };
            let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
            let frame = tokio::select! {
                biased;
                frame = timeout_at(until, frame) => frame,
                admitted = self.admit_small(), if !is_admitted => {
                    admitted?;
                    continue;
                }
            };
            let Ok(frame) = frame else {
                if until == deadline || self.pace.arrived < MIN_ARRIVAL {
                    return Err(BodyError::TooSlow);
                }
                self.pace = Pace::start();
                continue;
            };
            let Some(frame) = frame else { return Ok(None) };
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            self.pace.arrived += data.len();
            return Ok(Some(data));
        }
    }

    async fn admit_small(&mut self) -> Result<(), BodyError> {
        let time = self.admitted_by.saturating_duration_since(Instant::now());
        self.small_arriving.raise_within(1, time).await.map_err(|_| BodyError::NoMemory)
    }

    /// Reserves memory for a body of which `length` bytes have arrived, of at most `whole`.
    async fn make_room(
        &mut self,
        bytes: &mut Vec<u8>,
        length: usize,
        whole: usize,
    ) -> Result<(), BodyError> {
        let small = self.payload.small();
        let (unadmitted, parts) = match self.payload {
            Payload::Token => (small, 2),
            Payload::Form | Payload::Report => (UNADMITTED, 1),
        };
        if length <= unadmitted || whole <= small {
            if length > unadmitted {
                self.admit_small().await?;
            }
            if length > bytes.capacity() {
                let capacity = length.next_multiple_of(1024).min(small);
                raise(&mut self.memory, OVERHEAD + parts * capacity).await?;
                bytes.reserve_exact(capacity - bytes.len());
            }
            return Ok(());
        }
        let whole = whole.max(length);
        if self.long_arriving.is_empty() {
            raise(&mut self.long_arriving, 1).await?;
            self.pace = Pace::start();
            self.small_arriving.lower(0);
        }
        raise(&mut self.large, length.next_multiple_of(LARGE_STEP).min(whole)).await?;
        // All at once, so that the body is never moved. Memory that is not written to costs nothing.
        bytes.reserve_exact(whole - bytes.len());
        self.memory.lower(OVERHEAD);
        Ok(())
    }

    /// Reserves memory for the parsed form of a body and its answer.
    async fn reserve_parsed(&mut self, bytes: &[u8]) -> Result<(), BodyError> {
        let entries = match self.payload {
            Payload::Token => return Ok(()),
            Payload::Form => 0,
            Payload::Report => {
                let commas = bytes.iter().filter(|&&byte| byte == b',').count();
                (commas + 1).min(leak::MAX_ENTRIES)
            }
        };
        if bytes.len() > SMALL || entries > SMALL_ENTRIES {
            let answer = (entries * ANSWER_ENTRY).min(ANSWERS_SHARE);
            raise(&mut self.answer, answer).await?;
            return raise(&mut self.parsed, bytes.len() + entries * ENTRY).await;
        }
        let length = bytes.len().next_multiple_of(1024);
        raise(&mut self.memory, OVERHEAD + 2 * length + entries * ENTRY).await
    }

    /// Keeps the memory of a long answer reserved until the client has read it.
    fn answer(self, response: Response) -> Response {
        // The handler has dropped the body and what it read from it.
        let length = response.body().size_hint().exact();
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        if length <= PIECE || self.payload == Payload::Token {
            return response;
        }
        let mut memory = if self.parsed.is_empty() { self.memory } else { self.parsed };
        memory.lower(length);
        let memory = [memory, self.answer];
        response.map(|body| Body::new(Pieces { body, rest: Bytes::new(), memory }))
    }
}

/// Raises a reservation; waits for room.
async fn raise(reservation: &mut Reservation, units: usize) -> Result<(), BodyError> {
    reservation.raise_within(units, MEMORY_WITHIN).await.map_err(|_| BodyError::NoMemory)
}

/// A long answer, which is copied piece by piece to the connection so that its memory stays
/// reserved until most of it is read.
#[derive(Debug)]
struct Pieces {
    body: Body,
    rest: Bytes,
    #[expect(dead_code, reason = "its drop gives the memory back")]
    memory: [Reservation; 2],
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
