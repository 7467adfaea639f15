//! OAuth endpoints: RFC 7009, by which the holder of a token revokes it, and RFC 7662, by which a
//! service checks a token that was presented to it.

use super::anonymous_actor;
use crate::api::error::{ApiError, Errors, OpenErrors, TokenErrors, json};
use crate::api::guard::IntrospectedToken;
use crate::audit::tally::{Limit, Use, UseKind};
use crate::audit::{Actor, method, name};
use crate::auth::{CachedToken, Verdict};
use crate::caller::Caller;
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
use jiff::Timestamp;
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
    /// The assumed type of the token; ignored.
    #[schema(nullable = false)]
    pub token_type_hint: Option<String>,
}

/// An error response in OAuth's format (RFC 6749, section 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct OauthError {
    /// Always `invalid_request`.
    pub error: &'static str,
    /// The cause of the error.
    pub error_description: &'static str,
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        json(StatusCode::BAD_REQUEST, "application/json", &self)
    }
}

/// The state of a token (RFC 7662, section 2.2).
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Introspection {
    /// Whether the token is live; all other members are absent if it is not.
    pub active: bool,
    /// The scopes, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scope: Option<String>,
    /// The time of expiry, in seconds since 1970; absent if the token does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub exp: Option<i64>,
    /// The time of creation, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub iat: Option<i64>,
    /// The owner's UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sub: Option<String>,
    /// The owner's email address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub username: Option<String>,
    /// The token's UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jti: Option<String>,
    /// Always `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token_type: Option<&'static str>,
}

/// Revokes the token in the form (RFC 7009). The response for an unknown or dead token is the same.
#[utoipa::path(
    post, path = "/oauth2/revoke", tag = "OAuth",
    operation_id = "revoke_by_possession",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token is not live"),
        (status = 400, description = "No token in the form", body = OauthError, content_type = "application/json"),
        OpenErrors,
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
    let Some(presented) = service.token_parser.parse(token.as_bytes()) else {
        return Ok(StatusCode::OK.into_response());
    };
    let entry = match service.authenticator.verify(presented).await? {
        Verdict::Live(entry) => Some(entry),
        // The clock may be wrong, and the revocation must take effect once it is correct again.
        Verdict::Dead(entry) if !entry.is_revoked() => Some(entry),
        Verdict::Dead(_) | Verdict::Unknown => None,
    };
    if let Some(entry) = entry {
        let mut actor = anonymous_actor(&service, &parts, method::POSSESSION);
        actor.user = Some(entry.user.clone());
        let event = actor.event(name::REVOKED, Some(entry.id))?;
        let event = event.of(entry.kind).with_status(200);
        service.revoke(entry.id, RevokedBy::Holder, &event).await?;
    }
    Ok(StatusCode::OK.into_response())
}

/// Reports whether a token is live, and its owner (RFC 7662). The introspection is recorded as a
/// use of the token.
#[utoipa::path(
    post, path = "/oauth2/introspect", tag = "OAuth",
    operation_id = "introspect",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "State of the token", body = Introspection, content_type = "application/json"),
        (status = 400, description = "No token in the form", body = OauthError, content_type = "application/json"),
        (status = 403, description = "Missing permission tokens_introspect", body = Errors, content_type = "application/vnd.api+json"),
        (status = 413, description = "The body is too long", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
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
    let Some(presented) = service.token_parser.parse(token.as_bytes()) else {
        return Ok(introspection_response(&Introspection::default()));
    };
    let (kind, entry) = match service.authenticator.verify(presented).await? {
        Verdict::Live(entry) => (UseKind::Introspected, entry),
        Verdict::Dead(entry) => (UseKind::DeniedIntrospection, entry),
        // The token was never issued here, so only the caller's own use is recorded.
        Verdict::Unknown => return Ok(introspection_response(&Introspection::default())),
    };
    record(&service, &caller, kind, &entry)?;
    let live = kind == UseKind::Introspected;
    let mut response = introspection_response(&if live {
        introspection(&entry)
    } else {
        Introspection::default()
    });
    response.extensions_mut().insert(IntrospectedToken(entry.id));
    Ok(response)
}

/// Rejects callers without the permission to introspect, before their body is read.
pub async fn require_permission(
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    match caller.require(&[Permission::TokensIntrospect]) {
        Ok(()) => next.run(request).await,
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Counts the introspection in the audit trail of the introspected token.
fn record(
    service: &Service,
    caller: &Caller,
    kind: UseKind,
    entry: &CachedToken,
) -> Result<(), RandomError> {
    let name = if kind == UseKind::Introspected { name::USED } else { name::DENIED };
    let token_use = Use {
        kind,
        token: entry.id,
        address: caller.address,
        caller: caller.token_id(),
        limit: Limit::Within,
    };
    let event = || {
        let actor = Actor {
            user: Some(entry.user.clone()),
            token: caller.token_id(),
            request: Some(caller.request.clone()),
            ..Actor::without_user(method::INTROSPECTION)
        };
        let event = actor.event(name, Some(entry.id))?.of(entry.kind);
        Ok(event.with_status(StatusCode::OK.as_u16()))
    };
    service.queue.count(token_use, event)
}

fn introspection_response(introspection: &Introspection) -> Response {
    json(StatusCode::OK, "application/json", introspection)
}

fn introspection(entry: &CachedToken) -> Introspection {
    Introspection {
        active: true,
        scope: Some(entry.scopes.join(" ")),
        exp: entry.expires_at.time().map(Timestamp::as_second),
        iat: Some(entry.created_at.as_second()),
        sub: Some(entry.user.id.to_string()),
        username: Some(entry.user.email.to_string()),
        jti: Some(entry.id.to_string()),
        token_type: Some("Bearer"),
    }
}

fn form_token(headers: &HeaderMap, body: &[u8]) -> Result<String, OauthError> {
    let invalid = |error_description| OauthError { error: "invalid_request", error_description };
    let media = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |media| media.as_bytes());
    if !media.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded") {
        return Err(invalid("Content-Type: must be application/x-www-form-urlencoded"));
    }
    let TokenPairs { last, count } =
        serde_urlencoded::from_bytes(body).map_err(|_| invalid("the body must be form-encoded"))?;
    match (last, count) {
        (Some(token), 1) if !token.is_empty() => Ok(token),
        _ => Err(invalid("token: must occur exactly once")),
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
