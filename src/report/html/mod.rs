//! One self-contained HTML file for people: what leaked, whose, since when, where else, live or dead,
//! what to do.
//!
//! In comes a document, out comes a page that loads nothing and is whole without its script: filters
//! are radio buttons and a style sheet, the script adds a search. A policy in the page forbids
//! everything but its own style and script, by their hashes. No date of today is told, so that the
//! same document makes the same page.

mod filter;
mod finding;
mod policy;
mod timeline;

use super::document::{Document, Note, Record};
use super::escape::html;
use super::status::{Life, Presence};
use crate::quantity::{count, number};
use std::io::{self, Write};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// How many findings are told with all that is known of them, and how many at all.
const MOST_WHOLE: usize = 250;
const MOST_FINDINGS: usize = 10_000;
/// How many findings a browser lays out at once.
const MOST_LAID_OUT: usize = 100;
/// How many entries another list has.
const MOST_ENTRIES: usize = 1_000;

/// Writes the report.
///
/// # Errors
/// What writing to `out` fails with.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let listed: Vec<&Record> = document.findings.iter().filter(|it| it.is_listed()).collect();
    let is_quiet = |it: &&Record| it.suppression.is_some() && !it.is_listed();
    let suppressed: Vec<&Record> = document.findings.iter().filter(is_quiet).collect();
    let all: Vec<&Record> = listed.iter().chain(&suppressed).copied().collect();
    let filters = filter::Filters::new(&all);
    write_head(document, &format!("{STYLE}{}", filters.style()), out)?;
    write_header(document, &listed, out)?;
    writeln!(out, "<main>")?;
    write_gaps(document, out)?;
    write_findings(document, &listed, &filters, out)?;
    timeline::write(&listed, out)?;
    write_suppressed(&suppressed, &filters, out)?;
    write_unused(document, out)?;
    write_scope(document, out)?;
    writeln!(out, "</main>")?;
    write_footer(document, out)?;
    writeln!(out, "<script>{SCRIPT}</script>\n</body>\n</html>")
}

fn write_head(document: &Document, style: &str, out: &mut dyn Write) -> io::Result<()> {
    let policy = policy::of(style, SCRIPT);
    let verdict = document.verdict();
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"robots\" content=\"noindex\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>ddpatrol: {}</title>\n<style>{style}</style>\n</head>\n<body>",
        html(verdict.trim_end_matches('.')),
    )
}

fn write_header(document: &Document, listed: &[&Record], out: &mut dyn Write) -> io::Result<()> {
    let tone = match (document.summary.proven, document.complete) {
        (0, true) => "good",
        (0, false) => "warn",
        _ => "bad",
    };
    writeln!(
        out,
        "<a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n<header class=\"top\">\n\
         <p class=\"brand\">ddpatrol <span>report</span></p>\n<h1 class=\"{tone}\">{}</h1>",
        html(document.verdict().trim_end_matches('.'))
    )?;
    let state = if document.complete { "complete" } else { "incomplete" };
    let to_gaps = if document.diagnostics.is_empty() {
        String::new()
    } else {
        " <a href=\"#gaps\">What was not looked at</a>".to_owned()
    };
    writeln!(out, "<p class=\"{state}\">{}{to_gaps}</p>", html(&document.completeness()))?;
    for repository in document.repositories.iter().take(MOST_ENTRIES) {
        let head = repository.head.as_deref().map(|id| format!(" at <code>{}</code>", html(id)));
        writeln!(
            out,
            "<p class=\"scope\">Repository <code>{}</code>{}</p>",
            html(&repository.path.text()),
            head.unwrap_or_default()
        )?;
    }
    write_more(document.repositories.len(), MOST_ENTRIES, out)?;
    write_counts(document, listed, out)?;
    for line in document.sentences() {
        writeln!(out, "<p class=\"line\">{}</p>", html(&line))?;
    }
    for note in document.notes.iter().take(MOST_ENTRIES) {
        writeln!(out, "<p class=\"line\">Note: {}.</p>", html(&note.text()))?;
    }
    write_more(document.notes.len(), MOST_ENTRIES, out)?;
    writeln!(out, "</header>")
}

fn write_counts(document: &Document, listed: &[&Record], out: &mut dyn Write) -> io::Result<()> {
    let summary = &document.summary;
    let dead = listed.iter().filter(|it| it.life() == Life::Dead).count();
    let live = listed.iter().filter(|it| it.life() == Life::Live).count();
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
    writeln!(out, "<dl class=\"counts\">")?;
    for (what, amount, tone) in counts {
        let tone = if amount == 0 { "none" } else { tone };
        let amount = number(amount);
        writeln!(out, "<div class=\"{tone}\"><dt>{what}</dt><dd>{amount}</dd></div>")?;
    }
    writeln!(out, "</dl>")
}

