//! Background tasks: write the events of expired tokens, delete old events, and listen for other
//! replicas' changes.

use crate::clock::monitor::Doubt;
use crate::service::Service;
use crate::store::audit::FORGET_AT_ONCE;
use crate::store::{CHANNEL, StoreError};
use ddpatrol_token::Uuid;
use sqlx::postgres::{PgListener, PgPool};
use std::time::Duration;

/// Maximum number of expiry events in one transaction.
const AT_ONCE: u32 = 1_000;
/// How often expired tokens are looked for.
const EXPIRY_EVERY: Duration = Duration::from_secs(1);
/// How often old events are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// How often the time is checked while it is not trusted with deletions.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// How long the listener waits before it connects again.
const PAUSE: Duration = Duration::from_millis(500);

/// Writes the events of expired tokens while the time is trusted; never returns. Whether a token is
/// accepted does not depend on it.
pub async fn expire(service: &Service) {
    let mut every = tokio::time::interval(EXPIRY_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(error) = expire_due(service).await {
            warn("cannot write the events of expired tokens", &error);
        }
    }
}

async fn expire_due(service: &Service) -> Result<(), StoreError> {
    while let Ok(now) = service.clock.trusted_time() {
        let expired = service.store.expire_tokens(now, AT_ONCE).await?;
        service.metrics.expired(expired);
        if expired < AT_ONCE as usize {
            break;
        }
    }
    Ok(())
}

/// Deletes events that are older than `retention` while the time is trusted; never returns.
pub async fn forget_events(service: &Service, retention: Duration) {
    let (mut reported, mut warned) = (None, false);
    loop {
        let mut deleted = 0;
        match forget_old(service, retention, &mut deleted).await {
            Ok(()) => {
                if std::mem::take(&mut warned) {
                    tracing::info!("audit events are deleted again");
                }
                reported = None;
                tokio::time::sleep(FORGET_EVERY).await;
            }
            Err(Unforgotten::Refused(doubt)) => {
                let early = matches!(doubt, Doubt::Early { .. });
                let kind = std::mem::discriminant(&doubt);
                if early && reported.is_none() {
                    // After every start.
                    tracing::info!("retention waits, no audit events are deleted yet: {doubt}");
                } else if !early && reported != Some(kind) {
                    warned = true;
                    tracing::warn!("retention refused, no audit events are deleted: {doubt}");
                }
                // The doubt after a disagreement is not worth another line.
                if !early || reported.is_none() {
                    reported = Some(kind);
                }
                tokio::time::sleep(RETRY_EVERY).await;
            }
            Err(Unforgotten::Failed(error)) => {
                warn("cannot delete old audit events", &error);
                tokio::time::sleep(FORGET_EVERY).await;
            }
        }
        if deleted > 0 {
            tracing::info!(events = deleted, "deleted audit events beyond their retention");
        }
    }
}

/// Why old events were not deleted.
enum Unforgotten {
    /// The time is not trusted.
    Refused(Doubt),
    /// The database failed.
    Failed(StoreError),
}

/// Deletes old events in batches; compares clocks anew before each.
async fn forget_old(
    service: &Service,
    retention: Duration,
    deleted: &mut u64,
) -> Result<(), Unforgotten> {
    // Compared without the database first, because this is tried every second.
    service.clock.trusted_time().map_err(Unforgotten::Refused)?;
    loop {
        service.clock.observe(&service.store).await.map_err(Unforgotten::Failed)?;
        let now = service.clock.trusted_time().map_err(Unforgotten::Refused)?;
        let Ok(horizon) = now.checked_sub(retention) else { return Ok(()) };
        let events = service.store.forget_events(horizon).await.map_err(Unforgotten::Failed)?;
        *deleted += events;
        if events < u64::from(FORGET_AT_ONCE) {
            return Ok(());
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
