//! Self-contained HTML report: what leaked, when, where, whether it is live, and what to do.
//!
//! Input: a document. Output: a page that loads nothing and works without its script: filters are radio buttons
//! and a style sheet, the script adds a search. A content security policy allows only the page's own style and
//! script, by their hashes. The page does not contain the current date, so that the same document yields the
//! same page.

mod filter;
mod finding;
mod markup;
mod policy;
mod timeline;

use self::filter::Filters;
use self::markup::{CONTENT, code, omitted, put, put_around, visible};
use super::document::{Document, Note, Record};
use super::status::{Liveness, Presence};
use ddpatrol_scan::quantity::{count, number};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::io::{self, Write};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Maximum number of findings with steps and all locations, and of all findings.
const MAX_WHOLE: usize = 250;
const MAX_FINDINGS: usize = 10_000;
/// Maximum number of findings that a browser lays out at once.
const MAX_LAID_OUT: usize = 100;
/// Maximum number of entries of another list.
const MAX_ENTRIES: usize = 1_000;

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let listed: Vec<&Record> = document.findings.iter().filter(|it| it.is_listed()).collect();
    let is_quiet = |it: &&Record| it.suppression.is_some() && !it.is_listed();
    let suppressed: Vec<&Record> = document.findings.iter().filter(is_quiet).collect();
    let all: Vec<&Record> = listed.iter().chain(&suppressed).copied().collect();
    let filters = Filters::new(&all);
    put_around(&page(document, &listed, &filters), out, |out| {
        put(&gaps(document), out)?;
        write_findings(document, &listed, &filters, out)?;
        put(&timeline::section(&listed), out)?;
        write_suppressed(&suppressed, &filters, out)?;
        put(&unused(document), out)?;
        put(&scope(document), out)
    })
}

/// Returns the page without its sections.
fn page(document: &Document, listed: &[&Record], filters: &Filters<'_>) -> Markup {
    html! {
        (DOCTYPE) "\n"
        html lang="en" { "\n"
            (head(document, &format!("{STYLE}{}", filters.style())))
            body { "\n"
                a.skip href="#findings" { "Skip to the findings" } "\n"
                (header(document, listed))
                main { "\n" (CONTENT) } "\n"
                (footer(document))
                // Script and style contain no values of the report; escaping would break them.
                script { (PreEscaped(SCRIPT)) } "\n"
            }
            "\n"
        }
        "\n"
    }
}

fn head(document: &Document, style: &str) -> Markup {
    let policy = policy::of(style, SCRIPT);
    html! {
        head { "\n"
            meta charset="utf-8"; "\n"
            meta http-equiv="Content-Security-Policy" content=(policy); "\n"
            meta name="viewport" content="width=device-width, initial-scale=1"; "\n"
            meta name="color-scheme" content="light dark"; "\n"
            meta name="robots" content="noindex"; "\n"
            meta name="referrer" content="no-referrer"; "\n"
            title { "ddpatrol: " (visible(document.verdict().trim_end_matches('.'))) } "\n"
            style { (PreEscaped(style)) } "\n"
        }
        "\n"
    }
}

fn header(document: &Document, listed: &[&Record]) -> Markup {
    let tone = match (document.summary.proven, document.complete) {
        (0, true) => "good",
        (0, false) => "warn",
        _ => "bad",
    };
    let state = if document.complete { "complete" } else { "incomplete" };
    html! {
        header.top { "\n"
            p.brand { "ddpatrol " span { "report" } } "\n"
            h1 class=(tone) { (visible(document.verdict().trim_end_matches('.'))) } "\n"
            p class=(state) {
                (visible(&document.completeness()))
                @if !document.diagnostics.is_empty() {
                    " " a href="#gaps" { "Details" }
                }
            }
            "\n"
            @for repository in document.repositories.iter().take(MAX_ENTRIES) {
                p.scope {
                    "Repository " (code(&repository.path.text()))
                    @if let Some(head) = &repository.head { " at " (code(head)) }
                }
                "\n"
            }
            (omitted(document.repositories.len(), MAX_ENTRIES))
            (counts(document, listed))
            @for line in document.sentences() { p.line { (visible(&line)) } "\n" }
            @for note in document.notes.iter().take(MAX_ENTRIES) {
                p.line { "Note: " (visible(&note.text())) "." } "\n"
            }
            (omitted(document.notes.len(), MAX_ENTRIES))
        }
        "\n"
    }
}