/// Says prominently what was not looked at, where that makes the result incomplete.
fn write_gaps(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    if document.diagnostics.is_empty() {
        return Ok(());
    }
    let (class, open) = if document.complete { ("quiet", "") } else { ("alarm", " open") };
    writeln!(
        out,
        "<section id=\"gaps\" class=\"{class}\" aria-labelledby=\"gaps-title\">\n\
         <h2 id=\"gaps-title\">What was not looked at</h2>\n<details{open}><summary>{}</summary>\n<ul>",
        count(document.diagnostics.len(), "thing")
    )?;
    let mut gaps: Vec<&Note> = document.diagnostics.iter().collect();
    gaps.sort_by_key(|it| !it.is_unread());
    for note in gaps.into_iter().take(MOST_ENTRIES) {
        let path = note.path.as_ref().map(|it| format!("<code>{}</code>: ", html(&it.text())));
        writeln!(
            out,
            "<li>{}{} <span class=\"tag\">{}</span></li>",
            path.unwrap_or_default(),
            html(&note.message.text()),
            note.kind.name()
        )?;
    }
    writeln!(out, "</ul>")?;
    write_more(document.diagnostics.len(), MOST_ENTRIES, out)?;
    writeln!(out, "</details>\n</section>")
}

fn write_findings(
    document: &Document,
    listed: &[&Record],
    filters: &filter::Filters<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(
        out,
        "<section id=\"findings\" aria-labelledby=\"findings-title\">\n\
         <h2 id=\"findings-title\">Findings</h2>"
    )?;
    if listed.is_empty() {
        let text = if document.complete {
            "Nothing was found."
        } else {
            "Nothing was found in what was looked at; not everything was."
        };
        return writeln!(out, "<p class=\"empty\">{text}</p>\n</section>");
    }
    filters.write(out)?;
    // A browser need not lay out what is far from the window; short lists print and copy better.
    let many = if listed.len() > MOST_LAID_OUT { " many" } else { "" };
    writeln!(out, "<div class=\"list{many}\">")?;
    for (at, record) in listed.iter().enumerate().take(MOST_FINDINGS) {
        let form = finding::Form {
            at,
            is_open: listed.len() <= 3 || at == 0,
            is_whole: at < MOST_WHOLE,
            rule: filters.rule(record),
        };
        finding::write(record, &form, out)?;
    }
    writeln!(out, "</div>\n<p class=\"shown\" aria-hidden=\"true\"></p>")?;
    if listed.len() > MOST_WHOLE {
        writeln!(
            out,
            "<p class=\"more\">From number {} on, findings are told in short: their first \
             place, without the steps. <code>--report json</code> has all of each.</p>",
            number(MOST_WHOLE + 1)
        )?;
    }
    write_more(listed.len(), MOST_FINDINGS, out)?;
    writeln!(out, "</section>")
}

fn write_suppressed(
    suppressed: &[&Record],
    filters: &filter::Filters<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    if suppressed.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<section id=\"suppressed\" aria-labelledby=\"suppressed-title\">\n\
         <h2 id=\"suppressed-title\">What does not count</h2>\n<details class=\"fold\"><summary>{}, \
         and why</summary>\n<ul class=\"plain\">",
        count(suppressed.len(), "token")
    )?;
    for record in suppressed.iter().take(MOST_ENTRIES) {
        finding::write_suppressed(record, filters.rule(record), out)?;
    }
    writeln!(out, "</ul>")?;
    write_more(suppressed.len(), MOST_ENTRIES, out)?;
    writeln!(out, "</details>\n</section>")
}

fn write_unused(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    if document.unused.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<section id=\"unused\" aria-labelledby=\"unused-title\">\n\
         <h2 id=\"unused-title\">Entries that nothing needs</h2>\n<ul>"
    )?;
    for unused in document.unused.iter().take(MOST_ENTRIES) {
        writeln!(out, "<li>{}</li>", html(&unused.line()))?;
    }
    writeln!(out, "</ul>")?;
    write_more(document.unused.len(), MOST_ENTRIES, out)?;
    writeln!(out, "</section>")
}

fn write_scope(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<section id=\"scope\" aria-labelledby=\"scope-title\">\n\
         <h2 id=\"scope-title\">What was looked at</h2>\n<p>{}.</p>",
        html(&document.reading())
    )?;
    for line in document.unpacked().into_iter().chain(document.left_out()) {
        writeln!(out, "<p>{}</p>", html(&line))?;
    }
    writeln!(out, "<p>{}</p>\n</section>", html(&document.completeness()))
}

fn write_footer(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<footer><p>Made by {} {}. Secrets are masked: what is shown of a token is its public part.\
         </p></footer>",
        html(&document.tool.name),
        html(&document.tool.version)
    )
}

/// Says how many entries a list leaves out.
fn write_more(all: usize, most: usize, out: &mut dyn Write) -> io::Result<()> {
    match all.saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(
            out,
            "<p class=\"more\">And {} more, which <code>--report json</code> lists.</p>",
            number(more)
        ),
    }
}
