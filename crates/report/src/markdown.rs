//! Markdown report for job summaries and comments on pull requests.
//!
//! Input: a document. Output: GitHub's Markdown, in which no scanned content is markup, a link or a mention. It
//! fits the 1 MiB that a step can add to the summary of a job; omitted items are counted.

use super::document::{Document, LocationRecord, Note, Record};
use super::escape::{is_web_page, markdown, markdown_code, markdown_prose};
use super::places::{Place, whereabouts};
use super::status::cut;
use super::trace::{CommitRecord, short};
use super::urgency::{Item, by_urgency};
use ddpatrol_detect::Evidence;
use ddpatrol_scan::quantity::{count, number};
use std::io::{self, Write};

/// Size limit of the report in bytes; a step can add 1,048,576, including its own text.
const MAX_BYTES: usize = 1_000_000;
/// Size limits of the table and of each section at the end, in bytes.
const MAX_TABLE: usize = 400_000;
const MAX_SECTION: usize = 150_000;
/// Maximum number of places of a finding.
const MAX_PLACES: usize = 20;
/// Maximum number of characters of a text, in a table cell and elsewhere.
const MAX_CELL_LEN: usize = 160;
const MAX_TEXT_LEN: usize = 1_000;

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let listed = by_urgency(&document.findings);
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
        let room = MAX_BYTES.saturating_sub(text.len() + end.len());
        let details = listed.iter().map(details);
        text.push_str(&fitted(details, room, "detailed"));
    }
    out.write_all(text.as_bytes())?;
    out.write_all(end.as_bytes())
}

