//! Collects matches into findings: one per token, across all places and workers.
//!
//! Input: tokens and their locations, from all workers. Output: sorted findings. Nothing is searched here.

use super::spots::TokenLocations;
use super::{
    Finding, Fingerprint, HeldObject, InlineAllow, Location, Part, TokenId, dedup, inline, snippet,
};
use crate::blob::Context;
use crate::lock::lock;
use ddpatrol_detect::encoding::Encoding;
use ddpatrol_detect::redact::{Masker, Redactor};
use ddpatrol_detect::rules::RuleIndex;
use ddpatrol_detect::{Detector, Evidence, Match};
use ddpatrol_token::{Check, Secret};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

/// A token without its places.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its rule.
    pub rule: RuleIndex,
    /// Its evidence.
    pub evidence: Evidence,
    /// The parts of its identity that reports show.
    pub id: TokenId,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The token itself.
    pub secret: Secret,
}

impl Token {
    /// Describes a match; `token` are its bytes.
    #[must_use]
    pub fn new(detector: &Detector, found: Match, token: &[u8]) -> Self {
        let rule = &detector.rules()[found.rule];
        let format = &rule.format;
        let uuid = match format.check(token) {
            Check::Proven { split, .. } | Check::Shaped { split } => format.uuid(split, token),
            Check::NoMatch => None,
        };
        Self {
            rule: found.rule,
            evidence: found.evidence,
            id: TokenId {
                redacted: rule.redact(token),
                alias: uuid.map(|(_, alias)| alias.escape_ascii().to_string()),
                uuid: uuid.map(|(uuid, _)| uuid),
            },
            fingerprint: Fingerprint::of(token),
            secret: Secret::new(token),
        }
    }
}

/// A token at one place.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence<'a> {
    /// The token.
    pub token: &'a Token,
    /// The place. Beyond the first places in one content it has no snippet.
    pub location: &'a Location,
}

impl From<Occurrence<'_>> for Finding {
    fn from(occurrence: Occurrence<'_>) -> Self {
        let mut finding = Self::from(occurrence.token);
        finding.locations.push(occurrence.location.clone());
        finding
    }
}

impl Finding {
    /// Returns the token without its places.
    pub fn token(&self) -> Token {
        Token {
            rule: self.rule,
            evidence: self.evidence,
            id: self.token.clone(),
            fingerprint: self.fingerprint,
            secret: self.secret.clone(),
        }
    }
}

impl From<&Token> for Finding {
    /// A finding that has no place yet.
    fn from(token: &Token) -> Self {
        Self {
            rule: token.rule,
            evidence: token.evidence,
            token: token.id.clone(),
            fingerprint: token.fingerprint,
            secret: token.secret.clone(),
            locations: Vec::new(),
            objects: Vec::new(),
            suppression: None,
        }
    }
}

/// The tools that describe a match: detector, masker, and the mode of inline comments.
#[derive(Debug)]
pub struct MatchDescriber<'a> {
    /// The detector that finds matches.
    pub detector: &'a Detector,
    /// The masker for the text around matches.
    pub masker: Masker<'a>,
    /// The treatment of inline comments.
    pub inline: InlineAllow,
}

impl MatchDescriber<'_> {
    /// Reads the inline comment in the line of a token; `None` for messages and names.
    pub fn inline(
        &mut self,
        part: Part,
        bytes: &[u8],
        token: Range<usize>,
        encoding: Encoding,
    ) -> Option<super::Inline> {
        let is_content = part == Part::Content;
        if !is_content {
            return None;
        }
        inline::read(self.inline, &mut self.masker, bytes, token, encoding)
    }
}

/// Returns the context that windows need to describe matches.
#[must_use]
pub fn context(detector: &Detector, redactor: &Redactor) -> Context {
    let shown = (snippet::REACH + redactor.context_len()).max(inline::REACH);
    Context { before: shown + detector.lookbehind(), after: detector.lookahead() + shown }
}

/// Gathers occurrences from all workers.
#[derive(Debug, Default)]
pub struct Collector(Mutex<HashMap<(Fingerprint, RuleIndex), Finding>>);

impl Collector {
    /// Adds places of a token.
    pub fn add(&self, token: &Token, locations: TokenLocations) {
        self.add_locations(token, locations.finish());
    }

    /// Adds locations of a token.
    pub fn add_locations(&self, token: &Token, mut locations: Vec<Location>) {
        self.with(token, |finding| finding.locations.append(&mut locations));
    }

    /// Returns the findings as they were added, in no particular order.
    pub fn into_findings(self) -> impl Iterator<Item = Finding> {
        self.0.into_inner().unwrap_or_else(|poison| poison.into_inner()).into_values()
    }

    /// Adds a git object that contains a token.
    pub fn add_object(&self, token: &Token, object: HeldObject) {
        self.with(token, |finding| finding.objects.push(object));
    }

    fn with(&self, token: &Token, change: impl FnOnce(&mut Finding)) {
        let mut findings = lock(&self.0);
        let key = (token.fingerprint, token.rule);
        change(findings.entry(key).or_insert_with(|| Finding::from(token)));
    }

    /// Returns the findings, sorted by evidence and then by first location, without duplicate locations.
    #[must_use]
    pub fn finish(self) -> Vec<Finding> {
        let findings = self.0.into_inner().unwrap_or_else(|poison| poison.into_inner());
        let mut findings: Vec<Finding> = findings.into_values().collect();
        // An interrupted scan may have objects whose locations are not determined yet.
        findings.retain(|finding| !finding.locations.is_empty());
        for finding in &mut findings {
            dedup::drop_containers(&mut finding.locations);
            dedup::drop_transient(&mut finding.locations);
            finding.locations.sort_by(|a, b| leading(a).cmp(&leading(b)).then_with(|| a.cmp(b)));
            finding.locations.dedup();
            HeldObject::tidy(&mut finding.objects);
        }
        // Locations with a path sort before those without.
        let first =
            |finding: &Finding| finding.locations.first().is_some_and(|it| it.path.is_none());
        findings.sort_by(|a, b| {
            let by_place = || {
                let (a, b) = ((first(a), a.locations.first()), (first(b), b.locations.first()));
                a.cmp(&b)
            };
            let by_rule = || (a.rule, a.fingerprint).cmp(&(b.rule, b.fingerprint));
            b.evidence.cmp(&a.evidence).then_with(by_place).then_with(by_rule)
        });
        findings
    }
}

/// Returns the first sort key of locations: introduced in reachable commits, introduced in unreachable commits,
/// objects without a commit, files; each by date.
fn leading(location: &Location) -> (u8, i64) {
    match location.trace.as_deref() {
        Some(trace) if trace.introduced.is_some() => (u8::from(!trace.reachable), trace.order),
        Some(trace) => (2, trace.order),
        None => (3, 0),
    }
}
