//! CSV: one row per distinct place, for spreadsheets and scripts.
//!
//! Input: a document. Output: RFC 4180 with a header. No cell is a formula of a spreadsheet: text that begins
//! like one gets an apostrophe. Control characters are escaped.

use super::document::{Document, LocationRecord, Record};
use super::escape::terminal;
use super::places::places;
use super::trace::CommitRecord;
use std::borrow::Cow;
use std::io::{self, Write};

const HEADER: [&str; 25] = [
    "fingerprint",
    "rule",
    "name",
    "issuer",
    "evidence",
    "state",
    "suppression",
    "token",
    "token_id",
    "repository",
    "path",
    "line",
    "column",
    "part",
    "encoding",
    "in_head",
    "reachable",
    "change",
    "commit",
    "author",
    "email",
    "date",
    "subject",
    "owners",
    "url",
];

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADER).map_err(io_error)?;
    for record in &document.findings {
        for place in places(record) {
            let mut write =
                |it: &LocationRecord| writer.write_record(row(record, it)).map_err(io_error);
            place.recorded.each(&mut write)?;
        }
    }
    writer.flush()
}

/// Returns the error of the output, by which a closed pipe is recognised.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn row(record: &Record, place: &LocationRecord) -> [String; HEADER.len()] {
    let git = place.git.as_ref();
    let commit = git.and_then(|git| git.introduced.as_ref());
    let of_commit = |text: &dyn Fn(&CommitRecord) -> String| commit.map(text).unwrap_or_default();
    // For a change, references are not known.
    let history = git.filter(|_| place.change_status.is_none());
    let in_head = git.filter(|git| {
        place.change_status.is_none() || git.in_head || place.removal_in_change().is_some()
    });
    let owners: Vec<Cow<'_, str>> = place.owners.iter().map(|it| it.text()).collect();
    let path = place.path.as_ref();
    [
        record.fingerprint.clone(),
        record.rule.clone(),
        record.name.clone(),
        record.issuer.clone(),
        record.evidence.name().to_owned(),
        record.liveness_words().to_owned(),
        record.suppression.as_ref().map(|it| it.line()).unwrap_or_default(),
        record.shown_token().to_owned(),
        record.token.uuid.clone().unwrap_or_default(),
        git.map(|git| git.repository.text().into_owned()).unwrap_or_default(),
        path.map(|it| it.text().into_owned()).unwrap_or_else(|| place.label()),
        place.line.to_string(),
        place.column.to_string(),
        place.part.name().to_owned(),
        place.encoding.clone().unwrap_or_default(),
        in_head.map(|git| git.in_head.to_string()).unwrap_or_default(),
        history.map(|git| git.reachable.to_string()).unwrap_or_default(),
        place.change_status.map(|it| it.name().to_owned()).unwrap_or_default(),
        of_commit(&|commit| commit.commit.clone()),
        of_commit(&|commit| commit.author.name.text().into_owned()),
        of_commit(&|commit| commit.author.email.text().into_owned()),
        of_commit(&|commit| commit.author.date.clone()),
        of_commit(&|commit| commit.subject.text().into_owned()),
        owners.join(" "),
        place.url.clone().unwrap_or_default(),
    ]
    .map(|text| cell(&text))
}

/// Escapes a cell: a spreadsheet computes text that begins with one of these characters.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = terminal(text);
    if is_formula { format!("'{text}") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::*;

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert!(cell(text).starts_with('\''), "{text}");
        }
        assert_eq!(cell("a=b"), "a=b");
        let mut place = place("=cmd|' /C calc'!A0");
        place.owners = vec![clean("@org/team"), clean("a@example.org")];
        let mut out = Vec::new();
        write(&document(vec![record(vec![place])]), &mut out).expect("a vector takes it");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains(",'=cmd|' /C calc'!A0,"), "{text}");
        assert!(text.contains(",'@org/team a@example.org,"), "{text}");
    }

    #[test]
    fn each_distinct_place_is_a_row_with_all_columns() {
        let mut traced = place("a,b\"c\nd");
        traced.git = Some(git());
        let mut out = Vec::new();
        let records =
            vec![record(vec![traced, place("a,b\"c\nd"), place("b")]), record(vec![place("c")])];
        write(&document(records), &mut out).expect("a vector takes it");
        let mut reader = csv::Reader::from_reader(&out[..]);
        let rows: Vec<csv::StringRecord> = reader.records().map(|it| it.expect("a row")).collect();
        assert_eq!(rows.iter().map(|it| &it[10]).collect::<Vec<_>>(), ["a,b\"c\\u{a}d", "b", "c"]);
        assert_eq!(&rows[0][18], "a".repeat(40));
        assert_eq!(&rows[0][20], "a@example.org");
    }
}