fn counts(document: &Document, listed: &[&Record]) -> Markup {
    let summary = &document.summary;
    let dead = listed.iter().filter(|it| it.liveness() == Liveness::Dead).count();
    let live = listed.iter().filter(|it| it.liveness() == Liveness::Live).count();
    let is_here = |it: &&&Record| matches!(it.presence(), Presence::Here | Presence::Change);
    let here = listed.iter().filter(is_here).count();
    let is_suppressed = |it: &&Record| it.suppression.is_some();
    let suppressed = document.findings.iter().filter(is_suppressed).count();
    let counts = [
        ("proven tokens", summary.proven, "bad"),
        ("places", summary.proven_locations, ""),
        ("known live", live, "bad"),
        ("dead or revoked", dead, "good"),
        ("still there", here, "warn"),
        ("suppressed", suppressed, ""),
    ];
    html! {
        dl.counts { "\n"
            @for (what, amount, tone) in counts {
                div class=(if amount == 0 { "none" } else { tone }) {
                    dt { (what) }
                    dd { (number(amount)) }
                }
                "\n"
            }
        }
        "\n"
    }
}

/// Returns what was not scanned: prominently, if that makes the result incomplete.
fn gaps(document: &Document) -> Markup {
    if document.diagnostics.is_empty() {
        return Markup::default();
    }
    let class = if document.complete { "quiet" } else { "alarm" };
    let mut gaps: Vec<&Note> = document.diagnostics.iter().collect();
    gaps.sort_by_key(|it| !it.is_unread());
    html! {
        section id="gaps" class=(class) aria-labelledby="gaps-title" { "\n"
            h2 #gaps-title { "Not scanned" } "\n"
            details open[!document.complete] {
                summary { (count(gaps.len(), "item")) } "\n"
                ul { "\n"
                    @for note in gaps.iter().take(MAX_ENTRIES) {
                        li {
                            @if let Some(path) = &note.path { (code(&path.text())) ": " }
                            (visible(&note.message.text())) " " span.tag { (note.kind.name()) }
                        }
                        "\n"
                    }
                }
                "\n"
                (omitted(gaps.len(), MAX_ENTRIES))
            }
            "\n"
        }
        "\n"
    }
}

fn write_findings(
    document: &Document,
    listed: &[&Record],
    filters: &Filters<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let section = html! {
        section id="findings" aria-labelledby="findings-title" { "\n"
            h2 #findings-title { "Findings" } "\n"
            @if listed.is_empty() {
                p.empty { (nothing_found(document)) } "\n"
            } @else {
                (filters.buttons())
                // The browser can skip the layout of findings far from the viewport; short lists
                // print and copy better with full layout.
                div.list.many[listed.len() > MAX_LAID_OUT] { "\n" (CONTENT) } "\n"
                p.shown aria-hidden="true" {} "\n"
                (shortened(listed.len()))
                (omitted(listed.len(), MAX_FINDINGS))
            }
        }
        "\n"
    };
    put_around(&section, out, |out| {
        for (at, record) in listed.iter().enumerate().take(MAX_FINDINGS) {
            let form = finding::Form {
                at,
                is_open: listed.len() <= 3 || at == 0,
                is_whole: at < MAX_WHOLE,
                rule: filters.rule(record),
            };
            put(&finding::entry(record, &form), out)?;
        }
        Ok(())
    })
}

fn nothing_found(document: &Document) -> &'static str {
    if document.complete {
        "Nothing was found."
    } else {
        "Nothing was found, but not everything was scanned."
    }
}

/// Returns a remark on the findings without steps, if there are any.
fn shortened(amount: usize) -> Markup {
    html! {
        @if amount > MAX_WHOLE {
            p.more {
                "From number " (number(MAX_WHOLE + 1)) " on, findings are shown in short form: "
                "the first place, without the steps. " code { "--report json" } " has all details."
            }
            "\n"
        }
    }
}

fn write_suppressed(
    suppressed: &[&Record],
    filters: &Filters<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
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
        for record in suppressed.iter().take(MAX_ENTRIES) {
            put(&finding::suppressed_entry(record, filters.rule(record)), out)?;
        }
        Ok(())
    })
}

fn unused(document: &Document) -> Markup {
    if document.unused.is_empty() {
        return Markup::default();
    }
    html! {
        section id="unused" aria-labelledby="unused-title" { "\n"
            h2 #unused-title { "Unused entries" } "\n"
            ul { "\n"
                @for unused in document.unused.iter().take(MAX_ENTRIES) {
                    li { (visible(&unused.line())) } "\n"
                }
            }
            "\n"
            (omitted(document.unused.len(), MAX_ENTRIES))
        }
        "\n"
    }
}

fn scope(document: &Document) -> Markup {
    html! {
        section id="scope" aria-labelledby="scope-title" { "\n"
            h2 #scope-title { "Scanned content" } "\n"
            p { (visible(&document.reading())) "." } "\n"
            @for line in document.unpacked().into_iter().chain(document.skipped()) {
                p { (visible(&line)) } "\n"
            }
            p { (visible(&document.completeness())) } "\n"
        }
        "\n"
    }
}

fn footer(document: &Document) -> Markup {
    html! {
        footer {
            p {
                "Made by " (visible(&document.tool.name)) " " (visible(&document.tool.version))
                ". Secrets are masked: only the public part of a token is shown."
            }
        }
        "\n"
    }
}
