//! Recognizes files that are given as a saved report and are something else.
//!
//! Input: untrusted text that is not a report. Output: what it is, in fixed words. Reads no field's content
//! except the names of schemas.

use serde_json::Value;

/// Describes a file of a known kind; `None` for any other text.
pub(super) fn kind(text: &str) -> Option<&'static str> {
    let text = text.trim_start();
    if let Some(kind) = markup(text) {
        return Some(kind);
    }
    // JSON lines: the first line is a value of its own.
    let first = || text.lines().next().unwrap_or_default();
    let value: Value =
        serde_json::from_str(text).or_else(|_| serde_json::from_str(first())).ok()?;
    match &value {
        Value::Array(list) => list_kind(list.first()?),
        Value::Object(_) => object_kind(&value),
        _ => None,
    }
}

fn markup(text: &str) -> Option<&'static str> {
    let start: String = text.chars().take(200).collect::<String>().to_ascii_lowercase();
    let is_xml = start.starts_with("<?xml") || start.starts_with("<testsuite");
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        Some("an HTML page")
    } else if is_xml && start.contains("<testsuite") {
        Some("a JUnit report")
    } else if start.starts_with("fingerprint,rule,") {
        Some("a CSV report")
    } else {
        None
    }
}

fn list_kind(first: &Value) -> Option<&'static str> {
    if first.get("RuleID").is_some() {
        Some("a report of Gitleaks")
    } else if first.get("DetectorName").is_some() || first.get("SourceMetadata").is_some() {
        Some("a report of TruffleHog")
    } else if first.get("rule").is_some() && first.get("finding").is_some() {
        Some("a report of Kingfisher")
    } else {
        None
    }
}

fn object_kind(value: &Value) -> Option<&'static str> {
    let has = |key: &str| value.get(key).is_some();
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let schema = text("schema").split('/').next().unwrap_or_default();
    match schema {
        "ddpatrol-baseline" => return Some("a baseline"),
        "ddpatrol-diff" => return Some("an output of `ddpatrol diff`"),
        "ddpatrol-revocation" => return Some("an output of `ddpatrol revoke`"),
        _ => {}
    }
    if has("runs") && (has("version") || text("$schema").contains("sarif")) {
        return Some("a SARIF report");
    }
    if matches!(text("type"), "match" | "response" | "diagnostic" | "summary") {
        return Some("a report in JSON lines (jsonl)");
    }
    if has("vulnerabilities") && has("version") {
        return Some("a GitLab report");
    }
    if has("plugins_used") && has("results") {
        return Some("a baseline of detect-secrets");
    }
    if let Some(kind) = list_kind(value) {
        return Some(kind);
    }
    let findings = value.get("findings").and_then(Value::as_array);
    findings.and_then(|list| list.first()).and_then(list_kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_other_formats_and_programs_are_recognized() {
        for (text, expected) in [
            (r#"[{"RuleID": "x", "Secret": "y"}]"#, Some("a report of Gitleaks")),
            (
                "{\"SourceMetadata\": {}, \"DetectorName\": \"AWS\"}\n{}",
                Some("a report of TruffleHog"),
            ),
            (r#"{"DetectorName": "AWS"}"#, Some("a report of TruffleHog")),
            (r#"{"findings": [{"rule": {}, "finding": {}}]}"#, Some("a report of Kingfisher")),
            (r#"{"version": "2.1.0", "runs": []}"#, Some("a SARIF report")),
            (r#"{"version": "15.0.0", "vulnerabilities": []}"#, Some("a GitLab report")),
            (r#"{"schema": "ddpatrol-baseline/1", "tokens": []}"#, Some("a baseline")),
            (
                "{\"type\": \"match\"}\n{\"type\": \"summary\"}",
                Some("a report in JSON lines (jsonl)"),
            ),
            (" <!DOCTYPE html>", Some("an HTML page")),
            ("<?xml version=\"1.0\"?>\n<testsuites>", Some("a JUnit report")),
            ("{}", None),
            ("[]", None),
            ("[1]", None),
            ("text", None),
            ("", None),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
