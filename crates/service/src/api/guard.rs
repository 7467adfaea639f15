//! Middleware of every request that needs a token: authentication, the rate limit, and the
//! record of the use.

use super::authentication::{Authenticated, Holder, Refused, authenticate};
use super::error::ApiError;
use super::time_limit;
use crate::audit::queue::{Room, Stalled};
use crate::audit::tally::{Kind, Limit, Use};
use crate::audit::{self, Actor, name};
use crate::auth::{Entry, Verdict};
use crate::permission::Permission;
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

/// Who makes the request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Their token and what it may do.
    pub entry: Arc<Entry>,
    /// How they presented it.
    pub auth_method: &'static str,
    /// The request, for the audit trail.
    pub request: audit::Request,
    /// The address that the request came from.
    pub address: IpAddr,
}

impl Caller {
    /// The caller as an actor of the audit trail.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            user: Some(self.entry.user.clone()),
            auth_method: self.auth_method,
            token: Some(self.entry.id),
            request: Some(self.request.clone()),
        }
    }

    /// Returns `true` if the caller's token gives a permission that its owner has.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.entry.permissions.has(permission)
    }

    /// Requires any of some permissions.
    ///
    /// # Errors
    /// [`ApiError`] 403 naming them.
    pub fn must(&self, any: &[Permission]) -> Result<(), ApiError> {
        if any.iter().any(|&permission| self.may(permission)) {
            Ok(())
        } else {
            Err(ApiError::lacks(any))
        }
    }
}

/// The token that a request introspected, in the extensions of its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IntrospectedToken(pub(crate) Uuid);

/// Lets a request through if a live token made it within its limits, and records the use with the
/// answer's status.
pub async fn guard(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let address = service.caller_address(&parts);
    let class = Class::of(&parts.method, parts.uri.path());
    let (entry, auth_method) = match authenticate(&service, &parts.headers, address).await {
        Ok(Authenticated::Live(Holder { entry, auth_method })) => (entry, auth_method),
        Ok(Authenticated::Refused(refused)) => {
            let refused = refuse(&service, refused, &parts, address);
            return counted(&service, Class::Authentication, refused);
        }
        Err(error) => return counted(&service, class, error.into_response()),
    };
    let keys = Keys::of_token(class, entry.id, entry.user.id);
    let allowance = service.limits.take(class, keys);
    let request = audit::Request::new(&parts, address.to_string());
    let mut caller = Caller { entry, auth_method, request, address };
    if let Some(allowance) = allowance.filter(|allowance| !allowance.allowed) {
        return counted(&service, class, limited(&service, &caller, &allowance));
    }
    let share = allowance.map(|allowance| Share {
        limits: &service.limits,
        allowance,
        keys,
        outcome: ShareOutcome::GiveBack,
    });
    // Before anything is done, so that a request that cannot be audited is not carried out.
    match service.queue.room().await {
        Ok(Room::AtOnce) => {}
        Ok(Room::AfterWaiting) => match current(&service, &caller).await {
            Ok(entry) => caller.entry = entry,
            Err(error) => return died(&service, class, caller, error),
        },
        Err(Stalled) => {
            return counted(&service, class, ApiError::unavailable().into_response());
        }
    }
    parts.extensions.insert(caller.clone());
    let mut response = time_limit::run(next, Request::from_parts(parts, body)).await;
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
    if let Some(share) = share.filter(|_| !refused.contains(&response.status())) {
        share.keep();
    }
    let status = response.status();
    if let Some(allowance) = allowance {
        allowance.write(status, response.headers_mut());
    }
    if let Err(error) = record_use(&service, caller, &response) {
        return counted(&service, class, error.into_response());
    }
    counted(&service, class, response)
}

/// Judges a caller's token again.
///
/// # Errors
/// [`ApiError`] 401 if the token is no longer live.
async fn current(service: &Service, caller: &Caller) -> Result<Arc<Entry>, ApiError> {
    match service.authenticator.judge_again(&caller.entry).await? {
        Verdict::Live(entry) => Ok(entry),
        Verdict::Dead(_) | Verdict::Unknown => Err(ApiError::unauthorized()),
    }
}

/// Refuses a request whose token has died while the request waited, and records the attempt.
fn died(service: &Service, class: Class, caller: Caller, error: ApiError) -> Response {
    let response = error.into_response();
    match record_use(service, caller, &response) {
        Ok(()) => counted(service, class, response),
        Err(error) => counted(service, class, error.into_response()),
    }
}

