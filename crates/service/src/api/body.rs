//! Bodies of the token API: read field by field, so that each fault is told with its field and what
//! is allowed there.

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

/// How long a name may be, in characters.
pub const MAX_NAME: usize = 255;
/// How many scopes a token may carry.
const MAX_SCOPES: usize = 1_000;
/// How long before its end a day may have begun: what a request takes on its way.
const GRACE_SECONDS: i64 = 60;

/// The body of a creation.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateBody {
    /// The token that shall be.
    pub data: CreateData,
}

/// The token that shall be.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateData {
    /// Always `personal_access_tokens`.
    #[serde(rename = "type")]
    #[schema(pattern = "^personal_access_tokens$")]
    pub kind: String,
    /// What it shall be.
    pub attributes: CreateAttributes,
}

/// What a new token shall be.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateAttributes {
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// What it may do: known scopes, which the caller's own token has too.
    #[schema(min_items = 1, max_items = 1000)]
    pub scopes: Vec<String>,
    /// When it ends: 24 hours to one year ahead.
    #[schema(format = "date-time")]
    pub expires_at: String,
}

/// The body of an update.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UpdateBody {
    /// The token and its changes.
    pub data: UpdateData,
}

/// A token and its changes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UpdateData {
    /// The token, the same as in the path.
    #[schema(format = "uuid")]
    pub id: String,
    /// Always `personal_access_tokens`.
    #[serde(rename = "type")]
    #[schema(pattern = "^personal_access_tokens$")]
    pub kind: String,
    /// Its changes.
    pub attributes: UpdateAttributes,
}

/// What shall change; what is absent stays. The expiry cannot change.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UpdateAttributes {
    /// What it is called.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    pub name: Option<String>,
    /// What it may do: known scopes, which the caller's own token has too.
    #[schema(min_items = 1, max_items = 1000, nullable = false)]
    pub scopes: Option<Vec<String>>,
}

/// A creation that is in order.
#[derive(Debug)]
pub struct Create {
    /// What the token is called.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An update that is in order.
#[derive(Debug)]
pub struct Update {
    /// The new name.
    pub name: Option<String>,
    /// The new scopes.
    pub scopes: Option<Vec<String>>,
}

/// Requires that a body says it is JSON, or says nothing.
///
/// # Errors
/// [`ApiError`] 415 for another media type.
pub fn must_be_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(media) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let media = media.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let json = media.eq_ignore_ascii_case("application/json")
        || (media.starts_with("application/") && media.ends_with("+json"));
    if json {
        Ok(())
    } else {
        let text = "Content-Type: application/json or application/vnd.api+json";
        Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
    }
}

/// Collects the faults of a body.
struct Faults<'a> {
    scopes: &'a KnownScopes,
    errors: Vec<String>,
}

impl Faults<'_> {
    fn add(&mut self, field: &str, problem: impl std::fmt::Display) {
        self.errors.push(format!("{field}: {problem}"));
    }

    /// The object `data.attributes`, after the type was checked.
    fn attributes<'v>(&mut self, body: &'v Value) -> Option<&'v Value> {
        let Some(data) = body.get("data").filter(|data| data.is_object()) else {
            self.add("data", "required, an object with type and attributes");
            return None;
        };
        if data.get("type").and_then(Value::as_str) != Some(TOKENS) {
            self.add("data.type", format_args!("required, always {TOKENS:?}"));
        }
        let attributes = data.get("attributes").filter(|attributes| attributes.is_object());
        if attributes.is_none() {
            self.add("data.attributes", "required, an object");
        }
        attributes
    }

    fn name(&mut self, attributes: &Value) -> String {
        let field = "data.attributes.name";
        let name = attributes.get("name").and_then(Value::as_str).unwrap_or_default();
        if name.trim().is_empty() || name.chars().count() > MAX_NAME {
            self.add(field, format_args!("required, a text of 1 to {MAX_NAME} characters"));
        } else if name.chars().any(char::is_control) {
            self.add(field, "no control characters");
        } else if holds_token(name) {
            self.add(field, "holds an access token; names are shown to others");
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
            self.add(field, format_args!("required, a list of 1 to {MAX_SCOPES} names of scopes"));
            return Vec::new();
        };
        let mut scopes: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            if !self.scopes.has(name) {
                let like = self.scopes.like(name);
                let told = audit::clean(name);
                let hint = if like.is_empty() {
                    "use names from the documentation of scopes".to_owned()
                } else {
                    format!("known are {}", like.join(", "))
                };
                self.add(field, format_args!("unknown scope {told:?}; {hint}"));
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
            self.add(field, "required, a time in RFC 3339, as 2030-01-31T12:00:00Z");
            return now;
        };
        let first = now.checked_add(24.hours()).unwrap_or(Timestamp::MAX);
        let earliest = first.checked_sub(GRACE_SECONDS.seconds()).unwrap_or(first);
        let latest = a_year_after(now);
        if expires_at < earliest || expires_at > latest {
            let (first, latest) = (time::whole_micros(first), time::whole_micros(latest));
            self.add(field, format_args!("24 hours to one year ahead, {first} to {latest}"));
        }
        expires_at
    }

    fn end<T>(self, value: T) -> Result<T, ApiError> {
        if self.errors.is_empty() { Ok(value) } else { Err(ApiError::bad(self.errors)) }
    }
}

/// Reads a body as JSON.
///
/// # Errors
/// [`ApiError`] 400 naming the place of the fault.
pub(crate) fn value(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        ApiError::bad(vec![format!("body: not JSON (line {line}, column {column})")])
    })
}

/// Reads the body of a creation.
///
/// # Errors
/// [`ApiError`] 400 with every fault.
pub fn create(body: &[u8], scopes: &KnownScopes) -> Result<Create, ApiError> {
    let body = value(body)?;
    let mut faults = Faults { scopes, errors: Vec::new() };
    let Some(attributes) = faults.attributes(&body) else {
        return Err(ApiError::bad(faults.errors));
    };
    let create = Create {
        name: faults.name(attributes),
        scopes: faults.scopes(attributes),
        expires_at: faults.expiry(attributes),
    };
    faults.end(create)
}

/// Reads the body of an update of `token`.
///
/// # Errors
/// [`ApiError`] 400 with every fault.
pub fn update(body: &[u8], token: Uuid, scopes: &KnownScopes) -> Result<Update, ApiError> {
    let body = value(body)?;
    let mut faults = Faults { scopes, errors: Vec::new() };
    let id = body.pointer("/data/id").and_then(Value::as_str).and_then(Uuid::parse);
    if id != Some(token) {
        faults.add("data.id", "required, the id in the path");
    }
    let Some(attributes) = faults.attributes(&body) else {
        return Err(ApiError::bad(faults.errors));
    };
    if attributes.get("expires_at").is_some() {
        faults.add("data.attributes.expires_at", "cannot change; make a new token");
    }
    let given = |name: &str| attributes.get(name).is_some();
    let update = Update {
        name: given("name").then(|| faults.name(attributes)),
        scopes: given("scopes").then(|| faults.scopes(attributes)),
    };
    faults.end(update)
}
