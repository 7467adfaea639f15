//! The timeline: when tokens came in and when they were taken away, a lane for each token, and the
//! same as a list in words.
//!
//! Lanes are drawings whose lengths are percentages, so that they fit any width and their text, which
//! is HTML, keeps its size. The last moment is that of the last commit told, not today.

use crate::quantity::{count, number};
use crate::report::document::Record;
use crate::report::escape::html;
use crate::report::status::{Presence, short};
use crate::report::trace::CommitRecord;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// How many tokens have a lane, and how many events are told in words.
const MOST_LANES: usize = 40;
const MOST_EVENTS: usize = 2_000;
/// How many marks of a kind a lane has.
const MOST_MARKS: usize = 200;
/// How many parts the axis has.
const PARTS: i64 = 4;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    CameIn,
    TakenAway,
}

/// Something that a commit did to a token at a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Event<'a> {
    moment: i64,
    what: What,
    /// The number of the finding, from 0.
    finding: usize,
    place: String,
    commit: &'a str,
    date: &'a str,
    author: String,
    token: &'a str,
}

/// Writes the timeline of the findings, where any of them has a commit.
pub(super) fn write(listed: &[&Record], out: &mut dyn Write) -> io::Result<()> {
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
            git.introduced.iter().for_each(|it| add(it, What::CameIn));
            git.removed.iter().for_each(|it| add(it, What::TakenAway));
        }
    }
    let events: Vec<Event<'_>> = events.into_iter().collect();
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
    let span = Span { first: first.moment, last: last.moment };
    writeln!(
        out,
        "<section id=\"timeline\" aria-labelledby=\"timeline-title\">\n\
         <h2 id=\"timeline-title\">Timeline</h2>\n<p class=\"key\" aria-hidden=\"true\">\
         <span><svg><circle class=\"in\" cx=\"50%\" cy=\"50%\" r=\"5\"/></svg>came in</span>\n\
         <span><svg><path class=\"out\" d=\"M5 4l8 8m0-8l-8 8\"/></svg>taken away</span>\n\
         <span><svg><line class=\"open\" x1=\"0\" x2=\"100%\" y1=\"50%\" y2=\"50%\"/></svg>still there\
         </span>\n<span><svg><line class=\"gone\" x1=\"0\" x2=\"100%\" y1=\"50%\" y2=\"50%\"/></svg>\
         in the history only</span></p>"
    )?;
    write_lanes(listed, &events, span, out)?;
    write_events(&events, undated, out)?;
    writeln!(out, "</section>")
}

fn event<'a>(
    finding: usize,
    record: &'a Record,
    commit: &'a CommitRecord,
    what: What,
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
    /// Returns where a moment lies, in hundredths of the width, with a margin for the marks.
    fn at(self, moment: i64) -> f64 {
        let whole = self.last.saturating_sub(self.first).max(1) as f64;
        2.0 + 92.0 * moment.saturating_sub(self.first) as f64 / whole
    }

    /// Lists the moments that the axis names.
    fn ticks(self) -> Vec<i64> {
        let part = self.last.saturating_sub(self.first) / PARTS;
        if part == 0 {
            return vec![self.first];
        }
        (0..=PARTS).map(|at| self.first + part * at).collect()
    }
}

