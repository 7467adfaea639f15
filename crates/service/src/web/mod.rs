//! The web pages: sign-in, tokens, users, leaks and the audit trail, as HTML that works without
//! JavaScript.
//!
//! The input is requests of browsers with a session cookie; the output is HTML. The rules are those
//! of the service, which the API shares. The pages never read `Authorization`, and the API never
//! reads cookies.

mod assets;
mod audit;
mod audit_events;
mod audit_filter;
mod created;
mod error;
mod export;
mod forms;
mod guard;
mod layout;
mod leaks;
mod openid;
mod organization;
pub mod origin;
mod params;
mod parts;
mod replacement;
mod revocation;
mod scope_field;
mod service_accounts;
mod sessions;
mod sign_in;
mod state;
mod token_draft;
mod token_form;
mod token_parts;
mod tokens;
mod user_lists;
mod users;
mod visitor;

pub use state::Web;

use crate::api::observation::{Observation, Responses};
use crate::api::payload::{BodyState, Payload, read_body};
use crate::openid::CALLBACK;
use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use std::sync::Arc;

/// Adds the pages to the routes of the API.
pub fn router(web: &Arc<Web>, api: Router) -> Router {
    let body = |payload| {
        let service = Arc::clone(&web.service);
        from_fn_with_state(BodyState { service, payload }, read_body)
    };
    let signed_in = Router::new()
        .route("/", get(tokens::home))
        .route("/tokens", get(tokens::list).post(created::create))
        .route("/tokens/new", get(token_form::new))
        .route("/tokens/{id}", get(tokens::details))
        .route("/tokens/{id}/edit", get(token_form::edit).post(token_form::update))
        .route("/tokens/{id}/replace", get(replacement::confirm).post(replacement::replace))
        .route("/tokens/{id}/revoke", get(revocation::confirm).post(revocation::revoke))
        .route("/organization/tokens", get(organization::list))
        .route("/organization/tokens.csv", get(export::tokens_csv))
        .route("/organization/tokens/revoke", post(organization::revoke_many))
        .route("/organization/users", get(users::list))
        .route("/organization/users/new", get(users::new).post(users::add))
        .route("/organization/users/{id}", get(users::details))
        .route("/organization/users/{id}/permissions", post(users::set_permissions))
        .route("/organization/users/{id}/state", get(users::confirm_state).post(users::set_state))
        .route("/organization/users/{id}/link", post(users::sign_in_link))
        .route("/organization/service-accounts", get(service_accounts::list))
        .route(
            "/organization/service-accounts/new",
            get(service_accounts::new).post(service_accounts::add),
        )
        .route("/organization/service-accounts/{id}", get(service_accounts::details))
        .route(
            "/organization/service-accounts/{id}/state",
            get(service_accounts::confirm_state).post(service_accounts::set_state),
        )
        .route("/organization/service-accounts/{id}/tokens", post(created::create_for_account))
        .route("/organization/service-accounts/{id}/tokens/new", get(token_form::new_for_account))
        .route("/security/leaks", get(leaks::list))
        .route("/security/leaks/{id}/acknowledge", post(leaks::acknowledge))
        .route("/security/audit", get(audit::trail))
        .route("/security/audit.csv", get(export::events_csv))
        .route("/security/audit.json", get(export::events_json))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{id}/end", post(sessions::end))
        .route("/sign-out", post(sign_in::sign_out))
        .route_layer(body(Payload::Token))
        .route_layer(from_fn_with_state(Arc::clone(web), guard::require_visitor));
    let open = Router::new()
        .route("/sign-in", get(sign_in::page))
        .route("/sign-in/token", post(sign_in::by_token))
        .route("/sign-in/openid", post(openid::start))
        .route(CALLBACK, get(openid::callback))
        .route("/sign-in/link", get(sign_in::link_page).post(sign_in::by_link))
        .route_layer(body(Payload::Form))
        .route_layer(from_fn_with_state(Arc::clone(web), guard::allow_anyone));
    let observed = Observation::new(Arc::clone(&web.service), RESPONSES);
    let missing = {
        let web = Arc::clone(web);
        any(move |request: Request| guard::missing(web, request)).layer(observed.clone())
    };
    let assets = Router::new().route("/assets/{name}", get(assets::serve));
    let pages = signed_in.merge(open).with_state(Arc::clone(web)).merge(assets);
    api.merge(pages.layer(observed)).fallback_service(missing)
}

/// The responses of the pages, which [`guard`] completes.
const RESPONSES: Responses = Responses { complete: |response| response, panicked: guard::panicked };
