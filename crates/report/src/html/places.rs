//! The places of a finding with their source lines, and its timeline.

use super::markup::{DetailLevel, code, omitted, visible, web_link};
use crate::document::{LocationRecord, Record};
use crate::places::{Place, places};
use crate::trace::{CommitRecord, TraceRecord, day, short};
use ddpatrol_scan::finding::Part;
use ddpatrol_scan::quantity::count;
use jiff::Timestamp;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Maximum number of places of a finding, and of those that are visible at once.
const MAX_PLACES: usize = 100;
const MAX_SEEN: usize = 3;
/// Maximum number of events in the timeline of a finding.
const MAX_EVENTS: usize = 20;

/// Returns the places of a finding.
pub(super) fn section(record: &Record, detail: DetailLevel) -> Markup {
    let places = places(record);
    let all = places.iter().map(|it| it.count).sum();
    let most = if detail == DetailLevel::Whole { MAX_PLACES } else { MAX_SEEN };
    let listed = &places[..places.len().min(most)];
    let (seen, folded) = listed.split_at(listed.len().min(MAX_SEEN));
    html! {
        h4 { "Found in " (count(all, "place")) } "\n"
        (list(record, seen))
        @if !folded.is_empty() {
            details.fold {
                summary { (count(folded.len(), "more place")) } "\n"
                (list(record, folded))
            }
            "\n"
        }
        (omitted(all, listed.len()))
    }
}

fn list(record: &Record, places: &[Place<'_>]) -> Markup {
    html! {
        ul.places { "\n"
            @for place in places {
                li {
                    (web_link(place.url(), code(&place.shown.label())))
                    @for remark in place.shown.remarks() { " " span.remark { (visible(&remark)) } }
                    (snippet(record, place.shown))
                    @if let Some(git) = place.git { (origin(place.shown, git)) }
                }
                "\n"
            }
        }
        "\n"
    }
}

/// Returns the source line with its number; the token is highlighted.
fn snippet(record: &Record, place: &LocationRecord) -> Markup {
    let line = place.snippet.text();
    if line.is_empty() {
        return Markup::default();
    }
    let token = record.shown_token();
    let at = Some(token).filter(|it| !it.is_empty()).and_then(|it| line.find(it));
    let (before, after) = line.split_at(at.unwrap_or(line.len()));
    let (token, after) = after.split_at(at.map_or(0, |_| token.len()));
    let lines = matches!(place.part, Part::Content | Part::Commit | Part::Tag);
    html! {
        pre.source tabindex="0" {
            @if lines { span.line { (place.line) } }
            code {
                (visible(before))
                @if !token.is_empty() { mark { (visible(token)) } }
                (visible(after))
            }
        }
    }
}

fn origin(place: &LocationRecord, git: &TraceRecord) -> Markup {
    html! {
        p.meta {
            @if let Some(commit) = &git.introduced {
                span {
                    "since " (visible(day(&commit.author.date))) ", " (code(short(&commit.commit)))
                }
                " "
            }
            @if place.change_status.is_none() { span { (visible(&git.fate())) } }
        }
    }
}

/// Introduction or removal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Introduced,
    Removed,
}

/// Returns the commits that introduced and removed a token, earliest first.
pub(super) fn timeline(record: &Record, detail: DetailLevel) -> Markup {
    let mut events: BTreeMap<(i64, Change, &str), Vec<String>> = BTreeMap::new();
    let mut commits: BTreeMap<&str, &CommitRecord> = BTreeMap::new();
    for place in &record.locations {
        let Some(git) = &place.git else { continue };
        let introduced = git.introduced.iter().map(|it| (Change::Introduced, it));
        let removed = git.removed.iter().map(|it| (Change::Removed, it));
        for (change, commit) in introduced.chain(removed) {
            let moment = commit.author.date.parse::<Timestamp>().ok();
            let moment = moment.map_or(i64::MAX, |it| it.as_second());
            let id = commit.commit.as_str();
            commits.insert(id, commit);
            let places = events.entry((moment, change, id)).or_default();
            let path = place.path.as_ref().map(|it| it.text().into_owned());
            let path = path.unwrap_or_else(|| place.label());
            if !places.contains(&path) {
                places.push(path);
            }
        }
    }
    let most = if detail == DetailLevel::Whole { MAX_EVENTS } else { 2 };
    html! {
        @if !events.is_empty() {
            h4 { "Timeline" } "\n"
            ol.events { "\n"
                @for ((_, change, id), places) in events.iter().take(most) {
                    (event(*change, commits[id], places))
                }
            }
            "\n"
            (omitted(events.len(), most))
        }
    }
}

fn event(change: Change, commit: &CommitRecord, places: &[String]) -> Markup {
    let (class, word) = match change {
        Change::Introduced => ("in", "Introduced"),
        Change::Removed => ("out", "Removed"),
    };
    html! {
        li class=(class) {
            time { (visible(&commit.author.date.replace('T', " "))) } " "
            strong { (word) } " in " (commit_id(&commit.commit, commit.url.as_deref()))
            " by " bdi { (visible(&commit.author.name.text())) }
            " <" (visible(&commit.author.email.text())) ">"
            @if places.len() > 1 { ", " (count(places.len(), "path")) }
            p { q { bdi { (visible(&commit.subject.text())) } } }
        }
        "\n"
    }
}

/// Returns a commit id, with a link if its web page is known.
fn commit_id(id: &str, url: Option<&str>) -> Markup {
    web_link(url, code(short(id)))
}
