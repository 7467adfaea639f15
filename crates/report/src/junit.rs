//! JUnit XML: one test case per finding, for the test views of continuous integration systems.
//!
//! Input: a document. Output: XML in which scanned content is text. Proven tokens are failures; suppressed,
//! unproven and dead ones, and those that do not fail a change, are skipped tests; unread content is an error.

use super::document::{Document, LocationRecord, Note, Record};
use super::escape::terminal;
use super::places::{places, whereabouts};
use super::status::Liveness;
use ddpatrol_detect::Evidence;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io::{self, Write};

/// Maximum number of locations in a test case.
const MAX_PLACES: usize = 100;

/// One test case.
struct TestCase {
    name: String,
    class: String,
    file: Option<String>,
    line: Option<u64>,
    result: CaseResult,
}

enum CaseResult {
    Passed,
    Failed { message: String, text: String },
    Skipped { message: String },
    Error { message: String },
}

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let cases = cases(document);
    let number = |wanted: fn(&CaseResult) -> bool| {
        cases.iter().filter(|it| wanted(&it.result)).count().to_string()
    };
    let totals = [
        ("tests", cases.len().to_string()),
        ("failures", number(|it| matches!(it, CaseResult::Failed { .. }))),
        ("errors", number(|it| matches!(it, CaseResult::Error { .. }))),
        ("skipped", number(|it| matches!(it, CaseResult::Skipped { .. }))),
    ];
    let totals = totals.iter().map(|(name, value)| (*name, value.as_str()));
    let mut writer = Writer::new_with_indent(&mut *out, b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = writer.create_element("testsuites").with_attribute(("name", "ddpatrol"));
    suites.with_attributes(totals.clone()).write_inner_content(|writer| {
        let mut suite = writer.create_element("testsuite").with_attribute(("name", "ddpatrol"));
        suite = suite.with_attributes(totals);
        if let Some(time) = &document.start_time {
            suite = suite.with_attribute(("timestamp", time.as_str()));
        }
        suite.write_inner_content(|writer| {
            cases.iter().try_for_each(|case| case.write(writer))?;
            Ok(())
        })?;
        Ok(())
    })?;
    out.write_all(b"\n")
}

fn cases(document: &Document) -> Vec<TestCase> {
    let mut cases: Vec<TestCase> = document.findings.iter().map(TestCase::of_finding).collect();
    cases.extend(document.diagnostics.iter().map(TestCase::of_issue));
    let result = match document.complete {
        true => CaseResult::Passed,
        false => CaseResult::Error { message: text(&document.completeness()) },
    };
    let name = "the scan is complete".to_owned();
    cases.push(TestCase { name, class: "ddpatrol".to_owned(), file: None, line: None, result });
    cases
}

impl TestCase {
    fn of_finding(record: &Record) -> Self {
        let first = places(record).first().map(|it| it.shown);
        let label = first.map(LocationRecord::label).unwrap_or_default();
        let file = first.and_then(LocationRecord::file_path);
        Self {
            name: text(&format!("{} {} at {label}", record.name, record.shown_token())),
            class: format!("ddpatrol.{}", text(&record.rule)),
            line: first.filter(|it| it.archive.is_none()).map(|it| it.line),
            file: file.map(|it| text(&String::from_utf8_lossy(&it))),
            result: result(record),
        }
    }

    fn of_issue(note: &Note) -> Self {
        let place = Some(note.place()).filter(|it| !it.is_empty());
        let code = note.code.map(|it| it.name()).unwrap_or("issue");
        let message = text(&note.message.text());
        let acknowledged = note.acknowledged.as_ref().map(|it| text(&it.line()));
        Self {
            name: text(&format!(
                "{}: scanned completely",
                place.as_deref().unwrap_or("all content")
            )),
            class: format!("ddpatrol.{code}"),
            file: None,
            line: None,
            result: match acknowledged {
                _ if note.is_unread() => CaseResult::Error { message },
                Some(line) => CaseResult::Skipped { message: format!("{message}; {line}") },
                None => CaseResult::Skipped { message },
            },
        }
    }

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> io::Result<()> {
        let mut case = writer.create_element("testcase");
        case = case.with_attribute(("name", self.name.as_str()));
        case = case.with_attribute(("classname", self.class.as_str()));
        if let Some(file) = &self.file {
            case = case.with_attribute(("file", file.as_str()));
        }
        let line = self.line.map(|line| line.to_string());
        if let Some(line) = &line {
            case = case.with_attribute(("line", line.as_str()));
        }
        let (element, message, text) = match &self.result {
            CaseResult::Passed => return case.write_empty().map(drop),
            CaseResult::Failed { message, text } => ("failure", message, text.as_str()),
            CaseResult::Skipped { message } => ("skipped", message, ""),
            CaseResult::Error { message } => ("error", message, ""),
        };
        case.write_inner_content(|writer| {
            let result = writer.create_element(element);
            let result = result.with_attribute(("message", message.as_str()));
            match text {
                "" => result.write_empty()?,
                text => result.write_text_content(BytesText::new(text))?,
            };
            Ok(())
        })
        .map(drop)
    }
}

