//! Tests of documents of hand-written outcomes.

use super::*;
use crate::document::RepositoryRecord;
use crate::document::saved_uris::locate;
use crate::tests::{
    clean, document, finding, location, object, place, record, redactor, rule_set, suppressed,
    token, trace,
};
use ddpatrol_detect::encoding::{Encoding, Layer};
use ddpatrol_engine::scan::Counts;
use ddpatrol_engine::source::{Code, Issue, Severity};
use ddpatrol_pack::Kind;
use ddpatrol_scan::finding::roots::Roots;
use ddpatrol_scan::finding::suppression::SuppressionKind;
use ddpatrol_scan::finding::{HeldObject, Inline, Part, Span};
use std::path::PathBuf;
use std::sync::Arc;

/// Options of a test document.
#[derive(Clone, Copy)]
struct Choices {
    strict: bool,
    show_secrets: bool,
    described: DescribedRules,
}

impl Default for Choices {
    fn default() -> Self {
        Self { strict: false, show_secrets: false, described: DescribedRules::Found }
    }
}

fn made(outcome: &Outcome, choices: Choices) -> Document {
    with_builder(choices, |builder| builder.document(outcome))
}

fn with_builder<T>(choices: Choices, f: impl FnOnce(&mut DocumentBuilder<'_>) -> T) -> T {
    let (rules, redactor) = (rule_set(), redactor());
    let context = NextStepsContext::default();
    let options = DocumentOptions {
        rules: &rules,
        redactor: &redactor,
        strict: choices.strict,
        show_secrets: choices.show_secrets,
        context: &context,
        described: choices.described,
    };
    // No folder above it is a repository.
    let roots = Roots { here: "/nowhere/tree".into(), tops: vec!["/nowhere/tree".into()] };
    f(&mut DocumentBuilder::new(options, Paths::new(&roots, &[], None)))
}

fn of(findings: Vec<Finding>) -> Document {
    made(&Outcome { findings, ..Outcome::default() }, Choices::default())
}

fn place_of(location: Location) -> LocationRecord {
    let mut document = of(vec![finding(vec![location])]);
    document.findings.remove(0).locations.remove(0)
}

fn suppression(by: SuppressionKind) -> Option<Suppression> {
    Some(Suppression { by, reason: Some(format!("because of {}", token(9))), expires: None })
}

#[test]
fn findings_keep_their_order_and_all_locations() {
    let document =
        of(vec![finding(vec![location("z"), location("a")]), finding(vec![location("b")])]);
    let paths: Vec<Vec<String>> = document
        .findings
        .iter()
        .map(|it| it.locations.iter().map(LocationRecord::label).collect())
        .collect();
    assert_eq!(paths, [vec!["z:3:5", "a:3:5"], vec!["b:3:5"]]);
}

#[test]
fn only_unsuppressed_proven_findings_are_counted() {
    let proven = finding(vec![location("a"), location("b")]);
    let shaped = Finding { evidence: Evidence::Shaped, ..finding(vec![location("c")]) };
    let known = Finding {
        suppression: suppression(SuppressionKind::Baseline),
        ..finding(vec![location("d")])
    };
    let summary = of(vec![proven, shaped, known]).summary;
    assert_eq!((summary.proven, summary.proven_locations), (1, 2));
    assert_eq!(summary.suppressed, SuppressedCounts { baseline: 1, ..Default::default() });
}

#[test]
fn suppressed_findings_are_counted_by_kind() {
    let new = LocationRecord { new_place: true, ..place("a") };
    let by = |by| {
        let record = record(vec![place("a"), new.clone()]);
        Record { suppression: Some(suppressed(by)), ..record }
    };
    let records = [
        by(SuppressionKind::Inline),
        by(SuppressionKind::Allow),
        by(SuppressionKind::Allow),
        by(SuppressionKind::Baseline),
        record(vec![]),
    ];
    let counts = SuppressedCounts { inline: 1, allowed: 2, baseline: 1, new_places: 4 };
    assert_eq!(SuppressedCounts::new(&records), counts);
    assert_eq!(counts.total(), 4);
}

#[test]
fn every_count_has_its_field() {
    let counts = Counts {
        files: 1,
        git_files: 2,
        bytes: 3,
        archives: 4,
        members: 5,
        unpacked: 6,
        shaped: 7,
        ignored: 8,
        excluded: 9,
        too_large: 10,
        symlinks: 11,
        special: 12,
        git_folders: 13,
        objects: 14,
        already_there: 15,
    };
    let it = made(&Outcome { counts, ..Outcome::default() }, Choices::default()).summary;
    assert_eq!((it.files, it.git_files, it.bytes, it.archives), (1, 2, 3, 4));
    assert_eq!((it.members, it.unpacked, it.shaped_candidates), (5, 6, 7));
    let out = it.left_out;
    assert_eq!((out.ignored_files, out.excluded, out.too_large), (8, 9, 10));
    assert_eq!((out.symlinks, out.special, out.git_folders), (11, 12, 13));
    assert_eq!((it.objects, it.already_there), (14, 15));
}

fn message(severity: Severity, message: String) -> Issue {
    Issue::Recorded { severity, code: Code::FileMissing, message, object: None }
}

#[test]
fn the_severity_of_a_gap_decides_completeness() {
    let complete = |kind, strict| {
        let path = Some(PathBuf::from("a").into());
        let issue = Arc::new(message(kind, "x".to_owned()));
        let diagnostics = vec![Diagnostic::new(path, issue)];
        let outcome = Outcome { diagnostics, ..Outcome::default() };
        made(&outcome, Choices { strict, ..Choices::default() }).complete
    };
    assert!(complete(Severity::Opaque, false));
    assert!(!complete(Severity::Opaque, true));
    assert!(!complete(Severity::Unread, false));
    let interrupted = Outcome { interrupted: true, ..Outcome::default() };
    let interrupted = made(&interrupted, Choices::default());
    assert!(interrupted.interrupted && !interrupted.complete);
}

#[test]
fn all_text_of_a_scan_is_masked() {
    let path = |seed| PathBuf::from(token(seed)).join("x");
    let place = Location {
        path: Some(path(10).into()),
        change_status: Some(ChangeStatus::Moved(path(11))),
        layer: Some(token(12).into()),
        trace: Some(Arc::new(trace(&format!("{}/.git", token(13))))),
        ..location("")
    };
    let issue = Arc::new(message(Severity::Opaque, token(15)));
    let diagnostic = Diagnostic::new(Some(path(14).into()), issue);
    let unused = UnusedSuppression {
        by: SuppressionKind::Allow,
        fingerprint: finding(vec![]).fingerprint.into(),
        what: token(16),
        expired: None,
        candidates: Vec::new(),
    };
    let outcome = Outcome {
        findings: vec![Finding {
            suppression: suppression(SuppressionKind::Allow),
            ..finding(vec![place])
        }],
        diagnostics: vec![diagnostic],
        notes: vec![token(17)],
        repositories: vec![ScannedRepo { root: path(18).into(), head: None }],
        unused: vec![unused],
        ..Outcome::default()
    };
    let written = serde_json::to_string(&made(&outcome, Choices::default())).expect("a document");
    for seed in [1].into_iter().chain(9..=18) {
        assert!(!written.contains(&token(seed)[30..]), "token {seed}: {written}");
        assert!(written.contains(&token(seed)[..20]), "token {seed}: {written}");
    }
}

#[test]
fn secrets_are_in_a_document_only_on_request() {
    let findings = || vec![finding(vec![location("a")])];
    assert_eq!(of(findings()).findings[0].secret, None);
    let outcome = Outcome { findings: findings(), ..Outcome::default() };
    let shown = made(&outcome, Choices { show_secrets: true, ..Choices::default() });
    assert_eq!(shown.findings[0].secret, Some(token(1)));
}

#[test]
fn a_finding_is_described_by_its_rule_and_its_token() {
    let it = of(vec![finding(vec![location("a")])]).findings.remove(0);
    assert_eq!((&*it.rule, &*it.issuer), ("datadog-pat", "Datadog"));
    assert_eq!(it.name, "Datadog Personal Access Token");
    assert_eq!(it.token.uuid.as_deref(), Some("da1bd5f8-847b-4aec-a33d-11b04ebde244"));
    assert_eq!(it.token.alias.as_deref(), Some(&token(1)[6..28]));
    assert!(it.advice.is_some_and(|it| it.contains("da1bd5f8-847b-4aec-a33d-11b04ebde244")));
    assert_eq!(it.steps.len(), 3, "no hook outside of a repository");
}

#[test]
fn a_streamed_match_has_no_steps_objects_or_base_of_uris() {
    let held = HeldObject {
        id: object('a'),
        kind: Kind::Blob,
        is_in_members: false,
        spans: Arc::new([Span { offset: 1, len: 2 }]),
    };
    let known = suppression(SuppressionKind::Inline);
    let found = Finding {
        objects: vec![held],
        suppression: known,
        ..finding(vec![location("/elsewhere/a")])
    };
    let streamed = with_builder(Choices::default(), |it| it.occurrence(&found));
    assert!(streamed.steps.is_empty() && streamed.objects.is_empty());
    assert_eq!(streamed.locations[0].uri, None);
    assert_eq!(streamed.suppression.map(|it| it.by), Some(SuppressionKind::Inline));
    let whole = of(vec![found]).findings.remove(0);
    assert_eq!(whole.objects.len(), 1);
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_utf_8_is_given_in_hexadecimal() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let path = Some(PathBuf::from(OsStr::from_bytes(b"a\xff")).into());
    let it = place_of(Location { path, ..location("") });
    assert_eq!(it.path_hex.as_deref(), Some("61ff"));
    assert_eq!(it.uri.as_deref(), Some("a%FF"));
    assert_eq!(it.label(), "a\\xff:3:5");
    assert_eq!(place_of(location("a")).path_hex, None);
}

#[test]
fn a_location_has_its_change_status_and_encoding() {
    let plain = place_of(location("a"));
    assert_eq!((plain.change_status, plain.encoding, plain.moved_from), (None, None, None));
    let encoded = Encoding::PLAIN.with([Layer::Base64, Layer::Gzip]);
    let encoded = place_of(Location { encoding: encoded, ..location("a") });
    assert_eq!(encoded.encoding.as_deref(), Some("base64 of gzip"));
    for (change_status, word) in [
        (ChangeStatus::New, ChangeStatusWord::New),
        (ChangeStatus::Preexisting, ChangeStatusWord::Preexisting),
        (ChangeStatus::AlsoUnpushed, ChangeStatusWord::AlsoUnpushed),
        (ChangeStatus::Moved("b".into()), ChangeStatusWord::Moved),
    ] {
        let it = place_of(Location { change_status: Some(change_status), ..location("a") });
        assert_eq!(it.change_status, Some(word));
        let from = it.moved_from.map(|it| it.text().into_owned());
        assert_eq!(from.as_deref(), (word == ChangeStatusWord::Moved).then_some("b"));
    }
    let inline = Some(Inline { counts: false, reason: clean("why") });
    let it = place_of(Location { inline, is_new_place: true, ..location("a") });
    assert!(it.new_place && it.inline.is_some_and(|it| !it.counts));
}

#[test]
fn a_uri_is_given_only_if_it_does_not_follow_from_the_path() {
    // Below the base, which is the folder of the scan.
    assert_eq!(place_of(location("a b")).uri, None);
    let outside = place_of(location("/elsewhere/a b"));
    assert_eq!((outside.uri.as_deref(), &*outside.uri()), (None, "file:///elsewhere/a%20b"));
    let above = place_of(location("../b"));
    assert_eq!((above.uri.as_deref(), &*above.uri()), (None, "../b"));
    let reference = Location { part: Part::Ref, ..location("/nowhere/tree/r") };
    assert_eq!(place_of(reference).uri.as_deref(), Some("r"));
}

#[test]
fn uris_of_a_saved_report_are_checked_and_missing_ones_added() {
    let mut document = document(vec![record(vec![
        LocationRecord { uri: Some("a%20b".to_owned()), ..place("a") },
        LocationRecord { uri: Some("a b".to_owned()), ..place("a") },
        LocationRecord { uri: Some("https://example.org/a".to_owned()), ..place("a") },
    ])]);
    let repository = |path: &str, absolute_uri: &str| RepositoryRecord {
        path: clean(path),
        head: None,
        uri: Some("%zz".to_owned()),
        absolute_uri: absolute_uri.to_owned(),
        url: Some("javascript:alert(1)".to_owned()),
    };
    document.repositories =
        vec![repository("r", "file:///w/r"), repository("./r", ""), repository("/x", "x:y")];
    locate(&mut document, Some(Path::new("/root")));
    let uris: Vec<Option<&str>> =
        document.findings[0].locations.iter().map(|it| it.uri.as_deref()).collect();
    assert_eq!(uris, [Some("a%20b"), None, None]);
    let uris: Vec<&str> = document.repositories.iter().map(|it| &*it.absolute_uri).collect();
    assert_eq!(uris, ["file:///w/r", "file:///root/r", "file:///x"]);
    assert!(document.repositories.iter().all(|it| it.uri.is_none() && it.url.is_none()));
}

#[test]
fn only_sarif_describes_rules_without_findings() {
    let outcome = |findings| Outcome { findings, ..Outcome::default() };
    let described = |findings, described| {
        let document = made(&outcome(findings), Choices { described, ..Choices::default() });
        document.rules.into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert!(described(Vec::new(), DescribedRules::Found).is_empty());
    let findings = vec![finding(vec![location("a")]), finding(vec![location("b")])];
    assert_eq!(described(findings, DescribedRules::Found), [crate::tests::RULE]);
    assert_eq!(described(Vec::new(), DescribedRules::All).len(), rule_set().rules().len());
}
