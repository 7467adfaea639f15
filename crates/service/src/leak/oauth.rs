//! OAuth's ways: RFC 7009, by which whoever holds a token revokes it, and RFC 7662, by which a
//! service asks whether a token that it was shown is live.

use super::actor;
use crate::api::error::{ApiError, Errors, OpenRefusals, Refusals, json};
use crate::api::guard::{Caller, IntrospectedToken};
use crate::audit::tally::{Kind, Limit, Use};
use crate::audit::{Actor, method, name};
use crate::auth::{Entry, Verdict};
use crate::permission::Permission;
use crate::service::Service;
use crate::store::tokens::RevokedBy;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ddpatrol_token::mint::RandomError;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use utoipa::ToSchema;

/// The form of both requests.
#[derive(Debug, ToSchema)]
pub struct TokenForm {
    /// The whole token.
    pub token: String,
    /// What kind the sender takes it for; it makes no difference.
    #[schema(nullable = false)]
    pub token_type_hint: Option<String>,
}

/// A refusal in OAuth's shape (RFC 6749, section 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct OauthError {
    /// Always `invalid_request`.
    pub error: &'static str,
    /// What is wrong.
    pub error_description: &'static str,
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        json(StatusCode::BAD_REQUEST, "application/json", &self)
    }
}

/// What a token is, if it is live (RFC 7662, section 2.2).
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Introspection {
    /// Whether it is live; if not, nothing else is told.
    pub active: bool,
    /// Its scopes, with spaces between.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scope: Option<String>,
    /// When it ends, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub exp: Option<i64>,
    /// When it was made, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub iat: Option<i64>,
    /// Its owner's UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sub: Option<String>,
    /// Its owner's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub username: Option<String>,
    /// Its own UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jti: Option<String>,
    /// Always `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token_type: Option<&'static str>,
}

/// Revokes the token that the caller holds (RFC 7009). A token that is unknown or dead is answered
/// in the same way.
#[utoipa::path(
    post, path = "/oauth2/revoke", tag = "OAuth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token is not live (any more)"),
        (status = 400, description = "No token in the form", body = OauthError, content_type = "application/json"),
        OpenRefusals,
    ),
    security(()),
)]
pub async fn revoke(
    State(service): State<Arc<Service>>,
    parts: Parts,
    body: Bytes,
) -> Result<Response, ApiError> {
    let token = match form_token(&parts.headers, &body) {
        Ok(token) => token,
        Err(error) => return Ok(error.into_response()),
    };
    let Some(presented) = service.reader.read(token.as_bytes()) else {
        return Ok(StatusCode::OK.into_response());
    };
    let entry = match service.authenticator.judge(presented).await? {
        Verdict::Live(entry) => Some(entry),
        // The clock may be wrong, and the revocation has to hold when it is right again.
        Verdict::Dead(entry) if !entry.is_revoked() => Some(entry),
        Verdict::Dead(_) | Verdict::Unknown => None,
    };
    if let Some(entry) = entry {
        let mut actor = actor(&service, &parts, method::POSSESSION);
        actor.user = Some(entry.user.clone());
        let event = actor.event(name::REVOKED, Some(entry.id))?.answered(200);
        service.revoke(entry.id, RevokedBy::Holder, &event).await?;
    }
    Ok(StatusCode::OK.into_response())
}

/// Reports to a service whether a token is live, and whose (RFC 7662). The introspection is recorded
/// as a use of the token.
#[utoipa::path(
    post, path = "/oauth2/introspect", tag = "OAuth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What the token is", body = Introspection, content_type = "application/json"),
        (status = 400, description = "No token in the form", body = OauthError, content_type = "application/json"),
        (status = 403, description = "The caller lacks tokens_introspect", body = Errors, content_type = "application/vnd.api+json"),
        (status = 413, description = "Too long a body", body = Errors, content_type = "application/vnd.api+json"),
        Refusals,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn introspect(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let token = match form_token(&headers, &body) {
        Ok(token) => token,
        Err(error) => return Ok(error.into_response()),
    };
    let Some(presented) = service.reader.read(token.as_bytes()) else {
        return Ok(told(&Introspection::default()));
    };
    let (kind, entry) = match service.authenticator.judge(presented).await? {
        Verdict::Live(entry) => (Kind::Introspected, entry),
        Verdict::Dead(entry) => (Kind::DeniedIntrospection, entry),
        // It was never issued here: there is nothing but the caller's own use to record.
        Verdict::Unknown => return Ok(told(&Introspection::default())),
    };
    record(&service, &caller, kind, &entry)?;
    let live = kind == Kind::Introspected;
    let mut response = told(&if live { introspection(&entry) } else { Introspection::default() });
    response.extensions_mut().insert(IntrospectedToken(entry.id));
    Ok(response)
}

/// Refuses callers that may not introspect, before their body is read.
pub async fn require_permission(
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    match caller.must(&[Permission::TokensIntrospect]) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Counts the introspection for the trail of the introspected token.
fn record(
    service: &Service,
    caller: &Caller,
    kind: Kind,
    entry: &Entry,
) -> Result<(), RandomError> {
    let name = if kind == Kind::Introspected { name::USED } else { name::DENIED };
    let seen = Use {
        kind,
        token: entry.id,
        address: caller.address,
        caller: Some(caller.entry.id),
        limit: Limit::Within,
    };
    let event = || {
        let actor = Actor {
            user: Some(entry.user.clone()),
            auth_method: method::INTROSPECTION,
            token: Some(caller.entry.id),
            request: Some(caller.request.clone()),
        };
        Ok(actor.event(name, Some(entry.id))?.answered(StatusCode::OK.as_u16()))
    };
    service.queue.count(seen, event)
}

fn told(introspection: &Introspection) -> Response {
    json(StatusCode::OK, "application/json", introspection)
}

fn introspection(entry: &Entry) -> Introspection {
    Introspection {
        active: true,
        scope: Some(entry.scopes.join(" ")),
        exp: Some(entry.expires_at.as_second()),
        iat: Some(entry.created_at.as_second()),
        sub: Some(entry.user.id.to_string()),
        username: Some(entry.user.email.to_string()),
        jti: Some(entry.id.to_string()),
        token_type: Some("Bearer"),
    }
}

fn form_token(headers: &HeaderMap, body: &[u8]) -> Result<String, OauthError> {
    let wrong = |error_description| OauthError { error: "invalid_request", error_description };
    let media = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |media| media.as_bytes());
    if !media.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded") {
        return Err(wrong("Content-Type: application/x-www-form-urlencoded"));
    }
    let TokenPairs { last, count } =
        serde_urlencoded::from_bytes(body).map_err(|_| wrong("the body is no form"))?;
    match (last, count) {
        (Some(token), 1) if !token.is_empty() => Ok(token),
        _ => Err(wrong("token: required, exactly once")),
    }
}

/// The `token` pairs of a form; other pairs are skipped one by one.
#[derive(Default)]
struct TokenPairs {
    last: Option<String>,
    count: usize,
}

impl<'de> Deserialize<'de> for TokenPairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TokenPairsVisitor)
    }
}

struct TokenPairsVisitor;

impl<'de> Visitor<'de> for TokenPairsVisitor {
    type Value = TokenPairs;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a form")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TokenPairs, A::Error> {
        let mut tokens = TokenPairs::default();
        while let Some((name, value)) = map.next_entry::<Cow<'de, str>, Cow<'de, str>>()? {
            if name == "token" {
                tokens.last = Some(value.into_owned());
                tokens.count += 1;
            }
        }
        Ok(tokens)
    }
}
