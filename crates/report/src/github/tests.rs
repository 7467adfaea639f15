//! Tests of annotations for hand-written documents.

use super::*;
use crate::document::UnusedRecord;
use crate::tests::*;
use crate::trace::TraceRecord;
use ddpatrol_engine::source::Severity;
use ddpatrol_scan::finding::suppression::SuppressionKind;

fn lines(document: &Document) -> Vec<String> {
    let mut out = Vec::new();
    write(document, &mut out).expect("a vector takes it");
    String::from_utf8(out).expect("reports are UTF-8").lines().map(str::to_owned).collect()
}

/// Returns the level and the title of each line.
fn titles(document: &Document) -> Vec<(String, String)> {
    let title = |line: String| {
        let (properties, _) = line[2..].split_once("::").expect("a command").to_owned();
        let level = properties.split(' ').next().unwrap_or_default().to_owned();
        (level, properties.rsplit("title=").next().unwrap_or_default().to_owned())
    };
    lines(document).into_iter().map(title).collect()
}

fn level(record: &Record) -> Option<&'static str> {
    level_of(record).map(|it| match it {
        AnnotationLevel::Error => "error",
        AnnotationLevel::Warning => "warning",
        AnnotationLevel::Notice => "notice",
    })
}

#[test]
fn the_level_depends_on_whether_a_finding_fails() {
    assert_eq!(level(&record(vec![place("a")])), Some("error"));
    let moved = record(vec![change_status(ChangeStatusWord::Moved)]);
    assert_eq!(level(&moved), Some("warning"));
    let shaped = Record { evidence: Evidence::Shaped, ..record(vec![place("a")]) };
    assert_eq!(level(&shaped), Some("notice"));
    let mut known = record(vec![place("a")]);
    known.suppression = Some(suppressed(SuppressionKind::Baseline));
    assert_eq!(level(&known), None);
    known.locations[0].new_place = true;
    assert_eq!(level(&known), Some("warning"));
}

#[test]
fn lines_of_the_change_are_annotated_before_others() {
    let old =
        || LocationRecord { git: Some(TraceRecord { in_head: false, ..git() }), ..place("a") };
    for (place, expected) in [
        (change_status(ChangeStatusWord::New), 0),
        (change_status(ChangeStatusWord::Moved), 0),
        (LocationRecord { new_place: true, ..change_status(ChangeStatusWord::New) }, 1),
        (LocationRecord { new_place: true, ..place("a") }, 0),
        (place("a"), 1),
        (LocationRecord { git: Some(git()), ..place("a") }, 1),
        (change_status(ChangeStatusWord::Preexisting), 1),
        (LocationRecord { change_status: Some(ChangeStatusWord::Preexisting), ..old() }, 1),
        (old(), 2),
        (LocationRecord { part: Part::Name, ..place("a") }, 3),
        (LocationRecord { path: None, ..place("a") }, 3),
    ] {
        assert_eq!(rank(&place), expected, "{place:?}");
    }
}

#[test]
fn a_masked_or_escaped_path_has_no_line() {
    let line = |it: LocationRecord| line_of(&it);
    assert_eq!(line(place("a b")).as_deref(), Some("a b"));
    let within = LocationRecord { repository_path: Some(clean("b")), ..place("r/b") };
    assert_eq!(line(within).as_deref(), Some("b"));
    assert_eq!(line(place("ddpat_***/a")), None);
    assert_eq!(line(place("a\u{1b}b")), None);
    assert_eq!(line(LocationRecord { path_hex: Some("61ff".to_owned()), ..place("a\\xff") }), None);
    assert_eq!(line(LocationRecord { uri: Some("a%FF".to_owned()), ..place("a") }), None);
    assert_eq!(line(LocationRecord { part: Part::Name, ..place("a") }), None);
}

