//! Timeline of the commits that introduced and removed tokens: a lane for each token.
//!
//! Lanes are drawings with lengths in percent, so that they fit any width, and their HTML text keeps its size.
//! The axis ends at the last commit in the report, not today.

use super::listed::Listed;
use super::markup::{code, visible};
use crate::document::Record;
use crate::places::{places, whereabouts};
use crate::status::Presence;
use crate::trace::{CommitRecord, day};
use ddpatrol_scan::quantity::number;
use jiff::Timestamp;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Maximum number of tokens with a lane.
const MAX_LANES: usize = 40;
/// Maximum number of marks of a kind in a lane.
const MAX_MARKS: usize = 200;
/// Maximum number of characters of a path in the label of a lane.
const MAX_PATH: usize = 28;
/// Number of parts of the axis.
const PARTS: i64 = 4;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EventKind {
    Introduced,
    Removed,
}

/// The introduction or removal of a token by a commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event<'a> {
    moment: i64,
    what: EventKind,
    /// The index of the finding.
    finding: usize,
    date: &'a str,
}

/// Returns the timeline of the findings; nothing for a single finding, which has its own timeline, or if no
/// finding has a commit with a date.
pub(super) fn section(listed: &[Listed<'_>]) -> Markup {
    if listed.len() < 2 {
        return Markup::default();
    }
    let mut events = BTreeSet::new();
    for (finding, it) in listed.iter().enumerate() {
        for git in it.record.locations.iter().filter_map(|place| place.git.as_ref()) {
            let introduced = git.introduced.iter().map(|it| (it, EventKind::Introduced));
            let removed = git.removed.iter().map(|it| (it, EventKind::Removed));
            let all = introduced.chain(removed);
            events.extend(all.filter_map(|(commit, what)| event(finding, commit, what)));
        }
    }
    let with_events: BTreeSet<usize> = events.iter().map(|it| it.finding).collect();
    // The findings are sorted by urgency.
    let drawn: BTreeSet<usize> = with_events.iter().copied().take(MAX_LANES).collect();
    let events = events.into_iter().filter(|it| drawn.contains(&it.finding));
    let events: Vec<Event<'_>> = events.collect();
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
            (undrawn(with_events.len() - drawn.len()))
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
            span { svg { line.open x1="0" x2="100%" y1="50%" y2="50%" {} } "in HEAD or files" } "\n"
            span { svg { line.gone x1="0" x2="100%" y1="50%" y2="50%" {} } "in history" }
        }
        "\n"
    }
}

fn event(finding: usize, commit: &CommitRecord, what: EventKind) -> Option<Event<'_>> {
    let date = commit.author.date.as_str();
    Some(Event { moment: date.parse::<Timestamp>().ok()?.as_second(), what, finding, date })
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

fn lanes(listed: &[Listed<'_>], events: &[Event<'_>], span: Span) -> Markup {
    let mut order: Vec<usize> = Vec::new();
    for event in events {
        if !order.contains(&event.finding) {
            order.push(event.finding);
        }
    }
    html! {
        ol.lanes { "\n"
            @for finding in order {
                @let own = events.iter().filter(|it| it.finding == finding);
                (lane(listed[finding].record, &own.collect::<Vec<_>>(), span))
            }
        }
        "\n"
    }
}

/// Returns a remark on the tokens that have events but no lane, if there are any.
fn undrawn(more: usize) -> Markup {
    html! {
        @if more > 0 {
            p.more {
                "The " (MAX_LANES) " most urgent tokens are drawn; " (number(more))
                " more are among the findings."
            }
            "\n"
        }
    }
}

fn lane(record: &Record, own: &[&Event<'_>], span: Span) -> Markup {
    let Some((first, last)) = own.first().zip(own.last()) else { return Markup::default() };
    let presence = record.presence();
    let (class, end) = match presence {
        Presence::Removed | Presence::ChangeHistory => ("gone", span.at(last.moment)),
        Presence::Here | Presence::Change => ("open", 100.0),
        Presence::Elsewhere | Presence::Unreachable => ("gone", 100.0),
    };
    let removed = own.iter().rfind(|it| it.what == EventKind::Removed);
    let removed = removed.map(|it| format!(", removed {}", day(it.date))).unwrap_or_default();
    let label =
        format!("introduced {}{removed}; {}", day(first.date), whereabouts(&places(record)));
    html! {
        li {
            a href={ "#f" (first.finding + 1) } {
                (code(&record.token.redacted)) "\n"
                (lane_label(record))
            }
            "\n"
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

/// Returns the text below the token in its lane, since tokens without an identifier look alike: the beginning
/// of the fingerprint, as the text report shows it, and the end of the most urgent path.
fn lane_label(record: &Record) -> Markup {
    let fingerprint = record.fingerprint.get(..12).unwrap_or(&record.fingerprint);
    let all = places(record);
    let path = all.first().and_then(|it| it.shown.path.as_ref()).map(|it| it.text());
    let path = path.as_deref().map(visible).unwrap_or_default();
    let start = path.char_indices().rev().nth(MAX_PATH - 1).map_or(0, |(at, _)| at);
    html! {
        span.label title=(path) {
            "fp:" (fingerprint)
            @if !path.is_empty() {
                " · " @if start > 0 { "…" } (&path[start..])
            }
        }
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
