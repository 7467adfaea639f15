//! The next steps of the page, and the steps of a finding.
//!
//! Instructions that several findings share are written once, below the next steps; findings link to them.

use super::markup::{MAX_ENTRIES, omitted, prose, visible};
use crate::document::{Document, Record};
use crate::next_steps::{NextStep, NextStepsContext};
use crate::remediation::Aim;
use crate::shared_steps::{Instructions, OwnStep, SharedStep, SharedSteps};
use ddpatrol_detect::redact::Clean;
use ddpatrol_scan::quantity::count;
use maud::{Markup, html};

/// Returns the section with the next steps for all findings, and the instructions that findings share.
pub(super) fn section(
    document: &Document,
    context: &NextStepsContext,
    shared: &SharedSteps<'_>,
) -> Markup {
    let steps = document.next_steps(context);
    html! {
        @if !steps.is_empty() || !shared.steps().is_empty() {
            section id="next-steps" aria-labelledby="next-steps-title" { "\n"
                h2 #next-steps-title { "Next steps" } "\n"
                @if !steps.is_empty() {
                    ol.next { "\n" @for it in &steps { (next(it)) } } "\n"
                }
                @if !shared.steps().is_empty() { (advice(shared)) }
            }
            "\n"
        }
    }
}

fn next(step: &NextStep) -> Markup {
    let text = step.text.text();
    // "Revoke the tokens" needs no other title.
    let title = title(step.label);
    let shared = title.len() * usize::from(text.starts_with(&title));
    let title = if shared > 0 { title } else { format!("{title}. ") };
    html! {
        li {
            strong { (title) } (prose(&text[shared..]))
            @if let Some(command) = &step.command { (commands(&[command])) }
            @if let Some(limitation) = step.limitation { p.more { (limitation) } }
        }
        "\n"
    }
}

/// Returns a word with an upper-case first letter.
fn title(label: &str) -> String {
    let (first, rest) = label.split_at(label.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}", first.to_uppercase())
}

fn advice(shared: &SharedSteps<'_>) -> Markup {
    let all = shared.steps();
    html! {
        details.fold {
            summary { "Advice for several findings (" (all.len()) ")" } "\n"
            ol.steps { "\n"
                @for (at, it) in all.iter().take(MAX_ENTRIES).enumerate() { (shared_step(at + 1, it)) }
            }
            "\n"
            (omitted(all.len(), MAX_ENTRIES))
        }
        "\n"
    }
}

fn shared_step(number: usize, step: &SharedStep<'_>) -> Markup {
    html! {
        li id={ "advice-" (number) } {
            strong { (aim(step.aim)) } " " (prose(&step.text.text()))
            " " span.plus { "(" (count(step.findings, "finding")) ")" }
            (commands(&step.commands))
        }
        "\n"
    }
}

/// Returns the steps of a finding, folded.
pub(super) fn own(record: &Record, shared: &SharedSteps<'_>) -> Markup {
    html! {
        details.fold {
            summary { "What to do" } "\n"
            ol.steps { "\n" @for it in &shared.of(record) { (own_step(it)) } }
        }
        "\n"
    }
}

fn own_step(step: &OwnStep<'_>) -> Markup {
    html! {
        li {
            strong { (aim(step.aim)) } " "
            @match step.instructions {
                Instructions::Own(text) => (prose(&text.text())),
                Instructions::Shared(number) => {
                    "See " a href={ "#advice-" (number) } { "advice " (number) } "."
                }
            }
            (commands(&step.commands))
        }
        "\n"
    }
}

const fn aim(aim: Aim) -> &'static str {
    match aim {
        Aim::Revoke => "Revoke.",
        Aim::Replace => "Replace.",
        Aim::Clean => "Clean.",
        Aim::Prevent => "Prevent.",
    }
}

fn commands(commands: &[&Clean]) -> Markup {
    let lines: Vec<String> =
        commands.iter().take(MAX_ENTRIES).map(|it| visible(&it.text()).into_owned()).collect();
    html! {
        @if !lines.is_empty() { pre tabindex="0" { code { (lines.join("\n")) } } }
        (omitted(commands.len(), MAX_ENTRIES))
    }
}
