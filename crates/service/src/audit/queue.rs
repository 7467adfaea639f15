//! The queue of uses: every request that a token made is recorded, in batches, so that a use costs
//! no write of its own.
//!
//! Refused uses are not queued but counted in aggregated events ([`super::tally`]), which the same
//! task writes.
//!
//! The queue is bounded in number and in age. Where the database lags behind, requests wait for it
//! ([`Queue::room`]) instead of events being dropped; what a crash can lose are the events of the
//! last second.

use super::batch::{Attempt, Batch};
use super::tally::{Counted, Row, Tally, UPDATE_EVERY, Use, What};
use super::{Event, method, name};
use crate::metrics::Metrics;
use crate::store::Store;
use ddpatrol_token::mint::RandomError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// How many events may wait.
const CAPACITY: usize = 8_192;
/// How long events gather before they are written together.
const GATHER: Duration = Duration::from_millis(200);
/// At what age of the oldest waiting event requests begin to wait.
const MAX_AGE: Duration = Duration::from_millis(800);
/// How long a request waits before it is turned away.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// How long the writer pauses after a failure.
const PAUSE: Duration = Duration::from_millis(250);
/// Time between two log lines about failures of the writer.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The audit trail cannot keep up; the request was turned away before anything was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit trail cannot be written at the moment; try again")]
pub struct Stalled;

/// The way in which a request got room in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There was room.
    AtOnce,
    /// The request has waited for it.
    AfterWaiting,
}

#[derive(Debug, Default)]
struct Waiting {
    events: Vec<Event>,
    /// When the oldest event came that is not yet written, those being written included; of
    /// aggregated events, when their writing began.
    oldest: Option<Instant>,
}

/// A bounded queue of events and the task that writes them.
#[derive(Debug)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    tally: Tally,
    came: Notify,
    written: watch::Sender<u64>,
    closing: watch::Sender<bool>,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// Makes an empty queue; [`Queue::write`] must run beside it.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            waiting: Mutex::default(),
            tally: Tally::new(),
            came: Notify::new(),
            written: watch::Sender::new(0),
            closing: watch::Sender::new(false),
            metrics,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self) -> bool {
        let waiting = self.lock();
        waiting.events.len() < CAPACITY && waiting.oldest.is_none_or(|at| at.elapsed() < MAX_AGE)
    }

    /// The age of the oldest event that is not yet written; `None` if all are.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.lock().oldest.map(|at| at.elapsed())
    }

    /// Waits until the queue is neither full nor old.
    ///
    /// # Errors
    /// [`Stalled`] where it stays so for ten seconds.
    pub async fn room(&self) -> Result<Room, Stalled> {
        if self.has_room() {
            return Ok(Room::AtOnce);
        }
        let mut written = self.written.subscribe();
        let waiting = async {
            while !self.has_room() {
                // The sender lives as long as `self`, so this ends only by a write.
                let _ = written.changed().await;
            }
        };
        let waited = tokio::time::timeout(MAX_WAIT, waiting).await;
        waited.map(|()| Room::AfterWaiting).map_err(|_| Stalled)
    }

    /// Puts an event into the queue.
    pub fn push(&self, event: Event) {
        let mut waiting = self.lock();
        waiting.oldest.get_or_insert_with(Instant::now);
        waiting.events.push(event);
        if waiting.events.len() == 1 || waiting.events.len() == CAPACITY / 2 {
            self.came.notify_one();
        }
    }

    /// Counts a use in an aggregated event, which `event` makes if there is none yet. Needs no room.
    ///
    /// # Errors
    /// [`RandomError`] where the system's random source fails.
    pub fn count(
        &self,
        seen: Use,
        event: impl Fn() -> Result<Event, RandomError>,
    ) -> Result<(), RandomError> {
        match self.tally.count(seen, &event)? {
            Counted::Done => {}
            Counted::Wake => self.came.notify_one(),
            Counted::Full => self.push(event()?),
        }
        Ok(())
    }

    /// Writes what comes, until the queue is closed and empty.
    pub async fn write(&self, store: &Store) {
        let mut closing = self.closing.subscribe();
        loop {
            let closed = *closing.borrow_and_update();
            let what = if closed { What::All } else { What::Due };
            if self.lock().events.is_empty() && !self.tally.is_due(what) {
                if closed {
                    return;
                }
                tokio::select! {
                    () = self.came.notified() => {}
                    _ = closing.changed() => {}
                    () = tokio::time::sleep(UPDATE_EVERY), if self.tally.has_grown() => {}
                }
                continue;
            }
            if !closed {
                tokio::select! {
                    () = self.gathered() => {}
                    _ = closing.changed() => {}
                }
            }
            self.write_once(store, what).await;
        }
    }

    /// Waits until a batch has gathered: for a while, or until the queue is half full.
    async fn gathered(&self) {
        let full = async {
            while self.lock().events.len() < CAPACITY / 2 {
                self.came.notified().await;
            }
        };
        let _ = tokio::time::timeout(GATHER, full).await;
    }

    async fn write_once(&self, store: &Store, what: What) {
        let began = Instant::now();
        let batch = self.batch(what);
        self.lock().oldest.get_or_insert(began);
        let mut logged: Option<Instant> = None;
        let mut attempt = Attempt::First;
        while let Err(error) = store.append_uses(&batch, attempt).await {
            attempt = Attempt::Retry;
            if logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
                logged = Some(Instant::now());
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot write audit events; trying again until it succeeds"
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
        if logged.is_some() {
            tracing::info!("audit events are written again");
        }
        self.metrics.audited(batch.uses);
        let mut waiting = self.lock();
        waiting.oldest = if waiting.events.is_empty() { None } else { Some(began) };
        drop(waiting);
        self.written.send_modify(|count| *count += 1);
    }

    /// Takes what waits to be written.
    fn batch(&self, what: What) -> Batch {
        let events = std::mem::take(&mut self.lock().events);
        let is_use =
            |event: &&Event| event.name == name::USED && event.auth_method != method::INTROSPECTION;
        let uses = events.iter().filter(is_use).count() as u64;
        let mut batch = Batch { events, uses, ..Batch::default() };
        for aggregate in self.tally.take(what) {
            batch.uses += aggregate.uses;
            batch.used.extend(aggregate.last);
            match aggregate.row {
                Row::New => batch.events.push(aggregate.event),
                Row::Old => batch.updates.push(aggregate.event),
            }
        }
        batch
    }

    /// Tells the writer to write what is there and end.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }
}
