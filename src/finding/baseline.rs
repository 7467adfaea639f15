//! The baseline: tokens that are known already, by fingerprint, with the places where they are known.
//!
//! A JSON file comes in and goes out. It holds no secret. A token stays known wherever it moves; the
//! places serve to show where it has come to since.

use super::{Finding, Fingerprint, Location, Part};
use crate::redact::Masker;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The name and version of the form.
pub const SCHEMA: &str = "ddpatrol-baseline/1";

/// The tokens that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    entries: BTreeMap<Fingerprint, Entry>,
}

/// A token that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
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

impl Entry {
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
    tokens: Vec<Entry>,
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
pub struct Changed {
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
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Returns the entry of a token.
    #[must_use]
    pub fn get(&self, fingerprint: Fingerprint) -> Option<&Entry> {
        self.entries.get(&fingerprint)
    }

    /// Takes in what a scan found; `rule` names the rules. A token that was not found is dropped if the
    /// scan covered all of its places. Reasons are kept.
    pub fn update(
        &mut self,
        scan: &BaselineScan<'_>,
        rule: &dyn Fn(usize) -> String,
        masker: &mut Masker<'_>,
    ) -> Changed {
        let BaselineScan { findings, roots, reach } = *scan;
        let mut changed = Changed::default();
        let old = std::mem::take(&mut self.entries);
        for finding in findings {
            let places = finding.locations.iter().map(|place| roots.key(place, masker));
            let mut places: BTreeSet<String> = places.collect();
            let known = old.get(&finding.fingerprint);
            let elsewhere = known.iter().flat_map(|it| &it.places);
            let elsewhere = elsewhere.filter(|place| !reach.covers(place));
            // Versions before this one wrote tokens in names as they are.
            places.extend(elsewhere.map(|it| masked(it, masker)));
            changed.added += usize::from(known.is_none());
            changed.kept += usize::from(known.is_some());
            self.entries.insert(
                finding.fingerprint,
                Entry {
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
            if reach.covers_all(&entry) {
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
    pub reach: &'a Reach,
}

/// How far a scan looked: what it did not find there is gone, what is elsewhere may still be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// It looked at everything that the baseline may know.
    All,
    /// It looked at what lies below these paths, spelled as the baseline does.
    Below(Vec<String>),
    /// It cannot be said.
    #[default]
    Unknown,
}

impl Reach {
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
    pub fn covers_all(&self, entry: &Entry) -> bool {
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
pub(crate) fn lexical(path: &Path) -> PathBuf {
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

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let fingerprint = Fingerprint::of(b"a token");
        let entry = Entry {
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
}
