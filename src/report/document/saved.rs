//! From a saved JSON report back to a document.
//!
//! A report is text that anybody may have changed: every string in it passes the redactor again,
//! before anything is made of it.

use super::{Document, RuleRecord, SCHEMA};
use crate::redact::Redactor;
use crate::report::document::tell;
use crate::rules::RuleSet;
use serde_json::Value;
use std::path::Path;

/// A saved report cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It is no report.
    #[error("it is no report of `ddpatrol scan --report json` (line {line}, column {column})")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It has another form.
    #[error("it is a report of the form {found}; this program reads {SCHEMA}")]
    Schema {
        /// Its form.
        found: String,
    },
    /// A field is missing or of the wrong kind.
    #[error("it is no whole report: {0}")]
    Field(String),
}

/// Reads a saved report.
///
/// `rules` describes the rules that findings name, `root` is the folder that paths in URIs count
/// from. Secrets that a report holds (`--show-secrets`) are dropped.
///
/// # Errors
/// [`SavedError`] if it is no report, or one of another version.
pub fn read(
    text: &str,
    redactor: &Redactor,
    rules: &RuleSet,
    root: Option<&Path>,
) -> Result<Document, SavedError> {
    let mut value: Value = serde_json::from_str(text)
        .map_err(|error| SavedError::Syntax { line: error.line(), column: error.column() })?;
    drop_secrets(&mut value);
    clean(&mut value, redactor);
    match value.get("schema").and_then(Value::as_str) {
        Some(SCHEMA) => {}
        found => {
            let found = found.unwrap_or("of no kind").chars().take(60).collect();
            return Err(SavedError::Schema { found });
        }
    }
    let mut document: Document =
        serde_json::from_value(value).map_err(|error| SavedError::Field(error.to_string()))?;
    document.rules = rules.rules().iter().map(RuleRecord::new).collect();
    for record in &document.findings {
        if !document.rules.iter().any(|rule| rule.id == record.rule) {
            document.rules.push(RuleRecord {
                id: record.rule.clone(),
                name: record.name.clone(),
                issuer: record.issuer.clone(),
                format: "not known here".to_owned(),
                documentation: None,
                advice: record.advice.clone(),
            });
        }
    }
    tell::locate(&mut document, root);
    Ok(document)
}

/// Takes the tokens themselves out, before anything else looks at them.
fn drop_secrets(report: &mut Value) {
    let findings = report.get_mut("findings").and_then(Value::as_array_mut);
    for finding in findings.into_iter().flatten().filter_map(Value::as_object_mut) {
        finding.remove("secret");
    }
}

fn clean(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => {
            let cleaned = redactor.clean(text.as_bytes());
            if cleaned.as_bytes() != text.as_bytes() {
                *text = cleaned.text().into_owned();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|it| clean(it, redactor)),
        Value::Object(fields) => fields.values_mut().for_each(|it| clean(it, redactor)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
