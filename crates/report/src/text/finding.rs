//! The lines of a finding in the text report.
//!
//! Input: a finding with its distinct places. Output: one or two lines, or with the source line and all
//! facts.

use super::line::{Line, Role, fitting, wrap};
use super::section::Item;
use super::{link, source_line};
use crate::document::{Document, LocationRecord, Record};
use crate::places::{Place, places};
use crate::status::Liveness;
use crate::trace::{CommitRecord, day, short};
use ddpatrol_respond::RevocationOutcome;
use ddpatrol_scan::finding::Part;
use ddpatrol_scan::quantity::count;

/// Indentation of a finding, and of its further lines.
const INDENT: usize = 2;
const FURTHER: usize = 4;
/// Digits of a shown fingerprint.
const FINGERPRINT: usize = 12;
/// Minimum width of a shortened token.
const MIN_TOKEN: usize = 12;
/// Maximum number of places of a finding that are listed.
const MAX_PLACES: usize = 20;

/// Maximum number of further places in one line.
const MAX_LABELS: usize = 5;

/// How much of a finding is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// One or two lines.
    Compact,
    /// With the source line and further places.
    Source,
    /// With all facts and places.
    Full,
}

/// Returns the lines of a finding.
pub(super) fn lines(
    item: &Item<'_>,
    document: &Document,
    detail: Detail,
    width: Option<usize>,
) -> Vec<Line> {
    let Some(first) = item.places.first() else { return Vec::new() };
    let entry = Entry { item, first, document, detail, width };
    let mut lines = entry.head();
    if detail == Detail::Compact {
        return lines;
    }
    let origin = lines.split_off(1);
    let redacted = &item.record.token.redacted;
    lines.extend(source_line::lines(first.shown, redacted, FURTHER, width));
    lines.extend(origin);
    lines.extend(entry.facts());
    lines
}

struct Entry<'a> {
    item: &'a Item<'a>,
    first: &'a Place<'a>,
    document: &'a Document,
    detail: Detail,
    width: Option<usize>,
}

