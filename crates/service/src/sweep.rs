//! What the service does by itself: marks expired tokens revoked, forgets old events, and listens
//! for other replicas' changes.

use crate::service::Service;
use crate::store::tokens::RevokedBy;
use crate::store::{CHANNEL, Store, StoreError};
use crate::time;
use ddpatrol_token::Uuid;
use sqlx::postgres::{PgListener, PgPool};
use std::time::Duration;

/// How many tokens one transaction expires.
const AT_ONCE: u32 = 1_000;
/// How often expired tokens are looked for.
const EXPIRY_EVERY: Duration = Duration::from_secs(1);
/// How often old events are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// How long the listener waits before it connects again.
const PAUSE: Duration = Duration::from_millis(500);

/// Marks tokens revoked when their expiry has come; never returns.
pub async fn expire(service: &Service) {
    let mut every = tokio::time::interval(EXPIRY_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(error) = expire_due(service).await {
            warn("expired tokens could not be marked", &error);
        }
    }
}

async fn expire_due(service: &Service) -> Result<(), StoreError> {
    loop {
        let expired = service.store.expire_tokens(AT_ONCE).await?;
        service.metrics.revoked(RevokedBy::Expiry, expired.len());
        for &token in &expired {
            service.authenticator.forget(token);
        }
        if expired.len() < AT_ONCE as usize {
            return Ok(());
        }
    }
}

/// Forgets events that are older than `retention`; never returns.
pub async fn forget_events(store: &Store, retention: Duration) {
    let mut every = tokio::time::interval(FORGET_EVERY);
    loop {
        every.tick().await;
        let Ok(horizon) = time::now().checked_sub(retention) else { continue };
        match store.forget_events(horizon).await {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "forgot audit events beyond their retention"),
            Err(error) => warn("old audit events could not be forgotten", &error),
        }
    }
}

/// Listens for other replicas' changes and forgets what they name; never returns.
///
/// It only makes replicas faster: without it, or while its connection hangs, what the authenticator
/// remembers ends by itself.
pub async fn listen(service: &Service, pool: &PgPool) {
    loop {
        if let Err(error) = listen_once(service, pool).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "not listening for changes");
        }
        service.authenticator.forget_all();
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(service: &Service, pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    service.authenticator.forget_all();
    loop {
        // `try_recv` gives `None` when the connection was lost, and with it notifications.
        let Some(notification) = listener.try_recv().await? else { return Ok(()) };
        match Uuid::parse(notification.payload()) {
            Some(token) => service.authenticator.forget(token),
            None => service.authenticator.forget_all(),
        }
    }
}

fn warn(what: &str, error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
}
