//! Readiness of the database: a real write, at most once per second for any number of callers.
//!
//! A read would succeed even on a full disk or a read-only replica, where the service cannot work.

use super::{Store, StoreError, change};
use crate::lock::lock;
use crate::time;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// Time between two write probes.
const INTERVAL: Duration = Duration::from_secs(1);
/// Time limit of a write probe.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Maximum number of callers that wait for a probe; each of them keeps the headers of its request
/// in memory.
const MAX_WAITING: usize = 32;

/// The result of a write probe.
#[derive(Clone, Copy, Debug, Default)]
struct ProbeResult {
    /// The probe's number, from 1.
    number: u64,
    writable: bool,
}

#[derive(Debug, Default)]
struct Latest {
    number: u64,
    started: Option<Instant>,
}

/// Probes the database and shares the results.
#[derive(Debug)]
pub struct Readiness {
    latest: Mutex<Latest>,
    results: Arc<watch::Sender<ProbeResult>>,
    waiting: Semaphore,
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            latest: Mutex::default(),
            results: Arc::default(),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }
}

impl Readiness {
    /// Returns `true` if the database accepted a write at most a second ago. Takes at most a few
    /// seconds, even if the database hangs. Returns the last result at once if too many callers are
    /// waiting.
    pub async fn is_writable(&self, store: &Store) -> bool {
        let Ok(_permit) = self.waiting.try_acquire() else {
            return self.results.borrow().writable;
        };
        let mut results = self.results.subscribe();
        let number = self.probe(store);
        let result = results.wait_for(|result| result.number >= number);
        match tokio::time::timeout(TIME_LIMIT + INTERVAL, result).await {
            Ok(Ok(result)) => result.writable,
            _ => false,
        }
    }

    /// Starts a probe, unless one is running or recent. Returns the number of the latest probe. The
    /// probe runs in its own task, so that it continues if the caller disconnects.
    fn probe(&self, store: &Store) -> u64 {
        let mut latest = lock(&self.latest);
        let is_running = self.results.borrow().number < latest.number;
        if is_running || latest.started.is_some_and(|at| at.elapsed() < INTERVAL) {
            return latest.number;
        }
        latest.number += 1;
        latest.started = Some(Instant::now());
        let (number, store, results) = (latest.number, store.clone(), Arc::clone(&self.results));
        tokio::spawn(async move {
            let writable = write(&store).await;
            results.send_replace(ProbeResult { number, writable });
        });
        number
    }
}

async fn write(store: &Store) -> bool {
    match tokio::time::timeout(TIME_LIMIT, store.write_probe()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "not ready: the database does not accept writes"
            );
            false
        }
        Err(_) => {
            tracing::error!("not ready: a write to the database took more than {TIME_LIMIT:?}");
            false
        }
    }
}

impl Store {
    /// Writes a row that is never read.
    ///
    /// # Errors
    /// [`StoreError::Statement`] if the database does not accept writes.
    async fn write_probe(&self) -> Result<(), StoreError> {
        change!(self, |tx| {
            sqlx::query("INSERT INTO write_probe (singleton, at) VALUES (1, $1) ON CONFLICT (singleton) DO UPDATE SET at = excluded.at")
                .bind(time::to_row(time::now()))
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }
}
