//! Bodies of the token API, validated field by field so that each error names its field and the
//! allowed values.

use super::error::ApiError;
use super::validator::Validator;
use crate::scope::KnownScopes;
use crate::token_kind::TokenKind;
use crate::tokens::{TokenCreation, TokenRotation, TokenUpdate};
use axum::http::{HeaderMap, StatusCode, header};
use ddpatrol_token::Uuid;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The type of a personal access token.
const TOKENS: &str = TokenKind::Personal.resource();

/// The body of a request that creates a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBody {
    /// The new token.
    pub data: CreateData,
}

/// The new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateData {
    /// Always `personal_access_tokens`.
    #[serde(rename = "type")]
    #[schema(pattern = "^personal_access_tokens$")]
    pub kind: String,
    /// The attributes of the new token.
    pub attributes: CreateAttributes,
    /// The owner, if it is not the caller.
    #[schema(nullable = false)]
    pub relationships: Option<CreateRelationships>,
}

/// The relationships of a new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRelationships {
    /// The owner of the new token; another person requires `org_app_keys_write`.
    #[schema(nullable = false)]
    pub owned_by: Option<CreateOwner>,
}

/// The owner of a new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOwner {
    /// The reference to the owner.
    pub data: CreateOwnerReference,
}

/// A reference to the owner of a new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOwnerReference {
    /// The identifier of the user.
    #[schema(format = "uuid")]
    pub id: String,
    /// Always `users`.
    #[serde(rename = "type")]
    #[schema(pattern = "^users$")]
    pub kind: String,
}

/// The attributes of a new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAttributes {
    /// The name.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Known scopes, which the caller's own token must have too.
    #[schema(min_items = 1, max_items = 1000)]
    pub scopes: Vec<String>,
    /// The time of expiry: between 24 hours and one year from now.
    #[schema(format = "date-time")]
    pub expires_at: String,
}

/// The body of a request that updates a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateBody {
    /// The token and its changes.
    pub data: UpdateData,
}

/// A token and its changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateData {
    /// The identifier of the token, the same as in the path.
    #[schema(format = "uuid")]
    pub id: String,
    /// Always `personal_access_tokens`.
    #[serde(rename = "type")]
    #[schema(pattern = "^personal_access_tokens$")]
    pub kind: String,
    /// The changed attributes.
    pub attributes: UpdateAttributes,
}

/// The changed attributes; absent ones are kept. The time of expiry cannot change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAttributes {
    /// The new name.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    pub name: Option<String>,
    /// Known scopes, which the caller's own token must have too.
    #[schema(min_items = 1, max_items = 1000, nullable = false)]
    pub scopes: Option<Vec<String>>,
}

/// The body of a request that rotates a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateBody {
    /// The rotation.
    pub data: RotateData,
}

/// A rotation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateData {
    /// The identifier of the token, the same as in the path.
    #[schema(format = "uuid", nullable = false)]
    pub id: Option<String>,
    /// Always `personal_access_tokens`.
    #[serde(rename = "type")]
    #[schema(pattern = "^personal_access_tokens$")]
    pub kind: String,
    /// The attributes of the rotation.
    #[schema(nullable = false)]
    pub attributes: Option<RotateAttributes>,
}

/// The attributes of a rotation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateAttributes {
    /// The time for which the old token remains live, in seconds; by default 0.
    #[schema(minimum = 0, maximum = 86400, nullable = false)]
    pub overlap_seconds: Option<u32>,
}

/// Checks that the declared media type of a body is JSON, if any is declared.
///
/// # Errors
/// [`ApiError`] 415 for another media type.
pub fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(media) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let media = media.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let json = media.eq_ignore_ascii_case("application/json")
        || (media.starts_with("application/") && media.ends_with("+json"));
    if json {
        Ok(())
    } else {
        let text = "Content-Type: must be application/json or application/vnd.api+json";
        Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
    }
}

/// Parses a body as JSON.
///
/// # Errors
/// [`ApiError`] 400 with the position of the error.
pub(crate) fn value(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        ApiError::bad_request(vec![format!("body: not JSON (line {line}, column {column})")])
    })
}

/// Parses the body of a request that creates a token.
///
/// # Errors
/// [`ApiError`] 400 with every error.
pub fn create(body: &[u8], scopes: &KnownScopes) -> Result<TokenCreation, ApiError> {
    let body = value(body)?;
    let mut validator = Validator::default();
    let creation = creation(&mut validator, &body, scopes);
    validator.finish(creation)
}

fn creation(
    validator: &mut Validator,
    body: &Value,
    scopes: &KnownScopes,
) -> Option<TokenCreation> {
    let data = validator.data(body, TOKENS, &["type", "attributes", "relationships"])?;
    let attributes = validator.attributes(data, &["name", "scopes", "expires_at"])?;
    Some(TokenCreation {
        owner: validator.owner(data),
        name: validator.name(attributes),
        scopes: validator.scopes(attributes, scopes),
        expires_at: validator.expiry(attributes),
    })
}

/// Parses the body of a request that updates `token`, a personal access token.
///
/// # Errors
/// [`ApiError`] 400 with every error.
pub fn update(body: &[u8], token: Uuid, scopes: &KnownScopes) -> Result<TokenUpdate, ApiError> {
    token_update(body, token, &UpdateContext { kind: TOKENS, scopes })
}

/// The expected type of an updated token, and the scopes that it may have.
pub(super) struct UpdateContext<'a> {
    /// The type of the resource.
    pub(super) kind: &'static str,
    /// The known scopes.
    pub(super) scopes: &'a KnownScopes,
}

/// Parses the body of a request that updates a token of any kind.
pub(super) fn token_update(
    body: &[u8],
    token: Uuid,
    context: &UpdateContext<'_>,
) -> Result<TokenUpdate, ApiError> {
    let body = value(body)?;
    let mut validator = Validator::default();
    validator.path_id(&body, token);
    let changes = changes(&mut validator, &body, context);
    validator.finish(changes)
}

fn changes(
    validator: &mut Validator,
    body: &Value,
    context: &UpdateContext<'_>,
) -> Option<TokenUpdate> {
    let data = validator.data(body, context.kind, &["id", "type", "attributes"])?;
    // An expiry has an error of its own.
    let attributes = validator.attributes(data, &["name", "scopes", "expires_at"])?;
    if attributes.contains_key("expires_at") {
        validator.add("data.attributes.expires_at", "cannot change; create a new token");
    }
    let given = |name: &str| attributes.contains_key(name);
    Some(TokenUpdate {
        name: given("name").then(|| validator.name(attributes)),
        scopes: given("scopes").then(|| validator.scopes(attributes, context.scopes)),
    })
}

/// Parses the body of a request that rotates `token`. An empty body is valid.
///
/// # Errors
/// [`ApiError`] 400 with every error.
pub fn rotate(body: &[u8], token: Uuid) -> Result<TokenRotation, ApiError> {
    if body.is_empty() {
        return Ok(TokenRotation::default());
    }
    let body = value(body)?;
    let mut validator = Validator::default();
    if body.pointer("/data/id").is_some() {
        validator.path_id(&body, token);
    }
    let rotation = rotation(&mut validator, &body);
    validator.finish(rotation)
}

fn rotation(validator: &mut Validator, body: &Value) -> Option<TokenRotation> {
    let data = validator.data(body, TOKENS, &["id", "type", "attributes"])?;
    if !data.contains_key("attributes") {
        return Some(TokenRotation::default());
    }
    let attributes = validator.attributes(data, &["overlap_seconds"])?;
    Some(TokenRotation { overlap: validator.overlap(attributes) })
}
