//! Middleware for every request that requires a token: authentication, the rate limit, and the
//! record of the use.

use super::authentication::{Authenticated, Holder, Rejected, authenticate};
use super::error::{ApiError, TokenState};
use super::time_limit;
use crate::audit::queue::{Capacity, Stalled};
use crate::audit::tally::{Limit, Use, UseKind};
use crate::audit::{self, Actor, name};
use crate::auth::{CachedToken, Verdict};
use crate::caller::{Caller, CallerCredential};
use crate::rate::{Allowance, Class, Keys, Limits};
use crate::service::Service;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use ddpatrol_token::Uuid;
use std::net::IpAddr;
use std::sync::Arc;

/// The path whose documented response to a caller without a live token is 403.
const VALIDATE_V1: &str = "/api/v1/validate";

/// The token that a request introspected; an extension of its response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IntrospectedToken(pub(crate) Uuid);

/// Forwards a request if it was made with a live token and within the rate limits, and records the
/// use with the status of the response.
pub async fn guard(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let address = service.caller_address(&parts);
    let class = Class::of(&parts.method, parts.uri.path());
    let (token, auth_method) = match authenticate(&service, &parts.headers, address).await {
        Ok(Authenticated::Live(Holder { token, auth_method })) => (token, auth_method),
        Ok(Authenticated::Rejected(rejected)) => {
            let rejected = reject(&service, rejected, &parts, address);
            return count_response(&service, Class::Authentication, rejected);
        }
        Err(error) => return count_response(&service, class, error.into_response()),
    };
    let keys = Keys::of_token(class, token.id, token.user.id);
    let allowance = service.limits.take(class, keys);
    let request = audit::Request::new(&parts, address.to_string());
    let mut caller = Caller {
        credential: CallerCredential::Token(Arc::clone(&token)),
        auth_method,
        request,
        address,
    };
    if let Some(allowance) = allowance.filter(|allowance| !allowance.allowed) {
        return count_response(&service, class, reject_limited(&service, &caller, &allowance));
    }
    let share = allowance.map(|allowance| Share {
        limits: &service.limits,
        allowance,
        keys,
        outcome: ShareOutcome::Refund,
    });
    // Waits before the request is handled, so that no request is carried out that cannot be
    // audited.
    match service.queue.wait_for_capacity().await {
        Ok(Capacity::Immediate) => {}
        Ok(Capacity::AfterWait) => match reverify(&service, &token).await {
            Ok(token) => caller.credential = CallerCredential::Token(token),
            Err(error) => return reject_dead(&service, class, caller, error),
        },
        Err(Stalled) => {
            return count_response(&service, class, ApiError::unavailable().into_response());
        }
    }
    parts.extensions.insert(caller.clone());
    let mut response = time_limit::run(next, Request::from_parts(parts, body)).await;
    let rejected = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
    if let Some(share) = share.filter(|_| !rejected.contains(&response.status())) {
        share.keep();
    }
    let status = response.status();
    if let Some(allowance) = allowance {
        allowance.write(status, response.headers_mut());
    }
    if let Err(error) = record_use(&service, caller, &response) {
        return count_response(&service, class, error.into_response());
    }
    count_response(&service, class, response)
}

/// Verifies a caller's token again.
///
/// # Errors
/// [`ApiError`] 401 if the token is no longer live.
async fn reverify(service: &Service, token: &CachedToken) -> Result<Arc<CachedToken>, ApiError> {
    match service.authenticator.reverify(token).await? {
        Verdict::Live(token) => Ok(token),
        Verdict::Dead(token) => Err(ApiError::unauthorized_with(TokenState::of(&token))),
        Verdict::Unknown => Err(ApiError::unauthorized()),
    }
}

/// Rejects a request whose token died while the request waited, and records the attempt.
fn reject_dead(service: &Service, class: Class, caller: Caller, error: ApiError) -> Response {
    let response = error.into_response();
    match record_use(service, caller, &response) {
        Ok(()) => count_response(service, class, response),
        Err(error) => count_response(service, class, error.into_response()),
    }
}

/// Verifies the caller's token again after the body was read, which may take long. A revoked token
/// has no effect, however slowly its holder sends.
pub async fn recheck(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(caller) = request.extensions_mut().get_mut::<Caller>()
        && let CallerCredential::Token(token) = &caller.credential
    {
        match reverify(&service, token).await {
            Ok(token) => caller.credential = CallerCredential::Token(token),
            Err(error) => return error.into_response(),
        }
    }
    next.run(request).await
}

