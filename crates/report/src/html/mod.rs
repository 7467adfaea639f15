//! Self-contained HTML report: what leaked, when, where, whether it is live, and what to do.
//!
//! Input: a document. Output: a page that loads nothing. A content security policy allows only the page's own
//! style and script, by their hashes. The page contains no time except those of the document.
//!
//! All markup is written here, once. A browser that runs the script gets the findings in pages of
//! `PAGE`: only the first page is part of the initial DOM, the markup of the others is the text of a
//! `noscript` element, from which the script takes what it shows. Without the script, browsers show the whole
//! list, by urgency. Filters, search and sorting need the script.

mod facets;
mod finding;
mod header;
mod issues;
mod listed;
mod markup;
mod places;
mod policy;
mod repositories;
mod steps;
mod suppressed;
mod timeline;
mod toolbar;

use self::facets::Facets;
use self::listed::Listed;
use self::markup::{CONTENT, DetailLevel, MAX_ENTRIES, code, omitted, put, put_around, visible};
use super::document::{Document, Record, RepositoryRecord};
use super::next_steps::NextStepsContext;
use super::shared_steps::SharedSteps;
use ddpatrol_scan::quantity::{count, number};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::io::{self, Write};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Number of findings in the initial DOM; the script shows as many at once.
const PAGE: usize = 100;
/// Maximum number of findings with steps and many places, and of all findings.
const MAX_WHOLE: usize = 1_000;
/// Maximum number of repositories that are listed without a fold.
const MAX_UNFOLDED: usize = 10;
const MAX_FINDINGS: usize = 10_000;

/// Writes the report; `context` determines the commands of the next steps.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(
    document: &Document,
    context: &NextStepsContext,
    out: &mut dyn Write,
) -> io::Result<()> {
    let records: Vec<&Record> = document.findings.iter().filter(|it| it.is_listed()).collect();
    let is_quiet = |it: &&Record| it.suppression.is_some() && !it.is_listed();
    let suppressed: Vec<&Record> = document.findings.iter().filter(is_quiet).collect();
    let facets = Facets::new(document, &records);
    let listed = listed::sorted(&records, &facets);
    let whole = listed.iter().take(MAX_WHOLE).map(|it| it.record);
    let list = FindingList { listed: &listed, facets: &facets, shared: SharedSteps::new(whole) };
    put_around(&page(document, &listed), out, |out| {
        list.write(document, out)?;
        put(&steps::section(document, context, &list.shared), out)?;
        put(&timeline::section(&listed), out)?;
        suppressed::write(&suppressed, out)?;
        put(&suppressed::unused(document), out)?;
        put(&issues::section(document), out)?;
        put(&scope(document), out)
    })
}

/// Returns the page without its sections.
fn page(document: &Document, listed: &[Listed<'_>]) -> Markup {
    html! {
        (DOCTYPE) "\n"
        html lang="en" { "\n"
            (head(document))
            body { "\n"
                a.skip href="#findings" { "Skip to the findings" } "\n"
                (header::top(document, listed))
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

fn head(document: &Document) -> Markup {
    html! {
        head { "\n"
            meta charset="utf-8"; "\n"
            meta http-equiv="Content-Security-Policy" content=(policy::of(STYLE, SCRIPT)); "\n"
            meta name="viewport" content="width=device-width, initial-scale=1"; "\n"
            meta name="color-scheme" content="light dark"; "\n"
            meta name="robots" content="noindex"; "\n"
            meta name="referrer" content="no-referrer"; "\n"
            title { "ddpatrol: " (visible(document.verdict().trim_end_matches('.'))) } "\n"
            style { (PreEscaped(STYLE)) } "\n"
        }
        "\n"
    }
}

/// The list of findings.
struct FindingList<'a> {
    listed: &'a [Listed<'a>],
    facets: &'a Facets<'a>,
    shared: SharedSteps<'a>,
}

impl FindingList<'_> {
    fn write(&self, document: &Document, out: &mut dyn Write) -> io::Result<()> {
        let Self { listed, facets, shared } = self;
        let section = html! {
            section id="findings" aria-labelledby="findings-title" { "\n"
                h2 #findings-title { "Findings" } "\n"
                @if listed.is_empty() {
                    p.empty { (nothing_found(document)) } "\n"
                    (repositories::table(facets))
                } @else {
                    (toolbar::filters(listed, facets))
                    (repositories::table(facets))
                    p #status role="status" { (count(listed.len(), "finding")) } "\n"
                    div #list { "\n" (CONTENT) } "\n"
                    (toolbar::pager())
                    (shortened(listed.len()))
                    (omitted(listed.len(), MAX_FINDINGS))
                }
            }
            "\n"
        };
        put_around(&section, out, |out| {
            let shown = &listed[..listed.len().min(MAX_FINDINGS)];
            let mut last = None;
            for (at, it) in shown.iter().enumerate() {
                if at == PAGE {
                    put(&PreEscaped("<noscript>\n".to_owned()), out)?;
                }
                if last != Some(it.group) {
                    put(&html! { h3.group { (it.group.title()) } "\n" }, out)?;
                    last = Some(it.group);
                }
                let detail = if at < MAX_WHOLE { DetailLevel::Whole } else { DetailLevel::Short };
                put(&finding::entry(it, facets, shared, detail), out)?;
            }
            if shown.len() > PAGE {
                put(&PreEscaped("</noscript>\n".to_owned()), out)?;
            }
            Ok(())
        })
    }
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
                "up to three places, without the steps. " code { "--report json" }
                " has all details."
            }
            "\n"
        }
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
            (heads(document))
        }
        "\n"
    }
}

/// Lists the repositories and the commits that are checked out; more than a few are folded.
fn heads(document: &Document) -> Markup {
    let all: Vec<(&RepositoryRecord, &str)> = document
        .repositories
        .iter()
        .filter_map(|repository| Some((repository, repository.head.as_deref()?)))
        .collect();
    let list = html! {
        @for (repository, head) in all.iter().take(MAX_ENTRIES) {
            p { "Repository " (code(&repository.path.text())) " at " (code(head)) } "\n"
        }
        (omitted(all.len(), MAX_ENTRIES))
    };
    html! {
        @if all.len() > MAX_UNFOLDED {
            details.fold { summary { (count(all.len(), "repository")) } "\n" (list) } "\n"
        } @else {
            (list)
        }
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
