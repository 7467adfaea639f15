//! The OpenAPI document: the one generated from the routes, completed with what their attributes
//! cannot express once for all of them: headers of rate limits, enumerations, examples.

use serde_json::{Map, Value, json};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Contact, License, OpenApi, Server};

/// Examples of bodies, by the name of their schema.
const EXAMPLES: &str = include_str!("../../data/examples.json");
/// The tags, with their descriptions.
const TAGS: [(&str, &str); 7] = [
    ("Tokens", "Personal access tokens, and checks of the caller's token"),
    ("Service accounts", "Service accounts and their access tokens"),
    ("Users", "The owners of tokens"),
    ("Audit", "The audit trail"),
    ("Leaks", "Reports of leaked tokens"),
    ("OAuth", "Revocation (RFC 7009) and introspection (RFC 7662)"),
    ("Operation", "Health and metrics for operators"),
];
/// The tag of operations without rate limits.
const UNLIMITED: &str = "Operation";
/// The tags of operations whose 429 has `Retry-After`.
const RETRY_AFTER: [&str; 2] = ["Leaks", "OAuth"];
/// The headers of rate limits, with their types and descriptions.
const LIMITS: [(&str, &str, &str); 5] = [
    ("X-RateLimit-Limit", "integer", "Number of requests that are allowed in a period"),
    ("X-RateLimit-Period", "integer", "Length of the period, in seconds"),
    ("X-RateLimit-Remaining", "integer", "Number of requests that remain in this period"),
    ("X-RateLimit-Reset", "integer", "Time until the end of this period, in seconds"),
    ("X-RateLimit-Name", "string", "Name of the limit"),
];

/// Describes the service in a generated document.
pub(super) fn describe(document: &mut OpenApi) {
    document.info.title = "ddpatrold".to_owned();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.info.description = Some(
        "Issues, checks, rotates, revokes and audits access tokens of people and service accounts"
            .to_owned(),
    );
    let mut contact = Contact::new();
    contact.name = Some("ddpatrol".to_owned());
    contact.url = Some(env!("CARGO_PKG_REPOSITORY").to_owned());
    document.info.contact = Some(contact);
    let mut license = License::new(env!("CARGO_PKG_LICENSE"));
    license.identifier = Some(env!("CARGO_PKG_LICENSE").to_owned());
    document.info.license = Some(license);
    let mut server = Server::new("/");
    server.description = Some("The service that this document was read from".to_owned());
    document.servers = Some(vec![server]);
    let components = document.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("dd-application-key")));
    components.security_schemes.insert("bearer".to_owned(), bearer.into());
    components.security_schemes.insert("application_key".to_owned(), key.into());
}

/// Returns the text of a document.
///
/// # Errors
/// [`serde_json::Error`] if the document or the built-in examples cannot be converted.
pub(super) fn text(document: &OpenApi) -> Result<Vec<u8>, serde_json::Error> {
    let mut document = serde_json::to_value(document)?;
    enumerate(&mut document);
    add_examples(&mut document, serde_json::from_str(EXAMPLES)?);
    add_limits(&mut document);
    document["tags"] =
        TAGS.iter().map(|(name, text)| json!({"name": name, "description": text})).collect();
    serde_json::to_vec(&document)
}

/// Replaces each pattern that lists all values by an enumeration.
fn enumerate(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(enumerate),
        Value::Object(members) => {
            members.values_mut().for_each(enumerate);
            let pattern = members.get("pattern").and_then(Value::as_str);
            if let Some(mut values) = pattern.and_then(alternatives) {
                if has_null(members) {
                    values.push(Value::Null);
                }
                members.remove("pattern");
                members.insert("enum".to_owned(), values.into());
            }
        }
        _ => {}
    }
}

/// Returns `true` if the type of a schema includes null.
fn has_null(schema: &Map<String, Value>) -> bool {
    let types = schema.get("type").and_then(Value::as_array);
    types.is_some_and(|types| types.iter().any(|kind| kind == "null"))
}

/// Returns the values of a pattern such as `^-?(name|email)$`, if it is one.
fn alternatives(pattern: &str) -> Option<Vec<Value>> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let (signs, inner) = match inner.strip_prefix("-?") {
        Some(inner) => (&["", "-"][..], inner),
        None => (&[""][..], inner),
    };
    let inner = inner.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(inner);
    let names: Vec<&str> = inner.split('|').collect();
    let is_name = |name: &&str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if !names.iter().all(is_name) {
        return None;
    }
    let signed =
        signs.iter().flat_map(|sign| names.iter().map(move |name| format!("{sign}{name}")));
    Some(signed.map(Value::from).collect())
}

/// Adds the examples to the schemas with their names.
fn add_examples(document: &mut Value, examples: Map<String, Value>) {
    for (name, example) in examples {
        if let Some(schema) = document["components"]["schemas"].get_mut(&name) {
            schema["examples"] = json!([example]);
        }
    }
}

/// Adds the headers of rate limits to the responses of all operations that have a limit.
fn add_limits(document: &mut Value) {
    let headers = LIMITS.map(|(name, kind, text)| {
        let header = json!({"description": text, "schema": {"type": kind}});
        (name.to_owned(), header)
    });
    let mut headers: Map<String, Value> = headers.into_iter().collect();
    let text = "Time after which the request may be repeated, in seconds";
    let retry = json!({"description": text, "schema": {"type": "integer"}});
    headers.insert("Retry-After".to_owned(), retry);
    document["components"]["headers"] = headers.into();
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let tag = operation["tags"][0].as_str().unwrap_or_default().to_owned();
        if tag == UNLIMITED {
            continue;
        }
        let Some(responses) = operation["responses"].as_object_mut() else { continue };
        for (status, response) in responses {
            let mut names: Vec<&str> = LIMITS.iter().map(|(name, ..)| *name).collect();
            if status == "429" && RETRY_AFTER.contains(&tag.as_str()) {
                names.push("Retry-After");
            }
            for name in names {
                response["headers"][name] = json!({"$ref": format!("#/components/headers/{name}")});
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_lists_all_values_becomes_an_enumeration() {
        for (pattern, values) in [
            ("^users$", json!(["users"])),
            ("^(live|expired)$", json!(["live", "expired"])),
            ("^-?(name|created_at)$", json!(["name", "created_at", "-name", "-created_at"])),
        ] {
            let mut schema = json!({"schema": {"type": "string", "pattern": pattern}});
            enumerate(&mut schema);
            assert_eq!(schema, json!({"schema": {"type": "string", "enum": values}}));
        }
        for pattern in ["^[a-z]+$", "users", "^(a|)$", "^a|b.$"] {
            assert_eq!(alternatives(pattern), None, "{pattern}");
        }
    }
}
