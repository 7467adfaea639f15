//! Markdown for the summary of a job and for comments on a pull request.
//!
//! In comes a document; out comes GitHub's Markdown, in which no text of the scanned content is
//! markup, link or mention. It fits the 1 MiB that a step may add to a job's summary: what is cut is
//! counted.

use super::document::{Document, LocationRecord, Note, Record};
use super::escape::{markdown, markdown_code};
use super::status::cut;
use super::trace::short;
use crate::detect::Evidence;
use ddpatrol_scan::quantity::{count, number};
use std::io::{self, Write};

/// How many bytes the report has at most; a step may add 1,048,576, some of them its own.
const MOST_BYTES: usize = 1_000_000;
/// How much of them the table may take, and what is in the end.
const MOST_TABLE: usize = 400_000;
const MOST_END: usize = 150_000;
/// How many further places of a finding are told.
const MOST_PLACES: usize = 20;
/// How many characters of a text are told, in a cell and elsewhere.
const LONGEST_CELL: usize = 160;
const LONGEST: usize = 1_000;

/// Writes the report.
///
/// # Errors
/// What writing to `out` fails with.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let listed: Vec<&Record> = document.findings.iter().filter(|it| it.is_listed()).collect();
    let mut text = head(document);
    if !listed.is_empty() {
        text.push_str(&table(&listed));
    }
    let mut end = String::new();
    end.push_str(&suppressed(document));
    end.push_str(&gaps(document));
    end.push_str(&unused(document));
    end.push_str(&scope(document));
    if !listed.is_empty() {
        text.push_str("### Findings\n\n");
        let room = MOST_BYTES.saturating_sub(text.len() + end.len());
        let details = listed.iter().map(|it| details(it));
        text.push_str(&fitted(details, room, "detailed"));
    }
    out.write_all(text.as_bytes())?;
    out.write_all(end.as_bytes())
}

/// Joins what fits into so many bytes and says how much does not.
fn fitted(items: impl Iterator<Item = String>, room: usize, done: &str) -> String {
    let mut text = String::new();
    let mut left = 0_usize;
    for item in items {
        // Once one is left out, all that follow are.
        if left > 0 || text.len() + item.len() + 200 > room {
            left += 1;
        } else {
            text.push_str(&item);
        }
    }
    if left > 0 {
        let verb = if left == 1 { "is" } else { "are" };
        text.push_str(&format!(
            "\n**{} more {verb} not {done} here**, for want of room; `--report json` has all.\n\n",
            number(left)
        ));
    }
    text
}

fn head(document: &Document) -> String {
    let mut text = String::new();
    if !document.complete {
        text.push_str(&format!("> [!CAUTION]\n> **{}**\n\n", markdown(&document.completeness())));
    }
    text.push_str(&format!("## ddpatrol: {}\n\n", document.verdict().trim_end_matches('.')));
    for line in document.sentences() {
        text.push_str(&format!("- {}\n", markdown(&line)));
    }
    for note in document.notes.iter().take(MOST_PLACES) {
        text.push_str(&format!("- Note: {}.\n", markdown(&cut(&note.text(), LONGEST))));
    }
    let more = document.notes.len().saturating_sub(MOST_PLACES);
    if more > 0 {
        text.push_str(&format!("- {}.\n", count(more, "more note")));
    }
    text.push('\n');
    text
}

fn table(listed: &[&Record]) -> String {
    let mut text =
        "| what | where | commit | token id | state | next |\n|---|---|---|---|---|---|\n"
            .to_owned();
    text.push_str(&fitted(listed.iter().map(|it| row(it)), MOST_TABLE, "listed"));
    text.push('\n');
    text
}

fn row(record: &Record) -> String {
    let cell = |text: &str| markdown(&cut(text, LONGEST_CELL));
    let code = |text: &str| markdown_code(&cut(text, LONGEST_CELL));
    let place = record.locations.first().map(|it| code(&it.label())).unwrap_or_default();
    let more = match record.count() {
        0 | 1 => String::new(),
        len => format!(" and {} more", number(len - 1)),
    };
    let commit = record.introduced().map(|it| code(short(&it.commit))).unwrap_or_default();
    let id = record.token.uuid.as_deref().map(code).unwrap_or_default();
    format!(
        "| {} {} | {place}{more} | {commit} | {id} | {}, {} | {} |\n",
        cell(&record.name),
        code(record.shown_token()),
        state(record),
        record.presence().words(),
        cell(&next(record)),
    )
}

fn state(record: &Record) -> String {
    match record.evidence {
        Evidence::Proven => format!("**{}**", record.liveness_words()),
        Evidence::Shaped => "look-alike".to_owned(),
    }
}

