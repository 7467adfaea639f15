//! Markdown of documents written by hand.

use super::*;
use crate::report::document::ChangeStatusWord;
use crate::report::tests::{clean, document, git, note, place, record, suppressed, verified};
use crate::report::trace::TraceRecord;
use crate::source::Severity;
use ddpatrol_scan::finding::suppression::By;

fn text(document: &Document) -> String {
    let mut out = Vec::new();
    write(document, &mut out).expect("a vector takes it");
    String::from_utf8(out).expect("reports are UTF-8")
}

#[test]
fn what_does_not_fit_is_counted_and_order_is_kept() {
    let item = |len: usize| "x".repeat(len);
    let fitted = |items: &[usize], room| fitted(items.iter().map(|&it| item(it)), room, "listed");
    assert_eq!(fitted(&[10, 20], 230), item(30));
    let one = fitted(&[10, 20], 229);
    let words = "**1 more is not listed here**, for want of room; `--report json` has all.";
    assert_eq!(one, format!("{}\n{words}\n\n", item(10)));
    // A small one behind a large one is not taken out of the order.
    let two = fitted(&[10, 200, 1], 300);
    assert!(two.starts_with(&format!("{}\n**2 more are not", item(10))), "{two}");
    assert_eq!(fitted(&[], 0), "");
}

#[test]
fn an_incomplete_report_says_so_first() {
    let mut it = document(vec![]);
    assert!(text(&it).starts_with("## ddpatrol: No proven tokens\n"));
    it.complete = false;
    it.interrupted = true;
    let caution = "> [!CAUTION]\n> **Interrupted: this report is partial.**\n\n## ddpatrol: ";
    assert!(text(&it).starts_with(caution));
    assert!(!scope(&it).contains("partial"));
}

#[test]
fn notes_beyond_the_limit_are_counted() {
    let mut it = document(vec![]);
    it.notes = vec![clean("a note"); MOST_PLACES + 1];
    let text = text(&it);
    assert_eq!(text.matches("- Note: a note.\n").count(), MOST_PLACES);
    assert!(text.contains("- 1 more note.\n"), "{text}");
}

#[test]
fn a_row_has_the_first_place_and_counts_the_others() {
    let git = LocationRecord { git: Some(git()), ..place("a|b") };
    let mut it = record(vec![git, place("c")]);
    it.token.uuid = Some("id".to_owned());
    assert_eq!(
        row(&it),
        "| Example Token `t_***` | <code>a&#124;b&#58;3&#58;5</code> and 1 more | \
         `aaaaaaaaaaaa` | `id` | **not verified**, still there | Revoke it. |\n"
    );
    let none = "| Example Token `t_***` |  |  |  | **not verified**, unreachable | Revoke it. |\n";
    assert_eq!(row(&record(vec![])), none);
}

#[test]
fn the_next_step_depends_on_the_state() {
    let known = Record { suppression: Some(suppressed(By::Allow)), ..record(vec![]) };
    assert_eq!(next(&known), "does not count: on the allow list: an example");
    let shaped = Record { evidence: Evidence::Shaped, ..record(vec![]) };
    assert_eq!(next(&shaped), "look at it: no checksum proves it");
    let dead = verified(record(vec![]), "dead");
    assert_eq!(next(&dead), "nothing: it is no danger any more");
    let step = super::super::advice::RemediationStep {
        aim: super::super::advice::Aim::Revoke,
        text: clean("first this"),
        commands: vec![clean("a `command`")],
    };
    let stepped = Record { steps: vec![step], ..record(vec![]) };
    assert_eq!(next(&stepped), "first this");
    assert_eq!(next(&record(vec![])), "Revoke it.");
    let details = details(&stepped);
    assert!(
        details.contains("1. first this\n   - <code>a &#96;command&#96;</code>\n"),
        "{details}"
    );
    assert!(!self::details(&dead).contains("1. "));
}

#[test]
fn details_list_so_many_places_and_count_the_rest() {
    let of = |len: usize| details(&record(vec![place("a"); len]));
    let line = "- `a:3:5`\n";
    assert_eq!(of(MOST_PLACES).matches(line).count(), MOST_PLACES);
    assert!(!of(MOST_PLACES).contains("more"));
    assert!(of(MOST_PLACES + 1).contains("- … and 1 more place\n"));
    assert!(of(MOST_PLACES + 2).contains("- … and 2 more places\n"));
}

#[test]
fn a_place_says_who_brought_the_token_and_what_became_of_it() {
    let traced = LocationRecord { git: Some(git()), ..place("a") };
    let brought = "introduced by aaaaaaaaaaaa (2026-01-02, Ada) a subject";
    let fate = "still in HEAD; reached by refs/heads/main";
    assert_eq!(super::place(&traced), format!("`a:3:5`; {brought}; {fate}"));
    // What became of it later is no matter of the change.
    let new = LocationRecord { change_status: Some(ChangeStatusWord::New), ..traced.clone() };
    assert_eq!(super::place(&new), format!("`a:3:5`; {brought}"));
    let unheld =
        LocationRecord { git: Some(TraceRecord { introduced: None, ..git() }), ..place("a") };
    assert_eq!(super::place(&unheld), format!("`a:3:5`; {fate}"));
}

#[test]
fn what_does_not_count_is_in_a_section_of_its_own() {
    let known = |new_place| Record {
        suppression: Some(suppressed(By::Baseline)),
        ..record(vec![LocationRecord { new_place, ..place("a") }])
    };
    let title = "<details><summary>What does not count</summary>";
    let it = text(&document(vec![known(false)]));
    assert!(it.contains(title) && !it.contains("### Findings"), "{it}");
    let line = "- Example Token `t_***` at `a:3:5`: does not count: in the baseline: an example\n";
    assert!(it.contains(line), "{it}");
    // A new place makes it a finding to look at.
    let it = text(&document(vec![known(true)]));
    assert!(!it.contains(title) && it.contains("### Findings"), "{it}");
}

#[test]
fn gaps_name_their_place_and_kind() {
    let mut it = document(vec![]);
    it.diagnostics = vec![Note { path: Some(clean("a b")), ..note(Severity::Unread) }];
    it.diagnostics.push(note(Severity::Opaque));
    let lines = "- `a b`: cannot be read (unread)\n- cannot be read (opaque)\n";
    assert!(text(&it).contains(lines), "{}", text(&it));
    it.diagnostics.clear();
    assert!(!text(&it).contains("<details>"));
}

#[test]
fn secrets_are_shown_only_where_the_report_has_them() {
    let shown = Record { secret: Some("t_secret".to_owned()), ..record(vec![place("a")]) };
    assert!(text(&document(vec![shown])).contains("`t_secret`"));
}
