//! The audit trail: its events, and the criteria to search them.
//!
//! Events are append-only. They identify a token by its identifier and alias and never contain its
//! secret: strings from callers are redacted ([`crate::redact`]) before they are stored.

pub mod batch;
pub(crate) mod condition;
pub mod filter;
mod lexeme;
pub mod operator;
mod query;
mod query_error;
pub mod queue;
pub mod tally;

pub use filter::{Cursor, Filter, FilterError, FilterFault, Page};
pub use query_error::QueryError;

use crate::redact::{bounded, longest_redacted, redact_within};
use crate::token_kind::TokenKind;
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
    /// A token was replaced by a new one.
    pub const ROTATED: &str = "access_token.rotated";
    /// A token was revoked by a request, after a rotation, or by policy after a leak report.
    pub const REVOKED: &str = "access_token.revoked";
    /// A token reached its expiry.
    pub const EXPIRED: &str = "access_token.expired";
    /// A token was reported as leaked.
    pub const LEAKED: &str = "access_token.leak_reported";
    /// A live token was used for a request.
    pub const USED: &str = "access_token.used";
    /// A revoked or expired token was presented.
    pub const DENIED: &str = "access_token.denied";
    /// A user was created.
    pub const USER_CREATED: &str = "user.created";
    /// A user's permissions changed.
    pub const USER_UPDATED: &str = "user.updated";
    /// A user was disabled.
    pub const USER_DISABLED: &str = "user.disabled";
    /// A disabled user was enabled.
    pub const USER_ENABLED: &str = "user.enabled";
    /// A person acknowledged a leak report.
    pub const LEAK_ACKNOWLEDGED: &str = "access_token.leak_acknowledged";
    /// A session of the web pages began.
    pub const SESSION_STARTED: &str = "session.started";
    /// A session of the web pages ended.
    pub const SESSION_ENDED: &str = "session.ended";
    /// A user was bound to an identity at an OpenID Connect provider.
    pub const IDENTITY_BOUND: &str = "user.identity_bound";
    /// A sign-in link for a user was created.
    pub const LINK_CREATED: &str = "sign_in_link.created";
    /// The trusted time was reset.
    pub const CLOCK_RESET: &str = "clock.reset";
    /// A backup was restored to an empty database.
    pub const RESTORED: &str = "database.restored";
}

/// Authentication methods (`@auth_method`).
pub mod method {
    /// `Authorization: Bearer`.
    pub const BEARER: &str = "bearer";
    /// The header `dd-application-key`.
    pub const APPLICATION_KEY: &str = "application_key";
    /// Possession: the token itself was reported or revoked by someone who has it.
    pub const POSSESSION: &str = "possession";
    /// GitHub's signature over its alert.
    pub const GITHUB_SIGNATURE: &str = "github_signature";
    /// An operator on the command line, with access to the database.
    pub const COMMAND_LINE: &str = "command_line";
    /// Introspection of a token that was presented to another service.
    pub const INTROSPECTION: &str = "introspection";
    /// A session of the web pages.
    pub const SESSION: &str = "session";
    /// A sign-in link that is valid once.
    pub const SIGN_IN_LINK: &str = "sign_in_link";
    /// OpenID Connect.
    pub const OPENID: &str = "openid_connect";
    /// No authentication: the service itself.
    pub const SYSTEM: &str = "system";
}

/// Maximum length of a caller's string in an event, in bytes.
const MAX_TEXT: usize = 512;

/// A user in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRef {
    /// The user's identifier.
    pub id: Uuid,
    /// Their email address.
    pub email: Arc<str>,
}

/// The request that caused an event, redacted and with limited length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The HTTP method.
    pub method: Cow<'static, str>,
    /// The path, without the query.
    pub path: String,
    /// The host in the request.
    pub host: String,
    /// The declared user agent.
    pub user_agent: String,
    /// The caller's address.
    pub ip: String,
}

impl Request {
    /// Copies a request, redacted and truncated. The copy is shared by the events of the request.
    #[must_use]
    pub fn new(parts: &axum::http::request::Parts, ip: String) -> Arc<Self> {
        let header = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(clean)
                .unwrap_or_default()
        };
        Arc::new(Self {
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
        })
    }
}

/// Redacts and truncates a caller's string for a row.
///
/// The result is at most one replacement longer than the string. A row with many short strings that
/// resemble tokens therefore takes no more memory than was reserved for the request.
#[must_use]
pub fn clean(text: &str) -> String {
    redact_within(text, longest_redacted(text.len()).min(MAX_TEXT))
}

