//! Background tasks: write the events of expired tokens, revoke rotated ones, delete old audit events, and listen for
//! changes by other replicas.

use crate::clock::monitor::ClockError;
use crate::log_limit::LogLimit;
use crate::service::Service;
use crate::store::audit::DELETE_BATCH;
use crate::store::rotation::Ended;
use crate::store::tokens::RevokedBy;
use crate::store::{CHANNEL, StoreError};
use ddpatrol_token::Uuid;
use sqlx::postgres::{PgListener, PgPool};
use std::sync::LazyLock;
use std::time::Duration;

/// Maximum number of expiry events in one transaction.
const EXPIRE_BATCH: u32 = 1_000;
/// Interval between searches for expired tokens.
const EXPIRY_EVERY: Duration = Duration::from_secs(1);
/// Interval between deletions of old events.
const DELETE_EVERY: Duration = Duration::from_secs(3_600);
/// Interval between checks of the clock while it is not trusted with deletions.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Interval between searches for sessions that reached a limit.
const SESSIONS_EVERY: Duration = Duration::from_secs(60);
/// Interval between checks of the write-ahead log's size.
const WAL_EVERY: Duration = Duration::from_secs(1);
/// A failing disk fails every checkpoint.
static WAL_LOG: LazyLock<LogLimit> = LazyLock::new(LogLimit::default);
/// Delay before the listener reconnects.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Keeps SQLite's write-ahead log short, also under constant readers; never returns.
pub async fn shorten_wal(service: &Service) {
    let mut every = tokio::time::interval(WAL_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match service.store.shorten_wal().await {
            Ok(true) => {}
            Ok(false) => tracing::debug!("readers prevent a checkpoint of the write-ahead log"),
            Err(error) => {
                if let Some(count) = WAL_LOG.count("checkpoint") {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, count, "cannot shorten the write-ahead log");
                }
            }
        }
    }
}

/// Writes the events of expired tokens, and revokes rotated tokens at the end of their overlap,
/// while the time is trusted; never returns. These tokens are rejected even without this task.
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
        let Ended { expired, rotated } = service.store.expire_tokens(now, EXPIRE_BATCH).await?;
        service.metrics.expired(expired);
        service.metrics.revoked(RevokedBy::Rotation, rotated);
        if expired + rotated < EXPIRE_BATCH as usize {
            break;
        }
    }
    Ok(())
}

/// Ends the sessions that reached a limit, and deletes old ones; never returns. They are rejected
/// even without this task.
pub async fn end_sessions(service: &Service) {
    let mut every = tokio::time::interval(SESSIONS_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(error) = service.store.end_old_sessions().await {
            warn("cannot end old sessions", &error);
        }
    }
}

/// Deletes events that are older than `retention` while the time is trusted; never returns.
pub async fn delete_events(service: &Service, retention: Duration) {
    let (mut reported, mut warned) = (None, false);
    loop {
        let mut deleted = 0;
        match delete_in_batches(service, retention, &mut deleted).await {
            Ok(()) => {
                if std::mem::take(&mut warned) {
                    tracing::info!("deleting old audit events again");
                }
                reported = None;
                tokio::time::sleep(DELETE_EVERY).await;
            }
            Err(RetentionError::Untrusted(reason)) => {
                let early = matches!(reason, ClockError::Early { .. });
                let kind = std::mem::discriminant(&reason);
                if early && reported.is_none() {
                    // This happens after every start.
                    tracing::info!(
                        "old audit events are deleted once the time is trusted: {reason}"
                    );
                } else if !early && reported != Some(kind) {
                    warned = true;
                    tracing::warn!("not deleting old audit events: {reason}");
                }
                // A return to the waiting period after a disagreement is not logged again.
                if !early || reported.is_none() {
                    reported = Some(kind);
                }
                tokio::time::sleep(RETRY_EVERY).await;
            }
            Err(RetentionError::Store(error)) => {
                warn("cannot delete old audit events", &error);
                tokio::time::sleep(DELETE_EVERY).await;
            }
        }
        if deleted > 0 {
            tracing::info!(events = deleted, "deleted old audit events");
        }
    }
}

/// The reason why old events were not deleted.
enum RetentionError {
    /// The time is not trusted.
    Untrusted(ClockError),
    /// The database failed.
    Store(StoreError),
}

/// Deletes old events in batches. Compares the clocks before each batch.
async fn delete_in_batches(
    service: &Service,
    retention: Duration,
    deleted: &mut u64,
) -> Result<(), RetentionError> {
    // Checked without a query first, because this function runs every second while the time is not
    // trusted.
    service.clock.trusted_time().map_err(RetentionError::Untrusted)?;
    loop {
        service.clock.observe(&service.store).await.map_err(RetentionError::Store)?;
        let now = service.clock.trusted_time().map_err(RetentionError::Untrusted)?;
        let Ok(horizon) = now.checked_sub(retention) else { return Ok(()) };
        let events = service.store.delete_events(horizon).await.map_err(RetentionError::Store)?;
        *deleted += events;
        if events < u64::from(DELETE_BATCH) {
            return Ok(());
        }
    }
}

/// Listens for changes by other replicas and invalidates the tokens that they name; never returns.
///
/// Notifications only shorten the delay: without them, or while the connection hangs, the
/// authenticator's cache entries expire by themselves.
pub async fn listen(service: &Service, pool: &PgPool) {
    loop {
        if let Err(error) = listen_once(service, pool).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "not listening for changes");
        }
        service.authenticator.invalidate_all();
        tokio::time::sleep(RECONNECT_DELAY).await;
    }
}

async fn listen_once(service: &Service, pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    service.authenticator.invalidate_all();
    loop {
        // `try_recv` returns `None` if the connection was lost; notifications may be lost with it.
        let Some(notification) = listener.try_recv().await? else { return Ok(()) };
        match Uuid::parse(notification.payload()) {
            Some(token) => service.authenticator.invalidate(token),
            None => service.authenticator.invalidate_all(),
        }
    }
}

fn warn(what: &str, error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
}
