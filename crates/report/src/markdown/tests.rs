//! Tests of Markdown for hand-written documents.

use super::*;
use crate::document::ChangeStatusWord;
use crate::places::places;
use crate::tests::{clean, document, git, note, place, record, suppressed, verified};
use crate::trace::TraceRecord;
use ddpatrol_engine::source::Severity;
use ddpatrol_scan::finding::suppression::SuppressionKind;

fn text(document: &Document) -> String {
    let mut out = Vec::new();
    write(document, &mut out).expect("a vector takes it");
    String::from_utf8(out).expect("reports are UTF-8")
}

#[test]
fn omitted_items_are_counted_and_the_order_is_kept() {
    let item = |len: usize| "x".repeat(len);
    let fitted = |items: &[usize], room| fitted(items.iter().map(|&it| item(it)), room, "listed");
    assert_eq!(fitted(&[10, 20], 230), item(30));
    let one = fitted(&[10, 20], 229);
    let words =
        "**1 more is not listed here** because of the size limit; `--report json` lists all.";
    assert_eq!(one, format!("{}\n{words}\n\n", item(10)));
    // A small item after a large one does not change the order.
    let two = fitted(&[10, 200, 1], 300);
    assert!(two.starts_with(&format!("{}\n**2 more are not", item(10))), "{two}");
    assert_eq!(fitted(&[], 0), "");
}

#[test]
fn an_incomplete_report_starts_with_a_caution() {
    let mut it = document(vec![]);
    it.summary.files = 1;
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
    it.notes = vec![clean("a note"); MAX_PLACES + 1];
    let text = text(&it);
    assert_eq!(text.matches("- Note: a note.\n").count(), MAX_PLACES);
    assert!(text.contains("- 1 more note.\n"), "{text}");
}

#[test]
fn a_row_has_the_first_place_and_counts_the_others() {
    let git = LocationRecord { git: Some(git()), ..place("a|b") };
    let mut it = record(vec![git, place("c")]);
    it.token.uuid = Some("id".to_owned());
    assert_eq!(
        row(&Item::new(&it)),
        "| Example Token `t_***` | <code>a&#124;b&#58;3&#58;5</code> and 1 more | \
         `aaaaaaaaaaaa` | `id` | **not verified**, in HEAD | Revoke it. |\n"
    );
    let none = "| Example Token `t_***` |  |  |  | **not verified**, unreachable | Revoke it. |\n";
    assert_eq!(row(&Item::new(&record(vec![]))), none);
}

#[test]
fn the_next_step_depends_on_the_state() {
    let known = Record { suppression: Some(suppressed(SuppressionKind::Allow)), ..record(vec![]) };
    assert_eq!(next(&known), "suppressed: on the allowlist: an example");
    let shaped = Record { evidence: Evidence::Shaped, ..record(vec![]) };
    assert_eq!(next(&shaped), "review it: it has no valid checksum");
    let dead = verified(record(vec![]), "dead");
    assert_eq!(next(&dead), "nothing: the token is no longer valid");
    let step = super::super::remediation::RemediationStep {
        kind: super::super::remediation::StepKind::default(),
        run_commands: Vec::new(),
        aim: super::super::remediation::Aim::Revoke,
        text: clean("first this"),
        commands: vec![clean("a `command`")],
    };
    let stepped = Record { steps: vec![step], ..record(vec![]) };
    assert_eq!(next(&stepped), "first this");
    assert_eq!(next(&record(vec![])), "Revoke it.");
    let details = details(&Item::new(&stepped));
    assert!(
        details.contains("1. first this\n   - <code>a &#96;command&#96;</code>\n"),
        "{details}"
    );
    assert!(!self::details(&Item::new(&dead)).contains("1. "));
}

#[test]
fn details_list_places_up_to_a_limit_and_count_the_rest() {
    let of = |len: usize| details(&Item::new(&record(vec![place("a"); len])));
    let line = "- `a:3:5`\n";
    assert_eq!(of(MAX_PLACES).matches(line).count(), MAX_PLACES);
    assert!(!of(MAX_PLACES).contains("more"));
    assert!(of(MAX_PLACES + 1).contains("- … and 1 more place\n"));
    assert!(of(MAX_PLACES + 2).contains("- … and 2 more places\n"));
}

