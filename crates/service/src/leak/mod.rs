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
    Actor { request, ..Actor::without_user(auth_method) }
}

/// Returns the URL of a report without a user name and password if its scheme is `http` or `https`, and an empty
/// text otherwise: a reader of the trail may follow the link. The report itself is valid without a URL.
pub(crate) fn web_url(url: String) -> String {
    let is_web = |scheme: &&str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let Some(scheme) = ["https://", "http://"].iter().find(|&it| is_web(it)) else {
        return String::new();
    };
    let (scheme, rest) = url.split_at(scheme.len());
    let host_end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => format!("{scheme}{}", &rest[at + 1..]),
        None => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_web_pages_are_stored() {
        for url in ["https://example.com/a", "HTTP://example.com"] {
            assert_eq!(web_url(url.to_owned()), url);
        }
        for url in ["https://user:p@ss@example.com/a@b", "https://token@example.com/a@b"] {
            assert_eq!(web_url(url.to_owned()), "https://example.com/a@b");
        }
        for url in ["javascript:alert(1)", "data:text/html,x", " https://x", "file:///etc", "x", ""]
        {
            assert_eq!(web_url(url.to_owned()), "");
        }
    }
}
