//! Personal access tokens: list, create, get, update, rotate and revoke.

use super::body::{self, CreateBody, RotateBody, UpdateBody};
use super::error::{ApiError, Errors, JSON_API, JsonBodyErrors, TokenErrors, json};
use super::jsonapi::{self, TokenDocument, TokensDocument};
use super::query::{self, ListQuery, Query};
use crate::caller::Caller;
use crate::permission::Permission::{OrgAppKeysRead, OrgAppKeysWrite, UserAppKeys};
use crate::refusal::Refusal;
use crate::service::{Minted, Service};
use crate::store::listing::{TokenPage, state_name};
use crate::tokens::{self, TokenPath};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

pub(super) type Shared = State<Arc<Service>>;

/// Lists tokens: the caller's own, or those of all users with `org_app_keys_read`.
#[utoipa::path(
    get, path = "/api/v2/personal_access_tokens", tag = "Tokens",
    operation_id = "list_personal_access_tokens",
    params(
        ("page[size]" = Option<u32>, Query, description = "Number of tokens per page", minimum = 1, maximum = 100),
        ("page[number]" = Option<u32>, Query, description = "Page number, from 0", minimum = 0),
        ("filter" = Option<String>, Query, description = "Part of the name, or the whole id or alias", max_length = 255),
        ("filter[owned_by]" = Option<Vec<String>>, Query, description = "UUID of an owner; repeatable"),
        ("filter[leaked]" = Option<bool>, Query, description = "With true, only leaked tokens, including revoked ones"),
        ("filter[state]" = Option<String>, Query, description = "State of the tokens; by default live", pattern = "^(live|expiring|expired|revoked|leaked)$"),
        ("include" = Option<String>, Query, description = "leak_information", pattern = "^leak_information$"),
        ("sort" = Option<String>, Query, description = "Sort key", pattern = "^-?(name|created_at|expires_at|last_used_at|leaked)$"),
    ),
    responses(
        (status = 200, description = "A page of tokens", body = TokensDocument, content_type = "application/vnd.api+json"),
        (status = 400, description = "Invalid parameter, or the search takes too long", body = Errors, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn list(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    caller.require(&[UserAppKeys, OrgAppKeysRead])?;
    let ListQuery { mut listing, include, states } = query::listing(query.as_deref())?;
    tokens::restrict(&caller, &mut listing)?;
    let own = caller.user();
    let search = service.store.tokens(&listing);
    let own_list = !listing.owners.is_empty() && listing.owners.iter().all(|&owner| owner == own);
    let slots = if own_list { &service.own_lists } else { &service.searches };
    let TokenPage { tokens, total } = service.search(slots, &caller, search).await?;
    let shown: Vec<_> = tokens.iter().map(state_name).collect();
    let document = jsonapi::page_document(tokens, total, include);
    Ok(list_response(document, states.then_some(shown)))
}

/// Returns the response for a list, with the states of the tokens if they are given.
pub(super) fn list_response(
    mut document: TokensDocument,
    states: Option<Vec<&'static str>>,
) -> Response {
    for (resource, state) in document.data.iter_mut().zip(states.into_iter().flatten()) {
        resource.attributes.state = Some(state);
    }
    json(StatusCode::OK, JSON_API, &document)
}

/// Creates a token for the caller, or for another person with `org_app_keys_write`. Only this response contains the whole token.
#[utoipa::path(
    post, path = "/api/v2/personal_access_tokens", tag = "Tokens",
    operation_id = "create_personal_access_token",
    request_body(content((CreateBody = "application/json"), (CreateBody = "application/vnd.api+json"))),
    responses(
        (status = 201, description = "The token, with its key", body = TokenDocument, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission, or more scopes or time than the caller's own token has", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
        JsonBodyErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn create(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    caller.require(&[UserAppKeys, OrgAppKeysWrite])?;
    body::require_json(&headers)?;
    let create = body::create(&body, &service.scopes.current())?;
    let Minted { token, secret } = service.create_token(&caller, create).await?;
    Ok(json(StatusCode::CREATED, JSON_API, &jsonapi::created_document(token, secret)))
}

/// Returns a token: one of the caller's own, or any user's with `org_app_keys_read`.
#[utoipa::path(
    get, path = "/api/v2/personal_access_tokens/{token_id}", tag = "Tokens",
    operation_id = "get_personal_access_token",
    params(
        ("token_id" = String, Path, description = "The token's UUID"),
        ("include" = Option<String>, Query, description = "leak_information", pattern = "^leak_information$"),
    ),
    responses(
        (status = 200, description = "The token", body = TokenDocument, content_type = "application/vnd.api+json"),
        (status = 400, description = "Invalid parameter", body = Errors, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such token", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn get(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    caller.require(&[UserAppKeys, OrgAppKeysRead])?;
    let include = Query::parse(query.as_deref(), &[])?.include()?;
    let token = service.visible_token(&caller, TokenPath::Personal(&id)).await?;
    Ok(json(StatusCode::OK, JSON_API, &jsonapi::token_document(token, include)))
}

/// Changes the name or the scopes of a token: one of the caller's own, or any user's with
/// `org_app_keys_write`.
#[utoipa::path(
    patch, path = "/api/v2/personal_access_tokens/{token_id}", tag = "Tokens",
    operation_id = "update_personal_access_token",
    params(("token_id" = String, Path, description = "The token's UUID")),
    request_body(content((UpdateBody = "application/json"), (UpdateBody = "application/vnd.api+json"))),
    responses(
        (status = 200, description = "The updated token", body = TokenDocument, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission, or a new scope that the caller's own token lacks or has only until an earlier time", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such token", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
        JsonBodyErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn update(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let path = TokenPath::Personal(&id);
    let token = service.changeable_token(&caller, path).await?;
    if tokens::is_dead(&token) {
        return Err(Refusal::NO_TOKEN.into());
    }
    body::require_json(&headers)?;
    let update = body::update(&body, token.id, &service.scopes.current())?;
    let token = service.update_token(&caller, path, &update).await?;
    Ok(json(StatusCode::OK, JSON_API, &jsonapi::token_document(token, jsonapi::Include::Nothing)))
}

/// Replaces a token by a new one with the same name, scopes and lifetime: one of the caller's own, or
/// any user's with `org_app_keys_write`. The old token is revoked at the end of the overlap.
#[utoipa::path(
    post, path = "/api/v2/personal_access_tokens/{token_id}/rotate", tag = "Tokens",
    operation_id = "rotate_personal_access_token",
    params(("token_id" = String, Path, description = "The UUID of the old token")),
    request_body(content((Option<RotateBody> = "application/json"), (Option<RotateBody> = "application/vnd.api+json"))),
    responses(
        (status = 201, description = "The new token, with its key", body = TokenDocument, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission, the caller's own token, or more scopes or time than it has", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such token", body = Errors, content_type = "application/vnd.api+json"),
        (status = 409, description = "The token was rotated before, or its owner is disabled", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
        JsonBodyErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn rotate(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let path = TokenPath::Personal(&id);
    let token = service.changeable_token(&caller, path).await?;
    if !body.is_empty() {
        body::require_json(&headers)?;
    }
    let rotation = body::rotate(&body, token.id)?;
    let rotated = service.rotate_token(&caller, path, rotation).await?;
    Ok(json(StatusCode::CREATED, JSON_API, &jsonapi::rotated_document(rotated)))
}

/// Revokes a token: one of the caller's own, or any user's with `org_app_keys_write`. Revoking it
/// again succeeds without any change.
#[utoipa::path(
    delete, path = "/api/v2/personal_access_tokens/{token_id}", tag = "Tokens",
    operation_id = "revoke_personal_access_token",
    params(("token_id" = String, Path, description = "The token's UUID")),
    responses(
        (status = 204, description = "The token is revoked"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such token", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn revoke(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    service.revoke_token(&caller, TokenPath::Personal(&id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
