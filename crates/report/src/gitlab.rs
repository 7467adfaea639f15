//! GitLab's report of secret detection, version 15.2.0 of its schema.
//!
//! Input: a document. Output: JSON in which scanned content is no markup of GitLab's Markdown; a solution is the
//! plain text of the rule. One vulnerability per token, at its most urgent place. Suppressed tokens are omitted
//! and counted in a message.

use super::document::{Document, LocationRecord, Record};
use super::escape::{markdown, markdown_code, terminal};
use super::places::{Place, places, whereabouts};
use super::status::{Liveness, cut};
use ddpatrol_detect::Evidence;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// The version of the schema.
const VERSION: &str = "15.2.0";
const SCHEMA: &str = "https://gitlab.com/gitlab-org/security-products/security-report-schemas/-/raw/\
                      v15.2.0/dist/secret-detection-report-format.json";
const HOME: &str = "https://github.com/ddpatrol/ddpatrol";
/// The commit of a location that is in no commit, as GitLab's own analyzer writes it.
const NO_COMMIT: &str = "0000000";
/// Size limits of the schema, in characters.
const MAX_NAME: usize = 250;
const MAX_SOLUTION: usize = 6_900;
/// Maximum number of characters of other texts.
const MAX_TEXT: usize = 2_000;
/// Maximum number of locations in a description.
const MAX_PLACES: usize = 50;

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let listed = document.findings.iter().filter(|it| it.is_listed());
    let tool = json!({
        "id": "ddpatrol",
        "name": document.tool.name,
        "url": HOME,
        "vendor": {"name": "ddpatrol"},
        "version": document.tool.version,
    });
    let report = json!({
        "version": VERSION,
        "schema": SCHEMA,
        "scan": {
            "analyzer": tool,
            "scanner": tool,
            "type": "secret_detection",
            "start_time": time(document.start_time.as_deref()),
            "end_time": time(document.end_time.as_deref()),
            "status": if document.complete { "success" } else { "failure" },
            "messages": messages(document),
        },
        "vulnerabilities": listed.map(vulnerability).collect::<Vec<Value>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    out.write_all(b"\n")
}

/// Returns a time in the form of the schema: UTC without a zone. A report without times has the epoch.
fn time(time: Option<&str>) -> &str {
    time.and_then(|it| it.get(.."2026-01-01T00:00:00".len())).unwrap_or("1970-01-01T00:00:00")
}

fn messages(document: &Document) -> Vec<Value> {
    let message =
        |level: &str, text: &str| json!({"level": level, "value": cut(&terminal(text), MAX_TEXT)});
    let level = if document.complete { "info" } else { "warn" };
    let mut messages = vec![message(level, &document.completeness())];
    messages.extend(document.diagnostics.iter().map(|note| {
        let level = if note.is_unread() { "warn" } else { "info" };
        message(level, &note.line())
    }));
    let suppressed = document.findings.iter().filter(|it| !it.is_listed()).count();
    if suppressed > 0 {
        messages.push(message("info", &format!("{suppressed} suppressed findings are omitted.")));
    }
    messages
}

fn vulnerability(record: &Record) -> Value {
    let places = places(record);
    let advice = record.advice.as_deref().unwrap_or("Revoke it where it was issued.");
    let mut fields = json!({
        "id": uuid(&record.fingerprint),
        "name": cut(&terminal(&format!("Leaked {}", record.name)), MAX_NAME),
        "description": description(record, &places),
        "severity": severity(record),
        "solution": cut(&terminal(&advice.replace('`', "")), MAX_SOLUTION),
        "identifiers": [
            {
                "type": "ddpatrol_rule_id",
                "name": format!("ddpatrol rule {}", record.rule),
                "value": record.rule,
            },
            {
                "type": "cwe",
                "name": "CWE-798",
                "value": "798",
                "url": "https://cwe.mitre.org/data/definitions/798.html",
            },
        ],
        "location": location(places.first().map(|it| it.recorded)),
        "raw_source_code_extract": record.shown_token(),
    });
    let urls = places.iter().filter_map(Place::url).take(MAX_PLACES);
    let links: Vec<Value> = urls.map(|url| json!({"url": url})).collect();
    if !links.is_empty() {
        fields["links"] = Value::Array(links);
    }
    fields
}

fn severity(record: &Record) -> &'static str {
    match (record.evidence, record.liveness()) {
        (_, Liveness::Dead) => "Info",
        (_, Liveness::Live) => "Critical",
        (Evidence::Proven, Liveness::Unknown) => "High",
        (Evidence::Shaped, Liveness::Unknown) => "Low",
    }
}

fn description(record: &Record, places: &[Place<'_>]) -> String {
    let state = match record.evidence {
        Evidence::Proven => "proven by its checksum",
        Evidence::Shaped => "not proven by a checksum",
    };
    let mut lines = vec![format!(
        "{} {}, {state}; {}, {}.",
        markdown(&record.name),
        markdown_code(record.shown_token()),
        record.liveness_words(),
        whereabouts(places),
    )];
    for place in places.iter().take(MAX_PLACES) {
        let label = place.shown.label();
        let mut line = format!("- {}", markdown_code(&cut(&label, MAX_TEXT)));
        if let Some(commit) = place.git.and_then(|git| git.introduced.as_ref()) {
            line.push_str(&format!("; introduced by {}", markdown(&cut(&commit.line(), MAX_TEXT))));
        }
        if let Some(removal) = place.recorded.removal_in_change() {
            line.push_str(&format!("; {}", markdown(&removal)));
        }
        lines.push(line);
    }
    let more = places.iter().map(|it| it.count).sum::<usize>() - places.len().min(MAX_PLACES);
    lines.extend((more > 0).then(|| format!("- {more} more places")));
    lines.join("\n")
}

fn location(place: Option<&LocationRecord>) -> Value {
    let introduced = place.and_then(|it| it.git.as_ref()?.introduced.as_ref());
    let commit = match introduced {
        Some(commit) => json!({
            "sha": commit.commit,
            "author": terminal(&commit.author.line()),
            "date": commit.author.date,
            "message": terminal(&commit.subject.text()),
        }),
        None => json!({"sha": NO_COMMIT}),
    };
    let mut fields = Map::new();
    fields.insert("commit".to_owned(), commit);
    let file = place.and_then(|it| Some((it, it.file_path()?)));
    if let Some((place, file)) = file {
        let file = String::from_utf8_lossy(&file).into_owned();
        fields.insert("file".to_owned(), json!(terminal(&file)));
        // The lines of a member are not lines of the archive.
        if place.archive.is_none() {
            fields.insert("start_line".to_owned(), json!(place.line));
            fields.insert("end_line".to_owned(), json!(place.end_line));
        }
    }
    Value::Object(fields)
}

/// Formats the digits of a fingerprint as a UUID, the form that GitLab recommends for ids.
fn uuid(fingerprint: &str) -> String {
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| fingerprint.get(range));
    match parts {
        [Some(a), Some(b), Some(c), Some(d), Some(e)] => format!("{a}-{b}-{c}-{d}-{e}"),
        _ => format!("ddpatrol-{fingerprint}"),
    }
}
