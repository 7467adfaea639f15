//! Middleware of every request that needs a token: authentication, the rate limit, and the
//! record of the use.

use super::error::ApiError;
use super::time_limit;
use crate::audit::queue::{Room, Stalled};
use crate::audit::tally::{Kind, Limit, Use};
use crate::audit::{self, Actor, method, name};
use crate::auth::{Entry, Presented, Recall, Verdict};
use crate::permission::Permission;
use crate::rate::{Allowance, Class, Keys, Limits, Outcome};
use crate::service::Service;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
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
        Ok(Authenticated::Live(entry, auth_method)) => (entry, auth_method),
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
    let share = allowance.map(|allowance| Share { limits: &service.limits, allowance, keys });
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
}

impl Share<'_> {
    fn keep(mut self) {
        self.allowance.allowed = false;
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if self.allowance.allowed {
            self.limits.give_back_to_person(&self.allowance, self.keys);
        }
    }
}

/// Who a request comes from.
enum Authenticated {
    /// A live token, and how it was presented.
    Live(Arc<Entry>, &'static str),
    /// Nobody.
    Refused(Refused),
}

/// A request without a live token.
struct Refused {
    /// The state of the limit of the caller's address.
    allowance: Option<Allowance>,
    /// The dead token that was presented, and how.
    dead: Option<(Arc<Entry>, &'static str)>,
}

/// Judges the tokens of a request: a live one decides, wherever it is.
///
/// Only a token that was live when last asked about reaches the database without a limit. For all
/// others a lookup is taken from the address's limit first, and given back if the token is
/// live. So an address can cause only a limited number of queries in vain, also while the database
/// fails; and refusals that need no query, of garbage and of a dead token, do not keep out a live
/// token that is new here.
async fn authenticate(
    service: &Service,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Authenticated, ApiError> {
    let mut dead = None;
    let mut beyond = None;
    for (token, auth_method) in presented(headers) {
        let Some(presented) = service.reader.read(token) else { continue };
        let (verdict, remembered) = match service.authenticator.recall(&presented) {
            Recall::Current(verdict) => (Some(verdict), None),
            Recall::WasLive => (Some(judge_again(service, presented).await?), None),
            Recall::WasDead(entry) => (None, Some(entry)),
            Recall::Nothing => (None, None),
        };
        let verdict = match verdict {
            Some(verdict) => verdict,
            None => match look_up(service, presented, address).await? {
                Ok(verdict) => verdict,
                Err(allowance) => {
                    beyond = Some(allowance);
                    remembered.map_or(Verdict::Unknown, Verdict::Dead)
                }
            },
        };
        match verdict {
            Verdict::Live(entry) => return Ok(Authenticated::Live(entry, auth_method)),
            Verdict::Dead(entry) => dead = Some((entry, auth_method)),
            Verdict::Unknown => {}
        }
    }
    let allowance = service.limits.take(Class::Authentication, address.into());
    // A token that was not looked up may be live: the answer is 429 and not 401.
    Ok(Authenticated::Refused(Refused { allowance: beyond.or(allowance), dead }))
}

/// Asks the database about a token, if the address may make another lookup; otherwise returns the
/// exhausted allowance.
async fn look_up(
    service: &Service,
    presented: Presented,
    address: IpAddr,
) -> Result<Result<Verdict, Allowance>, ApiError> {
    let lookup = match service.limits.take_lookup(address) {
        Ok(lookup) => lookup,
        Err(exhausted) => return Ok(Err(exhausted)),
    };
    let judged = service.authenticator.judge(presented).await;
    let outcome = match &judged {
        Ok(Verdict::Live(_)) => Outcome::Live,
        Ok(Verdict::Dead(_) | Verdict::Unknown) => Outcome::InVain,
        Err(_) => Outcome::Failed,
    };
    service.limits.end_lookup(&lookup, outcome);
    Ok(Ok(judged?))
}

/// Asks the database about a token that was live when last asked about.
async fn judge_again(service: &Service, presented: Presented) -> Result<Verdict, ApiError> {
    let judged = service.authenticator.judge(presented).await;
    if judged.is_err() {
        service.limits.database_failed();
    }
    Ok(judged?)
}

fn presented(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &'static str)> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some((token.trim_ascii(), method::BEARER))
    });
    let key = headers.get("dd-application-key");
    bearer.into_iter().chain(key.map(|key| (key.as_bytes().trim_ascii(), method::APPLICATION_KEY)))
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
    let Some((entry, auth_method)) = dead else { return response };
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
