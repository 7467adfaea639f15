//! Unit tests of the whole text report, on hand-written documents.

use super::*;
use crate::document::{ChangeStatusWord, LocationRecord, Record, RuleRecord};
use crate::next_steps::{HookKind, NextStepsContext, Surface};
use crate::tests::*;
use crate::trace::TraceRecord;
use ddpatrol_scan::finding::Part;

const fn options(context: &NextStepsContext) -> TextOptions<'_> {
    TextOptions {
        color: false,
        links: false,
        quiet: false,
        explain: false,
        show_dead: false,
        limit: None,
        width: None,
        elapsed: None,
        failing: 0,
        stops: None,
        context,
    }
}

fn text(document: &Document, change: impl FnOnce(&mut TextOptions<'_>)) -> String {
    let context = NextStepsContext::default();
    let mut options = options(&context);
    change(&mut options);
    let mut out = Vec::new();
    write(document, &options, &mut out).expect("a vector");
    String::from_utf8(out).expect("UTF-8")
}

fn headings(text: &str) -> Vec<&str> {
    text.lines().take_while(|it| !it.is_empty()).filter(|it| !it.starts_with(' ')).collect()
}

fn traced(git: TraceRecord) -> Record {
    record(vec![LocationRecord { git: Some(git), ..place("a") }])
}

fn removed() -> TraceRecord {
    TraceRecord { in_head: false, removed: vec![commit('b')], ..git() }
}

#[test]
fn sections_are_in_the_order_of_urgency() {
    let unreachable = TraceRecord { in_head: false, reachable: false, ..git() };
    let findings = vec![
        verified(traced(git()), "dead"),
        traced(unreachable),
        traced(removed()),
        traced(git()),
        record(vec![place("b")]),
        revoked(traced(git()), "revoked"),
        verified(traced(removed()), "live"),
        verified(traced(git()), "live"),
    ];
    let document = document(findings);
    assert_eq!(
        headings(&text(&document, |_| ())),
        [
            "LIVE, in HEAD (1)",
            "LIVE, in history (1)",
            "unknown, in HEAD (1)",
            "unknown, in files (1)",
            "unknown, in history (1)",
            "unknown, unreachable (1)",
            "revoked, in HEAD (1)",
            "dead (1) not listed (--show-dead)",
        ]
    );
    let all = text(&document, |it| it.show_dead = true);
    assert_eq!(headings(&all).last(), Some(&"dead, in HEAD (1)"));
}

#[test]
fn a_change_has_sections_of_its_own() {
    let words = [
        ChangeStatusWord::Preexisting,
        ChangeStatusWord::AlsoUnpushed,
        ChangeStatusWord::Moved,
        ChangeStatusWord::New,
    ];
    let findings = words.map(|word| record(vec![change_status(word)])).to_vec();
    assert_eq!(
        headings(&text(&document(findings), |_| ())),
        [
            "unknown, new in this change (1)",
            "unknown, moved in this change (1)",
            "unknown, also unpushed (1)",
            "unknown, before this change (1)",
        ]
    );
}

#[test]
fn the_most_urgent_findings_are_listed_first_in_few_lines() {
    let mut findings = vec![verified(traced(git()), "live"); 3];
    findings.extend(vec![traced(git()); 4]);
    findings.extend(vec![traced(removed()); 40]);
    findings.push(verified(traced(git()), "dead"));
    let document = document(findings);
    let sections = ["LIVE, in HEAD (3)", "unknown, in HEAD (4)", "unknown, in history (40)"];
    let mut most = 0;
    for limit in 12..=50 {
        let few = text(&document, |it| (it.limit, it.width) = (Some(limit), Some(80)));
        assert!(few.lines().count() <= limit, "{limit}: {few}");
        let mut listed = [0; 3];
        let mut current = None;
        for line in few.lines().take_while(|it| !it.is_empty()) {
            current = sections.iter().position(|it| *it == line).or(current);
            if line.contains(RULE) {
                listed[current.expect("a heading")] += 1;
            }
        }
        // A section lists findings only if every earlier one is complete.
        assert!(listed[1] == 0 || listed[0] == 3, "{limit}: {few}");
        assert!(listed[2] == 0 || listed[1] == 4, "{limit}: {few}");
        let all: usize = listed.iter().sum();
        assert!(all >= most, "{limit}: {few}");
        most = all;
        let unlisted = listed.iter().zip([3, 4, 40]).filter(|(some, all)| **some < *all).count();
        let place = if unlisted > 1 { format!(" in {unlisted} sections") } else { String::new() };
        let count = format!("{} more{place} (--limit 0 lists all)", 47 - all);
        assert!(all == 0 || few.contains(&count), "{limit}: {few}");
        assert_eq!(few.matches("(--limit 0 lists all)").count(), 1, "{limit}: {few}");
        assert_eq!(headings(&few).last(), Some(&"dead (1) not listed (--show-dead)"), "{few}");
    }
    assert!(most > 7, "{most}");
}

#[test]
fn a_path_is_never_cut_and_the_rest_fits_the_width() {
    let path = "a/very/long/path/".repeat(5) + "file.txt";
    let mut found = traced(git());
    found.locations[0].path = Some(clean(&path));
    found.token.redacted = format!("t_{}_***", "x".repeat(30));
    let narrow = text(&document(vec![found; 4]), |it| it.width = Some(60));
    let place = format!("{path}:3:5");
    assert_eq!(narrow.lines().filter(|it| it.trim() == place).count(), 4, "{narrow}");
    let rest = narrow.lines().take_while(|it| !it.is_empty()).filter(|it| !it.contains(&place));
    assert!(rest.clone().all(|it| it.chars().count() <= 60), "{narrow}");
    assert!(rest.clone().any(|it| it.starts_with("    datadog-pat t_xxx")), "{narrow}");
}

#[test]
fn further_places_are_counted_and_explained_on_request() {
    let places = ["a", "b", "c"].map(place).to_vec();
    let found = document(vec![record(places)]);
    let short = text(&found, |_| ());
    assert!(short.contains("  a:3:5 +2 places  datadog-pat t_***"), "{short}");
    assert!(short.contains("    also b:3:5, c:3:5\n"), "{short}");
    let full = text(&found, |it| it.explain = true);
    assert!(full.contains("    also b:3:5\n    also c:3:5\n"), "{full}");
    assert!(full.contains("    fingerprint 0123456789abcdef0123456789abcdef\n"), "{full}");
}

#[test]
fn rule_ids_are_linked_where_links_are_supported() {
    let mut found = document(vec![traced(git())]);
    found.rules = vec![RuleRecord {
        id: RULE.to_owned(),
        name: String::new(),
        issuer: String::new(),
        format: String::new(),
        documentation: Some("https://docs.example/pat".to_owned()),
        advice: None,
    }];
    let linked = text(&found, |it| it.links = true);
    let link = "\x1b]8;;https://docs.example/pat\x1b\\datadog-pat\x1b]8;;\x1b\\";
    assert!(linked.contains(link), "{linked:?}");
    assert!(!text(&found, |_| ()).contains('\x1b'));
}

#[test]
fn a_quiet_report_has_no_summary() {
    let quiet = text(&document(vec![traced(git())]), |it| it.quiet = true);
    assert!(!quiet.contains("Scanned") && !quiet.contains("leaked"), "{quiet}");
    assert_eq!(text(&document(vec![]), |it| it.quiet = true), "");
}

#[test]
fn a_failing_hook_names_the_stopped_command_first_and_how_to_allow_a_token_last() {
    let found = document(vec![record(vec![change_status(ChangeStatusWord::New)])]);
    let stopped = |stops, failing| {
        text(&found, |it| (it.stops, it.failing, it.quiet) = (Some(stops), failing, true))
    };
    for (stops, failing, first) in [
        (StoppedCommand::Commit, 1, "ddpatrol: commit refused: 1 new token"),
        (StoppedCommand::Push, 2, "ddpatrol: push refused: 2 new tokens"),
        (StoppedCommand::Message, 1, "ddpatrol: commit refused: the message contains a token"),
    ] {
        let text = stopped(stops, failing);
        assert_eq!(text.lines().next(), Some(first), "{text}");
        assert!(text.lines().last().is_some_and(|it| it.starts_with("False alarm? ")), "{text}");
        assert!(text.lines().count() <= 12, "{text}");
    }
    let passed = stopped(StoppedCommand::Commit, 0);
    assert!(!passed.contains("refused") && !passed.contains("False alarm"), "{passed}");
}

#[test]
fn a_message_is_not_a_file_of_the_project() {
    let context = NextStepsContext {
        surface: Surface::Hook(HookKind::CommitMsg),
        ..NextStepsContext::default()
    };
    let found = document(vec![record(vec![place("COMMIT_EDITMSG")])]);
    let mut out = Vec::new();
    let options = options(&context);
    write(&found, &options, &mut out).expect("a vector");
    let text = String::from_utf8(out).expect("UTF-8");
    assert_eq!(headings(&text), ["unknown, in the commit message (1)"]);
}

#[test]
fn a_reference_is_named_by_its_kind() {
    let named = |path: &str, name: &str| {
        let place = LocationRecord { part: Part::Ref, snippet: clean(name), ..place(path) };
        text(&document(vec![record(vec![place])]), |it| it.limit = Some(100))
    };
    for (path, name, label) in [
        (".", "refs/tags/rel-t_***", "  tag rel-t_***  "),
        (".", "refs/heads/t_***", "  branch t_***  "),
        ("a.git", "refs/remotes/origin/t_***", "  a.git: remote branch origin/t_***  "),
        (".", "refs/notes/t_***", "  reference refs/notes/t_***  "),
    ] {
        let text = named(path, name);
        assert!(text.lines().any(|it| it.starts_with(label)), "{text}");
    }
}
