//! Authentication of a request: its headers come in, the holder of a live token or a refusal goes out.
//! It limits the lookups that a caller causes, and neither answers nor records the request.

use super::error::ApiError;
use crate::audit::method;
use crate::auth::{Entry, Presented, Recall, Verdict};
use crate::rate::{Allowance, Class, Outcome};
use crate::service::Service;
use axum::http::{HeaderMap, header};
use std::net::IpAddr;
use std::sync::Arc;

/// The result of an authentication.
pub(super) enum Authenticated {
    /// A live token was presented.
    Live(Holder),
    /// No live token was presented.
    Refused(Refused),
}

/// The holder of a token that was issued here.
pub(super) struct Holder {
    pub(super) entry: Arc<Entry>,
    /// The way in which the token was presented.
    pub(super) auth_method: &'static str,
}

/// A request without a live token.
pub(super) struct Refused {
    /// The state of the limit of the caller's address.
    pub(super) allowance: Option<Allowance>,
    /// The holder of the dead token that was presented.
    pub(super) dead: Option<Holder>,
}

/// The result of a lookup.
enum LookUp {
    Judged(Verdict),
    /// The address may make no lookup now.
    Exhausted(Allowance),
}

/// Bytes of a request that may be a token.
struct Candidate<'a> {
    bytes: &'a [u8],
    auth_method: &'static str,
}

/// Judges the tokens of a request: a live one decides, wherever it is.
///
/// Only a token that was live when last asked about reaches the database without a limit. For all
/// others a lookup is taken from the address's limit first, and given back if the token is
/// live. So an address can cause only a limited number of queries in vain, also while the database
/// fails; and refusals that need no query, of garbage and of a dead token, do not keep out a live
/// token that is new here.
pub(super) async fn authenticate(
    service: &Service,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Authenticated, ApiError> {
    let mut dead = None;
    let mut beyond = None;
    for Candidate { bytes, auth_method } in candidates(headers) {
        let Some(presented) = service.reader.read(bytes) else { continue };
        let (verdict, remembered) = match service.authenticator.recall(&presented) {
            Recall::Current(verdict) => (Some(verdict), None),
            Recall::WasLive => (Some(judge_again(service, presented).await?), None),
            Recall::WasDead(entry) => (None, Some(entry)),
            Recall::Nothing => (None, None),
        };
        let verdict = match verdict {
            Some(verdict) => verdict,
            None => match look_up(service, presented, address).await? {
                LookUp::Judged(verdict) => verdict,
                LookUp::Exhausted(allowance) => {
                    beyond = Some(allowance);
                    remembered.map_or(Verdict::Unknown, Verdict::Dead)
                }
            },
        };
        match verdict {
            Verdict::Live(entry) => return Ok(Authenticated::Live(Holder { entry, auth_method })),
            Verdict::Dead(entry) => dead = Some(Holder { entry, auth_method }),
            Verdict::Unknown => {}
        }
    }
    let allowance = service.limits.take(Class::Authentication, address.into());
    // A token that was not looked up may be live: the answer is 429 and not 401.
    Ok(Authenticated::Refused(Refused { allowance: beyond.or(allowance), dead }))
}

/// Asks the database about a token, if the address may make another lookup.
async fn look_up(
    service: &Service,
    presented: Presented,
    address: IpAddr,
) -> Result<LookUp, ApiError> {
    let lookup = match service.limits.take_lookup(address) {
        Ok(lookup) => lookup,
        Err(exhausted) => return Ok(LookUp::Exhausted(exhausted)),
    };
    let judged = service.authenticator.judge(presented).await;
    let outcome = match &judged {
        Ok(Verdict::Live(_)) => Outcome::Live,
        Ok(Verdict::Dead(_) | Verdict::Unknown) => Outcome::InVain,
        Err(_) => Outcome::Failed,
    };
    service.limits.end_lookup(&lookup, outcome);
    Ok(LookUp::Judged(judged?))
}

/// Asks the database about a token that was live when last asked about.
async fn judge_again(service: &Service, presented: Presented) -> Result<Verdict, ApiError> {
    let judged = service.authenticator.judge(presented).await;
    if judged.is_err() {
        service.limits.database_failed();
    }
    Ok(judged?)
}

/// Returns the candidates of a request, in the order in which they are judged.
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