impl Entry<'_> {
    fn record(&self) -> &Record {
        self.item.record
    }

    /// Returns the line with place, rule and token, and the line with the origin.
    fn head(&self) -> Vec<Line> {
        let mut line = Line::indented(INDENT);
        line.push(Role::Path, &label(self.first.shown, self.introduced()));
        let more = self.item.places.iter().map(|it| it.count).sum::<usize>() - 1;
        if more > 0 {
            line.push(Role::Dim, &format!(" +{}", count(more, "place")));
        }
        let record = self.record();
        let rule = |line: &mut Line| {
            let url = link::rule(self.document, &record.rule);
            line.push(Role::Plain, "  ").push_linked(Role::Plain, &record.rule, url);
            line.push(Role::Plain, " ");
        };
        let mut whole = line.clone();
        rule(&mut whole);
        let room = self.width.map(|width| width.saturating_sub(whole.width()));
        let token = record.shown_token();
        match room {
            Some(room) if room < MIN_TOKEN.min(token.len()) => {
                // Path and position stay whole, so that they can be opened.
                let mut second = Line::indented(INDENT);
                rule(&mut second);
                second.push(Role::Token, &shortened(token, MIN_TOKEN));
                second.push(Role::Plain, "  ");
                let origin = self.origin(second.width());
                second.append(origin);
                return vec![line, second.cut(self.width)];
            }
            Some(room) => whole.push(Role::Token, &shortened(token, room)),
            None => whole.push(Role::Token, token),
        };
        let origin = self.origin(FURTHER);
        // Without a commit there is room for the fingerprint on the same line.
        let is_short = self.introduced().is_none() && self.remarks().is_empty();
        if is_short && self.width.is_none_or(|it| whole.width() + 2 + origin.width() <= it) {
            whole.push(Role::Plain, "  ").append(origin);
            return vec![whole];
        }
        let mut second = Line::indented(FURTHER);
        second.append(origin);
        vec![whole, second.cut(self.width)]
    }

    fn introduced(&self) -> Option<&CommitRecord> {
        self.first.git?.introduced.as_ref()
    }

    /// Returns the commit that introduced the token, its author, and the fingerprint; `before` is the width of
    /// the line before them.
    fn origin(&self, before: usize) -> Line {
        let record = self.record();
        let fingerprint = record.fingerprint.get(..FINGERPRINT).unwrap_or(&record.fingerprint);
        let mut end = Line::of(Role::Dim, &format!("fp:{fingerprint}"));
        if self.detail == Detail::Compact {
            for remark in self.remarks() {
                end.push(Role::Plain, &format!("  {remark}"));
            }
        }
        let Some(commit) = self.introduced() else { return end };
        let mut line = Line::of(Role::Dim, &format!("{} ", day(&commit.author.date)));
        line.push_linked(Role::Dim, short(&commit.commit), link::commit(commit));
        let author = &commit.author;
        let email = format!(" <{}>", author.email.text());
        let mut person = Line::of(Role::Dim, &format!(" {}{email}", author.name.text()));
        // The fingerprint stays, the author is shortened.
        let used = before + line.width() + 2 + end.width();
        let room = self.width.map(|it| it.saturating_sub(used).max(8));
        if room.is_some_and(|room| person.width() > room) {
            person = Line::of(Role::Dim, &email).cut(room);
        }
        line.append(person).push(Role::Plain, "  ").append(end);
        line
    }

    /// Returns remarks on the finding and its first place that its section does not contain.
    fn remarks(&self) -> Vec<String> {
        let record = self.record();
        let mut remarks: Vec<String> = Vec::new();
        remarks.extend(record.suppression.as_ref().map(|it| it.line()));
        let failed = record.revocation.as_ref().filter(|it| {
            self.detail != Detail::Compact || it.outcome != RevocationOutcome::Revoked
        });
        if self.detail != Detail::Compact
            || record.liveness() == Liveness::Unknown
            || failed.is_some()
        {
            remarks.extend(record.response_lines());
        }
        let is_named = matches!(self.first.shown.part, Part::Name | Part::Ref);
        // The label of a name contains the first remark.
        let own = self.first.shown.remarks();
        remarks.extend(own.into_iter().skip(usize::from(is_named)));
        remarks
    }

    /// Returns the lines after the origin.
    fn facts(&self) -> Vec<Line> {
        let record = self.record();
        let mut lines = Vec::new();
        let indented = " ".repeat(FURTHER);
        let mut add = |role, text: String| {
            lines.extend(wrap(role, &format!("{indented}{text}"), FURTHER + 2, self.width));
        };
        if self.detail == Detail::Full {
            let id = record.token.uuid.as_ref().map(|uuid| format!("id {uuid}, "));
            let fingerprint = format!("fingerprint {}", record.fingerprint);
            add(Role::Plain, id.unwrap_or_default() + &fingerprint);
        }
        if self.detail == Detail::Full
            && let Some(commit) = self.introduced()
        {
            add(Role::Dim, format!("introduced by {}", commit.line()));
        }
        if let Some(git) = self.first.git
            && self.first.shown.change_status.is_none()
            && (!git.in_head || git.at_boundary || self.detail == Detail::Full)
        {
            add(Role::Dim, git.fate());
        }
        for remark in self.remarks() {
            add(Role::Plain, remark);
        }
        if self.detail == Detail::Source {
            lines.extend(self.also());
        } else {
            for place in self.item.places.iter().skip(1).take(MAX_PLACES) {
                lines.extend(self.further(place));
            }
            lines.extend(self.unlisted(MAX_PLACES));
        }
        lines
    }

    /// Returns one line with the further places.
    fn also(&self) -> Option<Line> {
        let further = &self.item.places[1..];
        let listed = further.iter().take(MAX_LABELS);
        let mut labels: Vec<String> = listed.map(|it| label(it.shown, introduced(it))).collect();
        if further.iter().map(|it| it.count).sum::<usize>() > labels.len() {
            labels.push("… (--explain)".to_owned());
        }
        let mut line = Line::indented(FURTHER);
        line.push(Role::Dim, "also ").push(Role::Path, &labels.join(", "));
        (!labels.is_empty()).then(|| line.cut(self.width))
    }

    /// Returns the lines of a further place.
    fn further(&self, place: &Place<'_>) -> Vec<Line> {
        let mut line = Line::indented(FURTHER);
        line.push(Role::Dim, "also ").push(Role::Path, &label(place.shown, introduced(place)));
        let mut lines = vec![line];
        let indent = FURTHER + 2;
        let mut add = |text: &str| {
            let text = format!("{}{text}", " ".repeat(indent));
            lines.extend(wrap(Role::Dim, &text, indent, self.width));
        };
        place.shown.remarks().iter().for_each(|it| add(it));
        if let Some(git) = place.git {
            if let Some(commit) = &git.introduced {
                add(&format!("introduced by {}", commit.line()));
            }
            if place.shown.change_status.is_none() {
                add(&git.fate());
            }
        }
        lines
    }

    /// Counts the places that are not listed.
    fn unlisted(&self, listed: usize) -> Option<Line> {
        let counts = self.item.places.iter().map(|it| it.count);
        let more = counts.sum::<usize>().saturating_sub(1 + listed.min(self.item.places.len() - 1));
        let mut line = Line::indented(FURTHER);
        let places = count(more, "more place");
        line.push(Role::Dim, &format!("… and {places}; --report json lists them all"));
        (more > 0).then_some(line)
    }
}

