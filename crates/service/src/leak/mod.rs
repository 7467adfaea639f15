//! Leak reports: GitHub's partner alert, the scanner's own report, and OAuth's revocation and
//! introspection.

mod entries;
pub mod github;
pub mod github_keys;
mod limits;
pub mod oauth;
pub mod report;

pub use limits::{MAX_BODY, MAX_ENTRIES};

use crate::audit::{self, Actor};
use crate::service::Service;
use crate::store::StoreError;
use crate::store::leaks::{LeakOutcome, LeakReport};
use crate::store::tokens::RevokedBy;
use axum::http::request::Parts;

/// Records reports of well-formed tokens, and invalidates their cached state.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub(crate) async fn record_leaks(
    service: &Service,
    reports: &[LeakReport],
    actor: &Actor,
) -> Result<Vec<LeakOutcome>, StoreError> {
    let recorded = service.store.report_leaks(reports, service.on_leak, actor).await;
    for report in reports {
        service.authenticator.invalidate(report.token);
    }
    let outcomes = recorded?;
    for &outcome in &outcomes {
        service.metrics.leaked(outcome);
    }
    let revoked = outcomes.iter().filter(|&&outcome| outcome == LeakOutcome::Revoked).count();
    service.metrics.revoked(RevokedBy::Leak, revoked);
    Ok(outcomes)
}

/// Returns an actor who is known only by what they possess.
pub(crate) fn anonymous_actor(
    service: &Service,
    parts: &Parts,
    auth_method: &'static str,
) -> Actor {
    let address = service.caller_address(parts).to_string();
    let request = Some(audit::Request::new(parts, address));
    Actor { user: None, auth_method, token: None, request }
}
