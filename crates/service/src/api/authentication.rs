//! Authentication of a request: the input is its headers, the output the holder of a live token or
//! a rejection. Limits the lookups that a caller causes; neither responds to the request nor
//! records it.

use super::error::{ApiError, TokenState};
use crate::audit::method;
use crate::auth::{AuthError, CacheLookup, CachedToken, PresentedToken, Verdict};
use crate::rate::{Allowance, Class, LookupOutcome};
use crate::service::Service;
use axum::http::{HeaderMap, header};
use std::net::IpAddr;
use std::sync::Arc;

/// The result of an authentication.
pub(super) enum Authenticated {
    /// A live token was presented.
    Live(Holder),
    /// No live token was presented.
    Rejected(Rejected),
}

/// The holder of a token that was issued here.
pub(super) struct Holder {
    pub(super) token: Arc<CachedToken>,
    /// The method by which the token was presented.
    pub(super) auth_method: &'static str,
}

/// A request without a live token.
pub(super) struct Rejected {
    /// The state of the rate limit of the caller's address.
    pub(super) allowance: Option<Allowance>,
    /// The holder of the dead token that was presented.
    pub(super) dead: Option<Holder>,
    /// The state of the dead token if no other token was presented.
    pub(super) state: Option<TokenState>,
}

/// The result of a lookup.
pub(crate) enum LookupResult {
    Verified(Verdict),
    /// The address has no lookups left.
    Exhausted(Allowance),
}

/// Bytes of a request that may be a token.
struct Candidate<'a> {
    bytes: &'a [u8],
    auth_method: &'static str,
}

/// Verifies the tokens of a request. One live token suffices, in either header.
///
/// Only a token that was live at the last query causes another query without a limit. For every
/// other token, a lookup is taken from the address's limit first and refunded if the token is live.
/// An address can therefore cause only a limited number of useless queries, even while the database
/// fails. Rejections without a query, of malformed and dead tokens, use up no lookups, so they
/// never lock out a live token that is not cached.
pub(super) async fn authenticate(
    service: &Service,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Authenticated, ApiError> {
    let mut dead = None;
    let mut exhausted = None;
    let is_only_one = is_only_one(headers);
    for Candidate { bytes, auth_method } in candidates(headers) {
        let Some(presented) = service.token_parser.parse(bytes) else { continue };
        let (verdict, cached) = match service.authenticator.look_up_cache(&presented) {
            CacheLookup::Fresh(verdict) => (Some(verdict), None),
            CacheLookup::StaleLive => (Some(reverify(service, presented).await?), None),
            CacheLookup::StaleDead(token) => (None, Some(token)),
            CacheLookup::Miss => (None, None),
        };
        let verdict = match verdict {
            Some(verdict) => verdict,
            None => match look_up(service, presented, address).await? {
                LookupResult::Verified(verdict) => verdict,
                LookupResult::Exhausted(allowance) => {
                    exhausted = Some(allowance);
                    cached.map_or(Verdict::Unknown, Verdict::Dead)
                }
            },
        };
        match verdict {
            Verdict::Live(token) => return Ok(Authenticated::Live(Holder { token, auth_method })),
            Verdict::Dead(token) => dead = Some(Holder { token, auth_method }),
            Verdict::Unknown => {}
        }
    }
    let allowance = service.limits.take(Class::Authentication, address.into());
    // A token that was not looked up may be live, so the response is 429 and not 401.
    let state = dead.as_ref().filter(|_| is_only_one).map(|dead| TokenState::of(&dead.token));
    Ok(Authenticated::Rejected(Rejected { allowance: exhausted.or(allowance), dead, state }))
}

/// Queries the database about a token if the address has a lookup left.
pub(crate) async fn look_up(
    service: &Service,
    presented: PresentedToken,
    address: IpAddr,
) -> Result<LookupResult, AuthError> {
    let lookup = match service.limits.take_lookup(address) {
        Ok(lookup) => lookup,
        Err(exhausted) => return Ok(LookupResult::Exhausted(exhausted)),
    };
    let verified = service.authenticator.verify(presented).await;
    let outcome = match &verified {
        Ok(Verdict::Live(_)) => LookupOutcome::Live,
        Ok(Verdict::Dead(_) | Verdict::Unknown) => LookupOutcome::NotLive,
        Err(_) => LookupOutcome::Failed,
    };
    service.limits.finish_lookup(&lookup, outcome);
    Ok(LookupResult::Verified(verified?))
}

/// Queries the database about a token that was live at the last query.
async fn reverify(service: &Service, presented: PresentedToken) -> Result<Verdict, ApiError> {
    let verified = service.authenticator.verify(presented).await;
    if verified.is_err() {
        service.limits.database_failed();
    }
    Ok(verified?)
}

/// Returns `true` if a request presents one token, even if in both headers. The state of a token
/// would be ambiguous otherwise.
fn is_only_one(headers: &HeaderMap) -> bool {
    let mut candidates = candidates(headers);
    let first = candidates.next();
    candidates.all(|it| first.as_ref().is_some_and(|first| first.bytes == it.bytes))
}

/// Returns the candidates of a request in the order in which they are verified.
fn candidates(headers: &HeaderMap) -> impl Iterator<Item = Candidate<'_>> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
        let bytes = token.trim_ascii();
        let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer ");
        is_bearer.then_some(Candidate { bytes, auth_method: method::BEARER })
    });
    let key = headers.get("dd-application-key").map(|key| Candidate {
        bytes: key.as_bytes().trim_ascii(),
        auth_method: method::APPLICATION_KEY,
    });
    bearer.into_iter().chain(key)
}
