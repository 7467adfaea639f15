//! Compares two reports: which tokens are new, gone or unchanged, and which became live or dead.
//!
//! Input: two documents. Output: their difference, and its text. Tokens are compared by fingerprint, so moved
//! and edited files change only locations. Suppressed findings are ignored.

use super::document::{Document, LocationRecord, Record, TokenRecord};
use super::escape::terminal;
use ddpatrol_respond::Verdict;
use ddpatrol_scan::quantity::count;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Name and version of the JSON schema.
pub const SCHEMA: &str = "ddpatrol-diff/1";

/// The difference between an old and a new report.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The schema: [`SCHEMA`].
    pub schema: &'static str,
    /// Whether both reports are complete; otherwise tokens listed as gone may not have been scanned.
    pub complete: bool,
    /// Findings of only the new report.
    pub new: Vec<Record>,
    /// Findings of only the old report.
    pub gone: Vec<Record>,
    /// Tokens in both reports.
    pub unchanged: Vec<Unchanged>,
}

/// A token in both reports.
#[derive(Clone, Debug, Serialize)]
pub struct Unchanged {
    /// The rule's identifier.
    pub rule: String,
    /// The token's fingerprint.
    pub fingerprint: String,
    /// The token's identity.
    pub token: TokenRecord,
    /// Places in only the new report.
    pub new_places: Vec<String>,
    /// Places in only the old report.
    pub gone_places: Vec<String>,
    /// The change of its liveness, if the new report has another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness: Option<LivenessChange>,
}

/// A change of a token's liveness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LivenessChange {
    /// The liveness in the old report; `None` if it was not verified.
    pub old: Option<Verdict>,
    /// The liveness in the new report.
    pub new: Verdict,
}

impl Difference {
    /// Compares two reports.
    #[must_use]
    pub fn between(old: &Document, new: &Document) -> Self {
        let (before, after) = (unsuppressed(old), unsuppressed(new));
        let only = |these: &BTreeMap<_, &Record>, those: &BTreeMap<_, &Record>| -> Vec<Record> {
            let only = these.iter().filter(|(key, _)| !those.contains_key(*key));
            only.map(|(_, record)| Record::clone(record)).collect()
        };
        let both = after.iter().filter_map(|(key, it)| Some((*before.get(key)?, *it)));
        Self {
            schema: SCHEMA,
            complete: old.complete && new.complete,
            new: only(&after, &before),
            gone: only(&before, &after),
            unchanged: both.map(|(old, new)| Unchanged::new(old, new)).collect(),
        }
    }

    /// Writes the difference as text.
    ///
    /// # Errors
    /// Returns the error of writing to `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (word, records) in [("new", &self.new), ("gone", &self.gone)] {
            for record in records {
                let first = record.locations.first().map(place).unwrap_or_default();
                let more = match record.count() {
                    0 | 1 => String::new(),
                    len => format!(" and {}", count(len - 1, "more place")),
                };
                let liveness = liveness(record).map(|it| format!(", {it}")).unwrap_or_default();
                let line = format!(
                    "{word}: {} {}: {first}{more}{liveness}, fingerprint {}",
                    record.name, record.token.redacted, record.fingerprint
                );
                writeln!(out, "{}", terminal(&line))?;
            }
        }
        self.write_unchanged(out)?;
        let now = |verdict| {
            let has_become =
                |it: &&Unchanged| it.liveness.is_some_and(|change| change.new == verdict);
            self.unchanged.iter().filter(has_become).count()
        };
        let changes =
            [(Verdict::Live, "live"), (Verdict::Dead, "dead"), (Verdict::Unknown, "unknown")]
                .map(|(verdict, word)| (now(verdict), word));
        let changes: Vec<String> = changes
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} now {word}"))
            .collect();
        let changes = match &changes[..] {
            [] => String::new(),
            changes => format!(" ({})", changes.join(", ")),
        };
        writeln!(
            out,
            "{} new, {} gone, {} unchanged{changes}.",
            self.new.len(),
            self.gone.len(),
            self.unchanged.len()
        )?;
        if !self.complete {
            writeln!(
                out,
                "One of the reports is incomplete: tokens listed as gone may not have been scanned."
            )?;
        }
        Ok(())
    }

    /// Writes the tokens that moved, or whose liveness changed; the latter first.
    fn write_unchanged(&self, out: &mut dyn Write) -> io::Result<()> {
        for it in &self.unchanged {
            let Some(LivenessChange { old, new }) = it.liveness else { continue };
            let old = old.map_or_else(|| "not verified".to_owned(), |old| old.to_string());
            let (redacted, fingerprint) = (&it.token.redacted, &it.fingerprint);
            let line = format!("{old} -> {new}: {redacted}, fingerprint {fingerprint}");
            writeln!(out, "{}", terminal(&line))?;
        }
        for it in self.unchanged.iter().filter(|it| it.has_moved()) {
            let list = |word: &str, places: &[String]| match places {
                [] => String::new(),
                places => format!(" {word} {}", places.join(", ")),
            };
            let line = format!(
                "unchanged: {}:{}{}",
                it.token.redacted,
                list("now also at", &it.new_places),
                list("no longer at", &it.gone_places),
            );
            writeln!(out, "{}", terminal(&line))?;
        }
        Ok(())
    }
}

impl Unchanged {
    fn new(old: &Record, new: &Record) -> Self {
        let places =
            |record: &Record| -> BTreeSet<String> { record.locations.iter().map(place).collect() };
        let (before, after) = (places(old), places(new));
        Self {
            rule: new.rule.clone(),
            fingerprint: new.fingerprint.clone(),
            token: new.token.clone(),
            new_places: after.difference(&before).cloned().collect(),
            gone_places: before.difference(&after).cloned().collect(),
            liveness: liveness(new)
                .map(|verdict| LivenessChange { old: liveness(old), new: verdict })
                .filter(|change| change.old != Some(change.new)),
        }
    }

    fn has_moved(&self) -> bool {
        !self.new_places.is_empty() || !self.gone_places.is_empty()
    }
}

/// Returns the findings that are not suppressed, by fingerprint and rule.
fn unsuppressed(document: &Document) -> BTreeMap<(&str, &str), &Record> {
    let unsuppressed = document.findings.iter().filter(|it| it.suppression.is_none());
    unsuppressed.map(|it| ((&*it.fingerprint, &*it.rule), it)).collect()
}

/// Returns whether a token is live; a revoked one is dead.
fn liveness(record: &Record) -> Option<Verdict> {
    if record.is_dead_or_revoked() {
        return Some(Verdict::Dead);
    }
    record.verification.as_ref().map(|it| it.verdict)
}

/// Formats a location without its line, which changes with every edit.
fn place(place: &LocationRecord) -> String {
    let path = place.path.as_ref().map(|path| path.text().into_owned());
    path.unwrap_or_else(|| match &place.git {
        Some(git) => format!("{} {}", git.kind, git.object),
        None => "standard input".to_owned(),
    })
}

#[cfg(test)]
mod tests;
