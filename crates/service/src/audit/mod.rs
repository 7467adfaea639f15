//! The audit trail: what an event says, and which events a reader asks for.
//!
//! An event is append-only. It names a token by id and alias and never holds its secret: strings
//! that callers send pass [`crate::redact`] on the way in.

pub mod batch;
pub mod filter;
pub mod queue;
pub mod tally;

pub use filter::{Cursor, Filter, FilterError, Page};

use crate::redact::{bounded, longest_redacted, redact_within};
use crate::{id, time};
use ddpatrol_token::Uuid;
use ddpatrol_token::mint::RandomError;
use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// The names of events (`@evt.name`).
pub mod name {
    /// A token was minted.
    pub const CREATED: &str = "access_token.created";
    /// A token's name or scopes changed.
    pub const UPDATED: &str = "access_token.updated";
    /// A token was revoked by somebody, or by policy after a leak report.
    pub const REVOKED: &str = "access_token.revoked";
    /// A token reached its expiry.
    pub const EXPIRED: &str = "access_token.expired";
    /// A token was reported as leaked.
    pub const LEAKED: &str = "access_token.leak_reported";
    /// A live token was used for a request.
    pub const USED: &str = "access_token.used";
    /// A revoked or expired token was tried.
    pub const DENIED: &str = "access_token.denied";
    /// A person was added.
    pub const USER_CREATED: &str = "user.created";
    /// A person's permissions changed.
    pub const USER_UPDATED: &str = "user.updated";
    /// A person was disabled.
    pub const USER_DISABLED: &str = "user.disabled";
    /// The trusted time was reset.
    pub const CLOCK_RESET: &str = "clock.reset";
}

/// How the caller of an audited action proved who it is (`@auth_method`).
pub mod method {
    /// `Authorization: Bearer`.
    pub const BEARER: &str = "bearer";
    /// The header `dd-application-key`.
    pub const APPLICATION_KEY: &str = "application_key";
    /// The token itself, reported by whoever found it.
    pub const POSSESSION: &str = "possession";
    /// GitHub's signature over its alert.
    pub const GITHUB_SIGNATURE: &str = "github_signature";
    /// An operator at the command line, who holds the database.
    pub const COMMAND_LINE: &str = "command_line";
    /// A token that another service was shown, and introspected.
    pub const INTROSPECTION: &str = "introspection";
    /// Nobody: the service itself.
    pub const SYSTEM: &str = "system";
}

/// What a token is called as an asset.
const TOKEN_ASSET: &str = "personal_access_tokens";
/// How long a caller's string in an event may be, in bytes.
const MAX_TEXT: usize = 512;

/// A person in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Whose.
    pub id: Uuid,
    /// Their address.
    pub email: Arc<str>,
}

/// The request behind an event, redacted and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The HTTP method.
    pub method: Cow<'static, str>,
    /// The path, without the query.
    pub path: String,
    /// The host that the caller named.
    pub host: String,
    /// The caller's program, as it says.
    pub user_agent: String,
    /// The caller's address.
    pub ip: String,
}

impl Request {
    /// Redacts and bounds what a caller sent.
    #[must_use]
    pub fn new(parts: &axum::http::request::Parts, ip: String) -> Self {
        let header = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(clean)
                .unwrap_or_default()
        };
        Self {
            method: match parts.method {
                axum::http::Method::GET => "GET".into(),
                axum::http::Method::POST => "POST".into(),
                axum::http::Method::PATCH => "PATCH".into(),
                axum::http::Method::DELETE => "DELETE".into(),
                ref other => bounded(other.as_str(), MAX_TEXT).to_owned().into(),
            },
            path: clean(parts.uri.path()),
            host: match parts.uri.host() {
                Some(host) => clean(host),
                None => header(axum::http::header::HOST),
            },
            user_agent: header(axum::http::header::USER_AGENT),
            ip,
        }
    }
}

