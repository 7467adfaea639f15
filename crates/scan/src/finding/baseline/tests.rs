use super::*;
use crate::finding::coverage::CoveredPath;
use crate::finding::tests::{finding, location, redactor, token, trace};
use crate::finding::{Location, Part};

#[test]
fn a_baseline_survives_a_round_trip_through_json() {
    let fingerprint = Fingerprint::of(b"a token");
    let entry = BaselineEntry {
        fingerprint: fingerprint.into(),
        rule: "datadog-pat".to_owned(),
        token: "ddpat_***".to_owned(),
        reason: Some("rotated on Monday".to_owned()),
        places: ["a/b", "(a commit message)"].map(str::to_owned).into(),
    };
    let baseline = Baseline { entries: [(entry.fingerprint.clone(), entry)].into() };
    assert_eq!(Baseline::parse(&baseline.text()).expect("it is well-formed"), baseline);
}

#[test]
fn an_invalid_baseline_is_rejected_with_the_position_of_the_error() {
    let error = |text: &str| Baseline::parse(text).expect_err("it is wrong").to_string();
    assert!(error("[").starts_with("line 1, column 1"), "{}", error("["));
    let other = r#"{"schema": "x", "tokens": []}"#;
    assert!(error(other).contains("\"x\""), "{}", error(other));
    let unknown = "{\"schema\": \"ddpatrol-baseline/1\",\n\"token\": []}";
    assert!(
        error(unknown).contains("line 2") && error(unknown).contains("`tokens`"),
        "{}",
        error(unknown)
    );
    let entry = format!(
        r#"{{"fingerprint":"{}","rule":"r","token":"t","places":[]}}"#,
        Fingerprint::of(b"x")
    );
    let twice = format!(r#"{{"schema":"{SCHEMA}","tokens":[{entry},{entry}]}}"#);
    assert!(error(&twice).contains("twice"), "{}", error(&twice));
}

/// Folders that a scan covered.
fn below(folders: &[&str]) -> Coverage {
    Coverage::Below(folders.iter().map(|it| CoveredPath::Folder(it.into())).collect())
}

fn roots() -> Roots {
    Roots { here: "/w".into(), tops: vec!["/w".into()] }
}

fn entry(seed: u64, reason: Option<&str>, places: &[&str]) -> BaselineEntry {
    BaselineEntry {
        fingerprint: Fingerprint::of(token(seed).as_bytes()).into(),
        rule: "old-rule".to_owned(),
        token: "old***".to_owned(),
        reason: reason.map(str::to_owned),
        places: places.iter().map(|&it| it.to_owned()).collect(),
    }
}

fn known(entries: Vec<BaselineEntry>) -> Baseline {
    Baseline { entries: entries.into_iter().map(|it| (it.fingerprint.clone(), it)).collect() }
}

fn updated(baseline: &mut Baseline, findings: &[Finding], coverage: &Coverage) -> BaselineChanges {
    let scan = BaselineScan { findings, roots: &roots(), coverage };
    baseline.update(&scan, &|rule| format!("rule-{}", rule.0), &mut redactor().masker())
}

fn places(baseline: &Baseline, seed: u64) -> Vec<&str> {
    let entry = baseline.get(Fingerprint::of(token(seed).as_bytes()));
    entry.into_iter().flat_map(|it| &it.places).map(String::as_str).collect()
}

#[test]
fn found_tokens_are_added_and_known_ones_keep_their_reason() {
    let mut baseline = known(vec![entry(1, Some("rotated"), &["gone", "a"])]);
    let findings =
        [finding(1, vec![location("a")]), finding(2, vec![location("b"), location("c")])];
    let changed = updated(&mut baseline, &findings, &Coverage::All);
    assert_eq!(changed, BaselineChanges { added: 1, dropped: 0, kept: 1 });
    assert_eq!(places(&baseline, 1), ["a"]);
    assert_eq!(places(&baseline, 2), ["b", "c"]);
    let first = baseline.get(findings[0].fingerprint).expect("it is known");
    assert_eq!((first.reason.as_deref(), &*first.rule), (Some("rotated"), "rule-0"));
}

#[test]
fn tokens_that_were_not_found_are_removed_only_if_the_scan_covered_their_places() {
    let entries = || vec![entry(1, None, &["x/a", "x/b!/c"]), entry(2, None, &["x/a", "y"])];
    let after = |coverage: &Coverage| {
        let mut baseline = known(entries());
        let changed = updated(&mut baseline, &[], coverage);
        (changed.dropped, changed.kept)
    };
    assert_eq!(after(&Coverage::All), (2, 0));
    assert_eq!(after(&Coverage::Unknown), (0, 2));
    assert_eq!(after(&below(&["x"])), (1, 1));
    assert_eq!(after(&below(&["x", "y"])), (2, 0));
}

#[test]
fn places_outside_of_the_scan_stay() {
    let mut baseline = known(vec![entry(1, None, &["x/gone", "y/b"])]);
    let coverage = below(&["x"]);
    updated(&mut baseline, &[finding(1, vec![location("x/a")])], &coverage);
    assert_eq!(places(&baseline, 1), ["x/a", "y/b"]);
}

#[test]
fn tokens_in_paths_are_masked_in_new_and_old_entries() {
    let hidden = format!("{}/x", token(9));
    let mut baseline = known(vec![entry(1, None, &[&hidden]), entry(2, None, &[&hidden])]);
    updated(&mut baseline, &[finding(1, vec![location(&hidden)])], &Coverage::Unknown);
    assert!(!baseline.text().contains(&token(9)[30..]), "{}", baseline.text());
    assert_eq!(baseline.text().matches(&token(9)[..20]).count(), 2);
}

#[test]
fn a_folder_covers_its_files_and_the_members_of_its_archives() {
    let coverage = below(&["a/b"]);
    for (place, is_covered) in
        [("a/b", true), ("a/b/c.zip!/d", true), ("a/b!/c", false), ("a/bc", false), ("a", false)]
    {
        assert_eq!(coverage.covers(place), is_covered, "{place}");
    }
    // The places of an entry without places are unknown.
    let nowhere = entry(1, None, &[]);
    assert!(!coverage.covers_all(&nowhere.places) && Coverage::All.covers_all(&nowhere.places));
    assert!(!Coverage::Unknown.covers_all(&entry(1, None, &["a/b"]).places));
}

#[test]
fn places_without_a_stable_path_have_descriptions() {
    let redactor = redactor();
    let key = |place: &Location| roots().key(place, &mut redactor.masker());
    let part = |part| Location { part, ..location("a") };
    assert_eq!(key(&location("x/../a")), "a");
    assert_eq!(key(&part(Part::Name)), "a");
    assert_eq!(key(&part(Part::Commit)), "(a commit message)");
    assert_eq!(key(&part(Part::Tag)), "(a tag message)");
    assert_eq!(key(&part(Part::Ref)), "(a reference's name)");
    let no_path = Location { path: None, ..location("") };
    assert_eq!(key(&no_path), "(standard input)");
    assert_eq!(key(&Location { trace: Some(trace("r")), ..no_path }), "(no path)");
}
