//! The baseline: tokens that are known already, by fingerprint, with the places where they are known.
//!
//! A JSON file comes in and goes out. It holds no secret. A token stays known wherever it moves; the
//! places serve to show where it has come to since.

use super::{Finding, Fingerprint, Location, Part};
use ddpatrol_detect::redact::Masker;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The name and version of the form.
pub const SCHEMA: &str = "ddpatrol-baseline/1";

/// The tokens that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    entries: BTreeMap<Fingerprint, BaselineEntry>,
}

/// A token that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineEntry {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The rule's identifier.
    pub rule: String,
    /// The token with its secret masked.
    pub token: String,
    /// Why it is not dealt with, for those who read the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it is known to stand: paths, and words in parentheses for what has no path.
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

/// A baseline cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is no baseline.
    #[error(
        "line {line}, column {column}: {message}; `ddpatrol baseline create` writes a baseline"
    )]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// It has another form.
    #[error("it has the form {0:?}; this program reads {SCHEMA:?}")]
    Schema(String),
    /// It names one token twice.
    #[error("it names the token {0} twice: remove one of the entries")]
    Twice(Fingerprint),
}

/// What an update of a baseline changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BaselineChanges {
    /// Tokens that were added.
    pub added: usize,
    /// Tokens that were dropped, because they were not found any more.
    pub dropped: usize,
    /// Tokens that stay.
    pub kept: usize,
}

