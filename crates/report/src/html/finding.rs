//! One finding: a row, and all details of the report below it.

use super::facets::Facets;
use super::listed::{Listed, State};
use super::markup::{DetailLevel, code, prose, visible};
use super::{places, steps};
use crate::document::Record;
use crate::places::{places as distinct, whereabouts};
use crate::shared_steps::SharedSteps;
use crate::trace::day;
use ddpatrol_detect::Evidence;
use ddpatrol_scan::quantity::count;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Returns a finding.
pub(super) fn entry(
    it: &Listed<'_>,
    facets: &Facets<'_>,
    shared: &SharedSteps<'_>,
    detail: DetailLevel,
) -> Markup {
    let [date, path, rule, author] = it.ranks;
    html! {
        details.finding id={ "f" (it.number) }
            data-state=(it.group.state.id()) data-where=(it.group.reach.id())
            data-repository=(numbers(&it.repositories)) data-rule=(it.rule)
            data-owner=(numbers(&it.owners))
            data-ranks={ (date) " " (path) " " (rule) " " (author) } {
            summary { (row(it, facets)) } "\n"
            div.body { "\n"
                (facts(it.record))
                (places::section(it.record, detail))
                (places::timeline(it.record, detail))
                (advice(it.record, shared, detail))
            }
            "\n"
        }
        "\n"
    }
}

fn numbers(numbers: &BTreeSet<usize>) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
}

/// Returns what is visible of a folded finding.
fn row(it: &Listed<'_>, facets: &Facets<'_>) -> Markup {
    let record = it.record;
    let places = distinct(record);
    let more = places.iter().map(|it| it.count).sum::<usize>().saturating_sub(1);
    let commit = record.introduced();
    let has_repositories = facets.repositories.len() > 1;
    html! {
        span.state {
            span class={ "pill " (it.group.state.id()) } { (state(it)) }
            span.reach { (whereabouts(&places)) }
        }
        span.what {
            span.place {
                @if let Some(first) = places.first() { (path(within(&first.shown.label(), it, facets))) }
                @if more > 0 { " " span.plus { "+" (count(more, "place")) } }
                @if record.has_new_location() { " " span.pill.unknown { "new place" } }
            }
            span.meta {
                span.name { (visible(&record.name)) }
                code { (visible(record.shown_token())) }
                @if has_repositories {
                    bdi { (visible(facets.repository(it.repositories.first().copied()))) }
                }
                @if let Some(commit) = commit { bdi { (visible(&commit.author.name.text())) } }
                @for owner in it.owners.iter().take(2) {
                    bdi.owner { (visible(&facets.owners[*owner].label)) }
                }
            }
        }
        @if let Some(commit) = commit { time { (visible(day(&commit.author.date))) } }
    }
}

/// Returns a path without the folder of its repository, which the row shows separately.
fn within<'a>(label: &'a str, it: &Listed<'_>, facets: &Facets<'_>) -> &'a str {
    let folder = facets.repository(it.repositories.first().copied());
    let below = label.strip_prefix(folder).and_then(|it| it.strip_prefix('/'));
    below.filter(|_| facets.repositories.len() > 1).unwrap_or(label)
}

fn state(it: &Listed<'_>) -> &'static str {
    match (it.group.state, it.record.liveness_words()) {
        (State::Dead, "revoked") => "Revoked",
        (State::Unknown, "not verified") => "Not verified",
        (state, _) => state.title(),
    }
}

/// Returns a path with its folder less prominent than its name.
fn path(label: &str) -> Markup {
    let at = label.rfind('/').map_or(0, |at| at + 1);
    html! {
        code.path {
            @if at > 0 { span { (visible(&label[..at])) } }
            (visible(&label[at..]))
        }
    }
}

fn facts(record: &Record) -> Markup {
    let text = |text: &str| html! { (visible(text)) };
    let evidence = match record.evidence {
        Evidence::Proven => "proven: its checksum matches",
        Evidence::Shaped => "unproven: it has no valid checksum",
    };
    let life = match record.response_lines() {
        lines if lines.is_empty() => record.liveness_words().to_owned(),
        lines => lines.join("; "),
    };
    let owners = record.owners().join(", ");
    let facts = [
        ("Verification", Some(text(&life))),
        ("Suppressed", record.suppression.as_ref().map(|it| text(&it.line()))),
        ("Owner", Some(owners).filter(|it| !it.is_empty()).map(|it| text(&it))),
        ("Issuer", Some(text(&record.issuer))),
        ("Token id", record.token.uuid.as_deref().map(code)),
        ("Alias", record.token.alias.as_deref().map(code)),
        ("Rule", Some(code(&record.rule))),
        ("Evidence", Some(text(evidence))),
        ("Fingerprint", Some(code(&record.fingerprint))),
    ];
    html! {
        dl.facts { "\n"
            @for (what, fact) in facts {
                @if let Some(fact) = fact { div { dt { (what) } dd { (fact) } } "\n" }
            }
        }
        "\n"
    }
}

fn advice(record: &Record, shared: &SharedSteps<'_>, detail: DetailLevel) -> Markup {
    if record.is_dead_or_revoked() {
        return html! { p.done { "The token is no longer valid." } "\n" };
    }
    if !record.needs_action() {
        return Markup::default();
    }
    let advice = record.advice.as_deref().unwrap_or("Revoke it where it was issued.");
    html! {
        @if record.steps.is_empty() || detail == DetailLevel::Short {
            h4 { "What to do" } "\n"
            p { (prose(advice)) } "\n"
        } @else {
            (steps::own(record, shared))
        }
    }
}
