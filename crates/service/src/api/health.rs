//! Health, readiness and metrics for operators, and the validation of tokens for clients.

use super::error::{ApiError, Errors, TokenErrors, json};
use crate::service::Service;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// Maximum age of a queued audit event while the service is ready.
const MAX_AUDIT_AGE: Duration = Duration::from_secs(5);

/// A successful check.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// Always `ok`.
    pub status: &'static str,
}

const OK: Status = Status { status: "ok" };

/// Checks that the caller's token is live.
#[utoipa::path(
    get, path = "/api/v2/validate_keys", tag = "Tokens",
    responses(
        (status = 200, description = "The token is live", body = Status, content_type = "application/json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn validate() -> Response {
    json(StatusCode::OK, "application/json", &OK)
}

/// A valid token, as the first version of Datadog's API reports it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Validity {
    /// Always `true`.
    pub valid: bool,
}

/// Checks that the caller's token is live. Any other caller, also one with an API key, gets a 403.
#[utoipa::path(
    get, path = "/api/v1/validate", tag = "Tokens", operation_id = "validate_v1",
    responses(
        (status = 200, description = "The token is live", body = Validity, content_type = "application/json"),
        (status = 403, description = "No live token", body = Errors, content_type = "application/vnd.api+json"),
        (status = 429, description = "Too many requests", body = Errors, content_type = "application/vnd.api+json"),
        (status = 503, description = "The database is unavailable", body = Errors, content_type = "application/vnd.api+json"),
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn validate_v1() -> Response {
    json(StatusCode::OK, "application/json", &Validity { valid: true })
}

/// Checks that the process is running.
#[utoipa::path(
    get, path = "/healthz", tag = "Operation",
    responses((status = 200, description = "The process is running", body = Status, content_type = "application/json")),
    security(()),
)]
pub async fn healthz() -> Response {
    json(StatusCode::OK, "application/json", &OK)
}

/// Checks that the database accepts writes and that audit events are written in time.
#[utoipa::path(
    get, path = "/readyz", tag = "Operation",
    responses(
        (status = 200, description = "The service is ready", body = Status, content_type = "application/json"),
        (status = 503, description = "The database does not accept writes, or audit events wait too long", body = Errors, content_type = "application/vnd.api+json"),
    ),
    security(()),
)]
pub async fn readyz(State(service): State<Arc<Service>>) -> Result<Response, ApiError> {
    let mut problems = Vec::new();
    if !service.readiness.is_writable(&service.store).await {
        problems.push(
            "database: not writable (full, locked, read-only or unreachable); see the log"
                .to_owned(),
        );
    }
    if let Some(age) = service.queue.age().filter(|&age| age > MAX_AUDIT_AGE) {
        problems.push(format!(
            "audit queue: the oldest event has waited for {} s; see the log",
            age.as_secs()
        ));
    }
    if problems.is_empty() {
        Ok(json(StatusCode::OK, "application/json", &OK))
    } else {
        Err(ApiError::not_ready(problems))
    }
}

/// Exports the service's metrics to Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "Operation",
    responses((status = 200, description = "Metrics", body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")),
    security(()),
)]
pub async fn metrics(State(service): State<Arc<Service>>) -> Response {
    match service.metrics_text() {
        Ok(text) => {
            let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, media)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
