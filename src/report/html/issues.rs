//! Content that was not scanned, folded at the end of the page; acknowledged issues separately.

use super::markup::{MAX_ENTRIES, code, omitted, visible};
use crate::report::document::{Document, Note};
use crate::report::trace::short;
use ddpatrol_scan::quantity::{count, number};
use maud::{Markup, html};

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

fn list(notes: &[&Note]) -> Markup {
    html! {
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
