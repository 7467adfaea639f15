//! Annotations on GitHub: workflow commands that the runner shows on the lines of a change.
//!
//! Input: a document. Output: lines, each of which is a command: a hostile name could turn any other line into
//! a command. GitHub shows ten annotations per level and step: the most relevant come first, and omitted ones
//! are counted.
//!
//! Syntax and escaping follow the Actions toolkit (`command.ts`). Columns are valid only within one line, and
//! the end is the last column (it "defaults to startColumn").

use super::document::{ChangeStatusWord, Document, LocationRecord, Note, Record};
use super::escape::{command_data, command_property, terminal};
use super::status::cut;
use super::urgency::{Item, by_urgency};
use ddpatrol_detect::Evidence;
use ddpatrol_scan::finding::Part;
use ddpatrol_scan::quantity::count;
use ddpatrol_token::secret::MASK;
use std::io::{self, Write};

/// Maximum number of annotations per level and step that GitHub shows.
const MAX_ANNOTATIONS: usize = 10;
/// Maximum number of lines of a list in an annotation; GitHub shows 64 kB of an annotation.
const MAX_LINES: usize = 20;
/// Maximum number of characters of one line.
const MAX_LINE_LEN: usize = 500;

#[derive(Clone, Copy, PartialEq, Eq)]
enum AnnotationLevel {
    Error,
    Warning,
    Notice,
}

/// One workflow command.
struct Annotation<'a> {
    level: AnnotationLevel,
    title: String,
    place: Option<&'a LocationRecord>,
    lines: Vec<String>,
}

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    // One warning is reserved for the number of omitted findings, one notice for the summary.
    let gaps: Vec<Annotation<'_>> = gaps(document).into_iter().collect();
    let unused: Vec<Annotation<'_>> = unused(document).into_iter().collect();
    let (errors, left_errors) = findings(document, AnnotationLevel::Error, MAX_ANNOTATIONS);
    let (warnings, left_warnings) =
        findings(document, AnnotationLevel::Warning, MAX_ANNOTATIONS - 1 - gaps.len());
    let (notices, left_notices) =
        findings(document, AnnotationLevel::Notice, MAX_ANNOTATIONS - 1 - unused.len());
    let left = left_errors + left_warnings + left_notices;
    for annotation in gaps.iter().chain(&errors).chain(&warnings) {
        write_annotation(annotation, out)?;
    }
    if left > 0 {
        write_annotation(&not_shown(left), out)?;
    }
    for annotation in notices.iter().chain(&unused) {
        write_annotation(annotation, out)?;
    }
    write_annotation(&summary(document), out)
}

fn not_shown(left: usize) -> Annotation<'static> {
    let verb = if left == 1 { "is" } else { "are" };
    let line = format!(
        "{} {verb} not annotated: GitHub shows {MAX_ANNOTATIONS} per level and step. The other reports \
         (--report markdown, html, json) list all.",
        count(left, "more finding")
    );
    Annotation {
        level: AnnotationLevel::Warning,
        title: "ddpatrol: more findings".to_owned(),
        place: None,
        lines: vec![line],
    }
}

fn summary(document: &Document) -> Annotation<'static> {
    let mut lines = vec![document.verdict(), document.completeness()];
    lines.extend(document.sentences());
    lines.extend(document.notes.iter().map(|it| format!("Note: {}.", it.text())));
    lines.push(format!("{}.", document.reading()));
    lines.extend(document.unpacked());
    lines.extend(document.skipped());
    Annotation { level: AnnotationLevel::Notice, title: "ddpatrol".to_owned(), place: None, lines }
}

fn gaps(document: &Document) -> Option<Annotation<'static>> {
    if document.complete && document.diagnostics.is_empty() {
        return None;
    }
    let mut gaps: Vec<&Note> = document.diagnostics.iter().collect();
    gaps.sort_by_key(|it| !it.is_unread());
    let lines = list(document.completeness(), gaps.into_iter().map(Note::line).collect());
    let title = if document.complete { "ddpatrol: not scanned" } else { "ddpatrol: incomplete" };
    Some(Annotation {
        level: AnnotationLevel::Warning,
        title: title.to_owned(),
        place: None,
        lines,
    })
}

fn unused(document: &Document) -> Option<Annotation<'static>> {
    let head = "Unused entries can be removed:".to_owned();
    let lines = document.unused.iter().map(|it| it.line()).collect();
    (!document.unused.is_empty()).then(|| Annotation {
        level: AnnotationLevel::Notice,
        title: "ddpatrol: unused entries".to_owned(),
        place: None,
        lines: list(head, lines),
    })
}

/// Truncates a list to the limit of an annotation, and counts the omitted items.
fn list(head: String, items: Vec<String>) -> Vec<String> {
    let left = items.len().saturating_sub(MAX_LINES);
    let mut lines = vec![head];
    lines.extend(items.into_iter().take(MAX_LINES));
    if left > 0 {
        lines.push(format!("and {left} more"));
    }
    lines
}

