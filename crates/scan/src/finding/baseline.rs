//! The baseline: known tokens, by fingerprint, with their known places.
//!
//! Input and output: a JSON file without secrets. A token stays known if it moves; places are recorded to
//! report new ones. Files are read and written elsewhere.

use super::{Finding, Fingerprint, FingerprintPrefix, Location, Part};
use ddpatrol_detect::redact::Masker;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The name and version of the format.
pub const SCHEMA: &str = "ddpatrol-baseline/1";

/// The known tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    entries: BTreeMap<FingerprintPrefix, BaselineEntry>,
}

/// A known token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineEntry {
    /// Its fingerprint, which an editor of the file may abbreviate.
    pub fingerprint: FingerprintPrefix,
    /// The rule's identifier.
    pub rule: String,
    /// The token with its secret masked.
    pub token: String,
    /// The reason why it is accepted, for readers of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its known places: paths, or descriptions in parentheses for places without a path.
    pub places: BTreeSet<String>,
}

impl BaselineEntry {
    /// Returns `true` if the token is known at a place.
    #[must_use]
    pub fn has(&self, place: &str) -> bool {
        self.places.contains(place)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    tokens: Vec<BaselineEntry>,
}

/// The reason why a baseline cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is not a baseline.
    #[error(
        "line {line}, column {column}: {message}; `ddpatrol baseline create` writes a baseline"
    )]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The error.
        message: String,
    },
    /// It has another format.
    #[error(
        "unsupported schema {0:?}: expected {SCHEMA:?}; `ddpatrol baseline create` writes a baseline"
    )]
    Schema(String),
    /// It lists a token twice.
    #[error("token {0} is listed twice; remove one of the entries")]
    Twice(FingerprintPrefix),
}

/// Returns the schema of a JSON file that is no baseline, such as a report.
fn other_schema(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let schema = value.get("schema")?.as_str().filter(|schema| *schema != SCHEMA)?;
    Some(schema.chars().take(60).collect())
}

/// The changes that an update made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BaselineChanges {
    /// Tokens that were added.
    pub added: usize,
    /// Tokens that were removed, because they were not found any more.
    pub dropped: usize,
    /// Tokens that stay.
    pub kept: usize,
}

