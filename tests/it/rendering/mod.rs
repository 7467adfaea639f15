//! HTML, Markdown and GitHub annotations: scanned text is never interpreted as markup or commands, and
//! omissions are stated.

mod hostile_text;
mod strict_html;
mod timeline;
mod truncation;

use ddpatrol::detect::Detector;
use ddpatrol::redact::Redactor;
use ddpatrol::report::next_steps::NextStepsContext;
use ddpatrol::report::{Document, document, github, html, markdown};
use ddpatrol::rules;
use serde_json::{Value, json};
use std::sync::Arc;

/// Parses a saved report.
fn document(report: &Value) -> Document {
    let rules = Arc::new(rules::builtin().expect("the built-in rules"));
    let redactor = Redactor::new(Detector::new(Arc::clone(&rules)).expect("a detector"));
    document::read(&report.to_string(), &redactor, &rules, None).expect("a report").document
}

/// Renders a document in one of the formats.
fn render(document: &Document, format: &str) -> String {
    let mut out = Vec::new();
    match format {
        "html" => html::write(document, &NextStepsContext::default(), &mut out),
        "markdown" => markdown::write(document, &mut out),
        _ => github::write(document, &mut out),
    }
    .expect("a vector takes it");
    String::from_utf8(out).expect("reports are UTF-8")
}

/// Returns a JSON report with these findings.
fn report(findings: &[Value]) -> Value {
    json!({
        "schema": "ddpatrol-report/1",
        "tool": {"name": "ddpatrol", "version": "1"},
        "complete": true,
        "interrupted": false,
        "summary": {
            "proven": findings.len(), "proven_locations": findings.len(), "already_there": 0,
            "shaped_candidates": 0, "files": 1, "objects": 0, "bytes": 9,
            "left_out": {
                "ignored_files": 3, "excluded": 0, "too_large": 0, "symlinks": 0, "special": 0,
                "git_folders": 1
            }
        },
        "notes": [],
        "repositories": [],
        "findings": findings,
        "diagnostics": []
    })
}

/// Returns a finding with `text` in every field.
fn finding(number: usize, text: &str) -> Value {
    let person = json!({"name": text, "email": text, "date": text});
    let commit = json!({"commit": text, "author": person, "committer": person, "subject": text});
    json!({
        "rule": text, "name": text, "issuer": text, "evidence": "proven",
        "fingerprint": format!("{number:032x}"),
        "token": {"redacted": text, "alias": text, "uuid": text},
        "advice": text,
        "steps": [{"aim": "revoke", "text": text, "commands": [text]}],
        "verification": {"verdict": "unknown", "reason": text},
        "revocation": {"outcome": "failed", "detail": text},
        "locations": [{
            "path": text, "part": "content", "line": number + 1, "column": 1,
            "end_line": number + 1, "end_column": 9, "offset": 0, "length": 8, "snippet": text,
            "git": {
                "repository": text, "object": text, "kind": text, "introduced": commit,
                "at_boundary": true, "removed": [commit], "in_head": true, "reachable": true,
                "refs": [text], "refs_total": 1
            },
            "moved_from": text,
            "inline": {"counts": false, "reason": text}
        }],
        "objects": []
    })
}

/// Returns a finding without git data at a path.
fn plain(number: usize, path: &str) -> Value {
    let mut finding = finding(number, "text");
    finding["locations"][0]["path"] = json!(path);
    finding["locations"][0]["git"] = Value::Null;
    finding["rule"] = json!("datadog-pat");
    finding
}
