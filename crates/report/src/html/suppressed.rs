//! Suppressed findings with their reasons, and unused entries of the configuration.

use super::markup::{CONTENT, MAX_ENTRIES, code, omitted, put, put_around, visible};
use crate::document::{Document, Record};
use crate::places::places;
use ddpatrol_scan::quantity::count;
use maud::{Markup, html};
use std::io::{self, Write};

/// Maximum number of places of a suppressed finding.
const MAX_PLACES: usize = 3;

/// Writes the suppressed findings.
///
/// # Errors
/// Returns the error of writing to `out`.
pub(super) fn write(suppressed: &[&Record], out: &mut dyn Write) -> io::Result<()> {
    if suppressed.is_empty() {
        return Ok(());
    }
    let section = html! {
        section id="suppressed" aria-labelledby="suppressed-title" { "\n"
            h2 #suppressed-title { "Suppressed" } "\n"
            details.fold {
                summary { (count(suppressed.len(), "token")) ", and why" } "\n"
                ul.plain { "\n" (CONTENT) } "\n"
                (omitted(suppressed.len(), MAX_ENTRIES))
            }
            "\n"
        }
        "\n"
    };
    put_around(&section, out, |out| {
        suppressed.iter().take(MAX_ENTRIES).try_for_each(|it| put(&entry(it), out))
    })
}

fn entry(record: &Record) -> Markup {
    let why = record.suppression.as_ref().map(|it| it.line()).unwrap_or_default();
    let places = places(record);
    let more = places.iter().map(|it| it.count).sum::<usize>() - places.len().min(MAX_PLACES);
    html! {
        li {
            strong { (visible(&record.name)) } " " (code(record.shown_token()))
            p { (visible(&why)) }
            ul { "\n"
                @for place in places.iter().take(MAX_PLACES) {
                    li { (code(&place.shown.label())) } "\n"
                }
                @if more > 0 { li { "and " (count(more, "more place")) } "\n" }
            }
        }
        "\n"
    }
}

/// Returns the unused entries of the configuration and the baseline.
pub(super) fn unused(document: &Document) -> Markup {
    let entries = document.unused.iter().map(|it| it.line());
    let issues = document.unused_acknowledgments.iter().map(|it| it.line());
    let lines: Vec<String> = entries.chain(issues).collect();
    if lines.is_empty() {
        return Markup::default();
    }
    html! {
        section id="unused" aria-labelledby="unused-title" { "\n"
            h2 #unused-title { "Unused entries" } "\n"
            ul { "\n"
                @for line in lines.iter().take(MAX_ENTRIES) { li { (visible(line)) } "\n" }
            }
            "\n"
            (omitted(lines.len(), MAX_ENTRIES))
        }
        "\n"
    }
}
