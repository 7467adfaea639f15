//! Marks the findings that an inline comment, the allowlist or the baseline suppresses.
//!
//! Input: findings, the allowlist and the baseline. Output: the same findings, marked, and the entries that
//! no finding needed. No finding is removed: suppressed findings are still reported. An entry whose abbreviated
//! fingerprint matches several tokens suppresses none of them.

use super::baseline::Baseline;
use super::coverage::Coverage;
use super::roots::Roots;
use super::suppression::{AllowlistEntry, Suppression, SuppressionKind, UnusedSuppression};
use super::{Finding, Fingerprint, FingerprintPrefix, Location, Part};
use crate::place::Place;
use ddpatrol_detect::redact::Masker;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The allowlist and baseline of a scan.
#[derive(Clone, Debug, Default)]
pub struct Suppressor {
    /// The allowlist.
    pub allowed: Vec<AllowlistEntry>,
    /// The baseline.
    pub baseline: Option<Baseline>,
    /// The folders that paths of the baseline are relative to.
    pub roots: Roots,
    /// The places that the scan covers.
    pub coverage: Coverage,
    /// The date of the scan.
    pub today: Date,
}

/// The use of the entries of a scan.
#[derive(Default)]
struct Usage<'a> {
    /// The entries that suppress a finding.
    needed: HashSet<(SuppressionKind, FingerprintPrefix)>,
    /// The abbreviated fingerprints that match several tokens, with these tokens.
    ambiguous: BTreeMap<&'a FingerprintPrefix, Vec<Fingerprint>>,
}

impl Suppressor {
    /// Marks suppressed findings. Returns the ambiguous and expired entries, and those that match no finding
    /// although the scan would have found their tokens.
    pub fn apply(
        &self,
        findings: &mut [Finding],
        masker: &mut Masker<'_>,
    ) -> Vec<UnusedSuppression> {
        let mut usage = Usage { needed: HashSet::new(), ambiguous: self.ambiguous(findings) };
        for finding in &mut *findings {
            finding.suppression = self.allowed(finding, &mut usage);
            if let Some(entry) = self.baseline.as_ref().and_then(|it| it.get(finding.fingerprint))
                && !usage.ambiguous.contains_key(&entry.fingerprint)
            {
                usage.needed.insert((SuppressionKind::Baseline, entry.fingerprint.clone()));
                if finding.suppression.is_none() {
                    for place in &mut finding.locations {
                        place.is_new_place = !entry.has(&self.roots.key(place, masker));
                    }
                    let reason = entry.reason.clone();
                    let (by, expires) = (SuppressionKind::Baseline, None);
                    finding.suppression = Some(Suppression { by, reason, expires });
                }
            }
            if finding.suppression.is_none() {
                finding.suppression = inline(finding);
            }
        }
        self.unused(&usage)
    }

    /// Returns the abbreviated fingerprints that match several of the found tokens.
    fn ambiguous(&self, findings: &[Finding]) -> BTreeMap<&FingerprintPrefix, Vec<Fingerprint>> {
        let known = self.baseline.iter().flat_map(Baseline::entries).map(|it| &it.fingerprint);
        let prefixes = self.allowed.iter().map(|it| &it.fingerprint).chain(known);
        let prefixes: BTreeSet<_> = prefixes.filter(|it| !it.is_complete()).collect();
        let mut ambiguous = BTreeMap::new();
        for prefix in prefixes {
            let found = findings.iter().map(|it| it.fingerprint);
            let matching: BTreeSet<_> = found.filter(|it| prefix.matches(*it)).collect();
            if matching.len() > 1 {
                ambiguous.insert(prefix, matching.into_iter().collect());
            }
        }
        ambiguous
    }

