//! Validates the members of a JSON body, and collects the errors with the paths of the members.

use super::error::ApiError;
use crate::audit;
use crate::scope::KnownScopes;
use crate::tokens::MAX_OVERLAP;
use crate::tokens::fields::{MAX_SCOPES, check_expiry, check_name, check_scope};
use ddpatrol_token::Uuid;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

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

    pub(super) fn check<T>(
        &mut self,
        field: &str,
        checked: Result<T, impl std::fmt::Display>,
    ) -> Option<T> {
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
    pub(super) fn owner(&mut self, data: &Map<String, Value>) -> Option<Uuid> {
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
    pub(super) fn overlap(&mut self, attributes: &Map<String, Value>) -> SignedDuration {
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