impl Baseline {
    /// Reads the text of a baseline.
    ///
    /// # Errors
    /// [`BaselineError`] with the position of the error.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let file: File = serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let (message, _) = message.split_once(" at line ").unwrap_or((&message, ""));
            if let Some(schema) = other_schema(text) {
                return BaselineError::Schema(schema);
            }
            BaselineError::Malformed {
                line: error.line(),
                column: error.column(),
                message: message.to_owned(),
            }
        })?;
        if file.schema != SCHEMA {
            return Err(BaselineError::Schema(file.schema));
        }
        let mut baseline = Self::default();
        for entry in file.tokens {
            let fingerprint = entry.fingerprint.clone();
            if baseline.entries.insert(fingerprint.clone(), entry).is_some() {
                return Err(BaselineError::Twice(fingerprint));
            }
        }
        // In this order, a fingerprint is preceded by its abbreviation.
        let mut entries = baseline.entries.keys().zip(baseline.entries.keys().skip(1));
        match entries.find(|(one, next)| one.overlaps(next)) {
            Some((twice, _)) => Err(BaselineError::Twice(twice.clone())),
            None => Ok(baseline),
        }
    }

    /// Formats the baseline with one token after the other, so that diffs are readable.
    ///
    /// # Panics
    /// Never: all values can be serialized as JSON.
    #[must_use]
    pub fn text(&self) -> String {
        let tokens = self.entries.values().cloned().collect();
        let file = File { schema: SCHEMA.to_owned(), tokens };
        serde_json::to_string_pretty(&file).expect("strings and lists are JSON") + "\n"
    }

    /// Lists the entries, by fingerprint.
    pub fn entries(&self) -> impl Iterator<Item = &BaselineEntry> {
        self.entries.values()
    }

    /// Returns the entry of a token.
    #[must_use]
    pub fn get(&self, fingerprint: Fingerprint) -> Option<&BaselineEntry> {
        let whole = FingerprintPrefix::from(fingerprint);
        // An abbreviation is less than the whole fingerprint, and no other entry is between them.
        let (prefix, entry) = self.entries.range(..=whole).next_back()?;
        prefix.matches(fingerprint).then_some(entry)
    }

    /// Updates the baseline with the findings of a scan; `rule` returns the name of a rule. A token that was not
    /// found is removed if the scan covered all its places. Reasons are kept.
    pub fn update(
        &mut self,
        scan: &BaselineScan<'_>,
        rule: &dyn Fn(usize) -> String,
        masker: &mut Masker<'_>,
    ) -> BaselineChanges {
        let BaselineScan { findings, roots, coverage } = *scan;
        let mut changed = BaselineChanges::default();
        let old = std::mem::take(self);
        let mut replaced = BTreeSet::new();
        for finding in findings {
            let places = finding.locations.iter().map(|place| roots.key(place, masker));
            let mut places: BTreeSet<String> = places.collect();
            let known = old.get(finding.fingerprint).cloned();
            let elsewhere = known.iter().flat_map(|it| &it.places);
            let elsewhere = elsewhere.filter(|place| !coverage.covers(place));
            // Earlier versions did not mask tokens in names.
            places.extend(elsewhere.map(|it| masked(it, masker)));
            changed.added += usize::from(known.is_none());
            changed.kept += usize::from(known.is_some());
            if let Some(known) = &known {
                replaced.insert(known.fingerprint.clone());
            }
            let fingerprint = FingerprintPrefix::from(finding.fingerprint);
            self.entries.insert(
                fingerprint.clone(),
                BaselineEntry {
                    fingerprint,
                    rule: rule(finding.rule),
                    token: finding.token.redacted.clone(),
                    reason: known.and_then(|it| it.reason.clone()),
                    places,
                },
            );
        }
        for (fingerprint, mut entry) in old.entries {
            if replaced.contains(&fingerprint) {
                continue;
            }
            if coverage.covers_all(&entry) {
                changed.dropped += 1;
            } else {
                changed.kept += 1;
                entry.places = entry.places.iter().map(|it| masked(it, masker)).collect();
                self.entries.insert(fingerprint, entry);
            }
        }
        changed
    }
}

/// The findings of a scan, and the places it covered.
#[derive(Clone, Copy, Debug)]
pub struct BaselineScan<'a> {
    /// The findings that count.
    pub findings: &'a [Finding],
    /// The folders that paths are relative to.
    pub roots: &'a Roots,
    /// The places that the scan covered.
    pub coverage: &'a Coverage,
}

/// The places that a scan covered: tokens that it did not find there are gone, those elsewhere may remain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// Every place that the baseline may list.
    All,
    /// Places below these paths, in the notation of the baseline.
    Below(Vec<String>),
    /// Unknown.
    #[default]
    Unknown,
}

impl Coverage {
    fn covers(&self, place: &str) -> bool {
        let is_below = |folder: &String| {
            let rest = place.strip_prefix(&**folder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '!']))
        };
        match self {
            Self::All => true,
            Self::Below(folders) => folders.iter().any(is_below),
            Self::Unknown => false,
        }
    }

    /// Returns `true` if the scan covered all places of an entry.
    #[must_use]
    pub fn covers_all(&self, entry: &BaselineEntry) -> bool {
        *self == Self::All
            || !entry.places.is_empty() && entry.places.iter().all(|place| self.covers(place))
    }
}

/// The folders that paths in a baseline are relative to: the roots of the scanned work trees, so that paths do
/// not depend on the current directory.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// The current directory of the scan.
    pub here: PathBuf,
    /// The roots of the scanned work trees.
    pub tops: Vec<PathBuf>,
}

impl Roots {
    /// Returns the name of a place in a baseline; tokens in paths are masked.
    #[must_use]
    pub fn key(&self, place: &Location, masker: &mut Masker<'_>) -> String {
        match (&place.path, place.part) {
            // A commit's id would not survive a rebase.
            (_, Part::Commit) => "(a commit message)".to_owned(),
            (_, Part::Tag) => "(a tag message)".to_owned(),
            (_, Part::Ref) => "(a reference's name)".to_owned(),
            (Some(path), _) => masked(&self.below(&path.path()), masker),
            (None, _) if place.trace.is_some() => "(no path)".to_owned(),
            (None, _) => "(standard input)".to_owned(),
        }
    }