fn write_lanes(
    listed: &[&Record],
    events: &[Event<'_>],
    span: Span,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut order: Vec<usize> = Vec::new();
    for event in events {
        if !order.contains(&event.finding) {
            order.push(event.finding);
        }
        if order.len() > MOST_LANES {
            break;
        }
    }
    writeln!(out, "<ol class=\"lanes\">")?;
    for &finding in order.iter().take(MOST_LANES) {
        let own: Vec<&Event<'_>> = events.iter().filter(|it| it.finding == finding).collect();
        write_lane(listed[finding], &own, span, out)?;
    }
    writeln!(out, "</ol>")?;
    write_axis(span, out)?;
    let with_events: BTreeSet<usize> = events.iter().map(|it| it.finding).collect();
    let more = with_events.len().saturating_sub(MOST_LANES);
    if more > 0 {
        writeln!(
            out,
            "<p class=\"more\">The first {MOST_LANES} tokens are drawn; {} more are in the list \
             below.</p>",
            number(more)
        )?;
    }
    Ok(())
}

fn write_lane(
    record: &Record,
    own: &[&Event<'_>],
    span: Span,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some((first, last)) = own.first().zip(own.last()) else { return Ok(()) };
    let presence = record.presence();
    let is_there = matches!(presence, Presence::Here | Presence::Change);
    let (class, end) = match presence {
        Presence::Removed => ("gone", span.at(last.moment)),
        _ if is_there => ("open", 100.0),
        _ => ("gone", 100.0),
    };
    let days = |date: &str| html(date.split('T').next().unwrap_or_default());
    let (came, went) = (days(first.date), own.iter().rfind(|it| it.what == What::TakenAway));
    let went = went.map(|it| format!(", taken away {}", days(it.date))).unwrap_or_default();
    writeln!(
        out,
        "<li><a href=\"#f{}\"><code>{}</code></a>\n<svg role=\"img\" \
         aria-label=\"came in {came}{went}; {}\">\
         <line class=\"{class}\" x1=\"{:.2}%\" x2=\"{end:.2}%\" y1=\"50%\" y2=\"50%\"/>",
        first.finding + 1,
        html(&record.token.redacted),
        presence.words(),
        span.at(first.moment)
    )?;
    for what in [What::CameIn, What::TakenAway] {
        for event in own.iter().filter(|it| it.what == what).take(MOST_MARKS) {
            let at = span.at(event.moment);
            match what {
                What::CameIn => {
                    writeln!(out, "<circle class=\"in\" cx=\"{at:.2}%\" cy=\"50%\" r=\"5\"/>")?;
                }
                What::TakenAway => writeln!(
                    out,
                    "<svg x=\"{at:.2}%\" y=\"50%\" overflow=\"visible\">\
                     <path class=\"out\" d=\"M-4 -4L4 4M4 -4L-4 4\"/></svg>"
                )?,
            }
        }
    }
    writeln!(out, "</svg></li>")
}

fn write_axis(span: Span, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "<ol class=\"axis\">")?;
    for moment in span.ticks() {
        let day = Timestamp::from_second(moment).map(|it| it.to_string()).unwrap_or_default();
        write!(out, "<li>{}</li>", html(day.split('T').next().unwrap_or_default()))?;
    }
    writeln!(out, "</ol>")
}

fn write_events(events: &[Event<'_>], undated: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<details class=\"fold\"><summary>The same in words: {}</summary>\n<ol class=\"events\">",
        count(events.len(), "event")
    )?;
    for event in events.iter().take(MOST_EVENTS) {
        let what = match event.what {
            What::CameIn => "came in",
            What::TakenAway => "taken away",
        };
        writeln!(
            out,
            "<li><time>{}</time> <a href=\"#f{}\"><code>{}</code></a> {what} at <code>{}</code> by \
             <code>{}</code>, {}</li>",
            html(event.date.split('T').next().unwrap_or_default()),
            event.finding + 1,
            html(event.token),
            html(&event.place),
            html(short(event.commit)),
            html(&event.author)
        )?;
    }
    writeln!(out, "</ol>")?;
    let more = events.len().saturating_sub(MOST_EVENTS);
    if more > 0 {
        let more = number(more);
        writeln!(
            out,
            "<p class=\"more\">And {more} more, which <code>--report json</code> lists.</p>"
        )?;
    }
    if undated > 0 {
        let them = count(undated, "event");
        writeln!(out, "<p class=\"more\">{them} without a date that a calendar has left out.</p>")?;
    }
    writeln!(out, "</details>")
}