/// Returns the findings of a level, the most relevant first, and the number of omitted ones.
fn findings(
    document: &Document,
    level: AnnotationLevel,
    most: usize,
) -> (Vec<Annotation<'_>>, usize) {
    let best = |item: &Item<'_>| item.places.iter().map(|it| rank(it.shown)).min();
    let mut items = by_urgency(&document.findings);
    items.retain(|it| level_of(it.record) == Some(level) && !it.places.is_empty());
    // Of equally urgent findings, those with a line to annotate come first.
    items.sort_by_key(|it| (it.rank(), best(it)));
    let left = items.len().saturating_sub(most);
    (items.iter().take(most).filter_map(|it| finding(level, it)).collect(), left)
}

fn level_of(record: &Record) -> Option<AnnotationLevel> {
    match (&record.suppression, record.evidence) {
        (Some(_), _) => record.has_new_location().then_some(AnnotationLevel::Warning),
        // Tokens that the base contains elsewhere do not fail.
        (None, Evidence::Proven) if record.passes_change() => Some(AnnotationLevel::Warning),
        (None, Evidence::Proven) => Some(AnnotationLevel::Error),
        (None, _) => Some(AnnotationLevel::Notice),
    }
}

/// Ranks a location for annotation: lines of the change first, then other existing lines, then the rest.
fn rank(place: &LocationRecord) -> u8 {
    let exists = place.git.as_ref().is_none_or(|git| git.in_head);
    match (line_of(place), place.change_status) {
        (None, _) => 3,
        (Some(_), Some(ChangeStatusWord::New | ChangeStatusWord::Moved)) => {
            u8::from(place.new_place || place.removal_in_change().is_some())
        }
        (Some(_), _) if place.new_place => 0,
        (Some(_), _) if exists || place.change_status.is_some() => 1,
        _ => 2,
    }
}

/// Returns the path of a location in the content of a file as GitHub expects it: relative to the root of the
/// repository, wherever in the workspace it was checked out. `None` if the path is masked or escaped.
fn line_of(place: &LocationRecord) -> Option<String> {
    let path = String::from_utf8(place.file_path()?.into_owned()).ok()?;
    let is_whole = place.path_hex.is_none() && !path.contains(MASK) && terminal(&path) == path;
    (place.part == Part::Content && is_whole).then_some(path)
}

/// Returns the annotation of a finding, at its most relevant place.
fn finding<'a>(level: AnnotationLevel, item: &Item<'a>) -> Option<Annotation<'a>> {
    let record = item.record;
    let at = item.places.iter().min_by_key(|it| rank(it.shown))?;
    let place = at.shown;
    let how = match record.evidence {
        Evidence::Proven => "proven by its checksum",
        Evidence::Shaped => "unproven: it has no valid checksum",
    };
    let mut lines = vec![format!("{} {}, {how}", record.name, record.shown_token())];
    lines.extend(record.token.uuid.as_ref().map(|uuid| format!("Token id: {uuid}")));
    lines.push(format!("Place: {}", place.label()));
    lines.extend(place.remarks());
    lines.extend(record.suppression.as_ref().map(|it| it.line()));
    if let Some(git) = at.git {
        let commit = git.introduced.as_ref().filter(|_| place.part != Part::Commit);
        lines.extend(commit.map(|it| format!("Introduced by {}", it.line())));
        lines.extend(place.change_status.is_none().then(|| git.fate()));
    }
    let more = item.count().saturating_sub(1);
    if more > 0 {
        lines.push(format!("Also in {}.", count(more, "more place")));
    }
    lines.extend(record.response_lines());
    if record.needs_action() {
        let advice = record.steps.first().map(|it| it.text.text().into_owned());
        lines.extend(advice.or_else(|| record.advice.clone()));
    }
    let title = match level {
        AnnotationLevel::Error => format!("Leaked {}", record.name),
        AnnotationLevel::Warning => format!("{} at a new place", record.name),
        AnnotationLevel::Notice => format!("Possible {}", record.name),
    };
    Some(Annotation { level, title, place: (rank(place) < 2).then_some(place), lines })
}

fn write_annotation(annotation: &Annotation<'_>, out: &mut dyn Write) -> io::Result<()> {
    let level = match annotation.level {
        AnnotationLevel::Error => "error",
        AnnotationLevel::Warning => "warning",
        AnnotationLevel::Notice => "notice",
    };
    let mut properties = Vec::new();
    if let Some(place) = annotation.place
        && let Some(path) = line_of(place)
    {
        properties.push(format!("file={}", command_property(&path)));
        // The lines of a member are not lines of the archive.
        if place.member().is_some() {
            properties.push("line=1".to_owned());
        } else {
            properties.push(format!("line={}", place.line));
            properties.push(format!("endLine={}", place.end_line));
        }
        if place.line == place.end_line && place.member().is_none() {
            properties.push(format!("col={}", place.column));
            let last = place.end_column.saturating_sub(1).max(place.column);
            properties.push(format!("endColumn={last}"));
        }
    }
    properties.push(format!("title={}", command_property(&cut(&annotation.title, MAX_LINE_LEN))));
    let lines: Vec<String> =
        annotation.lines.iter().map(|line| command_data(&cut(line, MAX_LINE_LEN))).collect();
    writeln!(out, "::{level} {}::{}", properties.join(","), lines.join("%0A"))
}

#[cfg(test)]
mod tests;
