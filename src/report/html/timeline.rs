//! Timeline of the commits that introduced and removed tokens: a lane for each token, and a list.
//!
//! Lanes are drawings with lengths in percent, so that they fit any width, and their HTML text keeps its size.
//! The axis ends at the last commit in the report, not today.

use super::markup::{code, omitted, visible};
use crate::report::document::Record;
use crate::report::status::Presence;
use crate::report::trace::{CommitRecord, day, short};
use ddpatrol_scan::quantity::{count, number};
use jiff::Timestamp;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Maximum number of tokens with a lane, and of events in the list.
const MAX_LANES: usize = 40;
const MAX_EVENTS: usize = 2_000;
/// Maximum number of marks of a kind in a lane.
const MAX_MARKS: usize = 200;
/// Number of parts of the axis.
const PARTS: i64 = 4;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EventKind {
    Introduced,
    Removed,
}

/// The introduction or removal of a token at a path by a commit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Event<'a> {
    moment: i64,
    what: EventKind,
    /// The number of the finding, from 0.
    finding: usize,
    place: String,
    commit: &'a str,
    date: &'a str,
    author: String,
    token: &'a str,
}

/// Returns the timeline of the findings; nothing if none of them has a commit with a date.
pub(super) fn section(listed: &[&Record]) -> Markup {
    let mut undated = 0;
    let mut events = BTreeSet::new();
    for (finding, record) in listed.iter().enumerate() {
        for place in &record.locations {
            let Some(git) = &place.git else { continue };
            let mut add = |commit, what| match event(finding, record, commit, what) {
                Some(event) => {
                    events.insert(Event { place: place.label(), ..event });
                }
                None => undated += 1,
            };
            git.introduced.iter().for_each(|it| add(it, EventKind::Introduced));
            git.removed.iter().for_each(|it| add(it, EventKind::Removed));
        }
    }
    let events: Vec<Event<'_>> = events.into_iter().collect();
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Markup::default();
    };
    let span = Span { first: first.moment, last: last.moment };
    html! {
        section id="timeline" aria-labelledby="timeline-title" { "\n"
            h2 #timeline-title { "Timeline" } "\n"
            (key())
            (lanes(listed, &events, span))
            (axis(span))
            (undrawn(&events))
            (list(&events, undated))
        }
        "\n"
    }
}

/// Explains the marks and lines.
fn key() -> Markup {
    html! {
        p.key aria-hidden="true" {
            span { svg { circle.in cx="50%" cy="50%" r="5" {} } "introduced" } "\n"
            span { svg { path.out d="M5 4l8 8m0-8l-8 8" {} } "removed" } "\n"
            span { svg { line.open x1="0" x2="100%" y1="50%" y2="50%" {} } "still there" } "\n"
            span { svg { line.gone x1="0" x2="100%" y1="50%" y2="50%" {} } "in the history only" }
        }
        "\n"
    }
}

fn event<'a>(
    finding: usize,
    record: &'a Record,
    commit: &'a CommitRecord,
    what: EventKind,
) -> Option<Event<'a>> {
    let date = commit.author.date.as_str();
    Some(Event {
        moment: date.parse::<Timestamp>().ok()?.as_second(),
        what,
        finding,
        place: String::new(),
        commit: &commit.commit,
        date,
        author: commit.author.name.text().into_owned(),
        token: &record.token.redacted,
    })
}

/// The time between the first event and the last.
#[derive(Clone, Copy)]
struct Span {
    first: i64,
    last: i64,
}

impl Span {
    /// Returns the position of a time in percent of the width, with a margin for the marks.
    fn at(self, moment: i64) -> f64 {
        let whole = self.last.saturating_sub(self.first).max(1) as f64;
        2.0 + 92.0 * moment.saturating_sub(self.first) as f64 / whole
    }

    /// Returns the times with a label on the axis.
    fn ticks(self) -> Vec<i64> {
        let part = self.last.saturating_sub(self.first) / PARTS;
        if part == 0 {
            return vec![self.first];
        }
        (0..=PARTS).map(|at| self.first + part * at).collect()
    }
}

