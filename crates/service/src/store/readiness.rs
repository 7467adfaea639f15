//! Readiness of the database: a real write, at most once a second however many ask.
//!
//! A read would succeed on a full disk or a read-only replica, where the service cannot work.

use super::{Store, StoreError, change};
use crate::time;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// Time between two write probes.
const INTERVAL: Duration = Duration::from_secs(1);
/// Time limit of a write probe.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Maximum number of callers that wait for a probe; each keeps its request's headers in memory.
const MAX_WAITING: usize = 32;

/// The result of a write probe.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
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
    outcomes: Arc<watch::Sender<Outcome>>,
    waiting: Semaphore,
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            latest: Mutex::default(),
            outcomes: Arc::default(),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }
}

impl Readiness {
    /// Returns `true` if the database accepted a write at most a second ago. Takes at most a few
    /// seconds, also if the database hangs. If too many callers wait already, returns the last result
    /// at once.
    pub async fn is_writable(&self, store: &Store) -> bool {
        let Ok(_permit) = self.waiting.try_acquire() else {
            return self.outcomes.borrow().writable;
        };
        let mut outcomes = self.outcomes.subscribe();
        let number = self.probe(store);
        let outcome = outcomes.wait_for(|outcome| outcome.number >= number);
        match tokio::time::timeout(TIME_LIMIT + INTERVAL, outcome).await {
            Ok(Ok(outcome)) => outcome.writable,
            _ => false,
        }
    }

    /// Starts a probe unless one is running or recent; returns the number of the latest. The probe
    /// is a task of its own, so that a caller that disconnects does not end it.
    fn probe(&self, store: &Store) -> u64 {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_running = self.outcomes.borrow().number < latest.number;
        if is_running || latest.started.is_some_and(|at| at.elapsed() < INTERVAL) {
            return latest.number;
        }
        latest.number += 1;
        latest.started = Some(Instant::now());
        let (number, store, outcomes) = (latest.number, store.clone(), Arc::clone(&self.outcomes));
        tokio::spawn(async move {
            let writable = write(&store).await;
            outcomes.send_replace(Outcome { number, writable });
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
            tracing::error!("not ready: a write to the database took longer than {TIME_LIMIT:?}");
            false
        }
    }
}

impl Store {
    /// Writes a row that nobody reads.
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
