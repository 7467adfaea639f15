//! JSON: one document, or one line per match while the scan runs. `docs/json.md` describes both.

use super::document::{
    Document, LocationRecord, Note, Record, RevocationRecord, Summary, Tool, VerificationRecord,
};
use ddpatrol_detect::redact::Clean;
use serde::Serialize;
use std::io::{self, Write};

/// Writes the whole document, indented.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum JsonLine<'a> {
    Match(&'a Record),
    Response {
        fingerprint: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        verification: Option<&'a VerificationRecord>,
        #[serde(skip_serializing_if = "Option::is_none")]
        revocation: Option<&'a RevocationRecord>,
    },
    Diagnostic(&'a Note),
    Summary {
        tool: &'a Tool,
        complete: bool,
        interrupted: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        start_time: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        end_time: Option<&'a str>,
        notes: &'a [Clean],
        summary: &'a Summary,
    },
}

/// Writes a whole document as lines, in the form that a running scan writes.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write_lines(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    for record in &document.findings {
        let mut each = record.without_locations();
        record.each_place(&mut |place| {
            each.locations.clear();
            // A match is written before the base of URIs is known.
            each.locations.push(LocationRecord { uri: None, ..place.clone() });
            write_match(&each, out)
        })?;
    }
    write_end(document, out)
}

/// Writes the line of one match.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write_match(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    write_line(&JsonLine::Match(record), out)
}

/// Writes the lines after the matches: responses, diagnostics and the summary.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write_end(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    for record in &document.findings {
        let (verification, revocation) = (record.verification.as_ref(), record.revocation.as_ref());
        if verification.is_some() || revocation.is_some() {
            let fingerprint = &record.fingerprint;
            write_line(&JsonLine::Response { fingerprint, verification, revocation }, out)?;
        }
    }
    for note in &document.diagnostics {
        write_line(&JsonLine::Diagnostic(note), out)?;
    }
    let Document { tool, complete, interrupted, notes, summary, .. } = document;
    let line = JsonLine::Summary {
        tool,
        complete: *complete,
        interrupted: *interrupted,
        start_time: document.start_time.as_deref(),
        end_time: document.end_time.as_deref(),
        notes,
        summary,
    };
    write_line(&line, out)
}

impl Record {
    /// Returns a copy without locations, objects and steps.
    fn without_locations(&self) -> Self {
        Self {
            rule: self.rule.clone(),
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            evidence: self.evidence,
            fingerprint: self.fingerprint.clone(),
            token: self.token.clone(),
            advice: self.advice.clone(),
            steps: Vec::new(),
            suppression: self.suppression.clone(),
            secret: self.secret.clone(),
            verification: self.verification.clone(),
            revocation: self.revocation.clone(),
            locations: Vec::new(),
            objects: Vec::new(),
        }
    }
}

fn write_line(line: &JsonLine<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    out.write_all(&text)?;
    out.flush()
}
