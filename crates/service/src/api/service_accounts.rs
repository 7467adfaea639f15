//! Service accounts and their access tokens, and the changes of users that apply to them.

use super::body;
use super::error::{ApiError, Errors, JSON_API, JsonBodyErrors, TokenErrors, json};
use super::jsonapi::{self, Include, TokenDocument, TokensDocument};
use super::query::{self, ListQuery, Query};
use super::service_account_body::{
    self, AccountBody, AccountTokenBody, AccountTokenUpdateBody, UserUpdateBody,
};
use super::tokens::{Shared, list_response};
use super::users::{self, UserDocument};
use crate::caller::Caller;
use crate::permission::Permission::{OrgAppKeysRead, ServiceAccountWrite};
use crate::refusal::Refusal;
use crate::service::Minted;
use crate::service_accounts::AccountUpdate;
use crate::store::listing::{TokenPage, state_name};
use crate::tokens::{self, TokenPath};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

/// The identifiers of a service account and of one of its tokens.
type Ids = Path<AccountToken>;

/// The path of a service account's token.
#[derive(Debug, serde::Deserialize)]
pub struct AccountToken {
    service_account_id: String,
    token_id: String,
}

impl AccountToken {
    fn path(&self) -> TokenPath<'_> {
        TokenPath::OfAccount { account: &self.service_account_id, token: &self.token_id }
    }
}

