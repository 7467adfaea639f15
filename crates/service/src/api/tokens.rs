//! Personal access tokens: list, create, get, update and revoke.

use super::body::{self, CreateBody, UpdateBody};
use super::error::{ApiError, Errors, JSON_API, JsonBodyErrors, TokenErrors, json};
use super::guard::Caller;
use super::jsonapi::{self, TokenDocument, TokensDocument};
use super::query::{self, ListQuery, Query};
use super::searches;
use crate::audit::name;
use crate::permission::Permission::{OrgAppKeysRead, OrgAppKeysWrite, UserAppKeys};
use crate::service::{Minted, Service, TokenRequest, mint};
use crate::store::listing::TokenPage;
use crate::store::tokens::{
    Authority, Change, Creation, Revocation, RevokedBy, Token, UpdateOutcome,
};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use ddpatrol_token::Uuid;
use std::sync::Arc;

/// Maximum number of attempts to update a token while other requests change it.
const UPDATE_ATTEMPTS: usize = 16;

type Shared = State<Arc<Service>>;

/// Lists tokens: the caller's own, or those of all users with `org_app_keys_read`.
#[utoipa::path(
    get, path = "/api/v2/personal_access_tokens", tag = "Tokens",
    params(
        ("page[size]" = Option<u32>, Query, description = "Number of tokens per page", minimum = 1, maximum = 100),
        ("page[number]" = Option<u32>, Query, description = "Page number, from 0", minimum = 0),
        ("filter" = Option<String>, Query, description = "Part of the name, or the whole id or alias", max_length = 255),
        ("filter[owned_by]" = Option<Vec<String>>, Query, description = "UUID of an owner; repeatable"),
        ("filter[leaked]" = Option<bool>, Query, description = "With true, only leaked tokens, including revoked ones"),
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
    let ListQuery { mut listing, include } = query::listing(query.as_deref())?;
    let own = caller.token.user.id;
    if !caller.has(OrgAppKeysRead) {
        if listing.owners.iter().any(|&owner| owner != own) {
            return Err(ApiError::missing_permission(&[OrgAppKeysRead]));
        }
        listing.owners = vec![own];
    }
    let search = service.store.tokens(&listing);
    let own_list = !listing.owners.is_empty() && listing.owners.iter().all(|&owner| owner == own);
    let slots = if own_list { &service.own_lists } else { &service.searches };
    let TokenPage { tokens, total } = searches::bounded(&service, slots, &caller, search).await?;
    Ok(json(StatusCode::OK, JSON_API, &jsonapi::page_document(tokens, total, include)))
}

/// Creates a token for the caller. Only this response contains the whole token.
#[utoipa::path(
    post, path = "/api/v2/personal_access_tokens", tag = "Tokens",
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
    require_own_scopes(&caller, &create.scopes)?;
    if create.expires_at > caller.token.expires_at {
        let end = caller.token.expires_at;
        return Err(ApiError::forbidden(format_args!(
            "data.attributes.expires_at: must not be later than the expiry of the token in use, {end}"
        )));
    }
    let Minted { token, secret } = mint(TokenRequest {
        owner: caller.token.user.id,
        name: create.name,
        scopes: create.scopes,
        expires_at: create.expires_at,
    })?;
    let event = caller
        .actor()
        .event(name::CREATED, Some(token.id))?
        .with_status(StatusCode::CREATED.as_u16())
        .with("name", token.name.as_str())
        .with("scopes", token.scopes.as_slice())
        .with("expires_at", token.expires_at.to_string());
    let authority = Authority::Token(caller.token.id);
    if service.store.create_token(&token, authority, &event).await? == Creation::Unauthorized {
        return Err(ApiError::unauthorized());
    }
    service.authenticator.created(&token, &caller.token);
    Ok(json(StatusCode::CREATED, JSON_API, &jsonapi::created_document(token, secret)))
}

/// Returns a token: one of the caller's own, or any user's with `org_app_keys_read`.
#[utoipa::path(
    get, path = "/api/v2/personal_access_tokens/{token_id}", tag = "Tokens",
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
    let token = visible(&service, &caller, &id).await?;
    if is_dead(&token) && token.leak.is_none() {
        return Err(ApiError::token_not_found());
    }
    Ok(json(StatusCode::OK, JSON_API, &jsonapi::token_document(token, include)))
}

