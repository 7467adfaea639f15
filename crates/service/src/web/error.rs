//! Errors of pages. The middleware formats them, with the navigation of the visitor.

use crate::refusal::Refusal;
use crate::store::StoreError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ddpatrol_token::mint::RandomError;

/// The reason why a page cannot be shown.
#[derive(Clone, Debug)]
pub(super) struct PageError {
    pub(super) status: StatusCode,
    /// Sentences for the reader.
    pub(super) text: String,
}

impl PageError {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// Returns the error for an object that does not exist or that the visitor may not see.
    pub(super) fn not_found(what: &str) -> Self {
        let text = format!("There is no such {what}, or you may not see it.");
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// Returns the title of the page.
    pub(super) fn title(&self) -> &'static str {
        match self.status {
            StatusCode::FORBIDDEN => "Not permitted",
            StatusCode::NOT_FOUND => "Page not found",
            StatusCode::CONFLICT => "Not possible",
            StatusCode::TOO_MANY_REQUESTS => "Too many requests",
            StatusCode::BAD_REQUEST => "Invalid request",
            StatusCode::METHOD_NOT_ALLOWED => "Not supported",
            StatusCode::UNAUTHORIZED => "Signed out",
            _ => "Temporarily unavailable",
        }
    }
}

impl From<Refusal> for PageError {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Unauthorized => StatusCode::UNAUTHORIZED,
            Refusal::Forbidden(_) => StatusCode::FORBIDDEN,
            Refusal::NotFound(what) => return Self::not_found(what),
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Contended(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Store(StoreError::SearchTime(_)) => {
                let text = "The search takes too long. Narrow the time range or add a filter.";
                return Self::new(StatusCode::BAD_REQUEST, text);
            }
            Refusal::Store(_) | Refusal::Authentication(_) => {
                tracing::error!(error = &refusal as &dyn std::error::Error, "page failed");
                let text = "The database is unavailable. Try again in a moment.";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, text);
            }
        };
        Self::new(status, sentence(&problem_text(&refusal)))
    }
}

/// Returns a refusal without the names of the API's fields.
pub(super) fn problem_text(refusal: &Refusal) -> String {
    let text = refusal.to_string();
    let plain = |text: &str| match text.split_once(": ") {
        Some((field, problem)) if field.starts_with("data.") => problem.to_owned(),
        _ => text.to_owned(),
    };
    text.split("; ").map(plain).collect::<Vec<_>>().join("; ")
}

/// Returns a text that starts with a capital letter and ends with a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<RandomError> for PageError {
    fn from(error: RandomError) -> Self {
        Refusal::from(error).into()
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