    fn allowed(&self, finding: &Finding, usage: &mut Usage<'_>) -> Option<Suppression> {
        let is_its = |it: &&AllowlistEntry| {
            it.fingerprint.matches(finding.fingerprint)
                && !usage.ambiguous.contains_key(&it.fingerprint)
        };
        let entry = self.allowed.iter().filter(is_its).find(|it| !self.has_expired(it))?;
        usage.needed.insert((SuppressionKind::Allow, entry.fingerprint.clone()));
        Some(Suppression {
            by: SuppressionKind::Allow,
            reason: Some(entry.reason.clone()),
            expires: entry.expires,
        })
    }

    fn has_expired(&self, entry: &AllowlistEntry) -> bool {
        entry.expires.is_some_and(|last| last < self.today)
    }

    fn unused(&self, usage: &Usage<'_>) -> Vec<UnusedSuppression> {
        let candidates =
            |it: &FingerprintPrefix| usage.ambiguous.get(it).cloned().unwrap_or_default();
        let is_ambiguous = |it: &FingerprintPrefix| usage.ambiguous.contains_key(it);
        let is_needed = |by, it: &FingerprintPrefix| usage.needed.contains(&(by, it.clone()));
        let is_unused = |it: &&AllowlistEntry| {
            self.coverage == Coverage::All && !is_needed(SuppressionKind::Allow, &it.fingerprint)
        };
        let is_known = self.coverage != Coverage::Unknown;
        let allowed = self.allowed.iter().filter(|it| {
            is_ambiguous(&it.fingerprint) || is_known && (self.has_expired(it) || is_unused(it))
        });
        let allowed = allowed.map(|it| UnusedSuppression {
            by: SuppressionKind::Allow,
            fingerprint: it.fingerprint.clone(),
            what: it.reason.clone(),
            expired: it.expires.filter(|_| self.has_expired(it)),
            candidates: candidates(&it.fingerprint),
        });
        let known = self.baseline.iter().flat_map(Baseline::entries);
        let known = known.filter(|it| {
            let is_unused = || !is_needed(SuppressionKind::Baseline, &it.fingerprint);
            is_ambiguous(&it.fingerprint)
                || is_known && self.coverage.covers_all(&it.places) && is_unused()
        });
        let known = known.map(|it| UnusedSuppression {
            by: SuppressionKind::Baseline,
            fingerprint: it.fingerprint.clone(),
            what: it.token.clone(),
            expired: None,
            candidates: candidates(&it.fingerprint),
        });
        allowed.chain(known).collect()
    }
}