    /// Returns the absolute path.
    #[must_use]
    pub fn whole(&self, path: &Path) -> PathBuf {
        lexical(&self.here.join(path))
    }

    /// Returns the name of a path in a baseline.
    #[must_use]
    pub fn below(&self, path: &Path) -> String {
        let whole = self.whole(path);
        let below = self.tops.iter().filter_map(|top| whole.strip_prefix(top).ok());
        let below = below.min_by_key(|below| below.as_os_str().len());
        let below = below.filter(|below| !below.as_os_str().is_empty()).unwrap_or(path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/").replacen("//", "/", 1)
    }
}

fn masked(place: &str, masker: &mut Masker<'_>) -> String {
    masker.clean(place.as_bytes()).text().into_owned()
}

/// Resolves `.` and `..` without the file system: paths of a history may no longer exist.
pub fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{finding, location, redactor, token, trace};

    #[test]
    fn a_baseline_survives_a_round_trip_through_json() {
        let fingerprint = Fingerprint::of(b"a token");
        let entry = BaselineEntry {
            fingerprint: fingerprint.into(),
            rule: "datadog-pat".to_owned(),
            token: "ddpat_***".to_owned(),
            reason: Some("rotated on Monday".to_owned()),
            places: ["a/b", "(a commit message)"].map(str::to_owned).into(),
        };
        let baseline = Baseline { entries: [(entry.fingerprint.clone(), entry)].into() };
        assert_eq!(Baseline::parse(&baseline.text()).expect("it is well-formed"), baseline);
    }

