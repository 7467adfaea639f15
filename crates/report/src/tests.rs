//! Data for unit tests of reports: hand-written findings, records and documents.

use super::document::{
    ChangeStatusWord, Document, LocationRecord, Note, Record, SuppressionRecord,
};
use super::trace::{CommitRecord, Person, TraceRecord};
use ddpatrol_detect::encoding::Encoding;
use ddpatrol_detect::redact::{Clean, Redactor};
use ddpatrol_detect::rules::RuleSet;
use ddpatrol_detect::{Detector, Evidence};
use ddpatrol_engine::source::Severity;
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_scan::blob::Position;
use ddpatrol_scan::commit::{Commit, Signature};
use ddpatrol_scan::finding::suppression::SuppressionKind;
use ddpatrol_scan::finding::{
    Finding, Fingerprint, Location, Part, Removed, Spots, TokenId, Trace,
};
use ddpatrol_scan::place::Place;
use ddpatrol_token::{Secret, Uuid};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The rule of [`finding`].
pub(super) const RULE: &str = "datadog-pat";

pub(super) fn rule_set() -> Arc<RuleSet> {
    let text = include_str!("../../../rules/datadog.toml");
    let mut rules = RuleSet::default();
    rules.add_builtin(Path::new("rules/datadog.toml"), text).expect("a valid rule file");
    Arc::new(rules)
}

pub(super) fn redactor() -> Redactor {
    Redactor::new(Detector::new(rule_set()).expect("few rules"))
}

/// Returns a token that a built-in rule proves.
pub(super) fn token(seed: u64) -> String {
    ddpatrol_test_mint::token(seed)
}

pub(super) fn clean(text: &str) -> Clean {
    serde_json::from_value(json!(text)).expect("a string")
}

pub(super) fn person(name: &str, date: &str) -> Person {
    Person { name: clean(name), email: clean("a@example.org"), date: date.to_owned() }
}

pub(super) fn commit(digit: char) -> CommitRecord {
    CommitRecord {
        commit: digit.to_string().repeat(40),
        author: person("Ada", "2026-01-02T03:04:05Z"),
        committer: person("Bea", "2026-02-03T04:05:06Z"),
        subject: clean("a subject"),
        url: None,
    }
}

pub(super) fn git() -> TraceRecord {
    TraceRecord {
        repository: clean(".git"),
        object: "f".repeat(40),
        kind: "blob".to_owned(),
        introduced: Some(commit('a')),
        at_boundary: false,
        removed: Vec::new(),
        removed_total: None,
        in_head: true,
        reachable: true,
        staged: false,
        refs: vec![clean("refs/heads/main")],
        refs_total: 1,
    }
}

/// Returns a location in a file outside of repositories.
pub(super) fn place(path: &str) -> LocationRecord {
    LocationRecord {
        path: Some(clean(path)),
        path_hex: None,
        repository_path: None,
        uri: None,
        archive: None,
        members: Vec::new(),
        owners: Vec::new(),
        url: None,
        part: Part::Content,
        line: 3,
        column: 5,
        end_line: 3,
        end_column: 9,
        offset: 20,
        length: 4,
        object_line: None,
        snippet: clean("key = t_***"),
        encoding: None,
        git: None,
        change_status: None,
        moved_from: None,
        inline: None,
        new_place: false,
        layer: None,
        further: Spots::default(),
        message: None,
    }
}

pub(super) fn change_status(word: ChangeStatusWord) -> LocationRecord {
    LocationRecord { change_status: Some(word), ..place("a") }
}

pub(super) fn record(locations: Vec<LocationRecord>) -> Record {
    let mut record: Record = serde_json::from_value(json!({
        "rule": RULE, "name": "Example Token", "issuer": "Example", "evidence": "proven",
        "fingerprint": "0123456789abcdef0123456789abcdef",
        "token": {"redacted": "t_***"}, "advice": "Revoke it.", "locations": [], "objects": []
    }))
    .expect("a record");
    record.locations = locations;
    record
}

pub(super) fn suppressed(by: SuppressionKind) -> SuppressionRecord {
    SuppressionRecord { by, reason: Some(clean("an example")), expires: None }
}

