//! Tests of the status of hand-written records.

use super::*;
use crate::document::InlineRecord;
use crate::tests::*;
use crate::trace::TraceRecord;
use ddpatrol_scan::finding::suppression::SuppressionKind;

fn in_git(git: TraceRecord) -> LocationRecord {
    LocationRecord { git: Some(git), ..place("a") }
}

#[test]
fn a_change_passes_only_if_no_location_is_new() {
    let moved = |words: &[Option<ChangeStatusWord>]| {
        record(words.iter().map(|&it| LocationRecord { change_status: it, ..place("a") }).collect())
            .passes_change()
    };
    let (old, also) = (Some(ChangeStatusWord::Preexisting), Some(ChangeStatusWord::AlsoUnpushed));
    assert!(moved(&[Some(ChangeStatusWord::Moved), old, also]));
    assert!(!moved(&[old, Some(ChangeStatusWord::New)]));
    assert!(!moved(&[old, None]));
    assert!(!moved(&[]));
}

#[test]
fn a_suppressed_finding_is_listed_only_with_a_new_location() {
    let mut it = record(vec![place("a")]);
    assert!(it.is_listed() && it.needs_action());
    it.suppression = Some(suppressed(SuppressionKind::Baseline));
    assert!(!it.is_listed() && !it.needs_action());
    it.locations[0].new_place = true;
    assert!(it.is_listed() && !it.needs_action());
}

#[test]
fn only_proven_tokens_not_known_to_be_dead_need_action() {
    let shaped = Record { evidence: Evidence::Shaped, ..record(vec![place("a")]) };
    assert!(!shaped.needs_action());
    assert!(!verified(record(vec![]), "dead").needs_action());
    assert!(!revoked(record(vec![]), "revoked").needs_action());
    assert!(verified(record(vec![]), "live").needs_action());
    assert!(revoked(record(vec![]), "failed").needs_action());
}

#[test]
fn secrets_are_shown_only_if_the_report_contains_them() {
    let mut it = record(vec![]);
    assert_eq!(it.shown_token(), "t_***");
    it.secret = Some("t_secret".to_owned());
    assert_eq!(it.shown_token(), "t_secret");
}

#[test]
fn verdicts_and_outcomes_have_texts() {
    for (verdict, outcome, life, words) in [
        (None, None, Liveness::Unknown, "not verified"),
        (Some("unknown"), None, Liveness::Unknown, "unknown if live"),
        (Some("live"), None, Liveness::Live, "live"),
        (Some("dead"), None, Liveness::Dead, "dead"),
        (Some("dead"), Some("planned"), Liveness::Dead, "dead"),
        (Some("live"), Some("planned"), Liveness::Live, "live"),
        (None, Some("planned"), Liveness::Unknown, "not verified"),
        (Some("live"), Some("revoked"), Liveness::Dead, "revoked"),
        (None, Some("already_dead"), Liveness::Dead, "dead"),
        (Some("live"), Some("failed"), Liveness::Live, "live, not revoked"),
        (Some("live"), Some("cannot_revoke"), Liveness::Live, "live, not revoked"),
        (Some("unknown"), Some("failed"), Liveness::Unknown, "not revoked"),
        (None, Some("cannot_revoke"), Liveness::Unknown, "not revoked"),
    ] {
        let mut it = record(vec![]);
        if let Some(verdict) = verdict {
            it = verified(it, verdict);
        }
        if let Some(outcome) = outcome {
            it = revoked(it, outcome);
        }
        assert_eq!((it.liveness(), it.liveness_words()), (life, words), "{verdict:?}, {outcome:?}");
    }
}

#[test]
fn the_attribution_decides_where_a_location_still_is() {
    let gone = || TraceRecord { in_head: false, ..git() };
    let removed = || TraceRecord { removed: vec![commit('b')], ..gone() };
    for (place, presence) in [
        (change_status(ChangeStatusWord::Preexisting), Presence::Change),
        (
            LocationRecord { change_status: Some(ChangeStatusWord::New), ..in_git(gone()) },
            Presence::Change,
        ),
        (
            LocationRecord { change_status: Some(ChangeStatusWord::New), ..in_git(removed()) },
            Presence::ChangeHistory,
        ),
        (place("a"), Presence::Here),
        (in_git(git()), Presence::Here),
        (in_git(TraceRecord { reachable: false, ..git() }), Presence::Here),
        (in_git(TraceRecord { reachable: false, ..removed() }), Presence::Unreachable),
        (in_git(removed()), Presence::Removed),
        (in_git(gone()), Presence::Elsewhere),
    ] {
        assert_eq!(place.presence(), presence, "{place:?}");
    }
}

#[test]
fn a_finding_has_the_most_severe_presence_of_its_locations() {
    let unreachable = in_git(TraceRecord { in_head: false, reachable: false, ..git() });
    let removed = in_git(TraceRecord { in_head: false, removed: vec![commit('b')], ..git() });
    let elsewhere = in_git(TraceRecord { in_head: false, ..git() });
    let mut places = vec![unreachable];
    assert_eq!(record(places.clone()).presence(), Presence::Unreachable);
    for (place, presence) in [
        (removed, Presence::Removed),
        (elsewhere, Presence::Elsewhere),
        (place("a"), Presence::Here),
        (change_status(ChangeStatusWord::New), Presence::Change),
    ] {
        places.push(place);
        assert_eq!(record(places.clone()).presence(), presence);
    }
    assert_eq!(record(vec![]).presence(), Presence::Unreachable);
}

