//! Tests of SARIF for hand-written documents.

use super::*;
use crate::document::{ChangeStatusWord, UnusedRecord};
use crate::tests::*;
use crate::trace::TraceRecord;
use ddpatrol_engine::source::{Code, Severity};

/// The run of a report without suppressed findings.
fn run_of(document: &Document) -> Value {
    written(document, Suppressed::Omitted)
}

fn written(document: &Document, suppressed: Suppressed) -> Value {
    let mut out = Vec::new();
    write(document, suppressed, &mut out).expect("a vector takes it");
    let mut sarif: Value = serde_json::from_slice(&out).expect("JSON");
    sarif["runs"][0].take()
}

fn result_of(record: Record) -> Value {
    let mut run = run_of(&document(vec![record]));
    run["results"][0].take()
}

fn location_of(place: LocationRecord) -> Value {
    result_of(record(vec![place]))["locations"][0].take()
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|it| it["message"]["text"].as_str()).collect()
}

fn notifications(run: &Value) -> &Value {
    &run["invocations"][0]["toolExecutionNotifications"]
}

#[test]
fn the_level_depends_on_the_evidence_and_the_change() {
    let level = |record: Record| result_of(record)["level"].clone();
    assert_eq!(level(record(vec![place("a")])), "error");
    assert_eq!(level(record(vec![change_status(ChangeStatusWord::New)])), "error");
    assert_eq!(level(record(vec![change_status(ChangeStatusWord::Moved)])), "warning");
    let shaped = Record { evidence: Evidence::Shaped, ..record(vec![place("a")]) };
    assert_eq!(level(shaped), "note");
}

#[test]
fn a_result_names_its_rule_token_and_fingerprint() {
    let mut it = record(vec![place("a")]);
    it.token.uuid = Some("an-id".to_owned());
    let rules = rule_set();
    let mut document = document(vec![it.clone()]);
    document.rules = rules.rules().iter().map(RuleRecord::new).collect();
    let run = run_of(&document);
    let result = &run["results"][0];
    let index = rules.rules().iter().position(|it| it.id == RULE).expect("a built-in rule");
    assert_eq!(result["ruleIndex"], json!(index));
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], RULE);
    let text = "Example Token t_*** with id an-id, proven by its checksum";
    assert_eq!(result["message"]["text"], text);
    let fingerprints = &result["partialFingerprints"];
    assert_eq!(fingerprints["primaryLocationLineHash"], "0123456789abcdef:1");
    assert_eq!(fingerprints["ddpatrolToken/v1"], "0123456789abcdef0123456789abcdef");
    // A rule that the document does not describe has no index; a short fingerprint does no harm.
    let stranger = Record { fingerprint: "short".to_owned(), ..it };
    let result = result_of(stranger);
    assert!(result.get("ruleIndex").is_none(), "{result}");
    assert_eq!(result["partialFingerprints"]["primaryLocationLineHash"], ":1");
}

#[test]
fn further_places_are_related_and_those_beyond_the_limit_counted() {
    let places =
        |len: usize| -> Vec<LocationRecord> { (0..len).map(|it| place(&it.to_string())).collect() };
    let of = |len| {
        let result = result_of(record(places(len)));
        let related = result["relatedLocations"].as_array().map_or(0, Vec::len);
        let omitted = result["properties"]["placesOmitted"].as_u64();
        let text = result["message"]["text"].as_str().expect("text").to_owned();
        (related, omitted, text.split_once("checksum").expect("a text").1.to_owned())
    };
    assert_eq!(of(1), (0, None, String::new()));
    assert_eq!(of(2), (1, None, String::new()));
    assert_eq!(of(1 + MAX_RELATED), (MAX_RELATED, None, String::new()));
    let one = "; 1 more place is not listed".to_owned();
    assert_eq!(of(2 + MAX_RELATED), (MAX_RELATED, Some(1), one));
    let two = "; 2 more places are not listed".to_owned();
    assert_eq!(of(3 + MAX_RELATED), (MAX_RELATED, Some(2), two));
    let empty = result_of(record(vec![]));
    assert_eq!(empty["locations"], json!([]));
}

#[test]
fn results_beyond_the_limit_are_counted() {
    let records = vec![record(vec![]); MAX_RESULTS + 1];
    let run = run_of(&document(records));
    assert_eq!(run["results"].as_array().map(Vec::len), Some(MAX_RESULTS));
    let text = "1 more findings are not in this file: a run is limited to 25000 results.";
    assert_eq!(texts(notifications(&run)), [text]);
}

#[test]
fn suppressed_findings_are_omitted_or_marked() {
    let by = |by| Record { suppression: Some(suppressed(by)), ..record(vec![place("a")]) };
    let document = document(vec![
        by(SuppressionKind::Inline),
        by(SuppressionKind::Allow),
        record(vec![place("b")]),
    ]);
    let run = run_of(&document);
    assert_eq!(run["results"].as_array().map(Vec::len), Some(1));
    let left_out = "2 suppressed findings are omitted.";
    assert_eq!(texts(notifications(&run)), [left_out]);
    let run = written(&document, Suppressed::Included);
    let kinds: Vec<&Value> = run["results"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| &it["suppressions"][0]["kind"])
        .collect();
    assert_eq!(kinds, [&json!("inSource"), &json!("external"), &Value::Null]);
    assert_eq!(texts(notifications(&run)), Vec::<&str>::new());
}

