//! Decides which findings do not count: by an inline comment, the allow list or the baseline.
//!
//! Input: findings, and what was decided about tokens before. Output: the same findings, marked, and the
//! decisions that no finding needed. Nothing is removed: suppressed findings are still reported.

use super::baseline::{Baseline, Reach, Roots};
use super::suppression::{Allowed, By, Suppression, Unused};
use super::{Finding, Fingerprint, Location, Part};
use crate::redact::Masker;
use jiff::civil::Date;
use std::collections::HashSet;
use std::path::PathBuf;

/// What was decided about tokens before the scan.
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
    /// Marks the findings that do not count. Returns the decisions that no finding needed, as far as the
    /// scan would have found their tokens.
    pub fn apply(&self, findings: &mut [Finding], masker: &mut Masker<'_>) -> Vec<Unused> {
        let mut needed = HashSet::new();
        for finding in &mut *findings {
            finding.suppression = self.allowed(finding, &mut needed);
            if let Some(entry) = self.baseline.as_ref().and_then(|it| it.get(finding.fingerprint)) {
                needed.insert((By::Baseline, finding.fingerprint));
                if finding.suppression.is_none() {
                    for place in &mut finding.locations {
                        place.is_new_place = !entry.has(&self.roots.key(place, masker));
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

/// Suppresses a finding whose own lines allow it: a comment is at each of its places, or at another
/// place of the same path, so that it covers the versions of a file before the comment was written.
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
