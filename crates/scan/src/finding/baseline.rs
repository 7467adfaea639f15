//! The baseline: known tokens, by fingerprint, with their known places.
//!
//! Input and output: a JSON file without secrets. A token stays known if it moves; places are recorded to
//! report new ones. Files are read and written elsewhere.

use super::coverage::Coverage;
use super::roots::{Roots, masked};
use super::{Finding, Fingerprint, FingerprintPrefix};
use ddpatrol_detect::redact::Masker;
use ddpatrol_detect::rules::RuleIndex;
use ddpatrol_detect::rules::quote::{abbreviated, without_values};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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

/// How to continue without a readable baseline.
const REMEDY: &str = "fix or remove the file; `ddpatrol baseline create` writes a new one";

/// The reason why a baseline cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is not a baseline.
    #[error("line {line}, column {column}: {message}; {REMEDY}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The error.
        message: String,
    },
    /// It has another format.
    #[error("unsupported schema {:?}: expected {SCHEMA:?}; {REMEDY}", abbreviated(.0))]
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
            let message = without_values(&error.to_string());
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
        rule: &dyn Fn(RuleIndex) -> String,
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
            if coverage.covers_all(&entry.places) {
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

#[cfg(test)]
mod tests;
