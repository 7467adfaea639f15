//! Reads a saved JSON report.
//!
//! Input: untrusted text. Output: a document with redacted text, and separately the tokens of a report that
//! was written with `--show-secrets`. This file does not check whether the fields of a finding are consistent.

use super::{Document, RuleRecord, SCHEMA, foreign, saved_uris};
use crate::places::proven_places;
use ddpatrol_detect::redact::{Masker, Redactor};
use ddpatrol_detect::rules::quote::{abbreviated, without_values};
use ddpatrol_detect::rules::{Rule, RuleSet};
use ddpatrol_token::Secret;
use serde_json::Value;
use std::path::Path;

/// A saved report.
#[derive(Debug)]
pub struct SavedReport {
    /// The report, without secrets.
    pub document: Document,
    /// The token of each finding, in the order of the findings; `None` if the report is redacted. Tokens are
    /// sent to issuers, never written to output.
    pub secrets: Vec<Option<Secret>>,
}

/// A saved report cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It is not a report.
    #[error(
        "not a ddpatrol JSON report (line {line}, column {column}): write one with `ddpatrol scan \
         --report json=FILE`"
    )]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is a known kind of file, but no report.
    #[error(
        "{kind}, not a ddpatrol JSON report: write one with `ddpatrol scan --report json=FILE`"
    )]
    Foreign {
        /// Its kind.
        kind: &'static str,
    },
    /// It has another schema.
    #[error(
        "unsupported report schema {}: expected {SCHEMA}",
        found.as_deref().map_or("(none)".into(), abbreviated)
    )]
    Schema {
        /// Its schema, if it has one.
        found: Option<String>,
    },
    /// A field is missing or has the wrong type.
    #[error("invalid report: {0}")]
    Field(String),
}

/// Reads a saved report.
///
/// `rules` describes the rules of the findings, `root` is the folder that paths in URIs are relative to.
///
/// # Errors
/// Returns [`SavedError`] if it is not a report, or has another schema version.
pub fn read(
    text: &str,
    redactor: &Redactor,
    rules: &RuleSet,
    root: Option<&Path>,
) -> Result<SavedReport, SavedError> {
    let mut value: Value =
        serde_json::from_str(text).map_err(|error| match foreign::kind(text) {
            Some(kind) => SavedError::Foreign { kind },
            None => SavedError::Syntax { line: error.line(), column: error.column() },
        })?;
    // Remove secrets before any text of the report is used.
    let secrets = take_secrets(&mut value);
    clean(&mut value, &mut redactor.masker());
    match value.get("schema").and_then(Value::as_str) {
        Some(SCHEMA) => {}
        found => {
            if let Some(kind) = foreign::kind(text) {
                return Err(SavedError::Foreign { kind });
            }
            let found = found.map(|found| found.chars().take(60).collect());
            return Err(SavedError::Schema { found });
        }
    }
    let secrets = secrets?;
    let mut document: Document = serde_json::from_value(value)
        .map_err(|error| SavedError::Field(without_values(&error.to_string())))?;
    // Reports of older versions do not contain it.
    if document.summary.proven_places == 0 {
        document.summary.proven_places = proven_places(&document.findings);
    }
    // A report lists the rules of groups that were not used only if one of its tokens has such a rule.
    let is_listed = |rule: &&Rule| {
        rule.group.is_none() || document.findings.iter().any(|record| record.rule == rule.id)
    };
    document.rules = rules.rules().iter().filter(is_listed).map(RuleRecord::new).collect();
    for record in &document.findings {
        if !document.rules.iter().any(|rule| rule.id == record.rule) {
            document.rules.push(RuleRecord {
                id: record.rule.clone(),
                name: record.name.clone(),
                issuer: record.issuer.clone(),
                format: "unknown".to_owned(),
                documentation: None,
                advice: record.advice.clone(),
            });
        }
    }
    saved_uris::locate(&mut document, root);
    Ok(SavedReport { document, secrets })
}

/// Removes the tokens from the findings and returns one for each finding, or `None`.
fn take_secrets(report: &mut Value) -> Result<Vec<Option<Secret>>, SavedError> {
    let findings = report.get_mut("findings").and_then(Value::as_array_mut);
    // All are removed, even if one is invalid.
    let taken: Vec<_> = findings.into_iter().flatten().map(take_secret).collect();
    let fault = |at: usize, what: &str| SavedError::Field(format!("finding {}: {what}", at + 1));
    taken.into_iter().enumerate().map(|(at, it)| it.map_err(|what| fault(at, what))).collect()
}