#[test]
fn the_first_location_with_a_commit_has_the_introducing_commit() {
    let unheld = in_git(TraceRecord { introduced: None, ..git() });
    let other = in_git(TraceRecord { introduced: Some(commit('b')), ..git() });
    let it = record(vec![place("a"), unheld, in_git(git()), other]);
    assert_eq!(it.introduced().and_then(|it| it.commit.chars().next()), Some('a'));
    assert!(record(vec![place("a")]).introduced().is_none());
}

#[test]
fn labels_use_the_path_or_the_object() {
    let no_path = || LocationRecord { path: None, ..place("") };
    let of = |part, kind: &str| LocationRecord {
        part,
        git: Some(TraceRecord { kind: kind.to_owned(), ..git() }),
        ..no_path()
    };
    let unheld = LocationRecord {
        git: Some(TraceRecord { introduced: None, ..git() }),
        ..of(Part::Commit, "commit")
    };
    let in_object = |line| LocationRecord { object_line: Some(line), ..of(Part::Commit, "commit") };
    for (place, label) in [
        (place("a/b"), "a/b:3:5"),
        (LocationRecord { part: Part::Name, ..place("a/b") }, "a/b"),
        (LocationRecord { part: Part::Ref, ..place("a/b") }, "key = t_***"),
        (no_path(), "standard input:3:5"),
        (of(Part::Content, "blob"), "blob ffffffffffff:3:5"),
        (of(Part::Tag, "tag"), "tag ffffffffffff: line 3"),
        (in_object(8), "commit aaaaaaaaaaaa: message line 3"),
        (in_object(3), "commit aaaaaaaaaaaa: header line 3"),
        (unheld, "blob ffffffffffff: line 3"),
    ] {
        assert_eq!(place.label(), label);
    }
}

#[test]
fn remarks_complete_the_label() {
    assert_eq!(place("a").remarks(), Vec::<String>::new());
    for (part, words) in [
        (Part::Name, "in the name of the file or folder"),
        (Part::Ref, "in the name of a branch, tag or other reference"),
        (Part::Commit, "in the text of a commit"),
        (Part::Tag, "in the text of a tag"),
    ] {
        assert_eq!(LocationRecord { part, ..place("a") }.remarks(), [words]);
    }
    let all = LocationRecord {
        encoding: Some("base64".to_owned()),
        layer: Some(clean("layer 2")),
        new_place: true,
        inline: Some(InlineRecord { counts: true, reason: clean("a test") }),
        ..change_status(ChangeStatusWord::Preexisting)
    };
    let new = "new place: the baseline does not list the token here";
    let inline = "allowed inline: a test";
    let expected = ["encoded: base64", "in layer 2", "existed before the change", new, inline];
    assert_eq!(all.remarks(), expected);
    let moved =
        LocationRecord { moved_from: Some(clean("b")), ..change_status(ChangeStatusWord::Moved) };
    assert_eq!(moved.remarks(), ["moved here from b"]);
    assert_eq!(change_status(ChangeStatusWord::AlsoUnpushed).remarks(), [ALSO_UNPUSHED]);
    assert_eq!(change_status(ChangeStatusWord::New).remarks(), Vec::<String>::new());
}

#[test]
fn a_token_that_the_head_of_a_change_no_longer_has_was_removed() {
    let remarks = |git: TraceRecord, word| {
        LocationRecord { change_status: Some(word), ..in_git(git) }.remarks()
    };
    let gone = TraceRecord { in_head: false, removed: vec![commit('b')], ..git() };
    let rest = "not at this path in the head of the change, but in its history";
    let new = ChangeStatusWord::New;
    assert_eq!(remarks(gone.clone(), new), [format!("removed again by bbbbbbbbbbbb: {rest}")]);
    let often = TraceRecord { removed_total: Some(3), ..gone.clone() };
    let expected = format!("removed again by bbbbbbbbbbbb and 2 more: {rest}");
    assert_eq!(remarks(often, new), [expected]);
    let old = remarks(gone.clone(), ChangeStatusWord::Preexisting);
    assert_eq!(old[1], format!("removed by bbbbbbbbbbbb: {rest}"));
    // A token that was added again, and a report of a version that did not determine removals.
    let none = Vec::<String>::new();
    assert_eq!(remarks(TraceRecord { in_head: true, ..gone.clone() }, new), none);
    assert_eq!(remarks(TraceRecord { removed: Vec::new(), ..gone }, new), none);
}

#[test]
fn text_is_truncated_by_characters_with_an_ellipsis() {
    assert_eq!(cut("é日x", 3), "é日x");
    assert_eq!(cut("é日xy", 2), "é日…");
    assert_eq!((short("abc"), short("0123456789abcdef")), ("abc", "0123456789ab"));
}
