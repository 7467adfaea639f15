//! Collects matches into findings: one per token, however many places and workers found it.

use super::{Finding, Fingerprint, Location, TokenId, snippet};
use crate::blob::{Blob, Position};
use crate::detect::{Detector, Evidence, Match};
use crate::report::redact::Redactor;
use crate::source::window::Context;
use ddpatrol_token::{Check, Secret};
use std::collections::HashMap;
use std::sync::Mutex;

/// A token at one place.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// The index of its rule.
    pub rule: usize,
    /// How sure it is.
    pub evidence: Evidence,
    /// Its identity, as far as it may be told.
    pub token: TokenId,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The token itself.
    pub secret: Secret,
    /// Where it stands.
    pub location: Location,
}

impl Occurrence {
    /// Describes a match in a blob that begins at `start`.
    #[must_use]
    pub fn new(
        (detector, redactor): (&Detector, &Redactor),
        blob: &Blob<'_>,
        found: Match,
        start: Position,
    ) -> Self {
        let format = &detector.rules().rules()[found.rule].format;
        let token = &blob.bytes[found.start..found.end];
        let uuid = match format.check(token) {
            Check::Proven { split, .. } | Check::Shaped { split } => format.uuid(split, token),
            Check::Unlike => None,
        };
        let mut end = start;
        end.advance(token);
        let (path, part) = Location::place(blob.origin);
        let matched = found.start..found.end;
        Self {
            rule: found.rule,
            evidence: found.evidence,
            token: TokenId {
                redacted: format.redact(token),
                alias: uuid.map(|(_, alias)| alias.escape_ascii().to_string()),
                uuid: uuid.map(|(uuid, _)| uuid),
            },
            fingerprint: Fingerprint::of(token),
            secret: Secret::new(token),
            location: Location {
                path,
                part,
                offset: blob.offset + found.start as u64,
                len: token.len() as u64,
                start,
                end,
                snippet: snippet::around(redactor, blob.bytes, matched),
            },
        }
    }
}

/// Returns the context that a window needs for what is collected from it.
#[must_use]
pub(crate) fn context(detector: &Detector, redactor: &Redactor) -> Context {
    let shown = snippet::REACH + redactor.reach();
    Context { before: shown + 1, after: detector.lookahead() + shown }
}

/// Gathers occurrences from all workers.
#[derive(Debug, Default)]
pub struct Collector(Mutex<HashMap<(Fingerprint, usize), Finding>>);

impl Collector {
    /// Adds a token at one place.
    pub fn add(&self, occurrence: Occurrence) {
        let Occurrence { rule, evidence, token, fingerprint, secret, location } = occurrence;
        let mut findings = self.0.lock().unwrap_or_else(|poison| poison.into_inner());
        findings
            .entry((fingerprint, rule))
            .or_insert_with(|| Finding {
                rule,
                evidence,
                token,
                fingerprint,
                secret,
                locations: Vec::new(),
            })
            .locations
            .push(location);
    }

    /// Returns the findings: sorted by evidence, then by their first place; each place once.
    #[must_use]
    pub fn finish(self) -> Vec<Finding> {
        let findings = self.0.into_inner().unwrap_or_else(|poison| poison.into_inner());
        let mut findings: Vec<Finding> = findings.into_values().collect();
        for finding in &mut findings {
            finding.locations.sort();
            finding.locations.dedup();
        }
        findings.sort_by(|a, b| {
            (b.evidence, &a.locations, a.rule, a.fingerprint).cmp(&(
                a.evidence,
                &b.locations,
                b.rule,
                b.fingerprint,
            ))
        });
        findings
    }
}