/// Says what is to be done next.
fn next(record: &Record) -> String {
    if let Some(suppression) = &record.suppression {
        return suppression.line();
    }
    if record.evidence == Evidence::Shaped {
        return "look at it: no checksum proves it".to_owned();
    }
    if !record.needs_action() {
        return "nothing: it is no danger any more".to_owned();
    }
    match record.steps.first() {
        Some(step) => step.text.text().into_owned(),
        None => record.advice.clone().unwrap_or_default(),
    }
}

fn details(record: &Record) -> String {
    let prose = |text: &str| markdown(&cut(text, LONGEST));
    let code = |text: &str| markdown_code(&cut(text, LONGEST));
    let mut text = format!("#### {} {}\n\n", prose(&record.name), code(record.shown_token()));
    let mut facts = vec![format!("{}, {}", state(record), record.presence().words())];
    facts.extend(record.token.uuid.as_ref().map(|it| format!("id {}", code(it))));
    facts.extend(record.token.alias.as_ref().map(|it| format!("alias {}", code(it))));
    facts.push(format!("issued by {}", prose(&record.issuer)));
    facts.push(format!("rule {}", code(&record.rule)));
    facts.push(format!("fingerprint {}", code(&record.fingerprint)));
    text.push_str(&format!("{}\n\n", facts.join("; ")));
    for line in record.response_lines() {
        text.push_str(&format!("- {}\n", prose(&line)));
    }
    if let Some(suppression) = &record.suppression {
        text.push_str(&format!("- {}\n", prose(&suppression.line())));
    }
    for place in record.locations.iter().take(MOST_PLACES) {
        text.push_str(&format!("- {}\n", self::place(place)));
    }
    let more = record.count() - record.locations.len().min(MOST_PLACES);
    if more > 0 {
        text.push_str(&format!("- … and {}\n", count(more, "more place")));
    }
    if record.needs_action() {
        text.push('\n');
        for (at, step) in record.steps.iter().enumerate() {
            text.push_str(&format!("{}. {}\n", at + 1, prose(&step.text.text())));
            for command in &step.commands {
                text.push_str(&format!("   - {}\n", code(&command.text())));
            }
        }
    }
    text.push('\n');
    text
}

/// Spells a place: where, what is there, who brought it, what became of it.
fn place(place: &LocationRecord) -> String {
    let prose = |text: &str| markdown(&cut(text, LONGEST));
    let mut parts = vec![markdown_code(&cut(&place.label(), LONGEST))];
    parts.extend(place.remarks().iter().map(|it| prose(it)));
    if let Some(git) = &place.git {
        if let Some(commit) = &git.introduced {
            parts.push(format!("introduced by {}", prose(&commit.line())));
        }
        if place.change_status.is_none() {
            parts.push(prose(&git.fate()));
        }
    }
    parts.join("; ")
}

fn suppressed(document: &Document) -> String {
    let rows = document.findings.iter().filter_map(|record| {
        let suppression = record.suppression.as_ref().filter(|_| !record.is_listed())?;
        let place = record.locations.first().map(LocationRecord::label).unwrap_or_default();
        Some(format!(
            "- {} {} at {}: {}\n",
            markdown(&cut(&record.name, LONGEST_CELL)),
            markdown_code(&cut(record.shown_token(), LONGEST_CELL)),
            markdown_code(&cut(&place, LONGEST_CELL)),
            markdown(&cut(&suppression.line(), LONGEST)),
        ))
    });
    section("What does not count", fitted(rows, MOST_END, "listed"))
}

fn gaps(document: &Document) -> String {
    let row = |note: &Note| {
        let place = note.path.as_ref().map(|it| markdown_code(&cut(&it.text(), LONGEST)) + ": ");
        let message = markdown(&cut(&note.message.text(), LONGEST));
        format!("- {}{message} ({})\n", place.unwrap_or_default(), note.kind.name())
    };
    let rows = document.diagnostics.iter().map(row);
    section("What was not looked at", fitted(rows, MOST_END, "listed"))
}

fn unused(document: &Document) -> String {
    let row = |line: String| format!("- {}\n", markdown(&cut(&line, LONGEST)));
    let rows = document.unused.iter().map(|it| row(it.line()));
    section("Entries that nothing needs", fitted(rows, MOST_END, "listed"))
}

fn section(title: &str, rows: String) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("<details><summary>{title}</summary>\n\n{rows}\n</details>\n\n")
}

fn scope(document: &Document) -> String {
    let mut text = String::new();
    if document.complete {
        text.push_str(&format!("{} ", document.completeness()));
    }
    text.push_str(&format!("{}.", document.reading()));
    for line in document.unpacked().into_iter().chain(document.left_out()) {
        text.push_str(&format!(" {line}"));
    }
    format!("{}\n", markdown(&text))
}

#[cfg(test)]
mod tests;