/// Redacts and bounds a caller's string for a row.
///
/// The result is at most one replacement longer than the string, so that a row of many short
/// look-alikes of tokens takes no more memory than the request was charged for.
#[must_use]
pub fn clean(text: &str) -> String {
    redact_within(text, longest_redacted(text.len()).min(MAX_TEXT))
}

/// One event of the audit trail.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The event's own identifier.
    pub id: Uuid,
    /// When it happened.
    pub at: Timestamp,
    /// What happened; see [`name`].
    pub name: Cow<'static, str>,
    /// What was done: created, modified, deleted, accessed or denied.
    pub action: Cow<'static, str>,
    /// Who did it: USER or SYSTEM.
    pub actor: Cow<'static, str>,
    /// The person, where it was one or where it concerns one's token.
    pub user: Option<User>,
    /// How the actor proved who it is; see [`method`].
    pub auth_method: Cow<'static, str>,
    /// What kind of thing the event is about.
    pub asset_type: Cow<'static, str>,
    /// The thing, a token or a person.
    pub asset: Option<Uuid>,
    /// The request, where there was one.
    pub request: Option<Request>,
    /// The status of its answer.
    pub status: Option<u16>,
    /// What else is worth knowing.
    pub metadata: Option<Value>,
}

/// Who acts, in what way, by which request.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The person, if it is one.
    pub user: Option<User>,
    /// How they proved it; see [`method`].
    pub auth_method: &'static str,
    /// The token that they used, if it was one.
    pub token: Option<Uuid>,
    /// The request, if it was one.
    pub request: Option<Request>,
}

impl Actor {
    /// An operator at the command line.
    pub const OPERATOR: Self =
        Self { user: None, auth_method: method::COMMAND_LINE, token: None, request: None };
    /// The service itself.
    pub const SYSTEM: Self =
        Self { user: None, auth_method: method::SYSTEM, token: None, request: None };

    /// Builds an event of this actor about a token.
    ///
    /// # Errors
    /// [`RandomError`] where the system's random source fails.
    pub fn event(&self, name: &'static str, token: Option<Uuid>) -> Result<Event, RandomError> {
        Ok(Event {
            id: id::random()?,
            at: time::whole_micros(time::now()),
            name: name.into(),
            action: action(name).into(),
            actor: if self.user.is_some() || self.auth_method == method::COMMAND_LINE {
                "USER".into()
            } else {
                "SYSTEM".into()
            },
            user: self.user.clone(),
            auth_method: self.auth_method.into(),
            asset_type: TOKEN_ASSET.into(),
            asset: token,
            request: self.request.clone(),
            status: None,
            metadata: self
                .token
                .map(|used| serde_json::json!({"used_token": token_metadata(used)})),
        })
    }
}

/// Describes a token in an event's metadata.
pub(crate) fn token_metadata(token: Uuid) -> Value {
    serde_json::json!({"id": token.to_string(), "public_portion": id::alias(token)})
}

impl Event {
    /// Makes the event about a person.
    #[must_use]
    pub fn about_user(mut self, user: Uuid) -> Self {
        self.asset_type = "users".into();
        self.asset = Some(user);
        self
    }

    /// Makes the event about the service's clock.
    #[must_use]
    pub fn about_clock(mut self) -> Self {
        self.asset_type = "clock".into();
        self
    }

    /// Sets the status of the answer.
    #[must_use]
    pub fn answered(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        let metadata = self.metadata.get_or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Value::Object(map) = metadata {
            map.insert(key.to_owned(), value.into());
        }
        self
    }
}

fn action(name: &str) -> &'static str {
    match name {
        self::name::CREATED | self::name::USER_CREATED => "created",
        self::name::REVOKED | self::name::EXPIRED | self::name::USER_DISABLED => "deleted",
        self::name::USED => "accessed",
        self::name::DENIED => "denied",
        _ => "modified",
    }
}