/// One event of the audit trail.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The event's own identifier.
    pub id: Uuid,
    /// The time of the event.
    pub at: Timestamp,
    /// The name; see [`name`].
    pub name: Cow<'static, str>,
    /// The action: created, modified, deleted, accessed or denied.
    pub action: Cow<'static, str>,
    /// The type of the actor: USER or SYSTEM.
    pub actor: Cow<'static, str>,
    /// The acting user, or the owner of the token.
    pub user: Option<UserRef>,
    /// The authentication method; see [`method`].
    pub auth_method: Cow<'static, str>,
    /// The type of the asset.
    pub asset_type: Cow<'static, str>,
    /// The asset: a token or a user.
    pub asset: Option<Uuid>,
    /// The request, if any.
    pub request: Option<Arc<Request>>,
    /// The status of the response.
    pub status: Option<u16>,
    /// Further details.
    pub metadata: Option<Value>,
}

/// The actor of events: a user or the service, with the authentication method and the request.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user, if any.
    pub user: Option<UserRef>,
    /// The authentication method; see [`method`].
    pub auth_method: &'static str,
    /// The token that the user presented, if any.
    pub token: Option<Uuid>,
    /// The session of the web pages, if any.
    pub session: Option<Uuid>,
    /// The request, if any.
    pub request: Option<Arc<Request>>,
}

impl Actor {
    /// An operator on the command line.
    pub const OPERATOR: Self = Self::without_user(method::COMMAND_LINE);
    /// The service itself.
    pub const SYSTEM: Self = Self::without_user(method::SYSTEM);

    /// Returns an actor without a user, a credential and a request.
    #[must_use]
    pub const fn without_user(auth_method: &'static str) -> Self {
        Self { user: None, auth_method, token: None, session: None, request: None }
    }

    /// Creates an event of this actor about a token, by default a personal access token.
    ///
    /// # Errors
    /// [`RandomError`] if the system's random source fails.
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
            asset_type: TokenKind::Personal.resource().into(),
            asset: token,
            request: self.request.clone(),
            status: None,
            metadata: self.metadata(),
        })
    }

    fn metadata(&self) -> Option<Value> {
        let operator = operator::current().filter(|_| self.auth_method == method::COMMAND_LINE);
        let entries = [
            ("used_token", self.token.map(token_metadata)),
            ("session", self.session.map(|session| session.to_string().into())),
            ("operator", operator.map(|operator| serde_json::json!(operator))),
        ];
        let entries: serde_json::Map<String, Value> =
            entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
        (!entries.is_empty()).then_some(Value::Object(entries))
    }
}

/// Formats a token for an event's metadata.
pub(crate) fn token_metadata(token: Uuid) -> Value {
    serde_json::json!({"id": token.to_string(), "public_portion": id::alias(token)})
}

impl Event {
    /// Sets the kind of the token that is the asset of the event.
    #[must_use]
    pub fn of(mut self, kind: TokenKind) -> Self {
        self.asset_type = kind.resource().into();
        self
    }

    /// Sets a user as the asset of the event.
    #[must_use]
    pub fn about_user(mut self, user: Uuid) -> Self {
        self.asset_type = "users".into();
        self.asset = Some(user);
        self
    }

    /// Sets a session as the asset of the event.
    #[must_use]
    pub fn about_session(mut self, session: Uuid) -> Self {
        self.asset_type = "sessions".into();
        self.asset = Some(session);
        self
    }

    /// Sets the service's clock as the asset of the event.
    #[must_use]
    pub fn about_clock(mut self) -> Self {
        self.asset_type = "clock".into();
        self
    }

    /// Sets the database as the asset of the event.
    #[must_use]
    pub fn about_database(mut self) -> Self {
        self.asset_type = "database".into();
        self
    }

    /// Sets the status of the response.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds an entry to the metadata.
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
        self::name::CREATED
        | self::name::USER_CREATED
        | self::name::SESSION_STARTED
        | self::name::LINK_CREATED => "created",
        self::name::REVOKED
        | self::name::EXPIRED
        | self::name::USER_DISABLED
        | self::name::SESSION_ENDED => "deleted",
        self::name::USED => "accessed",
        self::name::DENIED => "denied",
        _ => "modified",
    }
}