/// Creates a service account. Requires `service_account_write`.
#[utoipa::path(
    post, path = "/api/v2/service_accounts", tag = "Service accounts",
    operation_id = "create_service_account",
    request_body(content((AccountBody = "application/json"), (AccountBody = "application/vnd.api+json"))),
    responses(
        (status = 201, description = "The service account", body = UserDocument, content_type = "application/json"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        (status = 409, description = "The email address is already used", body = Errors, content_type = "application/vnd.api+json"),
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
    caller.require(&[ServiceAccountWrite])?;
    body::require_json(&headers)?;
    let account = service_account_body::account(&body)?;
    let account = service.create_account(&caller, account).await?;
    users::document(&service, StatusCode::CREATED, account).await
}

/// Changes a service account. Requires `service_account_write`. People are changed on the command
/// line.
#[utoipa::path(
    patch, path = "/api/v2/users/{user_id}", tag = "Users", operation_id = "update_user",
    params(("user_id" = String, Path, description = "The UUID of the service account")),
    request_body(content((UserUpdateBody = "application/json"), (UserUpdateBody = "application/vnd.api+json"))),
    responses(
        (status = 200, description = "The service account", body = UserDocument, content_type = "application/json"),
        (status = 403, description = "Missing permission, or the user is a person", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such user", body = Errors, content_type = "application/vnd.api+json"),
        (status = 409, description = "The email address is already used", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
        JsonBodyErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn update_user(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let account = service.changeable_account(&caller, &id).await?;
    body::require_json(&headers)?;
    let update = service_account_body::user_update(&body, account.id)?;
    let account = service.update_account(&caller, &id, &update).await?;
    users::document(&service, StatusCode::OK, account).await
}

/// Disables a service account, so that its tokens are rejected. Requires `service_account_write`.
/// People are disabled on the command line.
#[utoipa::path(
    delete, path = "/api/v2/users/{user_id}", tag = "Users", operation_id = "disable_user",
    params(("user_id" = String, Path, description = "The UUID of the service account")),
    responses(
        (status = 204, description = "The service account is disabled"),
        (status = 403, description = "Missing permission, or the user is a person", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such user", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn disable_user(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let update = AccountUpdate { disabled: Some(true), ..AccountUpdate::default() };
    service.update_account(&caller, &id, &update).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Lists the tokens of a service account. Requires `service_account_write` or `org_app_keys_read`.
#[utoipa::path(
    get, path = "/api/v2/service_accounts/{service_account_id}/access_tokens", tag = "Service accounts",
    operation_id = "list_service_account_access_tokens",
    params(
        ("service_account_id" = String, Path, description = "The UUID of the service account"),
        ("page[size]" = Option<u32>, Query, description = "Number of tokens per page", minimum = 1, maximum = 100),
        ("page[number]" = Option<u32>, Query, description = "Page number, from 0", minimum = 0),
        ("filter" = Option<String>, Query, description = "Part of the name, or the whole id or alias", max_length = 255),
        ("filter[leaked]" = Option<bool>, Query, description = "With true, only leaked tokens, including revoked ones"),
        ("filter[state]" = Option<String>, Query, description = "State of the tokens; by default live", pattern = "^(live|expiring|expired|revoked|leaked)$"),
        ("include" = Option<String>, Query, description = "leak_information", pattern = "^leak_information$"),
        ("sort" = Option<String>, Query, description = "Sort key", pattern = "^-?(name|created_at|expires_at|last_used_at|leaked)$"),
    ),
    responses(
        (status = 200, description = "A page of tokens", body = TokensDocument, content_type = "application/vnd.api+json"),
        (status = 400, description = "Invalid parameter, or the search takes too long", body = Errors, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such service account", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn list_tokens(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    caller.require(&[ServiceAccountWrite, OrgAppKeysRead])?;
    let account = service.service_account(&id).await?;
    let ListQuery { mut listing, include, states } = query::listing(query.as_deref())?;
    if !listing.owners.is_empty() {
        return Err(Refusal::invalid("filter[owned_by]", "the path names the owner").into());
    }
    listing.owners = vec![account.id];
    listing.kind = None;
    let search = service.store.tokens(&listing);
    let TokenPage { tokens, total } = service.search(&service.searches, &caller, search).await?;
    let shown: Vec<_> = tokens.iter().map(state_name).collect();
    let document = jsonapi::page_document(tokens, total, include);
    Ok(list_response(document, states.then_some(shown)))
}

/// Creates a token for a service account. Requires `service_account_write`. Only this response
/// contains the whole token.
#[utoipa::path(
    post, path = "/api/v2/service_accounts/{service_account_id}/access_tokens", tag = "Service accounts",
    operation_id = "create_service_account_access_token",
    params(("service_account_id" = String, Path, description = "The UUID of the service account")),
    request_body(content((AccountTokenBody = "application/json"), (AccountTokenBody = "application/vnd.api+json"))),
    responses(
        (status = 201, description = "The token, with its key", body = TokenDocument, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission, or more scopes than the caller's own token has", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such service account", body = Errors, content_type = "application/vnd.api+json"),
        (status = 409, description = "The service account is disabled", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
        JsonBodyErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn create_token(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    caller.require(&[ServiceAccountWrite])?;
    service.service_account(&id).await?;
    body::require_json(&headers)?;
    let creation = service_account_body::token(&body, &service.scopes.current())?;
    let Minted { token, secret } = service.create_account_token(&caller, &id, creation).await?;
    Ok(json(StatusCode::CREATED, JSON_API, &jsonapi::created_document(token, secret)))
}

/// Returns a token of a service account. Requires `service_account_write` or `org_app_keys_read`.
#[utoipa::path(
    get, path = "/api/v2/service_accounts/{service_account_id}/access_tokens/{token_id}",
    tag = "Service accounts", operation_id = "get_service_account_access_token",
    params(
        ("service_account_id" = String, Path, description = "The UUID of the service account"),
        ("token_id" = String, Path, description = "The token's UUID"),
        ("include" = Option<String>, Query, description = "leak_information", pattern = "^leak_information$"),
    ),
    responses(
        (status = 200, description = "The token", body = TokenDocument, content_type = "application/vnd.api+json"),
        (status = 400, description = "Invalid parameter", body = Errors, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such service account or token", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn get_token(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(ids): Ids,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let include = Query::parse(query.as_deref(), &[])?.include()?;
    let token = service.visible_token(&caller, ids.path()).await?;
    Ok(json(StatusCode::OK, JSON_API, &jsonapi::token_document(token, include)))
}

/// Changes the name or the scopes of a service account's token. Requires `service_account_write`.
#[utoipa::path(
    patch, path = "/api/v2/service_accounts/{service_account_id}/access_tokens/{token_id}",
    tag = "Service accounts", operation_id = "update_service_account_access_token",
    params(
        ("service_account_id" = String, Path, description = "The UUID of the service account"),
        ("token_id" = String, Path, description = "The token's UUID"),
    ),
    request_body(content((AccountTokenUpdateBody = "application/json"), (AccountTokenUpdateBody = "application/vnd.api+json"))),
    responses(
        (status = 200, description = "The updated token", body = TokenDocument, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission, or a new scope that the caller's own token lacks", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such service account or token", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
        JsonBodyErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn update_token(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(ids): Ids,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let token = service.changeable_token(&caller, ids.path()).await?;
    if tokens::is_dead(&token) {
        return Err(Refusal::NotFound("access token of this service account").into());
    }
    body::require_json(&headers)?;
    let update = service_account_body::token_update(&body, token.id, &service.scopes.current())?;
    let token = service.update_token(&caller, ids.path(), &update).await?;
    Ok(json(StatusCode::OK, JSON_API, &jsonapi::token_document(token, Include::Nothing)))
}

/// Revokes a token of a service account. Requires `service_account_write`. Revoking it again
/// succeeds without any change.
#[utoipa::path(
    delete, path = "/api/v2/service_accounts/{service_account_id}/access_tokens/{token_id}",
    tag = "Service accounts", operation_id = "revoke_service_account_access_token",
    params(
        ("service_account_id" = String, Path, description = "The UUID of the service account"),
        ("token_id" = String, Path, description = "The token's UUID"),
    ),
    responses(
        (status = 204, description = "The token is revoked"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such service account or token", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn revoke_token(
    State(service): Shared,
    Extension(caller): Extension<Caller>,
    Path(ids): Ids,
) -> Result<Response, ApiError> {
    service.revoke_token(&caller, ids.path()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
