//! The service's metrics, in Prometheus' text format.

mod resources;

use crate::store::leaks::LeakOutcome;
use crate::store::pools::PoolUsage;
use crate::store::tokens::RevokedBy;
use axum::extract::MatchedPath;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use resources::ResourceMetrics;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// The labels of a response.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResponseLabels {
    class: &'static str,
    status: u16,
}

/// The label of an event's kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// The label of an event's reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// The decision on the deletion of old audit events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    /// The time is trusted, so old events are deleted.
    Active,
    /// The time is not trusted, so nothing is deleted.
    Suspended,
}

/// The service's metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    responses: Family<ResponseLabels, Counter>,
    uses: Counter,
    audited: Counter,
    revoked: Family<KindLabel, Counter>,
    leaks: Family<KindLabel, Counter>,
    searches: Family<KindLabel, Counter>,
    clock: ClockMetrics,
    connections: Gauge,
    connections_closed: Family<ReasonLabel, Counter>,
    connections_refused: Family<ReasonLabel, Counter>,
    bodies_refused: Family<ReasonLabel, Counter>,
    resources: ResourceMetrics,
}

/// The metrics of the clock and the tasks that depend on it.
#[derive(Debug)]
struct ClockMetrics {
    agreement: Gauge<f64, AtomicU64>,
    disagreements: Counter,
    expired: Counter,
    retention_refused: Gauge,
}

impl ClockMetrics {
    fn new(registry: &mut Registry) -> Self {
        let (agreement, retention_refused) = (Gauge::default(), Gauge::default());
        let (disagreements, expired) = (Counter::default(), Counter::default());
        registry.register(
            "clock_agreement_seconds",
            "Time for which all clocks have agreed",
            Gauge::clone(&agreement),
        );
        registry.register(
            "clock_disagreements",
            "Number of times that clocks started to disagree",
            Counter::clone(&disagreements),
        );
        registry.register(
            "expirations",
            "Tokens whose expiry event was written",
            Counter::clone(&expired),
        );
        registry.register(
            "retention_refused",
            "1 while old audit events are not deleted because the time is not trusted",
            Gauge::clone(&retention_refused),
        );
        Self { agreement, disagreements, expired, retention_refused }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("ddpatrold");
        let responses = Family::<ResponseLabels, Counter>::default();
        let (uses, audited) = (Counter::default(), Counter::default());
        let revoked = Family::<KindLabel, Counter>::default();
        let leaks = Family::<KindLabel, Counter>::default();
        let searches = Family::<KindLabel, Counter>::default();
        registry.register("answers", "Responses, by request class and status", responses.clone());
        registry.register("token_uses", "Requests with a live token", uses.clone());
        registry.register("audited_uses", "Token uses written to the audit trail", audited.clone());
        registry.register("revocations", "Revoked tokens, by cause", revoked.clone());
        registry.register("leak_reports", "Reported tokens, by outcome", leaks.clone());
        registry.register(
            "searches",
            "Searches for tokens and events, by outcome",
            searches.clone(),
        );
        let clock = ClockMetrics::new(&mut registry);
        let connections = Gauge::default();
        let connections_closed = Family::<ReasonLabel, Counter>::default();
        let connections_refused = Family::<ReasonLabel, Counter>::default();
        registry.register("connections", "Open connections", connections.clone());
        registry.register(
            "connections_closed",
            "Connections closed by the service, by deadline or limit",
            connections_closed.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections rejected, by limit",
            connections_refused.clone(),
        );
        let bodies_refused = Family::<ReasonLabel, Counter>::default();
        registry.register(
            "bodies_refused",
            "Request bodies that were not read, by reason",
            bodies_refused.clone(),
        );
        let resources = ResourceMetrics::new(&mut registry);
        Self {
            registry,
            responses,
            uses,
            audited,
            revoked,
            leaks,
            searches,
            clock,
            connections,
            connections_closed,
            connections_refused,
            bodies_refused,
            resources,
        }
    }
}

impl Metrics {
    /// Counts a response.
    pub(crate) fn responded(&self, class: &'static str, status: u16) {
        self.responses.get_or_create(&ResponseLabels { class, status }).inc();
    }

    /// Counts a use of a live token.
    pub(crate) fn used(&self) {
        self.uses.inc();
    }

    /// Counts uses that were written to the audit trail.
    pub(crate) fn audited(&self, uses: u64) {
        self.audited.inc_by(uses);
    }

    /// Counts revoked tokens.
    pub(crate) fn revoked(&self, by: RevokedBy, tokens: usize) {
        self.revoked.get_or_create(&KindLabel { kind: by.as_str() }).inc_by(tokens as u64);
    }

    /// Counts a search: `completed`, `timed_out` or `refused`.
    pub(crate) fn searched(&self, kind: &'static str) {
        self.searches.get_or_create(&KindLabel { kind }).inc();
    }

    /// Sets the time for which all clocks have agreed, and the resulting decision on retention.
    pub(crate) fn clocks_observed(&self, agreement: Duration, retention: Retention) {
        self.clock.agreement.set(agreement.as_secs_f64());
        self.clock.retention_refused.set(i64::from(retention == Retention::Suspended));
    }

    /// Counts a start of a disagreement of clocks.
    pub(crate) fn clocks_disagreed(&self) {
        self.clock.disagreements.inc();
    }

    /// Counts tokens whose expiry event was written.
    pub(crate) fn expired(&self, tokens: usize) {
        self.clock.expired.inc_by(tokens as u64);
    }

    /// Counts a reported token.
    pub(crate) fn leaked(&self, outcome: LeakOutcome) {
        let kind = match outcome {
            LeakOutcome::Revoked => "revoked",
            LeakOutcome::Flagged => "flagged",
            LeakOutcome::AlreadyRevoked => "already_revoked",
            LeakOutcome::Expired => "expired",
            LeakOutcome::Unknown => "unknown",
        };
        self.leaks.get_or_create(&KindLabel { kind }).inc();
    }

    /// Counts an open connection.
    pub(crate) fn connection_opened(&self) {
        self.connections.inc();
    }

    /// Counts the end of a connection.
    pub(crate) fn connection_ended(&self) {
        self.connections.dec();
    }

    /// Counts a connection that the service closed because of a deadline or a limit.
    pub(crate) fn connection_closed(&self, reason: &'static str) {
        self.connections_closed.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a connection that was rejected because of a limit.
    pub(crate) fn connection_refused(&self, reason: &'static str) {
        self.connections_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a request body that was not read.
    pub(crate) fn body_refused(&self, reason: &'static str) {
        self.bodies_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Records the duration of a request until its response started.
    pub(crate) fn handled(
        &self,
        method: &'static str,
        route: Option<MatchedPath>,
        elapsed: Duration,
    ) {
        self.resources.handled(method, route, elapsed);
    }

    /// Sets the number and the age of the audit events that wait to be written.
    pub(crate) fn audit_queue(&self, events: usize, age: Duration) {
        self.resources.audit_queue(events, age);
    }

    /// Sets the usage of a pool of connections.
    pub(crate) fn pool(&self, usage: &PoolUsage) {
        self.resources.pool(usage);
    }

    /// Sets the size of SQLite's write-ahead log.
    pub(crate) fn wal(&self, bytes: Option<u64>) {
        self.resources.wal(bytes);
    }

    /// Formats all metrics as text.
    ///
    /// # Errors
    /// [`std::fmt::Error`] never happens when writing to a string.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