    #[test]
    fn an_invalid_baseline_is_rejected_with_the_position_of_the_error() {
        let error = |text: &str| Baseline::parse(text).expect_err("it is wrong").to_string();
        assert!(error("[").starts_with("line 1, column 1"), "{}", error("["));
        let other = r#"{"schema": "x", "tokens": []}"#;
        assert!(error(other).contains("\"x\""), "{}", error(other));
        let unknown = "{\"schema\": \"ddpatrol-baseline/1\",\n\"token\": []}";
        assert!(
            error(unknown).contains("line 2") && error(unknown).contains("`tokens`"),
            "{}",
            error(unknown)
        );
        let entry = format!(
            r#"{{"fingerprint":"{}","rule":"r","token":"t","places":[]}}"#,
            Fingerprint::of(b"x")
        );
        let twice = format!(r#"{{"schema":"{SCHEMA}","tokens":[{entry},{entry}]}}"#);
        assert!(error(&twice).contains("twice"), "{}", error(&twice));
    }

    #[test]
    fn paths_are_relative_to_the_root_of_the_work_tree() {
        let roots = Roots { here: "/w/tree/sub".into(), tops: vec!["/w/tree".into()] };
        assert_eq!(roots.below(Path::new("a")), "sub/a");
        assert_eq!(roots.below(Path::new("../b")), "b");
        assert_eq!(roots.below(Path::new("/w/tree/sub/a")), "sub/a");
        assert_eq!(roots.below(Path::new("/elsewhere/a")), "/elsewhere/a");
    }
    fn roots() -> Roots {
        Roots { here: "/w".into(), tops: vec!["/w".into()] }
    }

    fn entry(seed: u64, reason: Option<&str>, places: &[&str]) -> BaselineEntry {
        BaselineEntry {
            fingerprint: Fingerprint::of(token(seed).as_bytes()).into(),
            rule: "old-rule".to_owned(),
            token: "old***".to_owned(),
            reason: reason.map(str::to_owned),
            places: places.iter().map(|&it| it.to_owned()).collect(),
        }
    }

    fn known(entries: Vec<BaselineEntry>) -> Baseline {
        Baseline { entries: entries.into_iter().map(|it| (it.fingerprint.clone(), it)).collect() }
    }

    fn updated(
        baseline: &mut Baseline,
        findings: &[Finding],
        coverage: &Coverage,
    ) -> BaselineChanges {
        let scan = BaselineScan { findings, roots: &roots(), coverage };
        baseline.update(&scan, &|rule| format!("rule-{rule}"), &mut redactor().masker())
    }

    fn places(baseline: &Baseline, seed: u64) -> Vec<&str> {
        let entry = baseline.get(Fingerprint::of(token(seed).as_bytes()));
        entry.into_iter().flat_map(|it| &it.places).map(String::as_str).collect()
    }

    #[test]
    fn found_tokens_are_added_and_known_ones_keep_their_reason() {
        let mut baseline = known(vec![entry(1, Some("rotated"), &["gone", "a"])]);
        let findings =
            [finding(1, vec![location("a")]), finding(2, vec![location("b"), location("c")])];
        let changed = updated(&mut baseline, &findings, &Coverage::All);
        assert_eq!(changed, BaselineChanges { added: 1, dropped: 0, kept: 1 });
        assert_eq!(places(&baseline, 1), ["a"]);
        assert_eq!(places(&baseline, 2), ["b", "c"]);
        let first = baseline.get(findings[0].fingerprint).expect("it is known");
        assert_eq!((first.reason.as_deref(), &*first.rule), (Some("rotated"), "rule-0"));
    }

    #[test]
    fn tokens_that_were_not_found_are_removed_only_if_the_scan_covered_their_places() {
        let entries = || vec![entry(1, None, &["x/a", "x/b!/c"]), entry(2, None, &["x/a", "y"])];
        let after = |coverage: &Coverage| {
            let mut baseline = known(entries());
            let changed = updated(&mut baseline, &[], coverage);
            (changed.dropped, changed.kept)
        };
        assert_eq!(after(&Coverage::All), (2, 0));
        assert_eq!(after(&Coverage::Unknown), (0, 2));
        assert_eq!(after(&Coverage::Below(vec!["x".to_owned()])), (1, 1));
        assert_eq!(after(&Coverage::Below(vec!["x".to_owned(), "y".to_owned()])), (2, 0));
    }

    #[test]
    fn places_outside_of_the_scan_stay() {
        let mut baseline = known(vec![entry(1, None, &["x/gone", "y/b"])]);
        let coverage = Coverage::Below(vec!["x".to_owned()]);
        updated(&mut baseline, &[finding(1, vec![location("x/a")])], &coverage);
        assert_eq!(places(&baseline, 1), ["x/a", "y/b"]);
    }

    #[test]
    fn tokens_in_paths_are_masked_in_new_and_old_entries() {
        let hidden = format!("{}/x", token(9));
        let mut baseline = known(vec![entry(1, None, &[&hidden]), entry(2, None, &[&hidden])]);
        updated(&mut baseline, &[finding(1, vec![location(&hidden)])], &Coverage::Unknown);
        assert!(!baseline.text().contains(&token(9)[30..]), "{}", baseline.text());
        assert_eq!(baseline.text().matches(&token(9)[..20]).count(), 2);
    }

    #[test]
    fn a_folder_covers_its_files_and_the_members_of_its_archives() {
        let coverage = Coverage::Below(vec!["a/b".to_owned()]);
        for (place, is_covered) in
            [("a/b", true), ("a/b/c", true), ("a/b!/c", true), ("a/bc", false), ("a", false)]
        {
            assert_eq!(coverage.covers(place), is_covered, "{place}");
        }
        // The places of an entry without places are unknown.
        let nowhere = entry(1, None, &[]);
        assert!(!coverage.covers_all(&nowhere) && Coverage::All.covers_all(&nowhere));
        assert!(!Coverage::Unknown.covers_all(&entry(1, None, &["a/b"])));
    }

    #[test]
    fn places_without_a_stable_path_have_descriptions() {
        let redactor = redactor();
        let key = |place: &Location| roots().key(place, &mut redactor.masker());
        let part = |part| Location { part, ..location("a") };
        assert_eq!(key(&location("x/../a")), "a");
        assert_eq!(key(&part(Part::Name)), "a");
        assert_eq!(key(&part(Part::Commit)), "(a commit message)");
        assert_eq!(key(&part(Part::Tag)), "(a tag message)");
        assert_eq!(key(&part(Part::Ref)), "(a reference's name)");
        let no_path = Location { path: None, ..location("") };
        assert_eq!(key(&no_path), "(standard input)");
        assert_eq!(key(&Location { trace: Some(trace("r")), ..no_path }), "(no path)");
    }
}
