//! The HTTP API: its routes, their middleware, and the OpenAPI document, which is generated from
//! the same list of routes.

pub mod audit;
pub(crate) mod authentication;
pub mod body;
mod budget;
mod document;
pub mod error;
pub mod guard;
pub mod health;
pub mod jsonapi;
pub mod observation;
pub mod payload;
pub mod query;
pub mod service_account_body;
pub mod service_accounts;
mod time_limit;
pub mod tokens;
pub mod users;
mod validator;

use crate::leak;
use crate::service::Service;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use error::ApiError;
use observation::{Observation, Responses};
use payload::{BodyState, Payload};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The listener of the routes for operators, `/readyz` and `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operations {
    /// The listener of the API.
    WithApi,
    /// A listener of their own.
    Separate,
}

/// Creates the routes of the service.
pub fn router(service: Arc<Service>, operations: Operations) -> Router {
    let (router, document) = described(&service, operations).split_for_parts();
    let document = document::text(&document).map(Bytes::from).map_err(drop);
    router
        .route(
            "/api/v2/openapi.json",
            get(|| async move {
                match document {
                    Ok(text) => {
                        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
                    }
                    Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                }
            }),
        )
        .fallback(unknown_path)
        .layer(Observation::new(Arc::clone(&service), RESPONSES))
        .with_state(service)
}

/// Creates the routes of a separate listener for operators.
pub fn operations_router(service: Arc<Service>) -> Router {
    let routes = operations_routes().routes(routes!(health::healthz));
    let (router, _) = routes.split_for_parts();
    router
        .fallback(unknown_path)
        .layer(Observation::new(Arc::clone(&service), RESPONSES))
        .with_state(service)
}

fn operations_routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(health::readyz)).routes(routes!(health::metrics))
}

fn described(service: &Arc<Service>, operations: Operations) -> OpenApiRouter<Arc<Service>> {
    // The layers of a route apply from the last to the first.
    let body = |payload| {
        let service = Arc::clone(service);
        from_fn_with_state(BodyState { service, payload }, payload::read_body)
    };
    let introspection = OpenApiRouter::new()
        .routes(routes!(leak::oauth::introspect))
        .route_layer(from_fn_with_state(Arc::clone(service), guard::recheck))
        .route_layer(body(Payload::Token))
        .route_layer(from_fn(leak::oauth::require_permission));
    let with_token = OpenApiRouter::new()
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::get, tokens::update, tokens::revoke))
        .routes(routes!(tokens::rotate))
        .routes(routes!(service_accounts::create))
        .routes(routes!(service_accounts::list_tokens, service_accounts::create_token))
        .routes(routes!(
            service_accounts::get_token,
            service_accounts::update_token,
            service_accounts::revoke_token
        ))
        .routes(routes!(users::get, service_accounts::update_user, service_accounts::disable_user))
        .routes(routes!(audit::search))
        .route_layer(from_fn_with_state(Arc::clone(service), guard::recheck))
        .route_layer(body(Payload::Token))
        // These read no body; one layer fewer makes token checks measurably faster.
        .routes(routes!(health::validate))
        .routes(routes!(health::validate_v1))
        .routes(routes!(users::list))
        .routes(routes!(users::current))
        .routes(routes!(audit::events))
        .merge(introspection)
        .route_layer(from_fn_with_state(Arc::clone(service), guard::guard));
    let alerts = OpenApiRouter::new()
        .routes(routes!(leak::github::alert))
        .route_layer(body(Payload::Report))
        .route_layer(from_fn_with_state(Arc::clone(service), leak::github::require_claim));
    let reports = OpenApiRouter::new()
        .routes(routes!(leak::report::reports))
        .route_layer(body(Payload::Report));
    let forms =
        OpenApiRouter::new().routes(routes!(leak::oauth::revoke)).route_layer(body(Payload::Form));
    let by_address = alerts
        .merge(reports)
        .merge(forms)
        .route_layer(from_fn_with_state(Arc::clone(service), guard::limit_address));
    let mut open = OpenApiRouter::new().routes(routes!(health::healthz));
    if operations == Operations::WithApi {
        open = open.merge(operations_routes());
    }
    let mut router = with_token.merge(by_address).merge(open);
    document::describe(router.get_openapi_mut());
    router
}

async fn unknown_path() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "unknown path")
}

/// The responses of the API.
const RESPONSES: Responses = Responses {
    complete: |response| {
        let mut response = format_error(response);
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, no_store);
        response
    },
    panicked: || ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error").into_response(),
};

/// Converts the framework's own error responses (an unsupported method, a body that is too long) to
/// the format of all others.
fn format_error(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_plain = |media: &HeaderValue| media.as_bytes().starts_with(b"text/plain");
    if !is_error || !response.headers().get(header::CONTENT_TYPE).is_none_or(is_plain) {
        return response;
    }
    let text = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            "method not supported for this path; see the Allow header"
        }
        StatusCode::PAYLOAD_TOO_LARGE => "the body is too long",
        _ => status.canonical_reason().unwrap_or("refused"),
    };
    let mut formatted = ApiError::new(status, text).into_response();
    for (name, value) in response.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            formatted.headers_mut().insert(name.clone(), value.clone());
        }
    }
    formatted
}