pub(super) fn verified(record: Record, verdict: &str) -> Record {
    let verification = json!({"verdict": verdict, "reason": "said so"});
    Record {
        verification: Some(serde_json::from_value(verification).expect("a verification")),
        ..record
    }
}

pub(super) fn revoked(record: Record, outcome: &str) -> Record {
    let revocation = json!({"outcome": outcome, "detail": "because"});
    Record { revocation: Some(serde_json::from_value(revocation).expect("a revocation")), ..record }
}

/// Returns a complete document with zero counts.
pub(super) fn document(findings: Vec<Record>) -> Document {
    let mut document: Document = serde_json::from_value(json!({
        "schema": super::document::SCHEMA, "tool": {"name": "ddpatrol", "version": "1.2.3"},
        "complete": true, "interrupted": false,
        "summary": {
            "proven": 0, "proven_locations": 0, "already_there": 0, "shaped_candidates": 0,
            "files": 0, "objects": 0, "bytes": 0,
            "left_out": {
                "ignored_files": 0, "excluded": 0, "too_large": 0, "symlinks": 0, "special": 0,
                "git_folders": 0
            }
        },
        "notes": [], "repositories": [], "findings": [], "diagnostics": []
    }))
    .expect("a document");
    document.findings = findings;
    document
}

pub(super) fn object(digit: char) -> ObjectId {
    digit.to_string().repeat(40).parse().expect("an id")
}

/// Returns the place of a member of an archive: the archive, and the members that lead to it.
pub(super) fn member(archive: impl Into<Place>, names: &[&str]) -> Place {
    names.iter().fold(archive.into(), |container, name| Place::Member {
        container: Arc::new(container),
        path: name.into(),
    })
}

/// Returns a location in the content of a file.
pub(super) fn location(path: &str) -> Location {
    Location {
        path: Some(PathBuf::from(path).into()),
        part: Part::Content,
        offset: 20,
        len: 4,
        start: Position { line: 3, column: 5 },
        end: Position { line: 3, column: 9 },
        snippet: clean("key = t_***"),
        encoding: Encoding::PLAIN,
        trace: None,
        change_status: None,
        inline: None,
        is_new_place: false,
        layer: None,
        further: Spots::default(),
        message: None,
        name_pattern: None,
    }
}

pub(super) fn signature(name: &str, time: i64) -> Signature {
    Signature { name: name.into(), email: b"a@example.org".to_vec(), time, offset: 0 }
}

pub(super) fn full_commit(digit: char) -> Arc<Commit> {
    Arc::new(Commit {
        id: object(digit),
        author: signature("Ada", 1_700_000_000),
        committer: signature("Bea", 1_700_000_001),
        subject: b"a subject".to_vec(),
    })
}

/// Returns the trace of a blob that a reachable commit introduced and that is still in HEAD.
pub(super) fn trace(git_dir: &str) -> Trace {
    Trace {
        introduced: Some(full_commit('a')),
        removed: Removed::default(),
        in_head: true,
        reachable: true,
        refs: vec![b"refs/heads/main".to_vec()],
        refs_total: 1,
        ..Trace::new(PathBuf::from(git_dir).into(), object('f'), Kind::Blob)
    }
}

/// Returns a finding of a proven token of [`RULE`].
pub(super) fn finding(locations: Vec<Location>) -> Finding {
    let token = token(1);
    let rules = rule_set();
    let rule = rules.indices().find(|&at| rules[at].id == RULE).expect("a built-in rule");
    Finding {
        rule,
        evidence: Evidence::Proven,
        token: TokenId {
            redacted: format!("{}***", &token[..29]),
            alias: Some(token[6..28].to_owned()),
            uuid: Uuid::parse("da1bd5f8-847b-4aec-a33d-11b04ebde244"),
        },
        fingerprint: Fingerprint::of(token.as_bytes()),
        secret: Secret::new(token.as_bytes()),
        locations,
        objects: Vec::new(),
        suppression: None,
    }
}

pub(super) fn note(kind: Severity) -> Note {
    Note {
        kind,
        code: None,
        path: None,
        message: clean("cannot be read"),
        repository_path: None,
        uri: None,
        repository: None,
        commit: None,
        git: None,
        other_paths: Vec::new(),
        object: None,
        acknowledged: None,
    }
}
