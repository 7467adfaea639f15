//! The open connections: admits new ones within the limits, closes dispensable ones to make room,
//! and closes those that exceed a deadline.

use super::limits::ConnectionLimits;
use super::ticks::{TICK, TickClock};
use super::watch::{Overdue, Stage, Watch};
use crate::lock::lock;
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;
use crate::network::site;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::{AbortHandle, JoinHandle};

/// Time that a new connection waits until another one is closed.
const ROOM_WITHIN: Duration = Duration::from_secs(1);
/// Time limit of a graceful shutdown of a connection.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The other side of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// A client, whose address is limited.
    Client(IpAddr),
    /// A trusted proxy.
    Proxy,
}

/// The action when a limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtLimit {
    /// Another connection was closed.
    MadeRoom,
    /// The new connection is rejected.
    Rejected,
}

/// The decision on a new connection.
#[derive(Debug)]
pub(super) enum Decision {
    Admitted(Admitted),
    /// A limit is reached, and no open connection is dispensable.
    Rejected,
}

/// An open connection.
#[derive(Debug)]
struct Connection {
    /// The site whose limit the connection counts towards; `None` for a trusted proxy.
    site: Option<IpAddr>,
    watch: Arc<Watch>,
    task: Option<AbortHandle>,
    close: Option<oneshot::Sender<()>>,
    /// The start of the graceful shutdown.
    closing_since: Option<Instant>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next_id: u64,
    connections: HashMap<u64, Connection>,
    per_address: HashMap<IpAddr, usize>,
}

impl OpenConnections {
    fn count(&self, site: &IpAddr) -> usize {
        self.per_address.get(site).copied().unwrap_or_default()
    }

    fn remove(&mut self, id: u64) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        if let Some(site) = connection.site
            && let Some(count) = self.per_address.get_mut(&site)
        {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&site);
            }
        }
        Some(connection)
    }

    /// Returns the connection to close for a new one, among those of a site or among all; see
    /// [`Watch::dispensable`].
    fn dispensable(&self, of: Option<&IpAddr>) -> Option<u64> {
        let candidates = self.connections.iter().filter(|(_, connection)| match of {
            Some(site) => connection.site.as_ref() == Some(site),
            None => true,
        });
        candidates
            .filter_map(|(&id, connection)| Some((connection.watch.dispensable()?, id)))
            .min()
            .map(|(_, id)| id)
    }
}

/// The open connections and their limits.
#[derive(Debug)]
pub(super) struct Admission {
    limits: ConnectionLimits,
    room: Arc<Semaphore>,
    open: Mutex<OpenConnections>,
    clock: Arc<TickClock>,
    metrics: Arc<Metrics>,
    log: LogLimit,
}

