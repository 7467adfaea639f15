//! The table of repositories; with the script, a click filters the findings.

use super::facets::{Facets, Repository};
use super::markup::{MAX_ENTRIES, omitted, visible, web_link};
use ddpatrol_scan::quantity::{count, number};
use maud::{Markup, html};
use std::cmp::Reverse;

/// Returns the table; nothing for fewer than two repositories.
pub(super) fn table(facets: &Facets<'_>) -> Markup {
    let all = facets.repositories.len();
    if all < 2 {
        return Markup::default();
    }
    let mut rows: Vec<(usize, &Repository)> = facets.repositories.iter().enumerate().collect();
    rows.sort_by_key(|(_, it)| (Reverse(it.live), Reverse(it.findings), Reverse(it.issues)));
    let with = rows.iter().filter(|(_, it)| it.findings > 0).count();
    html! {
        details #repositories {
            summary { (count(all, "repository")) ", " (number(with)) " with findings" } "\n"
            div.scroll tabindex="0" role="region" aria-label="Repositories" {
                table { "\n"
                    thead { tr {
                        th scope="col" { "Repository" }
                        th.number scope="col" { "Findings" }
                        th.number scope="col" { "Live" }
                        th.number scope="col" { "Issues" }
                    } }
                    "\n"
                    tbody { "\n"
                        @for (at, it) in rows.into_iter().take(MAX_ENTRIES) { (row(at, it)) }
                    }
                }
            }
            "\n"
            (omitted(all, MAX_ENTRIES))
        }
        "\n"
    }
}

fn row(at: usize, repository: &Repository) -> Markup {
    html! {
        tr {
            th scope="row" {
                @if repository.findings > 0 {
                    button type="button" data-repository=(at) disabled {
                        bdi { (visible(&repository.label)) }
                    }
                } @else {
                    bdi { (visible(&repository.label)) }
                }
                @if let Some(url) = &repository.url {
                    " " (web_link(Some(url), html! { "open" }))
                }
            }
            td.number { (number(repository.findings)) }
            td.number.bad[repository.live > 0] { (number(repository.live)) }
            td.number { (number(repository.issues)) }
        }
        "\n"
    }
}
