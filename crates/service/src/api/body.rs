//! Bodies of the token API, validated field by field so that each error names its field and the
//! allowed values.

use super::error::ApiError;
use crate::audit;
use crate::scope::KnownScopes;
use crate::token_kind::TokenKind;
use crate::tokens::fields::{MAX_SCOPES, check_expiry, check_name, check_scope};
use crate::tokens::{MAX_OVERLAP, TokenCreation, TokenRotation, TokenUpdate};
use axum::http::{HeaderMap, StatusCode, header};
use ddpatrol_token::Uuid;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
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

/// Maximum number of unknown members of one object that an error names.
const MAX_UNKNOWN: usize = 10;

/// Collects the errors in a body.
#[derive(Default)]
pub(super) struct Validator {
    errors: Vec<String>,
}

impl Validator {
    pub(super) fn add(&mut self, field: &str, problem: impl std::fmt::Display) {
        self.errors.push(format!("{field}: {problem}"));
    }

    pub(super) fn check<T>(&mut self, field: &str, checked: Result<T, String>) -> Option<T> {
        checked.map_err(|problem| self.add(field, problem)).ok()
    }

    /// Returns the object at `path`, which may have only `known` members.
    pub(super) fn object<'v>(
        &mut self,
        value: Option<&'v Value>,
        path: &str,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Some(object) = value.and_then(Value::as_object) else {
            self.add(path, format_args!("must be an object with {}", known.join(", ")));
            return None;
        };
        let unknown = object.keys().filter(|name| !known.contains(&name.as_str()));
        for name in unknown.take(MAX_UNKNOWN) {
            let field = match path {
                "body" => audit::clean(name),
                _ => format!("{path}.{}", audit::clean(name)),
            };
            self.add(&field, format_args!("unknown member; expected {}", known.join(", ")));
        }
        Some(object)
    }

    /// Returns the object `data` after checking the type.
    pub(super) fn data<'v>(
        &mut self,
        body: &'v Value,
        kind: &str,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let data = self.object(Some(body), "body", &["data"])?.get("data");
        let data = self.object(data, "data", known)?;
        if data.get("type").and_then(Value::as_str) != Some(kind) {
            self.add("data.type", format_args!("must be {kind:?}"));
        }
        Some(data)
    }

    /// Returns the attributes of `data`.
    pub(super) fn attributes<'v>(
        &mut self,
        data: &'v Map<String, Value>,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        self.object(data.get("attributes"), "data.attributes", known)
    }

    pub(super) fn name(&mut self, attributes: &Map<String, Value>) -> String {
        let name = attributes.get("name").and_then(Value::as_str).unwrap_or_default();
        self.check("data.attributes.name", check_name(name));
        name.to_owned()
    }

    pub(super) fn scopes(
        &mut self,
        attributes: &Map<String, Value>,
        known: &KnownScopes,
    ) -> Vec<String> {
        let field = "data.attributes.scopes";
        let names: Option<Vec<&str>> = attributes
            .get("scopes")
            .and_then(Value::as_array)
            .and_then(|scopes| scopes.iter().map(Value::as_str).collect());
        let Some(names) = names.filter(|names| (1..=MAX_SCOPES).contains(&names.len())) else {
            self.add(field, format_args!("must be a list of 1 to {MAX_SCOPES} scope names"));
            return Vec::new();
        };
        let mut scopes: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            let known = self.check(field, check_scope(name, known)).is_some();
            if known && !scopes.iter().any(|scope| scope == name) {
                scopes.push(name.to_owned());
            }
        }
        scopes
    }

    pub(super) fn expiry(&mut self, attributes: &Map<String, Value>) -> Timestamp {
        let field = "data.attributes.expires_at";
        let text = attributes.get("expires_at").and_then(Value::as_str).unwrap_or_default();
        let Ok(expires_at) = text.parse::<Timestamp>() else {
            self.add(field, "must be a time in RFC 3339, for example 2030-01-31T12:00:00Z");
            return Timestamp::MIN;
        };
        self.check(field, check_expiry(expires_at));
        expires_at
    }

    /// Returns the owner in the relationships of `data`.
    fn owner(&mut self, data: &Map<String, Value>) -> Option<Uuid> {
        let field = "data.relationships";
        let relationships = self.object(Some(data.get("relationships")?), field, &["owned_by"])?;
        let field = "data.relationships.owned_by";
        let owned_by = self.object(Some(relationships.get("owned_by")?), field, &["data"])?;
        let field = "data.relationships.owned_by.data";
        let owner = self.object(owned_by.get("data"), field, &["id", "type"])?;
        if owner.get("type").and_then(Value::as_str) != Some("users") {
            self.add("data.relationships.owned_by.data.type", "must be \"users\"");
        }
        let id = owner.get("id").and_then(Value::as_str).and_then(Uuid::parse);
        if id.is_none() {
            self.add("data.relationships.owned_by.data.id", "must be a user's UUID");
        }
        id
    }

    /// Returns the overlap of a rotation.
    fn overlap(&mut self, attributes: &Map<String, Value>) -> SignedDuration {
        let Some(value) = attributes.get("overlap_seconds") else { return SignedDuration::ZERO };
        let overlap = value.as_i64().map(SignedDuration::from_secs);
        let allowed = SignedDuration::ZERO..=MAX_OVERLAP;
        overlap.filter(|overlap| allowed.contains(overlap)).unwrap_or_else(|| {
            let most = MAX_OVERLAP.as_secs();
            let problem = format_args!("must be a whole number of seconds from 0 to {most}");
            self.add("data.attributes.overlap_seconds", problem);
            SignedDuration::ZERO
        })
    }

    /// Checks that the identifier in `data` is the one in the path.
    pub(super) fn path_id(&mut self, body: &Value, path: Uuid) {
        let id = body.pointer("/data/id").and_then(Value::as_str).and_then(Uuid::parse);
        if id != Some(path) {
            self.add("data.id", "must be the id in the path");
        }
    }

    /// Returns the value if there was no error.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, ApiError> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(ApiError::bad_request(self.errors)),
        }
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
