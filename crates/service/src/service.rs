//! The state that all requests share, and the creation of tokens.

use crate::api::payload::Bodies;
use crate::audit::Event;
use crate::audit::queue::Queue;
use crate::auth::{Authenticator, TokenParser, digest};
use crate::clock::monitor::Monitor;
use crate::expiry::Expiry;
use crate::leak::github_keys::GithubKeys;
use crate::metrics::Metrics;
use crate::network::Networks;
use crate::permission::Permissions;
use crate::rate::Limits;
use crate::replaceable::Replaceable;
use crate::request_log::RequestLog;
use crate::scope::KnownScopes;
use crate::store::leaks::OnLeak;
use crate::store::pools::{OWN_LISTS, SEARCHES};
use crate::store::readiness::Readiness;
use crate::store::search::Searches;
use crate::store::tokens::{NewToken, Revocation, RevokedBy};
use crate::store::users::{ADMINISTRATOR, User};
use crate::store::{Store, StoreError};
use crate::token_kind::TokenKind;
use crate::{id, time};
use axum::http::HeaderValue;
use axum::http::request::Parts;
use ddpatrol_token::mint::RandomError;
use ddpatrol_token::{FormatError, Secret, Uuid, datadog};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The settings of the service.
#[derive(Debug)]
pub struct Settings {
    /// The scopes that tokens may carry.
    pub scopes: KnownScopes,
    /// The rate limits.
    pub limits: Limits,
    /// The action for a live token that leaked.
    pub on_leak: OnLeak,
    /// The address of GitHub's public keys.
    pub github_keys_url: String,
    /// The time that clocks must agree before the time is trusted.
    pub clock_agreement: Duration,
    /// The networks of proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Networks,
    /// The requests that are logged.
    pub request_log: RequestLog,
}

/// The state that all requests share.
#[derive(Debug)]
pub struct Service {
    /// The database.
    pub store: Store,
    /// Verifies tokens.
    pub authenticator: Authenticator,
    /// Parses tokens.
    pub token_parser: TokenParser,
    /// The audit events that wait to be written.
    pub queue: Queue,
    /// Compares clocks.
    pub clock: Monitor,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The scopes that tokens may carry.
    pub scopes: Replaceable<KnownScopes>,
    /// The rate limits.
    pub limits: Limits,
    /// The action for a live token that leaked.
    pub on_leak: OnLeak,
    /// GitHub's public keys.
    pub github_keys: GithubKeys,
    /// The check that the database accepts writes.
    pub readiness: Readiness,
    /// The slots of searches.
    pub searches: Searches,
    /// The slots of lists of the caller's own tokens.
    pub own_lists: Searches,
    /// The memory for request bodies.
    pub bodies: Bodies,
    /// The requests that are logged.
    pub request_log: RequestLog,
    trusted_proxies: Networks,
}

/// The parameters of a new token.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The kind.
    pub kind: TokenKind,
    /// The owner.
    pub owner: Uuid,
    /// The name.
    pub name: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The expiry.
    pub expires_at: Expiry,
}

/// A token that was just minted.
#[derive(Debug)]
pub struct Minted {
    /// The part to store.
    pub token: NewToken,
    /// The whole token, which is shown once.
    pub secret: Secret,
}

/// The first administrator of a database, and their token.
#[derive(Debug)]
pub struct FirstAdministrator {
    /// The administrator.
    pub user: User,
    /// The token, to be stored.
    pub token: NewToken,
    /// The whole token, which is shown once.
    pub secret: Secret,
}

/// Mints a token.
///
/// # Errors
/// [`RandomError`] if the system's random source fails.
pub fn mint(request: TokenRequest) -> Result<Minted, RandomError> {
    let minted = datadog::mint_access_token(request.kind.prefix())?;
    let token = NewToken {
        id: minted.id,
        digest: digest(minted.token.expose()),
        kind: request.kind,
        owner: request.owner,
        name: request.name,
        scopes: request.scopes,
        created_at: time::now(),
        expires_at: request.expires_at.whole_micros(),
    };
    Ok(Minted { token, secret: minted.token })
}

/// Returns the same time of day one year later.
#[must_use]
pub fn a_year_after(time: Timestamp) -> Timestamp {
    let later = time.to_zoned_datetime(TimeZone::UTC).checked_add(1.year());
    later.map_or(Timestamp::MAX, |later| later.timestamp())
}