/// Rejects a request of a live token that exceeds its rate limit, and counts it for the audit
/// trail.
fn reject_limited(service: &Service, caller: &Caller, allowance: &Allowance) -> Response {
    let mut response = too_many_requests();
    let status = response.status();
    allowance.write(status, response.headers_mut());
    let token = caller.credential_id();
    let token_use = Use {
        kind: UseKind::Limited,
        token,
        address: caller.address,
        caller: None,
        limit: Limit::Beyond,
    };
    let actor = Actor { token: None, ..caller.actor() };
    let kind = caller.token_kind();
    let event = || Ok(actor.event(name::USED, Some(token))?.of(kind).with_status(status.as_u16()));
    match service.queue.count(token_use, event) {
        Ok(()) => {
            service.metrics.used();
            response
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Records the use of a token that was live when it was verified.
fn record_use(service: &Service, caller: Caller, response: &Response) -> Result<(), ApiError> {
    let (token, kind) = (caller.credential_id(), caller.token_kind());
    let actor = Actor {
        user: Some(caller.user_ref().clone()),
        request: Some(caller.request),
        ..Actor::without_user(caller.auth_method)
    };
    let status = response.status();
    if status == StatusCode::UNAUTHORIZED {
        // The token died after it was verified.
        let event = actor.event(name::DENIED, Some(token))?.of(kind);
        service.queue.push(event.with_status(status.as_u16()));
        return Ok(());
    }
    let mut event = actor.event(name::USED, Some(token))?.of(kind).with_status(status.as_u16());
    if let Some(&IntrospectedToken(token)) = response.extensions().get() {
        event = event.with("introspected_token", audit::token_metadata(token));
    }
    service.queue.push(event);
    service.metrics.used();
    Ok(())
}

/// The share of a request in its user's total limit. It is refunded unless the request was
/// permitted: a thief whose requests are all rejected or cancelled does not use up the limit of the
/// owner.
struct Share<'a> {
    limits: &'a Limits,
    allowance: Allowance,
    keys: Keys,
    outcome: ShareOutcome,
}

/// The outcome of a [`Share`] when it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShareOutcome {
    Refund,
    Keep,
}

impl Share<'_> {
    fn keep(mut self) {
        self.outcome = ShareOutcome::Keep;
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if self.outcome == ShareOutcome::Refund {
            self.limits.refund_user(&self.allowance, self.keys);
        }
    }
}

/// Rejects a request without a live token, and counts the attempt if it was made with a dead token.
fn reject(service: &Service, rejected: Rejected, parts: &Parts, address: IpAddr) -> Response {
    let Rejected { allowance, dead, state } = rejected;
    let (mut response, limit) = if allowance.is_none_or(|allowance| allowance.allowed) {
        let mut error = state.map_or_else(ApiError::unauthorized, ApiError::unauthorized_with);
        if parts.uri.path() == VALIDATE_V1 {
            error = error.into_forbidden();
        }
        (error.into_response(), Limit::Within)
    } else {
        (too_many_requests(), Limit::Beyond)
    };
    let status = response.status();
    if let Some(allowance) = allowance {
        allowance.write(status, response.headers_mut());
    }
    let Some(Holder { token, auth_method }) = dead else { return response };
    let token_use = Use { kind: UseKind::Denied, token: token.id, address, caller: None, limit };
    let event = || {
        let user = Some(token.user.clone());
        let request = Some(audit::Request::new(parts, address.to_string()));
        let actor = Actor { user, request, ..Actor::without_user(auth_method) };
        let event = actor.event(name::DENIED, Some(token.id))?.of(token.kind);
        Ok(event.with_status(status.as_u16()))
    };
    match service.queue.count(token_use, event) {
        Ok(()) => response,
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Limits requests without a token by address.
pub async fn limit_address(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let allowance = service.limits.take(Class::Leaks, service.caller_address(&parts).into());
    let mut response = if allowance.is_none_or(|allowance| allowance.allowed) {
        time_limit::run(next, Request::from_parts(parts, body)).await
    } else {
        too_many_requests()
    };
    if let Some(allowance) = allowance {
        allowance.write(response.status(), response.headers_mut());
    }
    count_response(&service, Class::Leaks, response)
}

fn too_many_requests() -> Response {
    let text = "Too many requests: try again in X-RateLimit-Reset seconds";
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, text).into_response()
}

fn count_response(service: &Service, class: Class, response: Response) -> Response {
    service.metrics.responded(class.name(), response.status().as_u16());
    response
}
