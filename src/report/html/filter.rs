//! Filters of the list of findings: radio buttons, which the style sheet acts on without a script.

use super::markup::visible;
use crate::detect::Evidence;
use crate::report::document::Record;
use crate::report::status::{Liveness, Presence};
use ddpatrol_scan::quantity::number;
use maud::{Markup, html};
use std::fmt::Write as _;

/// Maximum number of rules that have a filter.
const MAX_RULES: usize = 40;
/// The states that can be filtered by: the class of a finding, and its label.
const STATES: [(&str, &str); 7] = [
    ("live", "Live"),
    ("dead", "Dead or revoked"),
    ("unsure", "Unknown if live"),
    ("here", "Still there"),
    ("gone", "Not in HEAD"),
    ("shaped", "Unproven"),
    ("known", "Suppressed"),
];

/// The filters of the findings of a page.
pub(super) struct Filters<'a> {
    all: &'a [&'a Record],
    /// The rules with findings, the most frequent first.
    rules: Vec<RuleCount<'a>>,
}

/// A rule and its number of findings.
struct RuleCount<'a> {
    id: &'a str,
    name: &'a str,
    amount: usize,
}

impl<'a> Filters<'a> {
    pub(super) fn new(all: &'a [&'a Record]) -> Self {
        let mut rules: Vec<RuleCount<'_>> = Vec::new();
        for record in all {
            match rules.iter_mut().find(|it| it.id == record.rule) {
                Some(rule) => rule.amount += 1,
                None => rules.push(RuleCount { id: &record.rule, name: &record.name, amount: 1 }),
            }
        }
        rules.sort_by_key(|it| (std::cmp::Reverse(it.amount), it.id));
        Self { all, rules }
    }

    /// Returns the number of a finding's rule among the filters.
    pub(super) fn rule(&self, record: &Record) -> usize {
        self.rules.iter().position(|it| it.id == record.rule).unwrap_or_default()
    }

    /// Returns the part of the style sheet that acts on the rules' buttons.
    pub(super) fn style(&self) -> String {
        let mut style = String::new();
        for at in 0..self.rules.len().min(MAX_RULES) {
            let _ = writeln!(
                style,
                "body:has(#rule-{at}:checked) .finding:not(.rule-{at}){{display:none}}"
            );
        }
        style
    }

    /// Returns the buttons; none if there are fewer than two findings.
    pub(super) fn buttons(&self) -> Markup {
        if self.all.len() < 2 {
            return Markup::default();
        }
        html! {
            div.filters role="group" aria-label="Filters" { "\n"
                (self.states())
                (self.kinds())
                div #search-place {} "\n"
            }
            "\n"
        }
    }

    fn states(&self) -> Markup {
        html! {
            fieldset {
                legend { "State" } "\n"
                (button("state", "all", "All", self.all.len()))
                @for (class, word) in STATES {
                    @let amount = self.amount(class);
                    @if amount > 0 { (button("state", class, word, amount)) }
                }
            }
            "\n"
        }
    }

    fn kinds(&self) -> Markup {
        let more = self.rules.len().saturating_sub(MAX_RULES);
        html! {
            @if self.rules.len() > 1 {
                fieldset {
                    legend { "Kind" } "\n"
                    (button("rule", "all", "All", self.all.len()))
                    @for (at, rule) in self.rules.iter().enumerate().take(MAX_RULES) {
                        (button("rule", &at.to_string(), rule.name, rule.amount))
                    }
                    @if more > 0 {
                        span { "and " (more) " more kinds without a filter" } "\n"
                    }
                }
                "\n"
            }
        }
    }

    /// Counts the findings of a class.
    fn amount(&self, class: &str) -> usize {
        self.all.iter().filter(|it| classes(it).split(' ').any(|it| it == class)).count()
    }
}

fn button(group: &str, value: &str, word: &str, amount: usize) -> Markup {
    let id = format!("{group}-{value}");
    html! {
        input type="radio" name=(group) id=(id) autocomplete="off" checked[value == "all"];
        label for=(id) { (visible(word)) " " span.amount { (number(amount)) } } "\n"
    }
}

/// Lists the classes of a finding that filters act on.
pub(super) fn classes(record: &Record) -> String {
    let life = match record.liveness() {
        Liveness::Live => "live",
        Liveness::Dead => "dead",
        Liveness::Unknown => "unsure",
    };
    let presence = match record.presence() {
        Presence::Here | Presence::Change => "here",
        Presence::Elsewhere | Presence::Removed | Presence::Unreachable => "gone",
    };
    let shaped = if record.evidence == Evidence::Shaped { " shaped" } else { "" };
    let known = if record.suppression.is_some() { " known" } else { "" };
    format!("{life} {presence}{shaped}{known}")
}
