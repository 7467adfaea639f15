//! Answers that say no, in Datadog's shape: `{"errors":["…"]}`.

use crate::audit::filter::FilterError;
use crate::auth::AuthError;
use crate::log_limit::LogLimit;
use crate::permission::Permission;
use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ddpatrol_token::mint::RandomError;
use serde::Serialize;
use std::sync::LazyLock;
use utoipa::{IntoResponses, ToSchema};

/// A failing database fails every request; the log must not grow at their rate, since its disk may be
/// the one that is full.
static LOG: LazyLock<LogLimit> = LazyLock::new(LogLimit::default);

/// The media type of JSON:API.
pub const JSON_API: &str = "application/vnd.api+json";

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct Errors {
    /// One text for each fault; it names the field and what is allowed.
    pub errors: Vec<String>,
}

/// What every request with a token can be refused by, for the OpenAPI document.
#[derive(Debug, IntoResponses)]
pub enum Refusals {
    /// No live token
    #[response(status = 401, content_type = "application/vnd.api+json")]
    Unauthorized(Errors),
    /// Too many requests
    #[response(status = 429, content_type = "application/vnd.api+json")]
    TooMany(Errors),
    /// The database fails
    #[response(status = 503, content_type = "application/vnd.api+json")]
    Unavailable(Errors),
}

/// What a request without a token can be refused by, for the OpenAPI document.
#[derive(Debug, IntoResponses)]
pub enum OpenRefusals {
    /// Too long a body, or too many entries
    #[response(status = 413, content_type = "application/vnd.api+json")]
    TooLong(Errors),
    /// Too many requests
    #[response(status = 429, content_type = "application/vnd.api+json")]
    TooMany(Errors),
    /// The database fails
    #[response(status = 503, content_type = "application/vnd.api+json")]
    Unavailable(Errors),
}

/// What a body of JSON can be refused by, for the OpenAPI document.
#[derive(Debug, IntoResponses)]
pub enum BodyRefusals {
    /// A faulty body
    #[response(status = 400, content_type = "application/vnd.api+json")]
    Faulty(Errors),
    /// Too long a body
    #[response(status = 413, content_type = "application/vnd.api+json")]
    TooLong(Errors),
    /// Not JSON
    #[response(status = 415, content_type = "application/vnd.api+json")]
    NotJson(Errors),
}

/// A refusal: a status and its texts.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    errors: Vec<String>,
}

impl ApiError {
    /// A refusal with one text.
    #[must_use]
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, errors: vec![text.into()] }
    }

    /// The request is faulty.
    #[must_use]
    pub fn bad(errors: Vec<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, errors }
    }

    /// The service cannot work at the moment.
    #[must_use]
    pub fn not_ready(problems: Vec<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, errors: problems }
    }

    /// The caller is nobody known. It is the same whatever is wrong with a token.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized")
    }

    /// The caller, or its token, lacks the permissions, any of which would do.
    #[must_use]
    pub fn lacks(permissions: &[Permission]) -> Self {
        let names: Vec<_> = permissions.iter().map(|permission| permission.name()).collect();
        let names = names.join(" or ");
        Self::forbidden(format!(
            "this needs {names}, both as its owner's permission and as a scope of the token"
        ))
    }

    /// The caller may not do this.
    #[must_use]
    pub fn forbidden(why: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, format!("Forbidden: {why}"))
    }

    /// There is no such token, or none that the caller may know of.
    #[must_use]
    pub fn no_token() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no such personal access token")
    }

    /// The database, or what depends on it, fails at the moment.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the service cannot reach its database at the moment; try again",
        )
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
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let Some(count) = LOG.count("store") {
            tracing::error!(error = &error as &dyn std::error::Error, count, "a request failed");
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
                "a token could not be judged"
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

impl From<FilterError> for ApiError {
    fn from(error: FilterError) -> Self {
        Self::bad(vec![error.to_string()])
    }
}

/// Writes a body of JSON.
pub(crate) fn json(status: StatusCode, media: &'static str, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, media)], bytes).into_response(),
        Err(error) => {
            if let Some(count) = LOG.count("answer") {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    count,
                    "an answer could not be written"
                );
            }
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
