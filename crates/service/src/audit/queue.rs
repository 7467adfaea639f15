//! The queue of audit events: the use of a token in a request is recorded in a batch, so that it
//! does not cost a write of its own.
//!
//! Rejected uses are not queued but counted in aggregated events ([`super::tally`]), which the same
//! task writes.
//!
//! The queue is limited in length and in age. If the database is slow, requests wait for the queue
//! ([`Queue::wait_for_capacity`]); events are never dropped. A crash can lose the events of the
//! last second.

use super::batch::{Attempt, Batch};
use super::tally::{Counted, Flush, Row, Tally, UPDATE_EVERY, Use};
use super::{Event, method, name};
use crate::lock::lock;
use crate::metrics::Metrics;
use crate::store::Store;
use ddpatrol_token::mint::RandomError;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Maximum number of queued events.
const CAPACITY: usize = 8_192;
/// Time during which events are collected before they are written together.
const COLLECT_TIME: Duration = Duration::from_millis(200);
/// Maximum age of the oldest queued event; beyond it, requests wait.
const MAX_AGE: Duration = Duration::from_millis(800);
/// Maximum time that a request waits before it is rejected.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Delay before the writer tries again after a failure.
const RETRY_DELAY: Duration = Duration::from_millis(250);
/// Time between two log lines about failures of the writer.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The audit trail cannot keep up. The request was rejected before it had any effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit trail cannot be written; try again")]
pub struct Stalled;

/// The way in which a request got capacity in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// Capacity was available.
    Immediate,
    /// The request has waited for capacity.
    AfterWait,
}

#[derive(Debug, Default)]
struct Pending {
    events: Vec<Event>,
    /// The arrival of the oldest event that is not written yet, including those that are being
    /// written. For aggregated events, the start of their write.
    oldest: Option<Instant>,
}

/// A bounded queue of events and the task that writes them.
#[derive(Debug)]
pub struct Queue {
    pending: Mutex<Pending>,
    tally: Tally,
    arrived: Notify,
    written: watch::Sender<u64>,
    closing: watch::Sender<bool>,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// Creates an empty queue. [`Queue::write`] must run in a task.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            pending: Mutex::default(),
            tally: Tally::new(),
            arrived: Notify::new(),
            written: watch::Sender::new(0),
            closing: watch::Sender::new(false),
            metrics,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pending> {
        lock(&self.pending)
    }

    fn has_capacity(&self) -> bool {
        let pending = self.lock();
        pending.events.len() < CAPACITY && pending.oldest.is_none_or(|at| at.elapsed() < MAX_AGE)
    }

    /// Returns the number of events that are not written yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().events.len()
    }

    /// Returns `true` if all events are written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the age of the oldest event that is not written yet, if any.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.lock().oldest.map(|at| at.elapsed())
    }

    /// Waits until the queue is neither full nor too old.
    ///
    /// # Errors
    /// [`Stalled`] after ten seconds.
    pub async fn wait_for_capacity(&self) -> Result<Capacity, Stalled> {
        if self.has_capacity() {
            return Ok(Capacity::Immediate);
        }
        let mut written = self.written.subscribe();
        let available = async {
            while !self.has_capacity() {
                // The sender lives as long as `self`, so only a write ends this wait.
                let _ = written.changed().await;
            }
        };
        let waited = tokio::time::timeout(MAX_WAIT, available).await;
        waited.map(|()| Capacity::AfterWait).map_err(|_| Stalled)
    }

    /// Appends an event.
    pub fn push(&self, event: Event) {
        let mut pending = self.lock();
        pending.oldest.get_or_insert_with(Instant::now);
        pending.events.push(event);
        if pending.events.len() == 1 || pending.events.len() == CAPACITY / 2 {
            self.arrived.notify_one();
        }
    }

    /// Counts a use in an aggregated event, which is created by `event` if there is none yet. Does
    /// not require capacity.
    ///
    /// # Errors
    /// [`RandomError`] if the system's random source fails.
    pub fn count(
        &self,
        token_use: Use,
        event: impl Fn() -> Result<Event, RandomError>,
    ) -> Result<(), RandomError> {
        match self.tally.count(token_use, &event)? {
            Counted::Done => {}
            Counted::Wake => self.arrived.notify_one(),
            Counted::Full => self.push(event()?),
        }
        Ok(())
    }

    /// Writes events until the queue is closed and empty.
    pub async fn write(&self, store: &Store) {
        let mut closing = self.closing.subscribe();
        loop {
            let closed = *closing.borrow_and_update();
            let flush = if closed { Flush::All } else { Flush::Due };
            if self.lock().events.is_empty() && !self.tally.is_due(flush) {
                if closed {
                    return;
                }
                tokio::select! {
                    () = self.arrived.notified() => {}
                    _ = closing.changed() => {}
                    () = tokio::time::sleep(UPDATE_EVERY), if self.tally.has_grown() => {}
                }
                continue;
            }
            if !closed {
                tokio::select! {
                    () = self.wait_for_batch() => {}
                    _ = closing.changed() => {}
                }
            }
            self.write_once(store, flush).await;
        }
    }

    /// Waits until a batch is complete: for a fixed time, or until the queue is half full.
    async fn wait_for_batch(&self) {
        let full = async {
            while self.lock().events.len() < CAPACITY / 2 {
                self.arrived.notified().await;
            }
        };
        let _ = tokio::time::timeout(COLLECT_TIME, full).await;
    }

    async fn write_once(&self, store: &Store, flush: Flush) {
        let started = Instant::now();
        let batch = self.batch(flush);
        self.lock().oldest.get_or_insert(started);
        let mut logged: Option<Instant> = None;
        let mut attempt = Attempt::First;
        while let Err(error) = store.append_uses(&batch, attempt).await {
            attempt = Attempt::Retry;
            if logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
                logged = Some(Instant::now());
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot write audit events; retrying"
                );
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
        if logged.is_some() {
            tracing::info!("writing audit events again");
        }
        self.metrics.audited(batch.uses);
        let mut pending = self.lock();
        pending.oldest = if pending.events.is_empty() { None } else { Some(started) };
        drop(pending);
        self.written.send_modify(|count| *count += 1);
    }

    /// Takes the events to write.
    fn batch(&self, flush: Flush) -> Batch {
        let events = std::mem::take(&mut self.lock().events);
        let is_use =
            |event: &&Event| event.name == name::USED && event.auth_method != method::INTROSPECTION;
        let uses = events.iter().filter(is_use).count() as u64;
        let mut batch = Batch { events, uses, ..Batch::default() };
        for aggregate in self.tally.take(flush) {
            batch.uses += aggregate.uses;
            batch.used.extend(aggregate.last);
            match aggregate.row {
                Row::New => batch.events.push(aggregate.event),
                Row::Old => batch.updates.push(aggregate.event),
            }
        }
        batch
    }

    /// Makes the writer write the remaining events and return.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }
}