fn result(record: &Record) -> CaseResult {
    let skipped = |message: &str| CaseResult::Skipped { message: text(message) };
    if let Some(suppression) = record.suppression.as_ref().filter(|_| !record.is_listed()) {
        return skipped(&suppression.line());
    }
    if record.evidence == Evidence::Shaped {
        return skipped("unproven: it has no valid checksum");
    }
    if record.liveness() == Liveness::Dead {
        return skipped(record.liveness_words());
    }
    if record.passes_change() {
        return skipped("the base of the change has it");
    }
    let places = places(record);
    let message = format!("proven, {}, {}", record.liveness_words(), whereabouts(&places));
    let mut lines = vec![format!("fingerprint {}", record.fingerprint)];
    let owners = record.owners();
    lines.extend((!owners.is_empty()).then(|| format!("owned by {}", owners.join(", "))));
    for place in places.iter().take(MAX_PLACES) {
        let mut line = place.shown.label();
        if let Some(commit) = place.git.and_then(|git| git.introduced.as_ref()) {
            line.push_str(&format!(", introduced by {}", commit.line()));
        }
        if let Some(removal) = place.recorded.removal_in_change() {
            line.push_str(&format!(", {removal}"));
        }
        lines.push(line);
        lines.extend(place.url().map(str::to_owned));
    }
    let more = places.iter().map(|it| it.count).sum::<usize>() - places.len().min(MAX_PLACES);
    lines.extend((more > 0).then(|| format!("{more} more places are not listed")));
    lines.extend(record.advice.clone());
    let lines: Vec<String> = lines.iter().map(|line| text(line)).collect();
    CaseResult::Failed { message: text(&message), text: format!("\n{}\n", lines.join("\n")) }
}

/// Replaces characters that control a terminal or are not allowed in XML.
fn text(text: &str) -> String {
    terminal(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::*;
    use ddpatrol_engine::source::Severity;
    use ddpatrol_scan::finding::suppression::SuppressionKind;

    fn written(document: &Document) -> String {
        let mut out = Vec::new();
        write(document, &mut out).expect("a vector takes it");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn each_finding_is_a_case_with_its_result() {
        let proven = record(vec![place("a")]);
        let dead = verified(record(vec![place("b")]), "dead");
        let known =
            Record { suppression: Some(suppressed(SuppressionKind::Allow)), ..proven.clone() };
        let unproven = Record { evidence: Evidence::Shaped, ..proven.clone() };
        let mut document = document(vec![proven, dead, known, unproven]);
        document.diagnostics = vec![note(Severity::Unread), note(Severity::Opaque)];
        document.complete = false;
        let text = written(&document);
        let totals = "tests=\"7\" failures=\"1\" errors=\"2\" skipped=\"4\"";
        assert_eq!(text.matches(totals).count(), 2, "{text}");
        assert_eq!(text.matches("<testcase ").count(), 7, "{text}");
    }

    #[test]
    fn scanned_content_is_never_markup() {
        let hostile = "</failure><x a=\"&\u{0}\u{1b}\u{ffff}]]>";
        let mut place = place(hostile);
        place.git = Some(git());
        let text = written(&document(vec![record(vec![place])]));
        assert!(!text.contains("<x") && !text.contains("</failure><"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{ffff}'), "{text}");
        let mut reader = quick_xml::Reader::from_str(&text);
        loop {
            match reader.read_event().expect("it is well-formed") {
                Event::Eof => break,
                _ => continue,
            }
        }
    }
}