fn take_secret(finding: &mut Value) -> Result<Option<Secret>, &'static str> {
    // serde would accept a list of the fields in their order.
    let fields = finding.as_object_mut().ok_or("expected an object")?;
    match fields.remove("secret") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(secret)) => Ok(Some(Secret::new(secret.as_bytes()))),
        Some(_) => Err("`secret`: expected a string"),
    }
}

/// Masks the secrets in all strings of a value.
fn clean(value: &mut Value, masker: &mut Masker<'_>) {
    match value {
        Value::String(text) => {
            let cleaned = masker.clean(text.as_bytes());
            if cleaned.as_bytes() != text.as_bytes() {
                *text = cleaned.text().into_owned();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|it| clean(it, masker)),
        Value::Object(fields) => fields.values_mut().for_each(|it| clean(it, masker)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::rule_set;
    use ddpatrol_detect::Detector;
    use serde_json::json;
    use std::sync::Arc;

    fn finding(secret: Option<Value>) -> Value {
        let mut finding = json!({
            "rule": "x", "name": "X", "issuer": "X", "evidence": "proven", "fingerprint": "f",
            "token": {"redacted": "x_***"}, "locations": [], "objects": []
        });
        if let Some(secret) = secret {
            finding["secret"] = secret;
        }
        finding
    }

    fn read_findings(findings: &Value) -> Result<SavedReport, SavedError> {
        let report = json!({
            "schema": SCHEMA, "tool": {"name": "ddpatrol", "version": "1"},
            "complete": true, "interrupted": false,
            "summary": {
                "proven": 0, "proven_locations": 0, "already_there": 0, "shaped_candidates": 0,
                "files": 0, "objects": 0, "bytes": 0,
                "left_out": {
                    "ignored_files": 0, "excluded": 0, "too_large": 0, "symlinks": 0, "special": 0,
                    "git_folders": 0
                }
            },
            "notes": [], "repositories": [], "findings": findings, "diagnostics": []
        });
        let rules = rule_set();
        let redactor = Redactor::new(Detector::new(Arc::clone(&rules)).expect("a detector"));
        read(&report.to_string(), &redactor, &rules, None)
    }

    #[test]
    fn secrets_are_returned_by_finding_and_are_not_in_the_document() {
        let findings = [
            finding(Some(json!("hunter2"))),
            finding(None),
            finding(Some(Value::Null)),
            finding(Some(json!("another"))),
        ];
        let saved = read_findings(&json!(findings)).expect("a report");
        let secrets: Vec<Option<&[u8]>> =
            saved.secrets.iter().map(|it| it.as_ref().map(Secret::expose)).collect();
        assert_eq!(secrets, [Some(&b"hunter2"[..]), None, None, Some(&b"another"[..])]);
        let written = serde_json::to_string(&saved.document).expect("a document");
        for text in [written, format!("{saved:?}")] {
            assert!(!text.contains("hunter2") && !text.contains("another"), "{text}");
        }
        assert!(saved.document.findings.iter().all(|it| it.secret.is_none()));
    }

    #[test]
    fn secrets_and_findings_of_a_wrong_type_are_rejected_without_being_repeated() {
        let wrong = [json!(["hunter2"]), json!({"a": "hunter2"}), json!(72), json!(true)];
        for secret in wrong {
            let findings = json!([finding(Some(json!("hunter2"))), finding(Some(secret))]);
            let error = read_findings(&findings).expect_err("no string").to_string();
            assert_eq!(error, "invalid report: finding 2: `secret`: expected a string");
        }
        // The fields of a finding, by their position.
        let listed = json!([["x", "X", "X", "proven", "f", ["x_***"], "hunter2"]]);
        let error = read_findings(&listed).expect_err("no object").to_string();
        assert_eq!(error, "invalid report: finding 1: expected an object");
        let error = read_findings(&json!({"secret": "hunter2"})).expect_err("no list").to_string();
        assert!(error.contains("expected a sequence") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_report_with_another_schema_is_rejected_whatever_its_findings_are() {
        let rules = rule_set();
        let redactor = Redactor::new(Detector::new(Arc::clone(&rules)).expect("a detector"));
        for (schema, words) in [(json!("other/2"), "schema other/2:"), (json!(2), "schema (none):")]
        {
            let report = json!({"schema": schema, "findings": [{"secret": 5}]});
            let error = read(&report.to_string(), &redactor, &rules, None).expect_err("no report");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
