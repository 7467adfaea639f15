//! The time limit of requests.

use super::error::ApiError;
use crate::audit::clean;
use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::time::Duration;

/// Time limit of a request.
const MAX_TIME: Duration = Duration::from_secs(30);

/// Handles a request; responds with 503 if that takes too long. Called by the middleware that
/// counts and records requests, so that those that time out are counted and recorded, too.
pub(super) async fn run(next: Next, request: Request) -> Response {
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    match tokio::time::timeout(MAX_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let method = clean(method.as_str());
            let path = path.as_ref().map(MatchedPath::as_str);
            let seconds = MAX_TIME.as_secs();
            tracing::warn!(method, path, seconds, "request exceeded the time limit");
            let text = format!("the request did not finish within {seconds} seconds; try again");
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}