fn lanes(listed: &[&Record], events: &[Event<'_>], span: Span) -> Markup {
    let mut order: Vec<usize> = Vec::new();
    for event in events {
        if !order.contains(&event.finding) {
            order.push(event.finding);
        }
        if order.len() == MAX_LANES {
            break;
        }
    }
    html! {
        ol.lanes { "\n"
            @for finding in order {
                @let own = events.iter().filter(|it| it.finding == finding);
                (lane(listed[finding], &own.collect::<Vec<_>>(), span))
            }
        }
        "\n"
    }
}

/// Returns the number of tokens that have events but no lane.
fn undrawn(events: &[Event<'_>]) -> Markup {
    let with_events: BTreeSet<usize> = events.iter().map(|it| it.finding).collect();
    let more = with_events.len().saturating_sub(MAX_LANES);
    html! {
        @if more > 0 {
            p.more {
                "The first " (MAX_LANES) " tokens are drawn; " (number(more))
                " more are in the list below."
            }
            "\n"
        }
    }
}

fn lane(record: &Record, own: &[&Event<'_>], span: Span) -> Markup {
    let Some((first, last)) = own.first().zip(own.last()) else { return Markup::default() };
    let presence = record.presence();
    let (class, end) = match presence {
        Presence::Removed => ("gone", span.at(last.moment)),
        Presence::Here | Presence::Change => ("open", 100.0),
        Presence::Elsewhere | Presence::Unreachable => ("gone", 100.0),
    };
    let removed = own.iter().rfind(|it| it.what == EventKind::Removed);
    let removed = removed.map(|it| format!(", removed {}", day(it.date))).unwrap_or_default();
    let label = format!("introduced {}{removed}; {}", day(first.date), presence.words());
    html! {
        li {
            a href={ "#f" (first.finding + 1) } { (code(&record.token.redacted)) } "\n"
            svg role="img" aria-label=(visible(&label)) {
                line class=(class) x1=(percent(span.at(first.moment))) x2=(percent(end))
                    y1="50%" y2="50%" {}
                "\n"
                @for what in [EventKind::Introduced, EventKind::Removed] {
                    @for event in own.iter().filter(|it| it.what == what).take(MAX_MARKS) {
                        (mark(what, span.at(event.moment)))
                    }
                }
            }
        }
        "\n"
    }
}

fn mark(what: EventKind, at: f64) -> Markup {
    html! {
        @match what {
            EventKind::Introduced => circle.in cx=(percent(at)) cy="50%" r="5" {},
            EventKind::Removed => svg x=(percent(at)) y="50%" overflow="visible" {
                path.out d="M-4 -4L4 4M4 -4L-4 4" {}
            },
        }
        "\n"
    }
}

fn percent(amount: f64) -> String {
    format!("{amount:.2}%")
}

fn axis(span: Span) -> Markup {
    let date = |moment| Timestamp::from_second(moment).map(|it| it.to_string()).unwrap_or_default();
    html! {
        ol.axis {
            @for moment in span.ticks() { li { (day(&date(moment))) } }
        }
        "\n"
    }
}

/// Returns the events as a list.
fn list(events: &[Event<'_>], undated: usize) -> Markup {
    html! {
        details.fold {
            summary { "As a list: " (count(events.len(), "event")) } "\n"
            ol.events { "\n"
                @for event in events.iter().take(MAX_EVENTS) {
                    (entry(event))
                }
            }
            "\n"
            (omitted(events.len(), MAX_EVENTS))
            @if undated > 0 {
                p.more {
                    (count(undated, "event")) " omitted because of an invalid date."
                }
                "\n"
            }
        }
        "\n"
    }
}

fn entry(event: &Event<'_>) -> Markup {
    let what = match event.what {
        EventKind::Introduced => "introduced",
        EventKind::Removed => "removed",
    };
    html! {
        li {
            time { (visible(day(event.date))) } " "
            a href={ "#f" (event.finding + 1) } { (code(event.token)) } " " (what)
            " at " (code(&event.place))
            " by " (code(short(event.commit))) ", " (visible(&event.author))
        }
        "\n"
    }
}