impl Baseline {
    /// Reads the text of a baseline.
    ///
    /// # Errors
    /// [`BaselineError`] with the place of what is wrong.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let file: File = serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let (message, _) = message.split_once(" at line ").unwrap_or((&message, ""));
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
            let fingerprint = entry.fingerprint;
            if baseline.entries.insert(fingerprint, entry).is_some() {
                return Err(BaselineError::Twice(fingerprint));
            }
        }
        Ok(baseline)
    }

    /// Spells the baseline, a token after the other, so that changes show well.
    ///
    /// # Panics
    /// Never: all of it can be spelled in JSON.
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
        self.entries.get(&fingerprint)
    }

    /// Takes in what a scan found; `rule` names the rules. A token that was not found is dropped if the
    /// scan covered all of its places. Reasons are kept.
    pub fn update(
        &mut self,
        scan: &BaselineScan<'_>,
        rule: &dyn Fn(usize) -> String,
        masker: &mut Masker<'_>,
    ) -> BaselineChanges {
        let BaselineScan { findings, roots, coverage } = *scan;
        let mut changed = BaselineChanges::default();
        let old = std::mem::take(&mut self.entries);
        for finding in findings {
            let places = finding.locations.iter().map(|place| roots.key(place, masker));
            let mut places: BTreeSet<String> = places.collect();
            let known = old.get(&finding.fingerprint);
            let elsewhere = known.iter().flat_map(|it| &it.places);
            let elsewhere = elsewhere.filter(|place| !coverage.covers(place));
            // Versions before this one wrote tokens in names as they are.
            places.extend(elsewhere.map(|it| masked(it, masker)));
            changed.added += usize::from(known.is_none());
            changed.kept += usize::from(known.is_some());
            self.entries.insert(
                finding.fingerprint,
                BaselineEntry {
                    fingerprint: finding.fingerprint,
                    rule: rule(finding.rule),
                    token: finding.token.redacted.clone(),
                    reason: known.and_then(|it| it.reason.clone()),
                    places,
                },
            );
        }
        for (fingerprint, mut entry) in old {
            if self.entries.contains_key(&fingerprint) {
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

/// What a scan found, and how far it looked.
#[derive(Clone, Copy, Debug)]
pub struct BaselineScan<'a> {
    /// The findings that count.
    pub findings: &'a [Finding],
    /// The folders that paths count from.
    pub roots: &'a Roots,
    /// The places that the scan covered.
    pub coverage: &'a Coverage,
}

/// How far a scan looked: what it did not find there is gone, what is elsewhere may still be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// It looked at everything that the baseline may know.
    All,
    /// It looked at what lies below these paths, spelled as the baseline does.
    Below(Vec<String>),
    /// It cannot be said.
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

/// The folders that the paths in a baseline count from: the tops of the scanned work trees, so that a
/// path reads the same wherever the scan was started.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// The folder that relative paths count from.
    pub here: PathBuf,
    /// The tops.
    pub tops: Vec<PathBuf>,
}

impl Roots {
    /// Spells a place so that a baseline can know it: a token in a path is masked.
    #[must_use]
    pub fn key(&self, place: &Location, masker: &mut Masker<'_>) -> String {
        match (&place.path, place.part) {
            // A commit's id would not survive a rebase.
            (_, Part::Commit) => "(a commit message)".to_owned(),
            (_, Part::Tag) => "(a tag message)".to_owned(),
            (_, Part::Ref) => "(a reference's name)".to_owned(),
            (Some(path), _) => masked(&self.below(path), masker),
            (None, _) if place.trace.is_some() => "(no path)".to_owned(),
            (None, _) => "(standard input)".to_owned(),
        }
    }

    /// Returns a path that counts from the root of the file system.
    #[must_use]
    pub fn whole(&self, path: &Path) -> PathBuf {
        lexical(&self.here.join(path))
    }

    /// Spells a path so that a baseline can know it.
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

/// Resolves `.` and `..` without looking at the file system: what a history has may be gone.
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
    fn a_baseline_is_read_as_it_was_written() {
        let fingerprint = Fingerprint::of(b"a token");
        let entry = BaselineEntry {
            fingerprint,
            rule: "datadog-pat".to_owned(),
            token: "ddpat_***".to_owned(),
            reason: Some("rotated on Monday".to_owned()),
            places: ["a/b", "(a commit message)"].map(str::to_owned).into(),
        };
        let baseline = Baseline { entries: [(fingerprint, entry)].into() };
        assert_eq!(Baseline::parse(&baseline.text()).expect("it is well-formed"), baseline);
    }

    #[test]
    fn what_is_no_baseline_is_refused_with_its_place() {
        let told = |text: &str| Baseline::parse(text).expect_err("it is wrong").to_string();
        assert!(told("[").starts_with("line 1, column 1"), "{}", told("["));
        let other = r#"{"schema": "x", "tokens": []}"#;
        assert!(told(other).contains("\"x\""), "{}", told(other));
        let unknown = "{\"schema\": \"ddpatrol-baseline/1\",\n\"token\": []}";
        assert!(
            told(unknown).contains("line 2") && told(unknown).contains("`tokens`"),
            "{}",
            told(unknown)
        );
        let entry = format!(
            r#"{{"fingerprint":"{}","rule":"r","token":"t","places":[]}}"#,
            Fingerprint::of(b"x")
        );
        let twice = format!(r#"{{"schema":"{SCHEMA}","tokens":[{entry},{entry}]}}"#);
        assert!(told(&twice).contains("twice"), "{}", told(&twice));
    }

    #[test]
    fn paths_count_from_the_top_of_the_work_tree() {
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
            fingerprint: Fingerprint::of(token(seed).as_bytes()),
            rule: "old-rule".to_owned(),
            token: "old***".to_owned(),
            reason: reason.map(str::to_owned),
            places: places.iter().map(|&it| it.to_owned()).collect(),
        }
    }

    fn known(entries: Vec<BaselineEntry>) -> Baseline {
        Baseline { entries: entries.into_iter().map(|it| (it.fingerprint, it)).collect() }
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
    fn what_is_found_becomes_known_and_keeps_its_reason() {
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
    fn what_was_not_found_is_dropped_only_where_the_scan_covered_it() {
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
    fn secrets_in_paths_are_masked_also_in_old_entries() {
        let hidden = format!("{}/x", token(9));
        let mut baseline = known(vec![entry(1, None, &[&hidden]), entry(2, None, &[&hidden])]);
        updated(&mut baseline, &[finding(1, vec![location(&hidden)])], &Coverage::Unknown);
        assert!(!baseline.text().contains(&token(9)[30..]), "{}", baseline.text());
        assert_eq!(baseline.text().matches(&token(9)[..20]).count(), 2);
    }

    #[test]
    fn a_folder_covers_what_is_in_it_and_in_its_archives() {
        let coverage = Coverage::Below(vec!["a/b".to_owned()]);
        for (place, is_covered) in
            [("a/b", true), ("a/b/c", true), ("a/b!/c", true), ("a/bc", false), ("a", false)]
        {
            assert_eq!(coverage.covers(place), is_covered, "{place}");
        }
        // Nothing is known of where an entry without places is.
        let nowhere = entry(1, None, &[]);
        assert!(!coverage.covers_all(&nowhere) && Coverage::All.covers_all(&nowhere));
        assert!(!Coverage::Unknown.covers_all(&entry(1, None, &["a/b"])));
    }

    #[test]
    fn places_without_a_lasting_path_have_words() {
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
