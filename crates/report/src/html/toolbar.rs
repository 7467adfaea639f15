//! The filters, the search, the order and the pages of the list; all need the script, which shows them.

use super::facets::{Facet, Facets};
use super::listed::{Listed, Reach, State};
use super::markup::visible;
use ddpatrol_scan::quantity::number;
use maud::{Markup, html};

/// The orders, first the default; the others by their rank.
const ORDERS: [(&str, &str); 6] = [
    ("urgency", "Urgency"),
    ("newest", "Newest first"),
    ("oldest", "Oldest first"),
    ("path", "Path"),
    ("rule", "Rule"),
    ("author", "Author"),
];

/// An option of a selection: its value and its label.
struct Choice {
    value: String,
    label: String,
}

/// Returns the filters; none if there are fewer than two findings.
pub(super) fn filters(listed: &[Listed<'_>], facets: &Facets<'_>) -> Markup {
    if listed.len() < 2 {
        return Markup::default();
    }
    let reach = Reach::ALL.into_iter().filter_map(|reach| {
        let amount = listed.iter().filter(|it| it.group.reach == reach).count();
        (amount > 0).then(|| choice(reach.id(), reach.words(), amount))
    });
    let repositories = facets.repositories.iter().enumerate();
    let repositories = repositories
        .filter(|(_, it)| it.findings > 0)
        .map(|(at, it)| choice(&at.to_string(), &it.label, it.findings));
    let orders = ORDERS.map(|(value, label)| Choice { value: value.into(), label: label.into() });
    html! {
        div #toolbar role="search" aria-label="Filter the findings" hidden { "\n"
            div.row {
                (states(listed))
                label.search for="search" {
                    span.off { "Search" }
                    input #search type="search" autocomplete="off" spellcheck="false"
                        placeholder="Search path, token, commit, author";
                }
            }
            "\n"
            div.row {
                (select("where", "Where", reach.collect()))
                (select("repository", "Repository", repositories.collect()))
                (select("rule", "Rule", choices(&facets.rules)))
                (select("owner", "Owner", choices(&facets.owners)))
                label.pick {
                    span { "Sort by" }
                    select #order autocomplete="off" { @for it in &orders { (option(it)) } }
                }
                button #reset type="button" hidden { "Reset" }
            }
            "\n"
        }
        "\n"
    }
}

fn states(listed: &[Listed<'_>]) -> Markup {
    html! {
        fieldset {
            legend.off { "State" }
            (radio("", "All", listed.len()))
            @for state in State::ALL {
                @let amount = listed.iter().filter(|it| it.group.state == state).count();
                @if amount > 0 { (radio(state.id(), state.title(), amount)) }
            }
        }
        "\n"
    }
}

fn radio(value: &str, label: &str, amount: usize) -> Markup {
    html! {
        label.chip {
            input type="radio" name="state" value=(value) autocomplete="off"
                checked[value.is_empty()];
            span { (label) " " span.amount { (number(amount)) } }
        }
    }
}

/// Returns a selection; nothing if there is no choice.
fn select(id: &str, label: &str, choices: Vec<Choice>) -> Markup {
    html! {
        @if choices.len() > 1 {
            label.pick {
                span { (label) }
                select id=(id) autocomplete="off" {
                    option value="" { "All" }
                    @for it in &choices { (option(it)) }
                }
            }
            "\n"
        }
    }
}

fn option(choice: &Choice) -> Markup {
    html! { option value=(choice.value) { (visible(&choice.label)) } }
}

fn choices(facets: &[Facet<'_>]) -> Vec<Choice> {
    let all = facets.iter().enumerate();
    all.map(|(at, it)| choice(&at.to_string(), &it.label, it.amount)).collect()
}

fn choice(value: &str, label: &str, amount: usize) -> Choice {
    Choice { value: value.to_owned(), label: format!("{label} ({})", number(amount)) }
}

/// Returns the buttons that turn pages.
pub(super) fn pager() -> Markup {
    html! {
        nav #pager aria-label="Pages of findings" hidden {
            button #previous type="button" { "Previous" }
            span #position {}
            button #next type="button" { "Next" }
        }
        "\n"
    }
}
