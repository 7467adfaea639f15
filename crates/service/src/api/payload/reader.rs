//! Reads one body within the limits on its length, time and memory. Neither parses the body nor
//! counts rejections.

use super::bodies::{ANSWERS_SHARE, Bodies, LARGE_STEP};
use super::chunks::{CHUNK, ChunkedBody};
use crate::api::budget::{Reservation, ReservationOwner};
use crate::api::error::ApiError;
use crate::leak;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Maximum length of a small body, in bytes.
const SMALL: usize = 16 * 1024;
/// Maximum length of a body of the token API or a form, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// The part of a body that is read before the body is admitted, in bytes.
const UNADMITTED: usize = 4 * 1024;
/// Minimum part of a long body that must arrive per [`PACE`], in bytes.
const MIN_ARRIVAL: usize = 96 * 1024;
const PACE: Duration = Duration::from_secs(3);
/// Memory of a request in addition to its body, in bytes: mostly its headers after
/// [`super::shrink`].
const OVERHEAD: usize = 6 * 1024;
/// Memory of an entry of a report in addition to its text, including its part of the response, in
/// bytes.
const ENTRY: usize = 256;
/// The part of [`ENTRY`] that belongs to the response, in bytes.
const ANSWER_ENTRY: usize = 128;
/// Maximum number of entries of a report that uses the budget of small bodies.
const SMALL_ENTRIES: usize = 256;
/// Time limit for a body to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(15);
/// Time that a small body waits for admission.
const ADMITTED_WITHIN: Duration = Duration::from_secs(5);
/// Time that a request waits for memory.
const MEMORY_WITHIN: Duration = Duration::from_secs(10);

/// The kind of a body.
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

    /// Returns the maximum length for which the memory is reserved as the body arrives.
    const fn small(self) -> usize {
        match self {
            Self::Token => MAX_BODY,
            Self::Form | Self::Report => SMALL,
        }
    }
}

/// The reason why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("the body was not received within {} seconds", BODY_WITHIN.as_secs())]
    TooSlow,
    #[error("too many other bodies are being read; try again")]
    NoMemory,
    #[error("the body ended early or is malformed")]
    Broken,
}

impl BodyError {
    /// Returns the label in metrics and the log.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_long",
            Self::TooSlow => "too_slow",
            Self::NoMemory => "no_memory",
            Self::Broken => "broken",
        }
    }

    pub(super) fn into_response(self) -> Response {
        let status = match self {
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
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

/// The reader of a body, with the reservations of its request.
pub(super) struct BodyReader {
    payload: Payload,
    /// The memory of a small body or one with a token.
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
    pub(super) fn new(bodies: &Bodies, payload: Payload, owner: ReservationOwner) -> Self {
        let memory = if payload == Payload::Token { &bodies.token } else { &bodies.small };
        Self {
            payload,
            memory: memory.reservation(owner),
            large: bodies.large.reservation(owner),
            parsed: bodies.parsed.reservation(owner),
            answer: bodies.answers.reservation(owner),
            small_arriving: bodies.small_arriving.reservation(owner),
            long_arriving: bodies.long_arriving.reservation(owner),
            admitted_by: Instant::now() + ADMITTED_WITHIN,
            pace: Pace::start(),
        }
    }

    pub(super) async fn read(&mut self, mut body: Body) -> Result<Bytes, BodyError> {
        let limit = self.payload.limit();
        let hint = body.size_hint();
        let declared = usize::try_from(hint.lower()).unwrap_or(usize::MAX);
        if declared > limit {
            return Err(BodyError::TooLong { limit });
        }
        let whole = hint.exact().map_or(limit, |_| declared);
        raise(&mut self.memory, OVERHEAD).await?;
        let mut deadline = Instant::now() + BODY_WITHIN;
        let mut bytes = Vec::new();
        while let Some(data) = self.next(&mut body, deadline).await? {
            let length = bytes.len() + data.len();
            if length > limit {
                return Err(BodyError::TooLong { limit });
            }
            let asked = Instant::now();
            self.make_room(&mut bytes, length, whole).await?;
            // The client did not cause this delay.
            let waited = asked.elapsed();
            deadline += waited;
            self.pace.ends += waited;
            bytes.extend_from_slice(&data);
        }
        self.reserve_parsed(&bytes).await?;
        // Only after the last reservation, so that few bodies hold memory while they wait for more.
        self.small_arriving.lower(0);
        self.long_arriving.lower(0);
        Ok(bytes.into())
    }

    /// Waits for the next part of the body; returns `None` at its end. Waits at the same time for
    /// the admission of a body that is not admitted yet: a body that arrives at once needs none.
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

    /// Reserves memory for the first `length` bytes of a body with at most `whole` bytes.
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
        // Allocated at once, so that the body is never moved. Memory that is not written to costs
        // nothing.
        bytes.reserve_exact(whole - bytes.len());
        self.memory.lower(OVERHEAD);
        Ok(())
    }

    /// Reserves memory for the parsed form of a body and its response.
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

    /// Keeps the memory of a long response reserved until the client has read it.
    pub(super) fn answer(self, response: Response) -> Response {
        // The handler has dropped the body and everything parsed from it.
        let length = response.body().size_hint().exact();
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        if length <= CHUNK || self.payload == Payload::Token {
            return response;
        }
        let mut memory = if self.parsed.is_empty() { self.memory } else { self.parsed };
        memory.lower(length);
        let memory = [memory, self.answer];
        response.map(|body| Body::new(ChunkedBody::new(body, memory)))
    }
}

/// Raises a reservation, after waiting for it if necessary.
async fn raise(reservation: &mut Reservation, units: usize) -> Result<(), BodyError> {
    reservation.raise_within(units, MEMORY_WITHIN).await.map_err(|_| BodyError::NoMemory)
}