#[test]
fn columns_are_given_only_within_a_line() {
    let first = |place: LocationRecord| lines(&document(vec![record(vec![place])])).remove(0);
    let one = first(place("a,b:c"));
    let start = "::error file=a%2Cb%3Ac,line=3,endLine=3,col=5,endColumn=8,title=";
    assert!(one.starts_with(start), "{one}");
    let empty = first(LocationRecord { end_column: 5, ..place("a") });
    assert!(empty.contains("col=5,endColumn=5,"), "{empty}");
    let several = first(LocationRecord { end_line: 4, ..place("a") });
    assert!(several.starts_with("::error file=a,line=3,endLine=4,title="), "{several}");
    // A line that no longer exists and is not in the change is only in the text.
    let old = LocationRecord { git: Some(TraceRecord { in_head: false, ..git() }), ..place("a") };
    let old = first(old);
    assert!(old.starts_with("::error title=Leaked Example Token::"), "{old}");
    assert!(old.contains("%0APlace: a:3:5%0A"), "{old}");
}

#[test]
fn the_most_relevant_findings_come_first_and_dead_ones_last() {
    let named = |name: &str, place| Record { name: name.to_owned(), ..record(vec![place]) };
    let gone = LocationRecord { part: Part::Name, ..place("c") };
    let document = document(vec![
        verified(named("dead", change_status(ChangeStatusWord::New)), "dead"),
        named("nameless", gone),
        named("old", place("a")),
        named("new", change_status(ChangeStatusWord::New)),
    ]);
    let titles: Vec<String> = titles(&document).into_iter().map(|it| it.1).collect();
    let expected = ["Leaked new", "Leaked old", "Leaked nameless", "Leaked dead", "ddpatrol"];
    assert_eq!(titles, expected);
}

#[test]
fn a_finding_is_annotated_at_its_most_relevant_location() {
    let old = LocationRecord { git: Some(TraceRecord { in_head: false, ..git() }), ..place("old") };
    let document = document(vec![record(vec![old, place("now")])]);
    let line = lines(&document).remove(0);
    assert!(line.starts_with("::error file=now,"), "{line}");
    assert!(line.contains("%0AAlso in 1 more place.%0A"), "{line}");
}

#[test]
fn ten_annotations_per_level_are_written_and_the_rest_counted() {
    let shaped = Record { evidence: Evidence::Shaped, ..record(vec![place("b")]) };
    let moved = record(vec![change_status(ChangeStatusWord::Moved)]);
    let mut document = document(vec![]);
    document.findings.extend(vec![record(vec![place("a")]); MAX_ANNOTATIONS + 2]);
    document.findings.extend(vec![moved; MAX_ANNOTATIONS]);
    document.findings.extend(vec![shaped; MAX_ANNOTATIONS]);
    document.diagnostics = vec![note(Severity::Opaque)];
    document.unused = vec![UnusedRecord {
        by: SuppressionKind::Baseline,
        fingerprint: "f".to_owned(),
        what: clean("t"),
        expired: None,
        candidates: Vec::new(),
    }];
    let all = titles(&document);
    for level in ["error", "warning", "notice"] {
        assert_eq!(
            all.iter().filter(|it| it.0 == level).count(),
            MAX_ANNOTATIONS,
            "{level}: {all:?}"
        );
    }
    // Two errors, two warnings (one for the gap) and two notices.
    let line = lines(&document).into_iter().find(|it| it.contains("more findings::"));
    let line = line.expect("a line");
    assert!(line.contains("::6 more findings are not annotated"), "{line}");
}

#[test]
fn gaps_are_listed_with_the_unread_ones_first() {
    assert!(gaps(&document(vec![])).is_none());
    let mut it = document(vec![]);
    it.diagnostics = vec![note(Severity::Opaque); MAX_LINES + 2];
    it.diagnostics.push(Note { path: Some(clean("a")), ..note(Severity::Unread) });
    let annotation = gaps(&it).expect("gaps");
    assert_eq!(annotation.title, "ddpatrol: not scanned");
    assert_eq!(annotation.lines.len(), 1 + MAX_LINES + 1);
    assert_eq!(annotation.lines[1], "a: cannot be read");
    assert_eq!(annotation.lines[1 + MAX_LINES], "and 3 more");
    it.complete = false;
    it.diagnostics.clear();
    assert_eq!(gaps(&it).expect("a gap").title, "ddpatrol: incomplete");
}

#[test]
fn advice_is_given_if_a_finding_needs_action() {
    let text = |record: Record| lines(&document(vec![record])).remove(0);
    assert!(text(record(vec![place("a")])).ends_with("%0ARevoke it."));
    let dead = text(verified(record(vec![place("a")]), "dead"));
    assert!(dead.ends_with("%0Averified dead: said so"), "{dead}");
}
