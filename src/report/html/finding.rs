//! One finding: a summary line, and all details of the report below it.

use super::filter;
use super::markup::{code, omitted, visible};
use crate::detect::Evidence;
use crate::report::document::{LocationRecord, Record};
use crate::report::remediation::{Aim, RemediationStep};
use crate::report::status::{Liveness, Presence};
use crate::report::trace::{CommitRecord, TraceRecord, day, short};
use ddpatrol_scan::quantity::count;
use maud::{Markup, html};

/// Maximum number of places that a finding lists.
const MAX_PLACES: usize = 100;
/// Maximum number of places that are visible at once.
const MAX_SEEN: usize = 3;

/// Layout of a finding.
pub(super) struct Form {
    /// Its number, from 0.
    pub(super) at: usize,
    /// Whether it is unfolded.
    pub(super) is_open: bool,
    /// Whether it has steps and all locations, or only the facts and the first location.
    pub(super) is_whole: bool,
    /// The number of its rule among the filters.
    pub(super) rule: usize,
}

/// Returns a finding.
pub(super) fn entry(record: &Record, form: &Form) -> Markup {
    let class = format!("finding rule-{} {}", form.rule, filter::classes(record));
    html! {
        details class=(class) open[form.is_open] { "\n"
            summary { "\n" (summary(record)) } "\n"
            div.body id={ "f" (form.at + 1) } { "\n"
                (facts(record))
                @if form.is_whole {
                    (steps(record))
                    (places(record))
                }
            }
            "\n"
        }
        "\n"
    }
}

/// Returns what is visible of a folded finding.
fn summary(record: &Record) -> Markup {
    let more = record.count().saturating_sub(1);
    html! {
        span.head {
            h3 { (visible(&record.name)) " " (token(record)) }
            span.tags { "\n"
                @for (tone, words) in tags(record) {
                    span class={ "tag " (tone) } { (words) } "\n"
                }
            }
        }
        "\n"
        span.sub { "\n"
            @if let Some(first) = record.locations.first() { (code(&first.label())) "\n" }
            @if more > 0 { span { "and " (count(more, "more place")) } "\n" }
            @if let Some(commit) = record.introduced() {
                span {
                    "since " (visible(day(&commit.author.date)))
                    ", by " (visible(&commit.author.name.text()))
                }
                "\n"
            }
        }
        "\n"
    }
}

fn tags(record: &Record) -> Vec<(&'static str, &'static str)> {
    let mut tags = Vec::new();
    if record.evidence == Evidence::Shaped {
        tags.push(("", "unproven"));
    } else {
        let tone = match record.liveness() {
            Liveness::Live => "bad",
            Liveness::Dead => "good",
            Liveness::Unknown => "warn",
        };
        tags.push((tone, record.liveness_words()));
    }
    let presence = record.presence();
    let tone = match presence {
        Presence::Change | Presence::Here => "warn",
        Presence::Elsewhere | Presence::Removed | Presence::Unreachable => "",
    };
    tags.push((tone, presence.words()));
    if record.has_new_location() {
        tags.push(("warn", "new place"));
    }
    if let Some(suppression) = &record.suppression {
        tags.push(("", suppression.by.words()));
    }
    tags
}

fn token(record: &Record) -> Markup {
    html! { code.token { (visible(record.shown_token())) } }
}

fn facts(record: &Record) -> Markup {
    let text = |text: &str| html! { (visible(text)) };
    let evidence = match record.evidence {
        Evidence::Proven => "proven: its checksum matches",
        Evidence::Shaped => "unproven: it has no valid checksum",
    };
    let life = match record.response_lines() {
        lines if lines.is_empty() => record.liveness_words().to_owned(),
        lines => lines.join("; "),
    };
    let facts = [
        ("Token id", record.token.uuid.as_deref().map(code)),
        ("Issuer", Some(text(&record.issuer))),
        ("Live or dead", Some(text(&life))),
        ("Since", record.introduced().map(commit)),
        ("Suppressed", record.suppression.as_ref().map(|it| text(&it.line()))),
        ("Alias", record.token.alias.as_deref().map(code)),
        ("Evidence", Some(text(evidence))),
        ("Rule", Some(code(&record.rule))),
        ("Fingerprint", Some(code(&record.fingerprint))),
    ];
    html! {
        dl.facts { "\n"
            @for (what, fact) in facts {
                @if let Some(fact) = fact {
                    div class=[(what == "Since").then_some("wide")] { dt { (what) } dd { (fact) } }
                    "\n"
                }
            }
        }
        "\n"
    }
}

