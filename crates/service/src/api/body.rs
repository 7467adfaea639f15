//! Bodies of the token API, validated field by field so that each error names its field and the
//! allowed values.

use super::error::ApiError;
use super::jsonapi::TOKENS;
use crate::redact::holds_token;
use crate::scope::KnownScopes;
use crate::service::a_year_after;
use crate::{audit, time};
use axum::http::{HeaderMap, StatusCode, header};
use ddpatrol_token::Uuid;
use jiff::{Timestamp, ToSpan as _};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Maximum length of a name, in characters.
pub const MAX_NAME: usize = 255;
/// Maximum number of scopes of a token.
const MAX_SCOPES: usize = 1_000;
/// Tolerance of the minimum lifetime, for the time that a request takes to arrive.
const GRACE_SECONDS: i64 = 60;

/// The body of a request that creates a token.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateBody {
    /// The new token.
    pub data: CreateData,
}

/// The new token.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateData {
    /// Always `personal_access_tokens`.
    #[serde(rename = "type")]
    #[schema(pattern = "^personal_access_tokens$")]
    pub kind: String,
    /// The attributes of the new token.
    pub attributes: CreateAttributes,
}

/// The attributes of a new token.
#[derive(Debug, Deserialize, ToSchema)]
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
pub struct UpdateBody {
    /// The token and its changes.
    pub data: UpdateData,
}

/// A token and its changes.
#[derive(Debug, Deserialize, ToSchema)]
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
pub struct UpdateAttributes {
    /// The new name.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    pub name: Option<String>,
    /// Known scopes, which the caller's own token must have too.
    #[schema(min_items = 1, max_items = 1000, nullable = false)]
    pub scopes: Option<Vec<String>>,
}

/// A valid request to create a token.
#[derive(Debug)]
pub struct CreateRequest {
    /// The name.
    pub name: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The time of expiry.
    pub expires_at: Timestamp,
}

/// A valid request to update a token.
#[derive(Debug)]
pub struct UpdateRequest {
    /// The new name.
    pub name: Option<String>,
    /// The new scopes.
    pub scopes: Option<Vec<String>>,
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

/// Collects the errors in a body.
struct Validator<'a> {
    scopes: &'a KnownScopes,
    errors: Vec<String>,
}

impl Validator<'_> {
    fn add(&mut self, field: &str, problem: impl std::fmt::Display) {
        self.errors.push(format!("{field}: {problem}"));
    }

    /// Returns the object `data.attributes` after checking the type.
    fn attributes<'v>(&mut self, body: &'v Value) -> Option<&'v Value> {
        let Some(data) = body.get("data").filter(|data| data.is_object()) else {
            self.add("data", "must be an object with type and attributes");
            return None;
        };
        if data.get("type").and_then(Value::as_str) != Some(TOKENS) {
            self.add("data.type", format_args!("must be {TOKENS:?}"));
        }
        let attributes = data.get("attributes").filter(|attributes| attributes.is_object());
        if attributes.is_none() {
            self.add("data.attributes", "must be an object");
        }
        attributes
    }

    fn name(&mut self, attributes: &Value) -> String {
        let field = "data.attributes.name";
        let name = attributes.get("name").and_then(Value::as_str).unwrap_or_default();
        if name.trim().is_empty() || name.chars().count() > MAX_NAME {
            self.add(field, format_args!("must be a string of 1 to {MAX_NAME} characters"));
        } else if name.chars().any(char::is_control) {
            self.add(field, "must not contain control characters");
        } else if holds_token(name) {
            self.add(field, "must not contain an access token, since other users can see it");
        }
        name.to_owned()
    }

    fn scopes(&mut self, attributes: &Value) -> Vec<String> {
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
            if !self.scopes.contains(name) {
                let similar = self.scopes.similar(name);
                let shown = audit::clean(name);
                let hint = if similar.is_empty() {
                    "use the scope names from the documentation".to_owned()
                } else {
                    format!("similar scopes: {}", similar.join(", "))
                };
                self.add(field, format_args!("unknown scope {shown:?}; {hint}"));
            } else if !scopes.iter().any(|scope| scope == name) {
                scopes.push(name.to_owned());
            }
        }
        scopes
    }

    fn expiry(&mut self, attributes: &Value) -> Timestamp {
        let field = "data.attributes.expires_at";
        let now = time::now();
        let text = attributes.get("expires_at").and_then(Value::as_str).unwrap_or_default();
        let Ok(expires_at) = text.parse::<Timestamp>() else {
            self.add(field, "must be a time in RFC 3339, for example 2030-01-31T12:00:00Z");
            return now;
        };
        let first = now.checked_add(24.hours()).unwrap_or(Timestamp::MAX);
        let earliest = first.checked_sub(GRACE_SECONDS.seconds()).unwrap_or(first);
        let latest = a_year_after(now);
        if expires_at < earliest || expires_at > latest {
            let (first, latest) = (time::whole_micros(first), time::whole_micros(latest));
            self.add(
                field,
                format_args!("must be between 24 hours and one year from now, {first} to {latest}"),
            );
        }
        expires_at
    }

    fn finish<T>(self, value: T) -> Result<T, ApiError> {
        if self.errors.is_empty() { Ok(value) } else { Err(ApiError::bad_request(self.errors)) }
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
pub fn create(body: &[u8], scopes: &KnownScopes) -> Result<CreateRequest, ApiError> {
    let body = value(body)?;
    let mut validator = Validator { scopes, errors: Vec::new() };
    let Some(attributes) = validator.attributes(&body) else {
        return Err(ApiError::bad_request(validator.errors));
    };
    let create = CreateRequest {
        name: validator.name(attributes),
        scopes: validator.scopes(attributes),
        expires_at: validator.expiry(attributes),
    };
    validator.finish(create)
}

/// Parses the body of a request that updates `token`.
///
/// # Errors
/// [`ApiError`] 400 with every error.
pub fn update(body: &[u8], token: Uuid, scopes: &KnownScopes) -> Result<UpdateRequest, ApiError> {
    let body = value(body)?;
    let mut validator = Validator { scopes, errors: Vec::new() };
    let id = body.pointer("/data/id").and_then(Value::as_str).and_then(Uuid::parse);
    if id != Some(token) {
        validator.add("data.id", "must be the id in the path");
    }
    let Some(attributes) = validator.attributes(&body) else {
        return Err(ApiError::bad_request(validator.errors));
    };
    if attributes.get("expires_at").is_some() {
        validator.add("data.attributes.expires_at", "cannot change; create a new token");
    }
    let given = |name: &str| attributes.get(name).is_some();
    let update = UpdateRequest {
        name: given("name").then(|| validator.name(attributes)),
        scopes: given("scopes").then(|| validator.scopes(attributes)),
    };
    validator.finish(update)
}