#[test]
fn content_has_a_region_and_its_line_as_context() {
    let it = location_of(place("a b"));
    let physical = &it["physicalLocation"];
    assert_eq!(physical["artifactLocation"], json!({"uri": "a%20b", "uriBaseId": ROOT}));
    assert_eq!(
        physical["region"],
        json!({
            "startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 9, "byteOffset": 20,
            "byteLength": 4, "snippet": {"text": "t_***"}
        })
    );
    assert_eq!(physical["contextRegion"]["snippet"]["text"], "key = t_***");
    assert!(it.get("logicalLocations").is_none() && it.get("message").is_none(), "{it}");
    // Paths outside of the base are absolute.
    let outside = location_of(place("/w/a"));
    let artifact = &outside["physicalLocation"]["artifactLocation"];
    assert_eq!(artifact, &json!({"uri": "file:///w/a"}));
}

#[test]
fn a_name_is_at_line_1_of_its_path() {
    for (part, words) in [
        (Part::Name, "in the name of the file or folder"),
        (Part::Ref, "in the name of a reference"),
    ] {
        let it = location_of(LocationRecord { part, git: Some(git()), ..place("a") });
        assert_eq!(it["physicalLocation"]["region"], json!({"startLine": 1}));
        assert!(it["physicalLocation"].get("contextRegion").is_none(), "{it}");
        assert_eq!(it["logicalLocations"], json!([{"kind": "name", "name": "key = t_***"}]));
        assert_eq!(it["message"]["text"], words);
    }
}

#[test]
fn a_place_without_a_file_has_a_logical_location() {
    let no_path = |part| LocationRecord { path: None, part, ..place("") };
    let it = location_of(no_path(Part::Content));
    assert_eq!(it["physicalLocation"]["artifactLocation"]["uri"], "stdin");
    assert_eq!(it["logicalLocations"], json!([{"kind": "content", "name": "stdin"}]));
    let commit = TraceRecord { kind: "commit".to_owned(), ..git() };
    let it = location_of(LocationRecord { git: Some(commit), ..no_path(Part::Commit) });
    let name = format!("git/commit/{}", "f".repeat(40));
    assert_eq!(it["logicalLocations"], json!([{"kind": "commit", "name": name}]));
}

#[test]
fn the_message_of_a_location_has_its_attribution_layer_and_encoding() {
    let text = |place: LocationRecord| location_of(place)["message"]["text"].clone();
    let introduced = "introduced by aaaaaaaaaaaa (2026-01-02, Ada <a@example.org>) a subject; ";
    let fate = "still in HEAD; on main";
    let traced = |git| LocationRecord { git: Some(git), ..place("a") };
    assert_eq!(text(traced(git())), format!("{introduced}{fate}"));
    assert_eq!(text(traced(TraceRecord { introduced: None, ..git() })), fate);
    let layer = LocationRecord { layer: Some(clean("layer 2")), ..place("a") };
    assert_eq!(text(layer.clone()), "in layer 2");
    let encoding = Some("base64".to_owned());
    assert_eq!(
        text(LocationRecord { encoding: encoding.clone(), ..layer }),
        "encoded: base64; in layer 2"
    );
    assert_eq!(text(LocationRecord { encoding, ..place("a") }), "encoded: base64");
    let properties = location_of(traced(TraceRecord { removed: vec![commit('b')], ..git() }));
    assert_eq!(
        properties["properties"],
        json!({
            "commit": "a".repeat(40), "object": "f".repeat(40), "kind": "blob",
            "removed": ["b".repeat(40)], "inHead": true, "reachable": true
        })
    );
}

#[test]
fn gaps_notes_and_unused_entries_are_notifications() {
    let mut document = document(vec![]);
    let gap = |kind| Note { code: Some(Code::FileMissing), path: Some(clean("a")), ..note(kind) };
    document.diagnostics = vec![gap(Severity::Unread), note(Severity::Opaque)];
    document.notes = vec![clean("a note")];
    document.interrupted = true;
    document.complete = false;
    document.unused = vec![UnusedRecord {
        by: SuppressionKind::Allow,
        fingerprint: "f".to_owned(),
        what: clean("an example"),
        expired: Some("2026-01-01".to_owned()),
        candidates: Vec::new(),
    }];
    let run = run_of(&document);
    assert_eq!(run["invocations"][0]["executionSuccessful"], json!(false));
    let list = notifications(&run);
    assert_eq!(
        texts(list),
        [
            "a: cannot be read",
            "cannot be read",
            "a note",
            "The scan was interrupted: this report is partial.",
            "The allowlist entry f (an example) expired after 2026-01-01.",
        ]
    );
    let levels: Vec<&Value> =
        list.as_array().expect("a list").iter().map(|it| &it["level"]).collect();
    assert_eq!(levels, ["error", "warning", "note", "error", "note"]);
    assert_eq!(list[0]["descriptor"]["id"], Code::FileMissing.name());
    let uri = &list[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "a");
    assert!(list[1].get("descriptor").is_none() && list[1].get("locations").is_none());
}

#[test]
fn repositories_are_mapped_to_the_base_of_uris() {
    let mut document = document(vec![]);
    assert!(run_of(&document).get("versionControlProvenance").is_none());
    document.repositories = vec![RepositoryRecord {
        path: clean("r"),
        head: Some("a".repeat(40)),
        uri: None,
        absolute_uri: "file:///w/r".to_owned(),
        url: None,
    }];
    assert_eq!(
        run_of(&document)["versionControlProvenance"],
        json!([{
            "repositoryUri": "file:///w/r", "revisionId": "a".repeat(40),
            "mappedTo": {"uri": "r", "uriBaseId": ROOT}
        }])
    );
}

#[test]
fn numbers_beyond_the_range_of_sarif_are_clamped() {
    assert_eq!(signed(5), 5);
    assert_eq!(signed(u64::MAX), i64::MAX);
}