fn steps(record: &Record) -> Markup {
    if record.is_dead_or_revoked() {
        return html! { p.done { "The token is no longer valid." } "\n" };
    }
    if !record.needs_action() {
        return Markup::default();
    }
    let advice = record.advice.as_deref().unwrap_or("Revoke it where it was issued.");
    html! {
        h4 { "What to do" } "\n"
        @if record.steps.is_empty() {
            p { (visible(advice)) } "\n"
        } @else {
            ol.steps { "\n"
                @for it in &record.steps { (step(it)) }
            }
            "\n"
        }
    }
}

fn step(step: &RemediationStep) -> Markup {
    let aim = match step.aim {
        Aim::Revoke => "Revoke",
        Aim::Replace => "Replace",
        Aim::Clean => "Clean",
        Aim::Prevent => "Prevent",
    };
    let commands: Vec<String> =
        step.commands.iter().map(|it| visible(&it.text()).into_owned()).collect();
    html! {
        li {
            strong { (aim) "." } " " (visible(&step.text.text()))
            @if !commands.is_empty() {
                pre tabindex="0" { code { (commands.join("\n")) } }
            }
        }
        "\n"
    }
}

fn places(record: &Record) -> Markup {
    let all = record.count();
    let listed = &record.locations[..record.locations.len().min(MAX_PLACES)];
    let (seen, folded) = listed.split_at(listed.len().min(MAX_SEEN));
    html! {
        h4 { "Found in " (count(all, "place")) } "\n"
        (list(seen))
        @if !folded.is_empty() {
            details.fold {
                summary { (count(folded.len(), "more place")) } "\n"
                (list(folded))
            }
            "\n"
        }
        (omitted(all, listed.len()))
    }
}

fn list(places: &[LocationRecord]) -> Markup {
    html! {
        ul.places { "\n"
            @for place in places {
                li {
                    code.where { (visible(&place.label())) }
                    @for remark in place.remarks() { " " span.remark { (visible(&remark)) } }
                    pre tabindex="0" { (code(&place.snippet.text())) } "\n"
                    @if let Some(git) = &place.git {
                        (origin(place, git))
                    } @else if place.change_status.is_none() && place.path.is_some() {
                        p { "In the current file." } "\n"
                    }
                }
                "\n"
            }
        }
        "\n"
    }
}

fn origin(place: &LocationRecord, git: &TraceRecord) -> Markup {
    html! {
        @if let Some(introduced) = &git.introduced {
            p { "Introduced " (commit(introduced)) } "\n"
        }
        @if place.change_status.is_none() {
            p { (visible(&capitalized(&git.fate()))) } "\n"
        }
    }
}

/// Returns text with its first letter in upper case.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|it| it.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Returns a commit: date, id, author, subject.
fn commit(commit: &CommitRecord) -> Markup {
    html! {
        time { (visible(&commit.author.date.replace('T', " "))) }
        ", commit " (code(short(&commit.commit)))
        " of " (visible(&commit.author.name.text()))
        " <" (visible(&commit.author.email.text())) ">: "
        q { (visible(&commit.subject.text())) }
    }
}

/// Returns a suppressed finding as an entry of a list.
pub(super) fn suppressed_entry(record: &Record, rule: usize) -> Markup {
    let class = format!("finding rule-{rule} {}", filter::classes(record));
    let why = record.suppression.as_ref().map(|it| it.line()).unwrap_or_default();
    let more = record.count() - record.locations.len().min(MAX_SEEN);
    html! {
        li class=(class) {
            strong { (visible(&record.name)) } " " (token(record))
            p { (visible(&why)) }
            ul { "\n"
                @for place in record.locations.iter().take(MAX_SEEN) {
                    li { (code(&place.label())) } "\n"
                }
                @if more > 0 { li { "and " (count(more, "more place")) } "\n" }
            }
        }
        "\n"
    }
}
