//! GitLab's report: the required fields, enumerations and patterns of the published schema, version 15.2.0.

use crate::support::mint::{failed_candidate, token};
use crate::support::repo::Repo;
use serde_json::{Value, json};

/// The constraints of `secret-detection-report-format.json` 15.2.0 on the fields that reports contain.
fn schema() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    let time = json!({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"});
    let url = json!({"type": "string", "pattern": "^(https?|ftp)://.+"});
    let tool = json!({
        "type": "object", "required": ["id", "name", "version", "vendor"],
        "properties": {
            "id": text, "name": text, "version": text, "url": {"pattern": "^https?://.+"},
            "vendor": {"type": "object", "required": ["name"], "properties": {"name": text}}
        }
    });
    let message = json!({
        "type": "object", "required": ["level", "value"],
        "properties": {"level": {"enum": ["info", "warn", "fatal"]}, "value": text}
    });
    let identifier = json!({
        "type": "object", "required": ["type", "name", "value"],
        "properties": {"type": text, "name": text, "value": text, "url": url}
    });
    let commit = json!({
        "type": "object", "required": ["sha"],
        "properties": {
            "sha": text, "author": {"type": "string"}, "date": {"type": "string"},
            "message": {"type": "string"}
        }
    });
    let vulnerability = json!({
        "type": "object", "required": ["id", "identifiers", "location"],
        "properties": {
            "id": text,
            "name": {"type": "string", "maxLength": 255},
            "description": {"type": "string", "maxLength": 1_048_576},
            "severity": {"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
            "solution": {"type": "string", "maxLength": 7000},
            "identifiers": {"type": "array", "minItems": 1, "items": identifier},
            "links": {"type": "array", "items": {"required": ["url"], "properties": {"url": url}}},
            "location": {
                "type": "object", "required": ["commit"],
                "properties": {
                    "file": {"type": "string"}, "commit": commit,
                    "start_line": {"type": "number"}, "end_line": {"type": "number"}
                }
            },
            "raw_source_code_extract": {"type": "string"}
        }
    });
    json!({
        "type": "object", "required": ["scan", "version", "vulnerabilities"],
        "properties": {
            "version": {"const": "15.2.0"},
            "schema": {"type": "string", "pattern": "^https?://.+"},
            "scan": {
                "type": "object",
                "required": ["analyzer", "end_time", "scanner", "start_time", "status", "type"],
                "properties": {
                    "analyzer": tool, "scanner": tool, "start_time": time, "end_time": time,
                    "status": {"enum": ["success", "failure"]},
                    "type": {"enum": ["secret_detection"]},
                    "messages": {"type": "array", "items": message}
                }
            },
            "vulnerabilities": {"type": "array", "items": vulnerability}
        }
    })
}

#[test]
fn reports_match_the_schema() {
    let repo = Repo::new();
    repo.write("a|b `c`.env", format!("A={}\n", token(1)));
    repo.write("gone.env", token(2));
    repo.write("shaped.txt", failed_candidate(3));
    repo.commit("<script>alert(1)</script> [x](javascript:alert(1))");
    repo.remove("gone.env");
    repo.commit(format!("remove {}", token(4)));
    repo.write("untracked.env", token(5));
    repo.git(&["remote", "add", "origin", "git@github.com:o/r.git"]);
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    for args in [&["."][..], &["--files-only", "."], &["--show-shaped", ".", "missing"]] {
        let scan = ["scan", "-f", "gitlab"];
        let ran = repo.run_in(repo.path(), &[&scan[..], args].concat(), &[]);
        let report = ran.json();
        let errors: Vec<String> = validator.iter_errors(&report).map(|it| it.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let is_complete = !args.contains(&"missing");
        let status = if is_complete { "success" } else { "failure" };
        assert_eq!(report["scan"]["status"], status);
        let found = report["vulnerabilities"].as_array().expect("a list");
        assert!(found.len() >= 2 && !ran.stdout().contains(&token(1)[30..]));
        let ids: std::collections::BTreeSet<_> = found.iter().map(|it| it["id"].as_str()).collect();
        assert_eq!(ids.len(), found.len());
    }
}