fn introduced<'a>(place: &Place<'a>) -> Option<&'a CommitRecord> {
    place.git?.introduced.as_ref()
}

/// Shortens a redacted token to a width.
fn shortened(token: &str, width: usize) -> String {
    let kept = fitting(token, width);
    if kept == token.len() {
        return token.to_owned();
    }
    format!("{}…", &token[..fitting(token, width.saturating_sub(1))])
}

/// Returns the name of a finding's first place as in the report; for a git object without a path with the
/// repository, if the scan read several.
#[must_use]
pub fn place_name(record: &Record, document: &Document) -> String {
    let places = places(record);
    let Some(first) = places.first() else { return String::new() };
    let name = label(first.shown, first.git.and_then(|git| git.introduced.as_ref()));
    match first.git {
        Some(git) if first.shown.path.is_none() && document.repositories.len() > 1 => {
            format!("{name} in {}", git.repository.text())
        }
        _ => name,
    }
}

/// Formats a location: `path:line:column`, or the object if it has no path.
fn label(place: &LocationRecord, introduced: Option<&CommitRecord>) -> String {
    let path = match (&place.path, &place.git) {
        (Some(path), _) => path.text().into_owned(),
        (None, Some(git)) => match introduced {
            Some(commit) if git.kind == "commit" => format!("commit {}", short(&commit.commit)),
            _ => format!("{} {}", git.kind, short(&git.object)),
        },
        (None, None) => "<stdin>".to_owned(),
    };
    match place.part {
        Part::Name => format!("{path}: in the name"),
        // The path is the repository.
        Part::Ref if path == "." => reference(&place.snippet.text()),
        Part::Ref => format!("{path}: {}", reference(&place.snippet.text())),
        Part::Commit | Part::Tag => format!("{path}: {}", place.message_line()),
        _ => format!("{path}:{}:{}", place.line, place.column),
    }
}

/// Formats the full name of a reference: `branch main`, `tag v1`.
fn reference(name: &str) -> String {
    let kinds = [
        ("refs/heads/", "branch"),
        ("refs/tags/", "tag"),
        ("refs/remotes/", "remote branch"),
        ("", "reference"),
    ];
    let short = kinds.iter().find_map(|(start, kind)| Some((kind, name.strip_prefix(start)?)));
    short.map_or_else(String::new, |(kind, name)| format!("{kind} {name}"))
}