/// Judges the caller's token again after the body was read, which may have taken long: a revoked
/// token does nothing more, however slowly its holder sends.
pub async fn recheck(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(caller) = request.extensions_mut().get_mut::<Caller>() {
        match current(&service, caller).await {
            Ok(entry) => caller.entry = entry,
            Err(error) => return error.into_response(),
        }
    }
    next.run(request).await
}

/// Refuses a request of a live token that is beyond its rate limit, and counts it for the trail.
fn limited(service: &Service, caller: &Caller, allowance: &Allowance) -> Response {
    let mut response = too_many();
    let status = response.status();
    allowance.write(status, response.headers_mut());
    let token = caller.entry.id;
    let seen = Use {
        kind: Kind::Limited,
        token,
        address: caller.address,
        caller: None,
        limit: Limit::Beyond,
    };
    let actor = Actor { token: None, ..caller.actor() };
    let event = || Ok(actor.event(name::USED, Some(token))?.answered(status.as_u16()));
    match service.queue.count(seen, event) {
        Ok(()) => {
            service.metrics.used();
            response
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Records an answered request of a token that was live when it was judged.
fn record_use(service: &Service, caller: Caller, response: &Response) -> Result<(), ApiError> {
    let token = caller.entry.id;
    let actor = Actor {
        user: Some(caller.entry.user.clone()),
        auth_method: caller.auth_method,
        token: None,
        request: Some(caller.request),
    };
    let status = response.status();
    if status == StatusCode::UNAUTHORIZED {
        // The token died after it was judged.
        service.queue.push(actor.event(name::DENIED, Some(token))?.answered(status.as_u16()));
        return Ok(());
    }
    let mut event = actor.event(name::USED, Some(token))?.answered(status.as_u16());
    if let Some(&IntrospectedToken(token)) = response.extensions().get() {
        event = event.with("introspected_token", audit::token_metadata(token));
    }
    service.queue.push(event);
    service.metrics.used();
    Ok(())
}

/// A request's share of its person's total. It is given back unless the request was permitted:
/// a thief whose calls are all refused, or broken off, uses up nothing of the owner's.
struct Share<'a> {
    limits: &'a Limits,
    allowance: Allowance,
    keys: Keys,
    outcome: ShareOutcome,
}

/// The outcome of a [`Share`] when it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShareOutcome {
    GiveBack,
    Keep,
}

impl Share<'_> {
    fn keep(mut self) {
        self.outcome = ShareOutcome::Keep;
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if self.outcome == ShareOutcome::GiveBack {
            self.limits.give_back_to_person(&self.allowance, self.keys);
        }
    }
}

/// Refuses a request without a live token, and counts the attempt if it was made with a dead one.
fn refuse(service: &Service, refused: Refused, parts: &Parts, address: IpAddr) -> Response {
    let Refused { allowance, dead } = refused;
    let (mut response, limit) = if allowance.is_none_or(|allowance| allowance.allowed) {
        (ApiError::unauthorized().into_response(), Limit::Within)
    } else {
        (too_many(), Limit::Beyond)
    };
    let status = response.status();
    if let Some(allowance) = allowance {
        allowance.write(status, response.headers_mut());
    }
    let Some(Holder { entry, auth_method }) = dead else { return response };
    let seen = Use { kind: Kind::Denied, token: entry.id, address, caller: None, limit };
    let event = || {
        let user = Some(entry.user.clone());
        let request = Some(audit::Request::new(parts, address.to_string()));
        let actor = Actor { user, auth_method, token: None, request };
        Ok(actor.event(name::DENIED, Some(entry.id))?.answered(status.as_u16()))
    };
    match service.queue.count(seen, event) {
        Ok(()) => response,
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Limits requests that need no token, by address.
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
        too_many()
    };
    if let Some(allowance) = allowance {
        allowance.write(response.status(), response.headers_mut());
    }
    counted(&service, Class::Leaks, response)
}

fn too_many() -> Response {
    let text = "Too many requests: come back in X-RateLimit-Reset seconds";
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, text).into_response()
}

fn counted(service: &Service, class: Class, response: Response) -> Response {
    service.metrics.answered(class.name(), response.status().as_u16());
    response
}