impl FirstAdministrator {
    /// Mints an administrator and a token with every scope for a year. Nothing is stored.
    ///
    /// # Errors
    /// [`RandomError`] if the system's random source fails.
    pub fn mint(scopes: &KnownScopes) -> Result<Self, RandomError> {
        let now = time::now();
        let user = User {
            id: id::random()?,
            email: ADMINISTRATOR.to_owned(),
            name: "Administrator".to_owned(),
            permissions: Permissions::ALL,
            created_at: now,
            disabled_at: None,
            title: None,
            service_account: false,
            modified_at: None,
        };
        let Minted { token, secret } = mint(TokenRequest {
            kind: TokenKind::Personal,
            owner: user.id,
            name: "First administrator token".to_owned(),
            scopes: scopes.names().map(str::to_owned).collect(),
            expires_at: Expiry::At(a_year_after(now)),
        })?;
        Ok(Self { user, token, secret })
    }
}

impl Service {
    /// Creates a service.
    ///
    /// # Errors
    /// [`FormatError`] if the built-in format is invalid.
    pub fn new(store: Store, settings: Settings) -> Result<Self, FormatError> {
        let metrics = Arc::new(Metrics::default());
        Ok(Self {
            authenticator: Authenticator::new(store.clone()),
            token_parser: TokenParser::new()?,
            queue: Queue::new(Arc::clone(&metrics)),
            clock: Monitor::new(settings.clock_agreement, Arc::clone(&metrics)),
            metrics,
            scopes: Replaceable::new(settings.scopes),
            limits: settings.limits,
            on_leak: settings.on_leak,
            github_keys: GithubKeys::new(settings.github_keys_url),
            readiness: Readiness::default(),
            searches: Searches::new(SEARCHES),
            own_lists: Searches::new(OWN_LISTS),
            bodies: Bodies::default(),
            request_log: settings.request_log,
            trusted_proxies: settings.trusted_proxies,
            store,
        })
    }

    /// Revokes a token and invalidates it in this process at once.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails. The revocation may have been written nevertheless.
    pub(crate) async fn revoke(
        &self,
        token: Uuid,
        by: RevokedBy,
        event: &Event,
    ) -> Result<Revocation, StoreError> {
        let revoked = self.store.revoke_token(token, by, event).await;
        // Also after a failure, since the database may have committed the revocation.
        self.authenticator.invalidate(token);
        if matches!(revoked, Ok(Revocation::Done)) {
            self.metrics.revoked(by, 1);
        }
        revoked
    }

    /// Formats all metrics as text, with the current sizes of queues and pools.
    ///
    /// # Errors
    /// [`std::fmt::Error`] never happens when writing to a string.
    pub(crate) fn metrics_text(&self) -> Result<String, std::fmt::Error> {
        self.metrics.audit_queue(self.queue.len(), self.queue.age().unwrap_or_default());
        for usage in self.store.pool_usage() {
            self.metrics.pool(&usage);
        }
        self.metrics.wal(self.store.wal_bytes());
        self.metrics.text()
    }

    /// Returns `true` if a request came over a connection from a trusted proxy.
    #[must_use]
    pub fn is_from_trusted_proxy(&self, parts: &Parts) -> bool {
        let connected = parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>();
        connected.is_some_and(|info| self.trusted_proxies.contains(info.0.ip()))
    }

    /// Returns the caller's address: the address of the connection or, behind a trusted proxy, the
    /// one in `X-Forwarded-For`; see [`Networks::caller`].
    #[must_use]
    pub fn caller_address(&self, parts: &Parts) -> IpAddr {
        let connected = parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>();
        let connected = connected.map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip());
        let forwarded = parts.headers.get_all("x-forwarded-for").iter();
        self.trusted_proxies.caller(connected, forwarded.map(HeaderValue::as_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_a_calendar_year() {
        for (time, later) in [
            ("2026-11-24T01:02:03.5Z", "2027-11-24T01:02:03.5Z"),
            ("2027-11-24T00:00:00Z", "2028-11-24T00:00:00Z"),
            ("2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"),
        ] {
            let time: Timestamp = time.parse().expect("a time");
            assert_eq!(a_year_after(time).to_string(), later);
        }
    }
}
