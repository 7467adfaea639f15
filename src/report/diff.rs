//! Two reports compared: which tokens are new, gone, still there.
//!
//! Documents come in, a difference and its text come out. Tokens are compared by fingerprint, so
//! that moved and rewritten files change nothing but places. What does not count is left out.

use super::document::{Document, LocationRecord, Record, TokenRecord};
use super::escape::terminal;
use ddpatrol_scan::quantity::count;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// The name and version of the JSON form.
pub const SCHEMA: &str = "ddpatrol-diff/1";

/// What is different between an old and a new report.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The form: [`SCHEMA`].
    pub schema: &'static str,
    /// Whether both reports are complete; otherwise what is gone may just not have been read.
    pub complete: bool,
    /// What only the new report has.
    pub new: Vec<Record>,
    /// What only the old report has.
    pub gone: Vec<Record>,
    /// What both have.
    pub unchanged: Vec<Unchanged>,
}

/// A token that both reports have.
#[derive(Clone, Debug, Serialize)]
pub struct Unchanged {
    /// The rule's identifier.
    pub rule: String,
    /// The token's fingerprint.
    pub fingerprint: String,
    /// The token's identity.
    pub token: TokenRecord,
    /// Where only the new report has it.
    pub new_places: Vec<String>,
    /// Where only the old report has it.
    pub gone_places: Vec<String>,
}

impl Difference {
    /// Compares two reports.
    #[must_use]
    pub fn between(old: &Document, new: &Document) -> Self {
        let (before, after) = (counted(old), counted(new));
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

    /// Writes the difference for people.
    ///
    /// # Errors
    /// What writing to `out` fails with.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (word, records) in [("new", &self.new), ("gone", &self.gone)] {
            for record in records {
                let first = record.locations.first().map(place).unwrap_or_default();
                let more = match record.count() {
                    0 | 1 => String::new(),
                    len => format!(" and {}", count(len - 1, "more place")),
                };
                let line = format!(
                    "{word}: {} {}: {first}{more}, fingerprint {}",
                    record.name, record.token.redacted, record.fingerprint
                );
                writeln!(out, "{}", terminal(&line))?;
            }
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
        writeln!(
            out,
            "{} new, {} gone, {} unchanged.",
            self.new.len(),
            self.gone.len(),
            self.unchanged.len()
        )?;
        if !self.complete {
            writeln!(
                out,
                "One of the reports is incomplete: what is gone may not have been read."
            )?;
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
        }
    }

    fn has_moved(&self) -> bool {
        !self.new_places.is_empty() || !self.gone_places.is_empty()
    }
}

/// The findings that count, by fingerprint and rule.
fn counted(document: &Document) -> BTreeMap<(&str, &str), &Record> {
    let counted = document.findings.iter().filter(|it| it.suppression.is_none());
    counted.map(|it| ((&*it.fingerprint, &*it.rule), it)).collect()
}

/// Spells a place without its line, which moves with every edit.
fn place(place: &LocationRecord) -> String {
    let path = place.path.as_ref().map(|path| path.text().into_owned());
    path.unwrap_or_else(|| match &place.git {
        Some(git) => format!("{} {}", git.kind, git.object),
        None => "standard input".to_owned(),
    })
}

#[cfg(test)]
mod tests;
