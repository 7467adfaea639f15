//! HTML: a page that works without network, also with 100,000 tokens.
//!
//! The page contains the data as JSON; its script shows them in pages of 100 rows. All text reaches the page as
//! text nodes, and links only if they are `https` or `http`. A content security policy allows only the page's
//! own style and script, by their hashes.

use super::model::MergedReport;
use super::page_data::data;
use crate::result::Status;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ddpatrol_scan::quantity::{count, number};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use std::io::{self, Write};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Maximum number of issues in the page; the JSON report has all.
const MAX_ISSUES: usize = 5_000;

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(report: &MergedReport, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page(report).into_string().as_bytes())
}

fn page(report: &MergedReport) -> Markup {
    let title = title(report);
    html! {
        (DOCTYPE) "\n"
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                meta name="referrer" content="no-referrer";
                title { "ddpatrol sweep: " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#tokens" { "Skip to the tokens" }
                (header(report, &title))
                main {
                    (tokens(report))
                    (repositories(report))
                    (gone(report))
                    (issues(report))
                }
                footer {
                    "Written by ddpatrol-sweep " (env!("CARGO_PKG_VERSION")) ". Tokens are masked; "
                    "fingerprints identify them."
                }
                script type="application/json" id="data" { (PreEscaped(data(report))) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
        "\n"
    }
}

fn title(report: &MergedReport) -> String {
    let counts = &report.summary;
    match (counts.tokens, counts.live) {
        (0, _) => "no leaked tokens".to_owned(),
        (tokens, 0) => count(tokens, "leaked token"),
        (tokens, live) => format!("{}, {} live", count(tokens, "leaked token"), number(live)),
    }
}

fn header(report: &MergedReport, title: &str) -> Markup {
    let counts = &report.summary;
    let is_complete = report.coverage.count(Status::Complete) == report.coverage.total;
    let mut cards = vec![
        ("live", counts.live, "bad"),
        ("unknown", counts.unknown, "warn"),
        ("dead", counts.dead, "good"),
        ("in HEAD", counts.in_head, ""),
        ("in history", counts.in_history, ""),
        ("in unreachable objects", counts.unreachable, ""),
    ];
    if report.since.is_some() {
        cards.extend([
            ("new", counts.new, "bad"),
            ("back", counts.back, "bad"),
            ("gone", counts.gone, "good"),
        ]);
    }
    html! {
        header.top {
            p.brand {
                "ddpatrol sweep " span { (report.sweep) }
                @if let Some(ended) = report.ended_at {
                    time datetime=(ended) { (ended.strftime("%Y-%m-%d %H:%M UTC")) }
                }
            }
            h1 .bad[counts.live > 0] .good[counts.tokens == 0] { (capitalized(title)) }
            p .incomplete[!is_complete] .complete[is_complete] { (report.coverage.describe()) "." }
            @if let Some(since) = &report.since {
                p.line { "Compared with the sweep " (since) "." }
            }
            dl.counts {
                @for (name, amount, class) in cards {
                    div class=(if amount == 0 { "none" } else { class }) {
                        dd { (number(amount)) }
                        dt { (name) }
                    }
                }
            }
        }
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn tokens(report: &MergedReport) -> Markup {
    html! {
        section id="tokens" aria-labelledby="tokens-title" {
            h2 id="tokens-title" { "Tokens" }
            @if report.tokens.is_empty() {
                p.empty { "No leaked token was found in the repositories that were scanned." }
            } @else {
                div #toolbar hidden {
                    label.search { span { "Search" }
                        input #search type="search" placeholder="path, author, token id, repository";
                    }
                    @for (id, name) in [
                        ("state", "State"), ("reach", "Where"), ("change", "Change"),
                        ("rule", "Rule"), ("repository", "Repository"), ("owner", "Owner"),
                    ] {
                        label.pick { span { (name) } select id=(id) { option value="" { "all" } } }
                    }
                    label.pick { span { "Order" }
                        select #order {
                            option value="urgency" { "most urgent" }
                            option value="newest" { "newest" }
                            option value="oldest" { "oldest" }
                            option value="spread" { "most repositories" }
                        }
                    }
                    button #reset type="button" { "Reset" }
                }
                p #status role="status" {}
                noscript { p.incomplete {
                    "The list needs JavaScript. "
                    code { "ddpatrol-sweep report --format csv" } " writes a file for spreadsheets."
                } }
                div #list {}
                nav #pager aria-label="Pages" hidden {
                    button #previous type="button" { "Previous" }
                    span #position {}
                    button #next type="button" { "Next" }
                }
            }
        }
    }
}

fn repositories(report: &MergedReport) -> Markup {
    let mut rows: Vec<_> = report.repositories.iter().enumerate().collect();
    rows.retain(|(_, it)| it.tokens > 0 || it.status != Status::Complete);
    rows.sort_by_key(|(_, it)| (std::cmp::Reverse((it.live, it.tokens)), it.status, &it.url));
    let hidden = report.repositories.len() - rows.len();
    html! {
        section aria-labelledby="repositories-title" {
            h2 id="repositories-title" { "Repositories" }
            @if hidden > 0 {
                p.line {
                    (count(hidden, "repository")) " without tokens, completely scanned, "
                    @if hidden == 1 { "is" } @else { "are" } " not listed."
                }
            }
            @if !rows.is_empty() {
                div.scroll { table {
                    thead { tr {
                        th { "Repository" } th.number { "Live" } th.number { "Tokens" }
                        th.number { "Issues" } th { "Scan" }
                    } }
                    tbody {
                        @for (index, row) in rows {
                            tr {
                                td.url {
                                    @if row.tokens > 0 {
                                        button.plain type="button" data-repository=(index) { (without_scheme(&row.url)) }
                                    } @else { (without_scheme(&row.url)) }
                                }
                                td.number .bad[row.live > 0] { (number(row.live)) }
                                td.number { (number(row.tokens)) }
                                td.number { (number(row.issues)) }
                                td {
                                    span.pill .warn[row.status != Status::Complete] { (row.status) }
                                    @match (&row.as_of, row.status.is_scanned()) {
                                        (Some(as_of), true) => { " as of " (as_of) }
                                        (Some(as_of), false) => { ", tokens and issues as of " (as_of) }
                                        (None, _) => {}
                                    }
                                    @if let Some(reason) = &row.reason { div.reason { (reason) } }
                                }
                            }
                        }
                    }
                } }
            }
        }
    }
}

fn gone(report: &MergedReport) -> Markup {
    html! {
        @if !report.gone.is_empty() {
            section {
                details {
                    summary { h2 { (count(report.gone.len(), "token")) " gone since " (report.since.as_deref().unwrap_or_default()) } }
                    ul.plain {
                        @for token in &report.gone {
                            li {
                                code { (token.redacted) } " " (token.rule) ", fp:" (short(&token.fingerprint))
                                ", was in " (token.repositories.join(", "))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn issues(report: &MergedReport) -> Markup {
    html! {
        @if !report.issues.is_empty() {
            section {
                details {
                    summary { h2 { (count(report.issues.len(), "issue")) ": content that was not scanned" } }
                    ul.plain {
                        @for row in report.issues.iter().take(MAX_ISSUES) {
                            li {
                                b { (report.repositories[row.repository].url) }
                                @if let Some(path) = &row.issue.path { " " code { (path) } }
                                @if let Some(commit) = &row.issue.commit { " in commit " code { (short(commit)) } }
                                ": " (row.issue.message)
                                @if let Some(code) = &row.issue.code { " (" (code) ")" }
                            }
                        }
                    }
                    @if report.issues.len() > MAX_ISSUES {
                        p.line { (number(report.issues.len() - MAX_ISSUES)) " more are in the JSON report." }
                    }
                }
            }
        }
    }
}

/// Returns a URL as people read it.
fn without_scheme(url: &str) -> &str {
    let text = url.strip_prefix("https://").unwrap_or(url);
    text.strip_suffix(".git").unwrap_or(text)
}

fn short(text: &str) -> &str {
    text.get(..12).unwrap_or(text)
}

/// Returns the content security policy: only the style and the script of the page, by their hashes.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