/// Joins the items that fit into `room` bytes, and counts the omitted ones.
fn fitted(items: impl Iterator<Item = String>, room: usize, done: &str) -> String {
    let mut text = String::new();
    let mut left = 0_usize;
    for item in items {
        // After the first omitted item all are omitted, to keep the order.
        if left > 0 || text.len() + item.len() + 200 > room {
            left += 1;
        } else {
            text.push_str(&item);
        }
    }
    if left > 0 {
        let verb = if left == 1 { "is" } else { "are" };
        text.push_str(&format!(
            "\n**{} more {verb} not {done} here** because of the size limit; `--report json` lists all.\n\n",
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
    for note in document.notes.iter().take(MAX_PLACES) {
        text.push_str(&format!("- Note: {}.\n", markdown(&cut(&note.text(), MAX_TEXT_LEN))));
    }
    let more = document.notes.len().saturating_sub(MAX_PLACES);
    if more > 0 {
        text.push_str(&format!("- {}.\n", count(more, "more note")));
    }
    text.push('\n');
    text
}

fn table(listed: &[Item<'_>]) -> String {
    let mut text =
        "| what | where | commit | token id | state | next |\n|---|---|---|---|---|---|\n"
            .to_owned();
    text.push_str(&fitted(listed.iter().map(row), MAX_TABLE, "listed"));
    text.push('\n');
    text
}

fn row(item: &Item<'_>) -> String {
    let record = item.record;
    let cell = |text: &str| markdown(&cut(text, MAX_CELL_LEN));
    let code = |text: &str| markdown_code(&cut(text, MAX_CELL_LEN));
    let place = item.places.first().map(|it| linked(code(&it.shown.label()), it.url()));
    let place = place.unwrap_or_default();
    let more = match item.count() {
        0 | 1 => String::new(),
        len => format!(" and {} more", number(len - 1)),
    };
    let commit = record.introduced().map(|it| linked(code(short(&it.commit)), it.url.as_deref()));
    let commit = commit.unwrap_or_default();
    let id = record.token.uuid.as_deref().map(code).unwrap_or_default();
    format!(
        "| {} {} | {place}{more} | {commit} | {id} | {}, {} | {} |\n",
        cell(&record.name),
        code(record.shown_token()),
        state(record),
        whereabouts(&item.places),
        markdown_prose(&cut(&next(record), MAX_CELL_LEN)),
    )
}

fn state(record: &Record) -> String {
    match record.evidence {
        Evidence::Proven => format!("**{}**", record.liveness_words()),
        Evidence::Shaped => "unproven".to_owned(),
    }
}

/// Returns the next step.
fn next(record: &Record) -> String {
    if let Some(suppression) = &record.suppression {
        return suppression.line();
    }
    if record.evidence == Evidence::Shaped {
        return "review it: it has no valid checksum".to_owned();
    }
    if !record.needs_action() {
        return "nothing: the token is no longer valid".to_owned();
    }
    match record.steps.first() {
        Some(step) => step.text.text().into_owned(),
        None => record.advice.clone().unwrap_or_default(),
    }
}

fn details(item: &Item<'_>) -> String {
    let record = item.record;
    let prose = |text: &str| markdown(&cut(text, MAX_TEXT_LEN));
    let code = |text: &str| markdown_code(&cut(text, MAX_TEXT_LEN));
    let mut text = format!("#### {} {}\n\n", prose(&record.name), code(record.shown_token()));
    let mut facts = vec![format!("{}, {}", state(record), whereabouts(&item.places))];
    facts.extend(record.token.uuid.as_ref().map(|it| format!("id {}", code(it))));
    facts.extend(record.token.alias.as_ref().map(|it| format!("alias {}", code(it))));
    facts.push(format!("issued by {}", prose(&record.issuer)));
    facts.push(format!("rule {}", code(&record.rule)));
    let owners: Vec<String> = record.owners().iter().map(|it| code(it)).collect();
    facts.extend((!owners.is_empty()).then(|| format!("owned by {}", owners.join(", "))));
    facts.push(format!("fingerprint {}", code(&record.fingerprint)));
    text.push_str(&format!("{}\n\n", facts.join("; ")));
    for line in record.response_lines() {
        text.push_str(&format!("- {}\n", prose(&line)));
    }
    if let Some(suppression) = &record.suppression {
        text.push_str(&format!("- {}\n", prose(&suppression.line())));
    }
    for place in item.places.iter().take(MAX_PLACES) {
        text.push_str(&format!("- {}\n", self::place(place)));
    }
    let more = item.count() - item.places.len().min(MAX_PLACES);
    if more > 0 {
        text.push_str(&format!("- … and {}\n", count(more, "more place")));
    }
    if record.needs_action() {
        text.push('\n');
        for (at, step) in record.steps.iter().enumerate() {
            text.push_str(&format!(
                "{}. {}\n",
                at + 1,
                markdown_prose(&cut(&step.text.text(), MAX_TEXT_LEN))
            ));
            for command in &step.commands {
                text.push_str(&format!("   - {}\n", code(&command.text())));
            }
        }
    }
    text.push('\n');
    text
}

/// Formats a place with its remarks and attribution.
fn place(place: &Place<'_>) -> String {
    let prose = |text: &str| markdown(&cut(text, MAX_TEXT_LEN));
    let label = markdown_code(&cut(&place.shown.label(), MAX_TEXT_LEN));
    let mut parts = vec![linked(label, place.url())];
    parts.extend(place.shown.remarks().iter().map(|it| prose(it)));
    if let Some(git) = place.git {
        if let Some(commit) = &git.introduced {
            parts.push(format!("introduced by {}", introduction(commit)));
        }
        if place.shown.change_status.is_none() {
            parts.push(prose(&git.fate()));
        }
    }
    parts.join("; ")
}

/// Formats a commit as one line; its id is a link if its web page is known.
fn introduction(commit: &CommitRecord) -> String {
    let line = cut(&commit.line(), MAX_TEXT_LEN);
    let id = short(&commit.commit);
    match (&commit.url, line.strip_prefix(id)) {
        (Some(url), Some(rest)) => {
            format!("{} {}", linked(markdown_code(id), Some(url)), markdown(rest.trim_start()))
        }
        _ => markdown(&line),
    }
}

/// Returns escaped text as a link to a web page. No other URL becomes a link, nor one with characters that
/// have a meaning in Markdown.
fn linked(text: String, url: Option<&str>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#=&%+,@".contains(c);
    match url.filter(|it| is_web_page(it)).filter(|it| it.chars().all(is_plain)) {
        Some(url) => format!("[{text}]({url})"),
        None => text,
    }
}

fn suppressed(document: &Document) -> String {
    let rows = document.findings.iter().filter_map(|record| {
        let suppression = record.suppression.as_ref().filter(|_| !record.is_listed())?;
        let place = record.locations.first().map(LocationRecord::label).unwrap_or_default();
        Some(format!(
            "- {} {} at {}: {}\n",
            markdown(&cut(&record.name, MAX_CELL_LEN)),
            markdown_code(&cut(record.shown_token(), MAX_CELL_LEN)),
            markdown_code(&cut(&place, MAX_CELL_LEN)),
            markdown(&cut(&suppression.line(), MAX_TEXT_LEN)),
        ))
    });
    section("Suppressed", fitted(rows, MAX_SECTION, "listed"))
}

fn gaps(document: &Document) -> String {
    let row = |note: &Note| {
        let place = Some(note.place()).filter(|it| !it.is_empty());
        let place = place.map(|it| markdown_code(&cut(&it, MAX_TEXT_LEN)) + ": ");
        let message = markdown(&cut(&note.message.text(), MAX_TEXT_LEN));
        format!("- {}{message} ({})\n", place.unwrap_or_default(), note.kind.name())
    };
    let rows = document.diagnostics.iter().map(row);
    section("Not scanned", fitted(rows, MAX_SECTION, "listed"))
}

fn unused(document: &Document) -> String {
    let row = |line: String| format!("- {}\n", markdown(&cut(&line, MAX_TEXT_LEN)));
    let rows = document.unused.iter().map(|it| row(it.line()));
    section("Unused entries", fitted(rows, MAX_SECTION, "listed"))
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
    for line in document.unpacked().into_iter().chain(document.skipped()) {
        text.push_str(&format!(" {line}"));
    }
    format!("{}\n", markdown(&text))
}

#[cfg(test)]
mod tests;
