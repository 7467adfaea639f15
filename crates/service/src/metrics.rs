//! What the service counts, in Prometheus' text format.

use crate::store::leaks::LeakOutcome;
use crate::store::tokens::RevokedBy;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The labels of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    class: &'static str,
    status: u16,
}

/// The label of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// The service's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    uses: Counter,
    audited: Counter,
    revoked: Family<Kind, Counter>,
    leaks: Family<Kind, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("ddpatrold");
        let answers = Family::<Answer, Counter>::default();
        let (uses, audited) = (Counter::default(), Counter::default());
        let revoked = Family::<Kind, Counter>::default();
        let leaks = Family::<Kind, Counter>::default();
        registry.register("answers", "Answers, by class of request and status", answers.clone());
        registry.register("token_uses", "Answered requests that a live token made", uses.clone());
        registry.register("audited_uses", "Uses written to the audit trail", audited.clone());
        registry.register("revocations", "Tokens revoked, by what did it", revoked.clone());
        registry.register("leak_reports", "Reported tokens, by outcome", leaks.clone());
        Self { registry, answers, uses, audited, revoked, leaks }
    }
}

impl Metrics {
    /// Counts an answer.
    pub(crate) fn answered(&self, class: &'static str, status: u16) {
        self.answers.get_or_create(&Answer { class, status }).inc();
    }

    /// Counts an answered use of a live token.
    pub(crate) fn used(&self) {
        self.uses.inc();
    }

    /// Counts uses that were written.
    pub(crate) fn audited(&self, uses: u64) {
        self.audited.inc_by(uses);
    }

    /// Counts revoked tokens.
    pub(crate) fn revoked(&self, by: RevokedBy, tokens: usize) {
        self.revoked.get_or_create(&Kind { kind: by.word() }).inc_by(tokens as u64);
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
        self.leaks.get_or_create(&Kind { kind }).inc();
    }

    /// Writes all counters as text.
    ///
    /// # Errors
    /// [`std::fmt::Error`] never happens when writing to a string.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
