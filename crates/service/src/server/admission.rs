//! The open connections: admits new ones within the limits, makes room by closing those not at work, and
//! closes those that are past a deadline.

use super::limits::ConnectionLimits;
use super::ticks::{Clock, TICK};
use super::watch::{Overdue, Stage, Watch};
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;
use crate::network::site;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::{AbortHandle, JoinHandle};

/// Time that a new connection waits for the room of one that is being closed.
const ROOM_WITHIN: Duration = Duration::from_secs(1);
/// Time limit of a connection that was asked to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The other side of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// A client, whose address is limited.
    Client(IpAddr),
    /// A trusted proxy.
    Proxy,
}

/// The effect of a reached limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtLimit {
    /// Another connection was closed.
    MadeRoom,
    /// The new connection is refused.
    Refused,
}

/// The decision on a new connection.
#[derive(Debug)]
pub(super) enum Decision {
    Admitted(Admitted),
    /// A limit is reached, and the service is at work for every open connection that counts.
    Refused,
}

/// An open connection.
#[derive(Debug)]
struct Entry {
    /// The site whose limit the connection counts for; none for a trusted proxy.
    site: Option<IpAddr>,
    watch: Arc<Watch>,
    task: Option<AbortHandle>,
    close: Option<oneshot::Sender<()>>,
    /// When it was asked to close.
    asked: Option<Instant>,
}

#[derive(Debug, Default)]
struct Open {
    next_id: u64,
    entries: HashMap<u64, Entry>,
    per_address: HashMap<IpAddr, usize>,
}

impl Open {
    fn count(&self, site: &IpAddr) -> usize {
        self.per_address.get(site).copied().unwrap_or_default()
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        if let Some(site) = entry.site
            && let Some(count) = self.per_address.get_mut(&site)
        {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&site);
            }
        }
        Some(entry)
    }

    /// Finds the connection to close for a new one, of a site or of all; see
    /// [`Watch::dispensable`].
    fn dispensable(&self, of: Option<&IpAddr>) -> Option<u64> {
        let candidates = self.entries.iter().filter(|(_, entry)| match of {
            Some(site) => entry.site.as_ref() == Some(site),
            None => true,
        });
        candidates
            .filter_map(|(&id, entry)| Some((entry.watch.dispensable()?, id)))
            .min()
            .map(|(_, id)| id)
    }
}

/// The open connections and their limits.
#[derive(Debug)]
pub(super) struct Admission {
    limits: ConnectionLimits,
    room: Arc<Semaphore>,
    open: Mutex<Open>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    log: LogLimit,
}

