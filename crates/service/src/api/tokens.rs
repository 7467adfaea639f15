//! Personal access tokens: list, create, get, update and revoke.

use super::body::{self, CreateBody, UpdateBody};
use super::error::{ApiError, BodyRefusals, Errors, JSON_API, Refusals, json};
use super::guard::Caller;
use super::jsonapi::{self, TokenDocument, TokensDocument};
use super::query::{self, ListQuery, Query};
use super::searches;
use crate::audit::name;
use crate::permission::Permission::{OrgAppKeysRead, OrgAppKeysWrite, UserAppKeys};
use crate::service::{Minted, Service, TokenRequest, mint};
use crate::store::listing::Listed;
use crate::store::tokens::{Authority, Change, Creation, Revocation, RevokedBy, Token, Update};
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

/// Lists tokens: one's own, or everybody's with `org_app_keys_read`.
#[utoipa::path(
    get, path = "/api/v2/personal_access_tokens", tag = "Tokens",
    params(
        ("page[size]" = Option<u32>, Query, description = "How many in a page", minimum = 1, maximum = 100),
        ("page[number]" = Option<u32>, Query, description = "Which page, from 0", minimum = 0),
        ("filter" = Option<String>, Query, description = "Part of the name, or the whole id or alias", max_length = 255),
        ("filter[owned_by]" = Option<Vec<String>>, Query, description = "Users' UUIDs; repeatable"),
        ("filter[leaked]" = Option<bool>, Query, description = "With true, tokens that leaked, revoked ones included"),
        ("include" = Option<String>, Query, description = "leak_information", pattern = "^leak_information$"),
        ("sort" = Option<String>, Query, description = "What to sort by", pattern = "^-?(name|created_at|expires_at|last_used_at|leaked)$"),
    ),
    responses(
        (status = 200, description = "A page of tokens", body = TokensDocument, content_type = "application/vnd.api+json"),
        (status = 400, description = "A faulty parameter, or a search that takes too long", body = Errors, content_type = "application/vnd.api+json"),
        (status = 403, description = "No permission", body = Errors, content_type = "application/vnd.api+json"),
        Refusals,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn list(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    caller.must(&[UserAppKeys, OrgAppKeysRead])?;
    let ListQuery { mut listing, include } = query::listing(query.as_deref())?;
    let own = caller.entry.user.id;
    if !caller.may(OrgAppKeysRead) {
        if listing.owners.iter().any(|&owner| owner != own) {
            return Err(ApiError::lacks(&[OrgAppKeysRead]));
        }
        listing.owners = vec![own];
    }
    let search = service.store.tokens(&listing);
    let own_list = !listing.owners.is_empty() && listing.owners.iter().all(|&owner| owner == own);
    let slots = if own_list { &service.own_lists } else { &service.searches };
    let Listed { tokens, total } = searches::bounded(&service, slots, &caller, search).await?;
    Ok(json(StatusCode::OK, JSON_API, &jsonapi::listed(tokens, total, include)))
}

/// Creates a token of one's own. Only this answer holds the whole token.
#[utoipa::path(
    post, path = "/api/v2/personal_access_tokens", tag = "Tokens",
    request_body(content((CreateBody = "application/json"), (CreateBody = "application/vnd.api+json"))),
    responses(
        (status = 201, description = "The token, with its key", body = TokenDocument, content_type = "application/vnd.api+json"),
        (status = 403, description = "No permission, or more than the caller's own token has", body = Errors, content_type = "application/vnd.api+json"),
        Refusals,
        BodyRefusals,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn create(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    caller.must(&[UserAppKeys, OrgAppKeysWrite])?;
    body::must_be_json(&headers)?;
    let create = body::create(&body, &service.scopes.current())?;
    within_own(&caller, &create.scopes)?;
    if create.expires_at > caller.entry.expires_at {
        let end = caller.entry.expires_at;
        return Err(ApiError::forbidden(format_args!(
            "data.attributes.expires_at: the token that makes it ends before, at {end}"
        )));
    }
    let Minted { token, secret } = mint(TokenRequest {
        owner: caller.entry.user.id,
        name: create.name,
        scopes: create.scopes,
        expires_at: create.expires_at,
    })?;
    let event = caller
        .actor()
        .event(name::CREATED, Some(token.id))?
        .answered(StatusCode::CREATED.as_u16())
        .with("name", token.name.as_str())
        .with("scopes", token.scopes.as_slice())
        .with("expires_at", token.expires_at.to_string());
    let authority = Authority::Token(caller.entry.id);
    if service.store.create_token(&token, authority, &event).await? == Creation::Unauthorized {
        return Err(ApiError::unauthorized());
    }
    service.authenticator.created(&token, &caller.entry);
    Ok(json(StatusCode::CREATED, JSON_API, &jsonapi::created(token, secret)))
}

/// Shows a token: one's own, or anybody's with `org_app_keys_read`.
#[utoipa::path(
    get, path = "/api/v2/personal_access_tokens/{token_id}", tag = "Tokens",
    params(
        ("token_id" = String, Path, description = "The token's UUID"),
        ("include" = Option<String>, Query, description = "leak_information", pattern = "^leak_information$"),
    ),
    responses(
        (status = 200, description = "The token", body = TokenDocument, content_type = "application/vnd.api+json"),
        (status = 400, description = "A faulty parameter", body = Errors, content_type = "application/vnd.api+json"),
        (status = 403, description = "No permission", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such token", body = Errors, content_type = "application/vnd.api+json"),
        Refusals,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn get(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    caller.must(&[UserAppKeys, OrgAppKeysRead])?;
    let include = Query::parse(query.as_deref(), &[])?.include()?;
    let token = visible(&service, &caller, &id).await?;
    if ended(&token) && token.leak.is_none() {
        return Err(ApiError::no_token());
    }
    Ok(json(StatusCode::OK, JSON_API, &jsonapi::shown(token, include)))
}

/// Changes a token's name or scopes: one's own, or anybody's with `org_app_keys_write`.
#[utoipa::path(
    patch, path = "/api/v2/personal_access_tokens/{token_id}", tag = "Tokens",
    params(("token_id" = String, Path, description = "The token's UUID")),
    request_body(content((UpdateBody = "application/json"), (UpdateBody = "application/vnd.api+json"))),
    responses(
        (status = 200, description = "The token as it is now", body = TokenDocument, content_type = "application/vnd.api+json"),
        (status = 403, description = "No permission, or a new scope that the caller's own token lacks or would not have for as long", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such token", body = Errors, content_type = "application/vnd.api+json"),
        Refusals,
        BodyRefusals,
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
    caller.must(&[UserAppKeys, OrgAppKeysWrite])?;
    for _ in 0..UPDATE_ATTEMPTS {
        let token = changeable(&service, &caller, &id).await?;
        if ended(&token) {
            return Err(ApiError::no_token());
        }
        body::must_be_json(&headers)?;
        let update = body::update(&body, token.id, &service.scopes.current())?;
        match change(&service, &caller, &token, update).await? {
            Update::Done => {
                let token = service.store.token(token.id).await?.ok_or_else(ApiError::no_token)?;
                let document = jsonapi::shown(token, jsonapi::Include::Nothing);
                return Ok(json(StatusCode::OK, JSON_API, &document));
            }
            Update::Dead => return Err(ApiError::no_token()),
            Update::Unauthorized => return Err(ApiError::unauthorized()),
            Update::Outdated => {}
        }
    }
    let text = "too many requests change this token at the same time; try again";
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text))
}

/// Checks an update against the token as it was read, and makes it if the token is still so.
async fn change(
    service: &Service,
    caller: &Caller,
    token: &Token,
    update: body::Update,
) -> Result<Update, ApiError> {
    if let Some(scopes) = &update.scopes {
        may_add(caller, token, scopes)?;
    }
    let mut event = caller.actor().event(name::UPDATED, Some(token.id))?.answered(200);
    if let Some(name) = &update.name {
        event = event.with("name", name.as_str()).with("previous_name", token.name.as_str());
    }
    if let Some(scopes) = &update.scopes {
        event = event.with("scopes", scopes.as_slice());
        event = event.with("previous_scopes", token.scopes.as_slice());
    }
    let (name, scopes) = (update.name.as_deref(), update.scopes.as_deref());
    let change = Change { previous: token, name, scopes };
    let authority = Authority::Token(caller.entry.id);
    let updated = service.store.update_token(&change, authority, &event).await;
    service.authenticator.forget(token.id);
    Ok(updated?)
}

/// Revokes a token: one's own, or anybody's with `org_app_keys_write`. To revoke it again changes
/// nothing and succeeds.
#[utoipa::path(
    delete, path = "/api/v2/personal_access_tokens/{token_id}", tag = "Tokens",
    params(("token_id" = String, Path, description = "The token's UUID")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 403, description = "No permission", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such token", body = Errors, content_type = "application/vnd.api+json"),
        Refusals,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn revoke(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    caller.must(&[UserAppKeys, OrgAppKeysWrite])?;
    let token = changeable(&service, &caller, &id).await?;
    let event = caller.actor().event(name::REVOKED, Some(token.id))?.answered(204);
    match service.revoke(token.id, RevokedBy::Api, &event).await? {
        Revocation::Missing => Err(ApiError::no_token()),
        Revocation::Done | Revocation::Already => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

fn ended(token: &Token) -> bool {
    token.revoked_at.is_some() || token.expires_at <= crate::time::now()
}

/// Requires that every scope is one of the caller's own token.
fn within_own<'a>(
    caller: &Caller,
    scopes: impl IntoIterator<Item = &'a String>,
) -> Result<(), ApiError> {
    match scopes.into_iter().find(|scope| !caller.entry.scopes.contains(scope)) {
        Some(scope) => Err(ApiError::forbidden(format_args!(
            "data.attributes.scopes: the token that gives {scope:?} lacks it itself"
        ))),
        None => Ok(()),
    }
}

/// Requires that the caller may add to a token the scopes that it lacks: the caller's token must have
/// them, and must not end before the token that gets them. Otherwise a short-lived token could live
/// on in another one.
fn may_add(caller: &Caller, token: &Token, scopes: &[String]) -> Result<(), ApiError> {
    let mut added = scopes.iter().filter(|scope| !token.scopes.contains(scope)).peekable();
    let Some(&first) = added.peek() else { return Ok(()) };
    within_own(caller, added)?;
    let (end, target) = (caller.entry.expires_at, token.expires_at);
    if target > end {
        return Err(ApiError::forbidden(format_args!(
            "data.attributes.scopes: {first:?} cannot be added: the token that gives it expires at {end}, the token that gets it only at {target}"
        )));
    }
    Ok(())
}

/// Finds a token that the caller may see.
async fn visible(service: &Service, caller: &Caller, id: &str) -> Result<Token, ApiError> {
    let id = Uuid::parse(id).ok_or_else(ApiError::no_token)?;
    let token = service.store.token(id).await?.ok_or_else(ApiError::no_token)?;
    if token.owner == caller.entry.user.id || caller.may(OrgAppKeysRead) {
        Ok(token)
    } else {
        Err(ApiError::no_token())
    }
}

/// Finds a token that the caller may change.
async fn changeable(service: &Service, caller: &Caller, id: &str) -> Result<Token, ApiError> {
    let id = Uuid::parse(id).ok_or_else(ApiError::no_token)?;
    let token = service.store.token(id).await?.ok_or_else(ApiError::no_token)?;
    let own = token.owner == caller.entry.user.id;
    if (own && caller.may(UserAppKeys)) || caller.may(OrgAppKeysWrite) {
        Ok(token)
    } else if own || caller.may(OrgAppKeysRead) {
        Err(ApiError::lacks(&[OrgAppKeysWrite]))
    } else {
        Err(ApiError::no_token())
    }
}
