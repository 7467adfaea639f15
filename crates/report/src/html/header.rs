//! The top of the page: verdict, numbers, times and completeness.

use super::listed::{Listed, State};
use super::markup::{MAX_ENTRIES, omitted, visible};
use crate::document::{Document, Record};
use ddpatrol_scan::quantity::number;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Returns the header.
pub(super) fn top(document: &Document, listed: &[Listed<'_>]) -> Markup {
    let state = if document.complete { "complete" } else { "incomplete" };
    html! {
        header.top { "\n"
            p.brand { "ddpatrol " span { "report" } (times(document)) } "\n"
            h1 class=(tone(document, listed)) {
                (visible(document.verdict().trim_end_matches('.')))
            }
            "\n"
            p class=(state) {
                (visible(&document.completeness()))
                @if !document.diagnostics.is_empty() { " " a href="#issues" { "Details" } }
            }
            "\n"
            (counts(document, listed))
            @for line in document.sentences() { p.line { (visible(&line)) } "\n" }
            @for note in document.notes.iter().take(MAX_ENTRIES) {
                p.line { "Note: " (visible(&note.text())) "." } "\n"
            }
            (omitted(document.notes.len(), MAX_ENTRIES))
            @if document.findings.iter().any(Record::needs_action) {
                p.line { a href="#next-steps" { "Next steps" } }
                "\n"
            }
        }
        "\n"
    }
}

fn tone(document: &Document, listed: &[Listed<'_>]) -> &'static str {
    let is_open = |it: &Listed<'_>| matches!(it.group.state, State::Live | State::Unknown);
    match (document.summary.proven, document.complete) {
        (0, true) => "good",
        (0, false) => "warn",
        _ if listed.iter().any(is_open) => "bad",
        _ => "warn",
    }
}

fn times(document: &Document) -> Markup {
    html! {
        @if let Some(start) = &document.start_time {
            span #times {
                time datetime=(visible(start)) { (visible(start)) }
                @if let Some(end) = &document.end_time {
                    " – " time datetime=(visible(end)) { (visible(end)) }
                }
            }
        }
    }
}

fn counts(document: &Document, listed: &[Listed<'_>]) -> Markup {
    let of = |state| listed.iter().filter(|it| it.group.state == state).count();
    let proven = || listed.iter().filter(|it| it.group.state != State::Unproven);
    let repositories: BTreeSet<usize> =
        proven().flat_map(|it| it.repositories.iter().copied()).collect();
    let authors: BTreeSet<&[u8]> = proven()
        .filter_map(|it| it.record.introduced())
        .map(|commit| commit.author.email.as_bytes())
        .collect();
    let is_asked =
        listed.iter().any(|it| it.record.verification.is_some() || it.record.revocation.is_some());
    let states = [
        ("live", of(State::Live), "bad"),
        ("unknown", of(State::Unknown), "warn"),
        ("dead", of(State::Dead), "good"),
    ];
    let unverified = [("not verified", of(State::Unknown), "warn")];
    let states = if is_asked { &states[..] } else { &unverified[..] };
    let others = [
        ("places", document.summary.proven_places, ""),
        ("repositories", repositories.len(), ""),
        ("authors", authors.len(), ""),
    ];
    html! {
        @if !listed.is_empty() {
            dl.counts { "\n"
                @for &(what, amount, tone) in states.iter().chain(&others) {
                    div class=(if amount == 0 { "none" } else { tone }) {
                        dt { (singular(what, amount)) }
                        dd { (number(amount)) }
                    }
                    "\n"
                }
            }
            "\n"
        }
    }
}

fn singular(what: &'static str, amount: usize) -> &'static str {
    match (what, amount) {
        ("places", 1) => "place",
        ("repositories", 1) => "repository",
        ("authors", 1) => "author",
        _ => what,
    }
}
