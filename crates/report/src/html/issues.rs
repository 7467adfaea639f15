//! Content that was not scanned, folded at the end of the page; acknowledged issues separately.

use super::markup::{MAX_ENTRIES, code, omitted, visible};
use crate::document::{Document, Note};
use crate::trace::short;
use ddpatrol_scan::quantity::{count, number};
use maud::{Markup, html};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Number of issues that need no summary.
const FEW: usize = 20;

/// Returns the issues of a scan.
pub(super) fn section(document: &Document) -> Markup {
    if document.diagnostics.is_empty() {
        return Markup::default();
    }
    let (acknowledged, mut open): (Vec<&Note>, Vec<&Note>) =
        document.diagnostics.iter().partition(|it| it.acknowledged.is_some());
    open.sort_by_key(|it| !it.is_unread());
    let unread = open.iter().filter(|it| it.is_unread()).count();
    html! {
        section id="issues" aria-labelledby="issues-title" { "\n"
            h2 #issues-title { "Not scanned" } "\n"
            @if !open.is_empty() {
                details.fold.alarm[!document.complete] {
                    summary {
                        (count(open.len(), "item"))
                        @if unread > 0 { ", " (number(unread)) " should have been read" }
                    }
                    "\n"
                    (list(&open))
                }
                "\n"
            }
            @if !acknowledged.is_empty() {
                details.fold {
                    summary { (count(acknowledged.len(), "acknowledged item")) } "\n"
                    (list(&acknowledged))
                }
                "\n"
            }
        }
        "\n"
    }
}

/// Returns a table of the issues by code, if there are more than a few.
fn summary(notes: &[&Note]) -> Markup {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for note in notes {
        *counts.entry(note.code.map_or("other", |it| it.name())).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    html! {
        @if notes.len() > FEW {
            ul.codes { "\n"
                @for (code, count) in counts { li { code { (code) } " " (number(count)) } "\n" }
            }
            "\n"
        }
    }
}

fn list(notes: &[&Note]) -> Markup {
    html! {
        (summary(notes))
        ul.plain { "\n"
            @for note in notes.iter().take(MAX_ENTRIES) { (item(note)) }
        }
        "\n"
        (omitted(notes.len(), MAX_ENTRIES))
    }
}

fn item(note: &Note) -> Markup {
    html! {
        li {
            span.pill { (note.kind.name()) } " "
            @if let Some(path) = &note.path { (code(&path.text())) ": " }
            (visible(&note.message.text()))
            p.meta {
                @if let Some(it) = note.code { (code(it.name())) " " }
                @if let Some(it) = &note.repository {
                    span { "repository " (code(&it.text())) } " "
                }
                @match (&note.commit, &note.git) {
                    (Some(it), _) => { span { "commit " (code(short(it))) } " " }
                    (None, Some(_)) => { span { "in no commit" } " " }
                    (None, None) => {}
                }
                @if !note.other_paths.is_empty() {
                    span { "also at " @for it in &note.other_paths { (code(&it.text())) " " } }
                }
                @if let Some(it) = &note.object { span { "object " (code(short(it))) } " " }
                @if let Some(it) = &note.acknowledged { span { (visible(&it.line())) } }
            }
        }
        "\n"
    }
}
