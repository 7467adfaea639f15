//! Decides which findings do not count: by a word in their own line, by the allow list, by the
//! baseline.
//!
//! In come findings and what was decided about tokens before; out come the same findings, marked,
//! and the decisions that nothing needed. Nothing is removed: what does not count is still told.

use super::baseline::{Baseline, Reach, Roots};
use super::{Finding, Fingerprint, Location, Part};
use crate::redact::Redactor;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::PathBuf;

/// By what a finding does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// By `ddpatrol:allow` in the line.
    Inline,
    /// By the allow list of the configuration.
    Allow,
    /// By the baseline.
    Baseline,
}

impl By {
    /// Says it in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Inline => "allowed in its own line",
            Self::Allow => "on the allow list",
            Self::Baseline => "in the baseline",
        }
    }
}

/// Why a finding does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// By what.
    pub by: By,
    /// Why, in the words of whoever decided it.
    pub reason: Option<String>,
    /// The last day on which it holds.
    pub expires: Option<Date>,
}

/// An entry of the allow list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The token that is allowed.
    pub fingerprint: Fingerprint,
    /// Why.
    pub reason: String,
    /// The last day on which it is.
    pub expires: Option<Date>,
}

/// A decision that no finding needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Where it stands.
    pub by: By,
    /// The token that it is about.
    pub fingerprint: Fingerprint,
    /// Its reason, or the token that the baseline knows.
    pub what: String,
    /// The day after which it no longer held, if that is why.
    pub expired: Option<Date>,
}

/// What was decided about tokens before.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// The allow list.
    pub allowed: Vec<Allowed>,
    /// The tokens that are known.
    pub baseline: Option<Baseline>,
    /// Where the paths of the baseline begin.
    pub roots: Roots,
    /// How far the scan looks.
    pub reach: Reach,
    /// The day on which this scan runs.
    pub today: Date,
}

impl Decisions {
    /// Marks the findings that do not count, and returns the decisions that a finding could have needed,
    /// as far as the scan looked, and none did.
    pub fn apply(&self, findings: &mut [Finding], gate: &Redactor) -> Vec<Unused> {
        let mut needed = HashSet::new();
        for finding in &mut *findings {
            finding.suppression = self.allowed(finding, &mut needed);
            if let Some(entry) = self.baseline.as_ref().and_then(|it| it.get(finding.fingerprint)) {
                needed.insert((By::Baseline, finding.fingerprint));
                if finding.suppression.is_none() {
                    for place in &mut finding.locations {
                        place.is_new_place = !entry.has(&self.roots.key(place, gate));
                    }
                    let reason = entry.reason.clone();
                    let (by, expires) = (By::Baseline, None);
                    finding.suppression = Some(Suppression { by, reason, expires });
                }
            }
            if finding.suppression.is_none() {
                finding.suppression = inline(finding);
            }
        }
        self.unused(&needed)
    }

    fn allowed(
        &self,
        finding: &Finding,
        needed: &mut HashSet<(By, Fingerprint)>,
    ) -> Option<Suppression> {
        let is_its = |it: &&Allowed| it.fingerprint == finding.fingerprint;
        let entry = self.allowed.iter().filter(is_its).find(|it| !self.has_expired(it))?;
        needed.insert((By::Allow, finding.fingerprint));
        Some(Suppression {
            by: By::Allow,
            reason: Some(entry.reason.clone()),
            expires: entry.expires,
        })
    }

    fn has_expired(&self, entry: &Allowed) -> bool {
        entry.expires.is_some_and(|last| last < self.today)
    }

    fn unused(&self, needed: &HashSet<(By, Fingerprint)>) -> Vec<Unused> {
        let is_needed = |by, fingerprint| needed.contains(&(by, fingerprint));
        if self.reach == Reach::Unknown {
            return Vec::new();
        }
        let is_unused =
            |it: &&Allowed| self.reach == Reach::All && !is_needed(By::Allow, it.fingerprint);
        let allowed = self.allowed.iter().filter(|it| self.has_expired(it) || is_unused(it));
        let allowed = allowed.map(|it| Unused {
            by: By::Allow,
            fingerprint: it.fingerprint,
            what: it.reason.clone(),
            expired: it.expires.filter(|_| self.has_expired(it)),
        });
        let known = self.baseline.iter().flat_map(Baseline::entries);
        let known = known
            .filter(|it| self.reach.covers_all(it) && !is_needed(By::Baseline, it.fingerprint));
        let known = known.map(|it| Unused {
            by: By::Baseline,
            fingerprint: it.fingerprint,
            what: it.token.clone(),
            expired: None,
        });
        allowed.chain(known).collect()
    }
}

/// Says that a finding is allowed by its own lines: each of its places is, or an other place at the
/// same path, so that the versions of a file before the word was written are covered by it.
fn inline(finding: &Finding) -> Option<Suppression> {
    let counts = |place: &&Location| place.inline.as_ref().is_some_and(|it| it.counts);
    let covered: HashSet<&PathBuf> =
        finding.locations.iter().filter(counts).filter_map(|place| place.path.as_ref()).collect();
    let is_covered = |place: &Location| {
        counts(&place)
            || place.part == Part::Content
                && place.path.as_ref().is_some_and(|path| covered.contains(path))
    };
    if !finding.locations.iter().all(is_covered) {
        return None;
    }
    let first = finding.locations.iter().find(counts)?.inline.as_ref()?;
    let reason = Some(first.reason.text().into_owned());
    Some(Suppression { by: By::Inline, reason, expires: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_holds_through_its_last_day() {
        let entry = |day| Allowed {
            fingerprint: Fingerprint::of(b"x"),
            reason: "a test".to_owned(),
            expires: Some(Date::constant(2026, 1, day)),
        };
        let today = Date::constant(2026, 1, 15);
        let decisions = Decisions { today, ..Decisions::default() };
        assert!(!decisions.has_expired(&entry(15)) && !decisions.has_expired(&entry(16)));
        assert!(decisions.has_expired(&entry(14)));
    }
}
