//! Tests of differences between hand-written documents.

use super::*;
use crate::tests::*;
use ddpatrol_scan::finding::suppression::SuppressionKind;

fn found(fingerprint: &str, paths: &[&str]) -> Record {
    let locations = paths.iter().map(|path| place_at(path)).collect();
    Record { fingerprint: fingerprint.to_owned(), ..record(locations) }
}

fn place_at(path: &str) -> LocationRecord {
    crate::tests::place(path)
}

fn between(old: Vec<Record>, new: Vec<Record>) -> Difference {
    Difference::between(&document(old), &document(new))
}

fn fingerprints(records: &[Record]) -> Vec<&str> {
    records.iter().map(|it| &*it.fingerprint).collect()
}

fn text(difference: &Difference) -> String {
    let mut out = Vec::new();
    difference.write(&mut out).expect("a vector takes it");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn tokens_are_new_gone_or_unchanged_by_fingerprint_and_rule() {
    let old = vec![found("a", &["x"]), found("b", &["x"]), found("c", &["x"])];
    let other = Record { rule: "other".to_owned(), ..found("c", &["x"]) };
    let it = between(old, vec![found("d", &["x"]), found("b", &["y"]), other]);
    assert_eq!(fingerprints(&it.new), ["c", "d"]);
    assert_eq!(fingerprints(&it.gone), ["a", "c"]);
    let [unchanged] = &it.unchanged[..] else { panic!("one is unchanged: {it:?}") };
    assert_eq!(unchanged.fingerprint, "b");
    assert_eq!(
        (&*unchanged.new_places, &*unchanged.gone_places),
        (&["y".to_owned()][..], &["x".to_owned()][..])
    );
}

#[test]
fn suppressed_findings_are_in_neither_report() {
    let known =
        || Record { suppression: Some(suppressed(SuppressionKind::Allow)), ..found("a", &["x"]) };
    let it = between(vec![known()], vec![found("a", &["x"])]);
    assert_eq!((fingerprints(&it.new), it.gone.len(), it.unchanged.len()), (vec!["a"], 0, 0));
    let it = between(vec![found("a", &["x"])], vec![known()]);
    assert_eq!((it.new.len(), fingerprints(&it.gone), it.unchanged.len()), (0, vec!["a"], 0));
}

#[test]
fn a_token_on_another_line_of_a_file_is_unchanged() {
    let moved = LocationRecord { line: 99, ..place_at("x") };
    let new = Record { locations: vec![moved], ..found("a", &[]) };
    let it = between(vec![found("a", &["x", "x"])], vec![new]);
    assert!(!it.unchanged[0].has_moved());
    assert_eq!(text(&it), "0 new, 0 gone, 1 unchanged.\n");
}

#[test]
fn a_change_of_liveness_is_listed_and_counted() {
    let of = |fingerprint, verdict| verified(found(fingerprint, &["x"]), verdict);
    let it = between(
        vec![
            of("a", "unknown"),
            of("b", "live"),
            found("c", &["x"]),
            of("d", "dead"),
            of("e", "live"),
        ],
        vec![
            of("a", "live"),
            revoked(of("b", "live"), "revoked"),
            of("c", "unknown"),
            of("d", "dead"),
            found("e", &["x"]),
            of("f", "live"),
        ],
    );
    assert_eq!(
        text(&it),
        "new: Example Token t_***: x, live, fingerprint f\n\
         unknown -> live: t_***, fingerprint a\n\
         live -> dead: t_***, fingerprint b\n\
         not verified -> unknown: t_***, fingerprint c\n\
         1 new, 0 gone, 5 unchanged (1 now live, 1 now dead, 1 now unknown).\n"
    );
    let json = serde_json::to_value(&it).expect("JSON");
    assert_eq!(
        json["unchanged"][0]["liveness"],
        serde_json::json!({"old": "unknown", "new": "live"})
    );
    assert_eq!(json["unchanged"][2]["liveness"]["old"], serde_json::Value::Null);
    assert!(json["unchanged"][3].get("liveness").is_none(), "{json}");
}

#[test]
fn both_reports_must_be_complete() {
    for (old, new) in [(true, true), (true, false), (false, true)] {
        let of = |complete| Document { complete, ..document(vec![]) };
        let it = Difference::between(&of(old), &of(new));
        assert_eq!(it.complete, old && new);
        let warning =
            "One of the reports is incomplete: tokens listed as gone may not have been scanned.\n";
        assert_eq!(text(&it).ends_with(warning), !it.complete);
    }
}

#[test]
fn the_text_lists_each_token_with_its_first_place() {
    let it = between(
        vec![found("a", &["x"]), found("b", &["p", "q"])],
        vec![found("c", &["y", "z"]), found("d", &[]), found("b", &["q", "r"])],
    );
    assert_eq!(
        text(&it),
        "new: Example Token t_***: y and 1 more place, fingerprint c\n\
         new: Example Token t_***: , fingerprint d\n\
         gone: Example Token t_***: x, fingerprint a\n\
         unchanged: t_***: now also at r no longer at p\n\
         2 new, 1 gone, 1 unchanged.\n"
    );
}

#[test]
fn a_location_without_a_path_is_named_by_its_object() {
    let none = LocationRecord { path: None, ..place_at("") };
    assert_eq!(super::place(&none), "standard input");
    let object = LocationRecord { git: Some(git()), ..none };
    assert_eq!(super::place(&object), format!("blob {}", "f".repeat(40)));
}

#[test]
fn hostile_text_does_not_control_a_terminal() {
    let it = between(vec![], vec![found("a", &["x\u{1b}[2J"])]);
    assert!(text(&it).contains("x\\u{1b}[2J"));
}