#[test]
fn a_location_has_its_introducing_commit_and_its_current_state() {
    let traced = LocationRecord { git: Some(git()), ..place("a") };
    let line = |it: &LocationRecord| super::place(&places(&record(vec![it.clone()]))[0]);
    let introduced = "introduced by aaaaaaaaaaaa (2026-01-02, Ada `<a@example.org>)` a subject";
    let fate = "still in HEAD; on main";
    assert_eq!(line(&traced), format!("`a:3:5`; {introduced}; {fate}"));
    // The current state is not shown for a change.
    let new = LocationRecord { change_status: Some(ChangeStatusWord::New), ..traced.clone() };
    assert_eq!(line(&new), format!("`a:3:5`; {introduced}"));
    let unheld =
        LocationRecord { git: Some(TraceRecord { introduced: None, ..git() }), ..place("a") };
    assert_eq!(line(&unheld), format!("`a:3:5`; {fate}"));
}

#[test]
fn suppressed_findings_have_a_section_of_their_own() {
    let known = |new_place| Record {
        suppression: Some(suppressed(SuppressionKind::Baseline)),
        ..record(vec![LocationRecord { new_place, ..place("a") }])
    };
    let title = "<details><summary>Suppressed</summary>";
    let it = text(&document(vec![known(false)]));
    assert!(it.contains(title) && !it.contains("### Findings"), "{it}");
    let line = "- Example Token `t_***` at `a:3:5`: suppressed: in the baseline: an example\n";
    assert!(it.contains(line), "{it}");
    // A finding with a new location is listed.
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
fn secrets_are_shown_only_if_the_report_contains_them() {
    let shown = Record { secret: Some("t_secret".to_owned()), ..record(vec![place("a")]) };
    assert!(text(&document(vec![shown])).contains("`t_secret`"));
}

#[test]
fn a_place_in_head_and_the_work_tree_is_listed_once() {
    let traced = LocationRecord { git: Some(git()), ..place("a") };
    let details = details(&Item::new(&record(vec![traced, place("a")])));
    assert_eq!(details.matches("`a:3:5`").count(), 1, "{details}");
}

#[test]
fn findings_are_in_the_order_of_the_text_report() {
    let gone = TraceRecord { in_head: false, ..git() };
    let gone = LocationRecord { git: Some(gone), ..place("a") };
    let it = text(&document(vec![
        verified(record(vec![place("d")]), "dead"),
        record(vec![gone]),
        record(vec![place("b")]),
        verified(record(vec![place("c")]), "live"),
    ]));
    let at = |label: &str| it.find(label).expect("a row");
    let order = ["`c:3:5`", "`b:3:5`", "`a:3:5`", "`d:3:5`"].map(at);
    assert!(order.is_sorted(), "{it}");
}

#[test]
fn paths_and_commits_are_links_to_web_pages_and_owners_are_listed() {
    let traced = |url: &str| {
        let mut git = git();
        git.introduced.as_mut().expect("a commit").url = Some("https://x.org/c/a".to_owned());
        let owners = vec![clean("@org/team")];
        LocationRecord { git: Some(git), url: Some(url.to_owned()), owners, ..place("a") }
    };
    let it = text(&document(vec![record(vec![traced("https://x.org/b_c#L3")])]));
    assert_eq!(it.matches("[`a:3:5`](https://x.org/b_c#L3)").count(), 2, "{it}");
    assert_eq!(it.matches("[`aaaaaaaaaaaa`](https://x.org/c/a)").count(), 2, "{it}");
    assert!(it.contains("owned by `@org/team`"), "{it}");
    for url in ["javascript:a", "https://x.org/a)b", "https://x.org/a b", "https://x.org/a|b"] {
        let it = text(&document(vec![record(vec![traced(url)])]));
        assert!(!it.contains("[`a:3:5`]"), "{it}");
    }
}