impl Admission {
    pub(super) fn new(limits: ConnectionLimits, metrics: Arc<Metrics>) -> Self {
        Self {
            limits,
            room: Arc::new(Semaphore::new(limits.total)),
            open: Mutex::default(),
            clock: Arc::new(Clock::new()),
            metrics,
            log: LogLimit::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a connection, after closing one not at work if a limit is reached.
    pub(super) async fn admit(self: &Arc<Self>, peer: Peer) -> Decision {
        let limited = match peer {
            Peer::Client(address) => Some(site(address)),
            Peer::Proxy => None,
        };
        if let Some(site) = &limited {
            let mut open = self.lock();
            if open.count(site) >= self.limits.per_address {
                let effect = make_room(&mut open, Some(site));
                drop(open);
                self.limited("address", effect);
                if effect == AtLimit::Refused {
                    return Decision::Refused;
                }
            }
        }
        let Some(permit) = self.permit().await else { return Decision::Refused };
        let watch = Arc::new(Watch::new(Arc::clone(&self.clock)));
        let (close, closing) = oneshot::channel();
        let mut open = self.lock();
        open.next_id += 1;
        let id = open.next_id;
        if let Some(site) = limited {
            *open.per_address.entry(site).or_default() += 1;
        }
        let entry = Entry {
            site: limited,
            watch: Arc::clone(&watch),
            task: None,
            close: Some(close),
            asked: None,
        };
        open.entries.insert(id, entry);
        drop(open);
        self.metrics.connection_opened();
        Decision::Admitted(Admitted {
            id,
            watch,
            closing: Some(closing),
            admission: Arc::clone(self),
            _permit: permit,
        })
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
            return Some(permit);
        }
        // If fewer are open than permitted, others are on their way out.
        let effect = {
            let mut open = self.lock();
            (open.entries.len() >= self.limits.total).then(|| make_room(&mut open, None))
        };
        if let Some(effect) = effect {
            self.limited("total", effect);
        }
        if effect == Some(AtLimit::Refused) {
            return None;
        }
        let room = tokio::time::timeout(ROOM_WITHIN, Arc::clone(&self.room).acquire_owned());
        room.await.ok()?.ok()
    }

    /// Remembers the task that serves a connection.
    pub(super) fn started(&self, id: u64, task: &JoinHandle<()>) {
        if let Some(entry) = self.lock().entries.get_mut(&id) {
            entry.task = Some(task.abort_handle());
        }
    }

    /// Records a failure of `accept` for want of a resource, and frees a descriptor.
    pub(super) fn accept_failed(&self, error: &io::Error) {
        self.metrics.connection_refused("accept");
        let mut open = self.lock();
        if let Some(id) = open.dispensable(None) {
            abort(&mut open, id);
        }
        drop(open);
        if let Some(count) = self.log.count("accept") {
            tracing::error!(%error, count, "connections cannot be accepted");
        }
    }

    /// Counts and logs a reached limit.
    fn limited(&self, limit: &'static str, effect: AtLimit) {
        match effect {
            AtLimit::MadeRoom => self.metrics.connection_closed(limit),
            AtLimit::Refused => self.metrics.connection_refused(limit),
        }
        if let Some(count) = self.log.count(limit) {
            let ConnectionLimits { total, per_address } = self.limits;
            tracing::warn!(
                limit,
                count,
                total,
                per_address,
                "a limit on connections is reached; those not at work are closed, or new ones refused"
            );
        }
    }

    /// Closes connections that are past a deadline, for ever.
    pub(super) async fn reap(&self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.clock.advance();
            let mut open = self.lock();
            let overdue: Vec<_> = open
                .entries
                .iter()
                .filter_map(|(&id, entry)| {
                    let late = entry.asked.is_some_and(|at| at.elapsed() > CLOSE_WITHIN);
                    let overdue = entry.watch.overdue(now)?;
                    (entry.asked.is_none() || late).then_some((id, overdue))
                })
                .collect();
            for &(id, overdue) in &overdue {
                close(&mut open, id, overdue);
            }
            drop(open);
            for (_, overdue) in overdue {
                self.metrics.connection_closed(overdue.name());
                if let Some(count) = self.log.count(overdue.name()) {
                    tracing::info!(
                        deadline = overdue.name(),
                        count,
                        "closed connections whose client was too slow"
                    );
                }
            }
        }
    }

    /// Lets open requests end, then closes what is left.
    pub(super) async fn drain(&self, within: Duration) {
        for entry in self.lock().entries.values_mut() {
            if entry.watch.stage() == Stage::Handshake
                && let Some(task) = &entry.task
            {
                task.abort();
            } else if let Some(close) = entry.close.take() {
                // The connection may have ended.
                let _ = close.send(());
            }
        }
        let all = u32::try_from(self.limits.total).unwrap_or(u32::MAX);
        if tokio::time::timeout(within, self.room.acquire_many(all)).await.is_ok() {
            return;
        }
        for entry in self.lock().entries.values() {
            if let Some(task) = &entry.task {
                task.abort();
            }
        }
    }
}

/// Closes a connection that is not at work, of a site or of all, if there is one.
fn make_room(open: &mut Open, of: Option<&IpAddr>) -> AtLimit {
    match open.dispensable(of) {
        Some(id) if abort(open, id) => AtLimit::MadeRoom,
        _ => AtLimit::Refused,
    }
}

/// Closes a connection at once; returns `false` if its task is not known yet.
fn abort(open: &mut Open, id: u64) -> bool {
    let Some(task) = open.entries.get(&id).and_then(|entry| entry.task.clone()) else {
        return false;
    };
    open.remove(id);
    task.abort();
    true
}

/// Closes a connection past a deadline: an idle one in order, so that HTTP/2 can say goodbye.
fn close(open: &mut Open, id: u64, overdue: Overdue) {
    if overdue == Overdue::Idle
        && let Some(entry) = open.entries.get_mut(&id)
        && let Some(close) = entry.close.take()
    {
        entry.asked = Some(Instant::now());
        // If it has ended, it is removed by its drop.
        let _ = close.send(());
        return;
    }
    abort(open, id);
}

/// A connection that was admitted; dropped when it is closed.
#[derive(Debug)]
pub(super) struct Admitted {
    id: u64,
    watch: Arc<Watch>,
    closing: Option<oneshot::Receiver<()>>,
    admission: Arc<Admission>,
    _permit: OwnedSemaphorePermit,
}

impl Admitted {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// Waits until the connection is to be closed in order.
    pub(super) async fn closing(&mut self) {
        let asked = match self.closing.take() {
            Some(closing) => closing.await.is_ok(),
            None => false,
        };
        if !asked {
            // The entry is gone, so the task is about to be aborted.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.lock().remove(self.id);
        self.admission.metrics.connection_ended();
    }
}