/// Suppresses a finding if each of its locations has an inline comment, or another location at the same path
/// has one: it covers the versions of a file before the comment was written.
fn inline(finding: &Finding) -> Option<Suppression> {
    let counts = |place: &&Location| place.inline.as_ref().is_some_and(|it| it.counts);
    let covered: HashSet<&Place> =
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
    Some(Suppression { by: SuppressionKind::Inline, reason, expires: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Inline;
    use crate::finding::coverage::CoveredPath;
    use crate::finding::tests::{clean, finding, location, redactor, token};

    #[test]
    fn an_entry_applies_through_its_last_day() {
        let entry = |day| AllowlistEntry {
            fingerprint: Fingerprint::of(b"x").into(),
            reason: "a test".to_owned(),
            expires: Some(Date::constant(2026, 1, day)),
        };
        let today = Date::constant(2026, 1, 15);
        let decisions = Suppressor { today, ..Suppressor::default() };
        assert!(!decisions.has_expired(&entry(15)) && !decisions.has_expired(&entry(16)));
        assert!(decisions.has_expired(&entry(14)));
    }
    fn allowed(seed: u64, expires: Option<Date>) -> AllowlistEntry {
        let fingerprint = Fingerprint::of(token(seed).as_bytes());
        let fingerprint = fingerprint.into();
        AllowlistEntry { fingerprint, reason: "an example".to_owned(), expires }
    }

    fn known(seed: u64, places: &[&str]) -> Baseline {
        let fingerprint = Fingerprint::of(token(seed).as_bytes());
        let list: Vec<String> = places.iter().map(|it| format!("{it:?}")).collect();
        let text = format!(
            r#"{{"schema":"ddpatrol-baseline/1","tokens":[{{"fingerprint":"{fingerprint}",
            "rule":"r","token":"t","reason":"rotated","places":[{}]}}]}}"#,
            list.join(",")
        );
        Baseline::parse(&text).expect("a baseline")
    }

    fn decisions() -> Suppressor {
        let roots = Roots { here: "/w".into(), tops: vec!["/w".into()] };
        Suppressor {
            roots,
            coverage: Coverage::All,
            today: Date::constant(2026, 1, 15),
            ..Default::default()
        }
    }

    fn commented(path: &str, counts: bool) -> Location {
        Location { inline: Some(Inline { counts, reason: clean("a test") }), ..location(path) }
    }

    fn applied(
        decisions: &Suppressor,
        finding: &mut Finding,
    ) -> (Option<SuppressionKind>, Vec<SuppressionKind>) {
        let findings = std::slice::from_mut(finding);
        let unused = decisions.apply(findings, &mut redactor().masker());
        (finding.suppression.as_ref().map(|it| it.by), unused.iter().map(|it| it.by).collect())
    }

    #[test]
    fn the_allow_list_takes_precedence_over_the_baseline_and_inline_comments() {
        let found = || finding(1, vec![commented("a", true)]);
        let mut all = decisions();
        all.allowed = vec![allowed(1, None)];
        all.baseline = Some(known(1, &["a"]));
        assert_eq!(applied(&all, &mut found()), (Some(SuppressionKind::Allow), vec![]));
        all.allowed.clear();
        assert_eq!(applied(&all, &mut found()), (Some(SuppressionKind::Baseline), vec![]));
        all.baseline = None;
        assert_eq!(applied(&all, &mut found()), (Some(SuppressionKind::Inline), vec![]));
        assert_eq!(applied(&all, &mut finding(1, vec![location("a")])), (None, vec![]));
    }

    #[test]
    fn an_expired_entry_does_not_suppress_and_is_reported() {
        let last = Date::constant(2026, 1, 14);
        let expired = Suppressor { allowed: vec![allowed(1, Some(last))], ..decisions() };
        let mut found = [finding(1, vec![location("a")])];
        let unused = expired.apply(&mut found, &mut redactor().masker());
        assert_eq!(found[0].suppression, None);
        assert_eq!(unused.iter().map(|it| it.expired).collect::<Vec<_>>(), [Some(last)]);
        // Another entry for the token may still apply.
        let renewed = vec![allowed(1, Some(last)), allowed(1, None)];
        let renewed = Suppressor { allowed: renewed, ..decisions() };
        assert_eq!(
            applied(&renewed, &mut finding(1, vec![location("a")])).0,
            Some(SuppressionKind::Allow)
        );
    }

    #[test]
    fn a_place_that_is_not_in_the_baseline_is_new() {
        let it = Suppressor { baseline: Some(known(1, &["a"])), ..decisions() };
        let mut found = finding(1, vec![location("a"), location("b")]);
        assert_eq!(applied(&it, &mut found).0, Some(SuppressionKind::Baseline));
        let new: Vec<bool> = found.locations.iter().map(|it| it.is_new_place).collect();
        assert_eq!(new, [false, true]);
        let reason = found.suppression.and_then(|it| it.reason);
        assert_eq!(reason.as_deref(), Some("rotated"));
        // Allowed findings have no new places.
        let it = Suppressor { allowed: vec![allowed(1, None)], ..it };
        let mut found = finding(1, vec![location("b")]);
        assert_eq!(applied(&it, &mut found), (Some(SuppressionKind::Allow), vec![]));
        assert!(!found.locations[0].is_new_place);
    }

    #[test]
    fn entries_are_unused_only_if_the_scan_would_have_found_their_tokens() {
        let of = |coverage| {
            let last = Date::constant(2026, 1, 1);
            let it = Suppressor {
                allowed: vec![allowed(2, None), allowed(3, Some(last))],
                baseline: Some(known(4, &["x/a"])),
                coverage,
                ..decisions()
            };
            applied(&it, &mut finding(1, vec![location("a")])).1
        };
        assert_eq!(
            of(Coverage::All),
            [SuppressionKind::Allow, SuppressionKind::Allow, SuppressionKind::Baseline]
        );
        assert_eq!(of(Coverage::Unknown), []);
        // An expired entry is unused, whatever was scanned.
        assert_eq!(
            of(Coverage::Below(vec![CoveredPath::Folder("x".into())])),
            [SuppressionKind::Allow, SuppressionKind::Baseline]
        );
        assert_eq!(
            of(Coverage::Below(vec![CoveredPath::Folder("y".into())])),
            [SuppressionKind::Allow]
        );
    }

    #[test]
    fn a_comment_covers_other_versions_of_its_file_and_no_other_place() {
        let by = |places| applied(&decisions(), &mut finding(1, places)).0;
        assert_eq!(by(vec![commented("a", true), location("a")]), Some(SuppressionKind::Inline));
        assert_eq!(by(vec![commented("a", true), location("b")]), None);
        // It covers no file names, and a comment that does not count covers nothing.
        let name = Location { part: Part::Name, ..location("a") };
        assert_eq!(by(vec![commented("a", true), name]), None);
        assert_eq!(by(vec![commented("a", false), location("a")]), None);
        // Standard input has no path that could cover another place of it.
        let stdin = |place: Location| Location { path: None, ..place };
        assert_eq!(by(vec![stdin(commented("", true))]), Some(SuppressionKind::Inline));
        assert_eq!(by(vec![stdin(commented("", true)), stdin(location(""))]), None);
    }
    #[test]
    fn an_abbreviated_fingerprint_suppresses_its_token_unless_several_match() {
        let prefix = |seed| {
            let whole = Fingerprint::of(token(seed).as_bytes()).to_string();
            format!("fp:{}", &whole[..12]).parse::<FingerprintPrefix>().expect("a fingerprint")
        };
        let entry = AllowlistEntry { fingerprint: prefix(1), ..allowed(1, None) };
        let it = Suppressor { allowed: vec![entry], ..decisions() };
        let mut found = [finding(1, vec![location("a")]), finding(2, vec![location("b")])];
        assert!(it.apply(&mut found, &mut redactor().masker()).is_empty());
        assert!(found[0].suppression.is_some() && found[1].suppression.is_none());
        let text = known(1, &["a"]).text();
        let whole = Fingerprint::of(token(1).as_bytes()).to_string();
        let short = Baseline::parse(&text.replace(&whole, &format!("fp:{}", &whole[..13])));
        let it = Suppressor { baseline: Some(short.expect("a baseline")), ..decisions() };
        assert_eq!(
            applied(&it, &mut finding(1, vec![location("a")])),
            (Some(SuppressionKind::Baseline), vec![])
        );
        // Two tokens whose fingerprints begin alike.
        let like = |end: char| {
            let fingerprint = format!("{}{end}", &whole[..31]).parse().expect("a fingerprint");
            Finding { fingerprint, ..finding(1, vec![location("a")]) }
        };
        for coverage in [Coverage::All, Coverage::Unknown] {
            let it = Suppressor { coverage, ..it.clone() };
            let mut found = [like('0'), like('1')];
            let unused = it.apply(&mut found, &mut redactor().masker());
            assert!(found.iter().all(|it| it.suppression.is_none()));
            let [unused] = &unused[..] else { panic!("one entry: {unused:?}") };
            assert_eq!(unused.candidates, found.map(|it| it.fingerprint));
        }
    }
}
