//! Error responses, in Datadog's format: `{"errors":["…"]}`.

use crate::audit::filter::FilterError;
use crate::auth::{AuthError, CachedToken};
use crate::log_limit::LogLimit;
use crate::refusal::Refusal;
use crate::store::StoreError;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ddpatrol_token::mint::RandomError;
use serde::Serialize;
use std::sync::LazyLock;
use utoipa::{IntoResponses, ToSchema};

/// A failing database fails every request. The log must not grow at their rate, since the full disk
/// may be its own.
static LOG: LazyLock<LogLimit> = LazyLock::new(LogLimit::default);

/// The media type of JSON:API.
pub const JSON_API: &str = "application/vnd.api+json";

/// The errors of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Errors {
    /// One message per error, with the field and the allowed values.
    pub errors: Vec<String>,
}

/// The errors of any request with a token, for the OpenAPI document.
#[derive(Debug, IntoResponses)]
pub enum TokenErrors {
    /// No live token
    #[response(
        status = 401, content_type = "application/vnd.api+json",
        headers(("X-Token-State" = String, description = "`revoked` or `expired`: the presented token was issued by this service and is no longer live. Absent for any other token")),
    )]
    Unauthorized(Errors),
    /// Too many requests
    #[response(status = 429, content_type = "application/vnd.api+json")]
    TooMany(Errors),
    /// The database is unavailable
    #[response(status = 503, content_type = "application/vnd.api+json")]
    Unavailable(Errors),
}

/// The errors of a request without a token, for the OpenAPI document.
#[derive(Debug, IntoResponses)]
pub enum OpenErrors {
    /// The body is too long, or has too many entries
    #[response(status = 413, content_type = "application/vnd.api+json")]
    TooLong(Errors),
    /// Too many requests
    #[response(status = 429, content_type = "application/vnd.api+json")]
    TooMany(Errors),
    /// The database is unavailable
    #[response(status = 503, content_type = "application/vnd.api+json")]
    Unavailable(Errors),
}

/// The errors of a JSON body, for the OpenAPI document.
#[derive(Debug, IntoResponses)]
pub enum JsonBodyErrors {
    /// Invalid body
    #[response(status = 400, content_type = "application/vnd.api+json")]
    Faulty(Errors),
    /// The body is too long
    #[response(status = 413, content_type = "application/vnd.api+json")]
    TooLong(Errors),
    /// Not JSON
    #[response(status = 415, content_type = "application/vnd.api+json")]
    NotJson(Errors),
}

/// An error response: a status and its messages.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    errors: Vec<String>,
    /// The state of the dead token that the caller presented.
    token_state: Option<TokenState>,
}

/// The header with a [`TokenState`].
static TOKEN_STATE: HeaderName = HeaderName::from_static("x-token-state");

/// The state of a token that was issued here and is no longer live. Only a caller who presents the
/// whole token learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// The token was revoked or its owner disabled.
    Revoked,
    /// The token has expired.
    Expired,
}

impl TokenState {
    /// Returns the state of a dead token.
    #[must_use]
    pub fn of(token: &CachedToken) -> Self {
        if token.is_revoked() { Self::Revoked } else { Self::Expired }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

impl ApiError {
    /// Creates an error with one message.
    #[must_use]
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, errors: vec![text.into()], token_state: None }
    }

    /// Returns the error for an invalid request.
    #[must_use]
    pub fn bad_request(errors: Vec<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, errors, token_state: None }
    }

    /// Returns the error for a service that is not ready.
    #[must_use]
    pub fn not_ready(problems: Vec<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, errors: problems, token_state: None }
    }

    /// Returns the error for a caller without a live token. The response is the same for every
    /// cause.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized")
    }

    /// Returns the error for a caller who presented a token that was issued here and is dead.
    #[must_use]
    pub fn unauthorized_with(state: TokenState) -> Self {
        Self { token_state: Some(state), ..Self::unauthorized() }
    }

    /// Returns the same error as a 403.
    #[must_use]
    pub fn into_forbidden(self) -> Self {
        Self { status: StatusCode::FORBIDDEN, errors: vec!["Forbidden".to_owned()], ..self }
    }

    /// Returns the error for a database that is unavailable.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the database is unavailable; try again")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json(self.status, JSON_API, &Errors { errors: self.errors });
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(state) = self.token_state {
            let state = HeaderValue::from_static(state.name());
            response.headers_mut().insert(&TOKEN_STATE, state);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let Some(count) = LOG.count("store") {
            tracing::error!(error = &error as &dyn std::error::Error, count, "request failed");
        }
        Self::unavailable()
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        if let Some(count) = LOG.count("authentication") {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                count,
                "cannot verify a token"
            );
        }
        Self::unavailable()
    }
}

impl From<RandomError> for ApiError {
    fn from(error: RandomError) -> Self {
        StoreError::Random(error).into()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Store(error @ StoreError::SearchTime(_)) => {
                return Self::bad_request(vec![error.to_string()]);
            }
            Refusal::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Store(_) | Refusal::Authentication(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Unauthorized => return Self::unauthorized(),
            Refusal::Forbidden(why) => {
                return Self::new(StatusCode::FORBIDDEN, format!("Forbidden: {why}"));
            }
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::Contended(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        match refusal {
            Refusal::Store(error) => error.into(),
            Refusal::Authentication(error) => error.into(),
            Refusal::Invalid(errors) => Self::bad_request(errors),
            other => Self::new(status, other.to_string()),
        }
    }
}

impl From<FilterError> for ApiError {
    fn from(error: FilterError) -> Self {
        Self::bad_request(vec![error.to_string()])
    }
}

/// Creates a response with a JSON body.
pub(crate) fn json(status: StatusCode, media: &'static str, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            let media = HeaderValue::from_static(media);
            response.headers_mut().insert(header::CONTENT_TYPE, media);
            response
        }
        Err(error) => {
            if let Some(count) = LOG.count("answer") {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    count,
                    "cannot serialize a response"
                );
            }
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
