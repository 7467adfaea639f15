//! Metrics of durations, queues and pools, and of the program itself.

use crate::store::pools::PoolUsage;
use axum::extract::MatchedPath;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The labels of a request. Routes are templates, so their number is limited.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: Route,
}

/// The route of a request; `None` if its path is unknown.
#[derive(Clone, Debug)]
struct Route(Option<MatchedPath>);

impl Route {
    fn as_str(&self) -> &str {
        self.0.as_ref().map_or("none", MatchedPath::as_str)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.as_str().encode(encoder)
    }
}

/// The label of a pool's purpose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabel {
    pool: &'static str,
}

/// The labels of connections of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    pool: &'static str,
    state: &'static str,
}

/// Metrics of durations, queues and pools.
#[derive(Debug)]
pub(super) struct ResourceMetrics {
    durations: Family<RequestLabels, Histogram, fn() -> Histogram>,
    queued: Gauge,
    oldest: Gauge<f64, AtomicU64>,
    connections: Family<ConnectionLabels, Gauge>,
    max_connections: Family<PoolLabel, Gauge>,
    wal: Gauge,
}

impl ResourceMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let durations: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register_with_unit(
            "request_duration",
            "Time until a response started, by method and route",
            Unit::Seconds,
            durations.clone(),
        );
        let (queued, oldest) = (Gauge::default(), Gauge::default());
        registry.register(
            "audit_queue_events",
            "Audit events that wait to be written",
            Gauge::clone(&queued),
        );
        registry.register(
            "audit_queue_oldest_seconds",
            "Age of the oldest audit event that waits to be written",
            Gauge::clone(&oldest),
        );
        let connections = Family::<ConnectionLabels, Gauge>::default();
        let max_connections = Family::<PoolLabel, Gauge>::default();
        registry.register(
            "pool_connections",
            "Connections to the database, by pool and state",
            connections.clone(),
        );
        registry.register(
            "pool_connections_max",
            "Maximum number of connections to the database, by pool",
            max_connections.clone(),
        );
        let wal = Gauge::default();
        registry.register(
            "sqlite_wal_bytes",
            "Size of SQLite's write-ahead log; 0 with PostgreSQL",
            Gauge::clone(&wal),
        );
        registry.register(
            "build",
            "The program",
            Info::new([
                ("version", env!("CARGO_PKG_VERSION")),
                ("os", std::env::consts::OS),
                ("arch", std::env::consts::ARCH),
            ]),
        );
        let started: Gauge<f64, AtomicU64> = Gauge::default();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        started.set(since_1970.as_secs_f64());
        registry.register("start_time_seconds", "Start of the process, by the wall clock", started);
        Self { durations, queued, oldest, connections, max_connections, wal }
    }

    pub(super) fn handled(
        &self,
        method: &'static str,
        route: Option<MatchedPath>,
        elapsed: Duration,
    ) {
        let labels = RequestLabels { method, route: Route(route) };
        self.durations.get_or_create(&labels).observe(elapsed.as_secs_f64());
    }

    pub(super) fn audit_queue(&self, events: usize, age: Duration) {
        self.queued.set(events.try_into().unwrap_or(i64::MAX));
        self.oldest.set(age.as_secs_f64());
    }

    pub(super) fn wal(&self, bytes: Option<u64>) {
        self.wal.set(bytes.unwrap_or_default().try_into().unwrap_or(i64::MAX));
    }

    pub(super) fn pool(&self, usage: &PoolUsage) {
        let pool = usage.name;
        for (state, count) in [("used", usage.used), ("idle", usage.idle)] {
            let gauge = self.connections.get_or_create(&ConnectionLabels { pool, state });
            gauge.set(count.try_into().unwrap_or(i64::MAX));
        }
        self.max_connections.get_or_create(&PoolLabel { pool }).set(usage.max.into());
    }
}