impl Admission {
    pub(super) fn new(limits: ConnectionLimits, metrics: Arc<Metrics>) -> Self {
        Self {
            limits,
            room: Arc::new(Semaphore::new(limits.total)),
            open: Mutex::default(),
            clock: Arc::new(TickClock::new()),
            metrics,
            log: LogLimit::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        lock(&self.open)
    }

    /// Admits a connection, after closing a dispensable one if a limit is reached.
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
                if effect == AtLimit::Rejected {
                    return Decision::Rejected;
                }
            }
        }
        let Some(permit) = self.permit().await else { return Decision::Rejected };
        let watch = Arc::new(Watch::new(Arc::clone(&self.clock)));
        let (close, closing) = oneshot::channel();
        let mut open = self.lock();
        open.next_id += 1;
        let id = open.next_id;
        if let Some(site) = limited {
            *open.per_address.entry(site).or_default() += 1;
        }
        let connection = Connection {
            site: limited,
            watch: Arc::clone(&watch),
            task: None,
            close: Some(close),
            closing_since: None,
        };
        open.connections.insert(id, connection);
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
        // If fewer connections are open than permitted, others are being closed.
        let effect = {
            let mut open = self.lock();
            (open.connections.len() >= self.limits.total).then(|| make_room(&mut open, None))
        };
        if let Some(effect) = effect {
            self.limited("total", effect);
        }
        if effect == Some(AtLimit::Rejected) {
            return None;
        }
        let room = tokio::time::timeout(ROOM_WITHIN, Arc::clone(&self.room).acquire_owned());
        room.await.ok()?.ok()
    }

    /// Registers the task that serves a connection.
    pub(super) fn started(&self, id: u64, task: &JoinHandle<()>) {
        if let Some(connection) = self.lock().connections.get_mut(&id) {
            connection.task = Some(task.abort_handle());
        }
    }

    /// Records a failure of `accept` due to a lack of resources, and releases a descriptor.
    pub(super) fn accept_failed(&self, error: &io::Error) {
        self.metrics.connection_refused("accept");
        let mut open = self.lock();
        if let Some(id) = open.dispensable(None) {
            abort(&mut open, id);
        }
        drop(open);
        if let Some(count) = self.log.count("accept") {
            tracing::error!(%error, count, "cannot accept connections");
        }
    }

    /// Counts and logs a reached limit.
    fn limited(&self, limit: &'static str, effect: AtLimit) {
        match effect {
            AtLimit::MadeRoom => self.metrics.connection_closed(limit),
            AtLimit::Rejected => self.metrics.connection_refused(limit),
        }
        if let Some(count) = self.log.count(limit) {
            let ConnectionLimits { total, per_address } = self.limits;
            tracing::warn!(
                limit,
                count,
                total,
                per_address,
                "connection limit reached; closing idle connections or rejecting new ones"
            );
        }
    }

    /// Closes connections that exceed a deadline; never returns.
    pub(super) async fn reap(&self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.clock.advance();
            let mut open = self.lock();
            let overdue: Vec<_> = open
                .connections
                .iter()
                .filter_map(|(&id, connection)| {
                    let late =
                        connection.closing_since.is_some_and(|at| at.elapsed() > CLOSE_WITHIN);
                    let overdue = connection.watch.overdue(now)?;
                    (connection.closing_since.is_none() || late).then_some((id, overdue))
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
                        "closed connections of slow clients"
                    );
                }
            }
        }
    }

    /// Waits for open requests to finish, then closes the remaining connections.
    pub(super) async fn drain(&self, within: Duration) {
        for connection in self.lock().connections.values_mut() {
            if connection.watch.stage() == Stage::Handshake
                && let Some(task) = &connection.task
            {
                task.abort();
            } else if let Some(close) = connection.close.take() {
                // The connection may have ended.
                let _ = close.send(());
            }
        }
        let all = u32::try_from(self.limits.total).unwrap_or(u32::MAX);
        if tokio::time::timeout(within, self.room.acquire_many(all)).await.is_ok() {
            return;
        }
        for connection in self.lock().connections.values() {
            if let Some(task) = &connection.task {
                task.abort();
            }
        }
    }
}

/// Closes a dispensable connection of a site, or of all, if there is one.
fn make_room(open: &mut OpenConnections, of: Option<&IpAddr>) -> AtLimit {
    match open.dispensable(of) {
        Some(id) if abort(open, id) => AtLimit::MadeRoom,
        _ => AtLimit::Rejected,
    }
}

/// Aborts a connection. Returns `false` if its task is not registered yet.
fn abort(open: &mut OpenConnections, id: u64) -> bool {
    let Some(task) = open.connections.get(&id).and_then(|connection| connection.task.clone())
    else {
        return false;
    };
    open.remove(id);
    task.abort();
    true
}

/// Closes a connection that exceeds a deadline. An idle one is shut down gracefully, so that HTTP/2
/// can announce it.
fn close(open: &mut OpenConnections, id: u64, overdue: Overdue) {
    if overdue == Overdue::Idle
        && let Some(connection) = open.connections.get_mut(&id)
        && let Some(close) = connection.close.take()
    {
        connection.closing_since = Some(Instant::now());
        // A connection that has ended is removed when it is dropped.
        let _ = close.send(());
        return;
    }
    abort(open, id);
}

/// An admitted connection; dropped when it is closed.
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

    /// Waits until a graceful shutdown of the connection is requested.
    pub(super) async fn closing(&mut self) {
        let closing_since = match self.closing.take() {
            Some(closing) => closing.await.is_ok(),
            None => false,
        };
        if !closing_since {
            // The connection has been removed, so the task is about to be aborted.
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