/// Changes the name or the scopes of a token: one of the caller's own, or any user's with
/// `org_app_keys_write`.
#[utoipa::path(
    patch, path = "/api/v2/personal_access_tokens/{token_id}", tag = "Tokens",
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
    caller.require(&[UserAppKeys, OrgAppKeysWrite])?;
    for _ in 0..UPDATE_ATTEMPTS {
        let token = changeable(&service, &caller, &id).await?;
        if is_dead(&token) {
            return Err(ApiError::token_not_found());
        }
        body::require_json(&headers)?;
        let update = body::update(&body, token.id, &service.scopes.current())?;
        match change(&service, &caller, &token, update).await? {
            UpdateOutcome::Done => {
                let token =
                    service.store.token(token.id).await?.ok_or_else(ApiError::token_not_found)?;
                let document = jsonapi::token_document(token, jsonapi::Include::Nothing);
                return Ok(json(StatusCode::OK, JSON_API, &document));
            }
            UpdateOutcome::Dead => return Err(ApiError::token_not_found()),
            UpdateOutcome::Unauthorized => return Err(ApiError::unauthorized()),
            UpdateOutcome::Outdated => {}
        }
    }
    let text = "too many requests change this token at the same time; try again";
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text))
}

/// Checks an update against the token as it was read, and applies it if the token has not changed.
async fn change(
    service: &Service,
    caller: &Caller,
    token: &Token,
    update: body::UpdateRequest,
) -> Result<UpdateOutcome, ApiError> {
    if let Some(scopes) = &update.scopes {
        require_addable(caller, token, scopes)?;
    }
    let mut event = caller.actor().event(name::UPDATED, Some(token.id))?.with_status(200);
    if let Some(name) = &update.name {
        event = event.with("name", name.as_str()).with("previous_name", token.name.as_str());
    }
    if let Some(scopes) = &update.scopes {
        event = event.with("scopes", scopes.as_slice());
        event = event.with("previous_scopes", token.scopes.as_slice());
    }
    let (name, scopes) = (update.name.as_deref(), update.scopes.as_deref());
    let change = Change { previous: token, name, scopes };
    let authority = Authority::Token(caller.token.id);
    let updated = service.store.update_token(&change, authority, &event).await;
    service.authenticator.invalidate(token.id);
    Ok(updated?)
}

/// Revokes a token: one of the caller's own, or any user's with `org_app_keys_write`. Revoking it
/// again succeeds without any change.
#[utoipa::path(
    delete, path = "/api/v2/personal_access_tokens/{token_id}", tag = "Tokens",
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
    caller.require(&[UserAppKeys, OrgAppKeysWrite])?;
    let token = changeable(&service, &caller, &id).await?;
    let event = caller.actor().event(name::REVOKED, Some(token.id))?.with_status(204);
    match service.revoke(token.id, RevokedBy::Api, &event).await? {
        Revocation::Missing => Err(ApiError::token_not_found()),
        Revocation::Done | Revocation::Already => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

fn is_dead(token: &Token) -> bool {
    token.revoked_at.is_some() || token.expires_at <= crate::time::now()
}

/// Checks that the caller's own token has every scope.
fn require_own_scopes<'a>(
    caller: &Caller,
    scopes: impl IntoIterator<Item = &'a String>,
) -> Result<(), ApiError> {
    match scopes.into_iter().find(|scope| !caller.token.scopes.contains(scope)) {
        Some(scope) => Err(ApiError::forbidden(format_args!(
            "data.attributes.scopes: the token in use does not have {scope:?}"
        ))),
        None => Ok(()),
    }
}

/// Checks that the caller may add the missing scopes to a token: the caller's token must have them
/// and must not expire before the other token. Otherwise a short-lived token could extend its own
/// access.
fn require_addable(caller: &Caller, token: &Token, scopes: &[String]) -> Result<(), ApiError> {
    let mut added = scopes.iter().filter(|scope| !token.scopes.contains(scope)).peekable();
    let Some(&first) = added.peek() else { return Ok(()) };
    require_own_scopes(caller, added)?;
    let (end, target) = (caller.token.expires_at, token.expires_at);
    if target > end {
        return Err(ApiError::forbidden(format_args!(
            "data.attributes.scopes: cannot add {first:?}: the token in use expires at {end}, before the changed token at {target}"
        )));
    }
    Ok(())
}

/// Returns a token that the caller may see.
async fn visible(service: &Service, caller: &Caller, id: &str) -> Result<Token, ApiError> {
    let id = Uuid::parse(id).ok_or_else(ApiError::token_not_found)?;
    let token = service.store.token(id).await?.ok_or_else(ApiError::token_not_found)?;
    if token.owner == caller.token.user.id || caller.has(OrgAppKeysRead) {
        Ok(token)
    } else {
        Err(ApiError::token_not_found())
    }
}

/// Returns a token that the caller may change.
async fn changeable(service: &Service, caller: &Caller, id: &str) -> Result<Token, ApiError> {
    let id = Uuid::parse(id).ok_or_else(ApiError::token_not_found)?;
    let token = service.store.token(id).await?.ok_or_else(ApiError::token_not_found)?;
    let own = token.owner == caller.token.user.id;
    if (own && caller.has(UserAppKeys)) || caller.has(OrgAppKeysWrite) {
        Ok(token)
    } else if own || caller.has(OrgAppKeysRead) {
        Err(ApiError::missing_permission(&[OrgAppKeysWrite]))
    } else {
        Err(ApiError::token_not_found())
    }
}
