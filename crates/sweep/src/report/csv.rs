//! CSV: one row per token and repository, for spreadsheets. Tokens that are gone come last.
//!
//! No cell is a formula of a spreadsheet: text that begins like one gets an apostrophe.

use super::model::{GoneToken, MergedReport, Occurrence, TokenRow};
use ddpatrol::report::escape::terminal;
use serde::Serialize;
use std::io::{self, Write};

const HEADER: [&str; 22] = [
    "fingerprint",
    "state",
    "change",
    "reach",
    "rule",
    "name",
    "issuer",
    "token",
    "token_id",
    "login",
    "repository",
    "repositories",
    "path",
    "line",
    "places",
    "first_commit",
    "author",
    "date",
    "age_days",
    "owners",
    "url",
    "as_of",
];

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(report: &MergedReport, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADER).map_err(io::Error::other)?;
    for token in &report.tokens {
        for occurrence in &token.repositories {
            let cells = row(report, token, occurrence);
            writer.write_record(cells.iter().map(|it| cell(it))).map_err(io::Error::other)?;
        }
    }
    for token in &report.gone {
        for repository in &token.repositories {
            let cells = gone_row(token, repository);
            writer.write_record(cells.iter().map(|it| cell(it))).map_err(io::Error::other)?;
        }
    }
    writer.flush()
}

fn row(report: &MergedReport, token: &TokenRow, occurrence: &Occurrence) -> Vec<String> {
    let first = occurrence.first.as_ref();
    let place = occurrence.places.first();
    let repository = &report.repositories[occurrence.repository];
    let optional = |text: Option<&String>| text.cloned().unwrap_or_default();
    vec![
        token.fingerprint.clone(),
        token.verdict.word().to_owned(),
        token.change.map(|it| word(&it)).unwrap_or_default(),
        word(&occurrence.reach),
        token.rule.clone(),
        token.name.clone(),
        token.issuer.clone(),
        token.redacted.clone(),
        optional(token.token_id.as_ref()),
        optional(token.login.as_ref()),
        repository.url.clone(),
        token.repositories.len().to_string(),
        optional(place.and_then(|it| it.path.as_ref())),
        place.map(|it| it.line.to_string()).unwrap_or_default(),
        occurrence.places_total.to_string(),
        first.map(|it| it.commit.clone()).unwrap_or_default(),
        first.map(|it| format!("{} <{}>", it.author.name, it.author.email)).unwrap_or_default(),
        first.map(|it| it.author.date.clone()).unwrap_or_default(),
        occurrence.age_days.map(|it| it.to_string()).unwrap_or_default(),
        occurrence.owners.join(" "),
        optional(place.and_then(|it| it.url.as_ref())),
        repository.outdated().unwrap_or_default().to_owned(),
    ]
}

/// Returns the row of a token that is gone. The columns of its state, places, commit and owners are empty.
fn gone_row(token: &GoneToken, repository: &str) -> [String; HEADER.len()] {
    HEADER.map(|column| match column {
        "fingerprint" => token.fingerprint.clone(),
        "change" => "gone".to_owned(),
        "rule" => token.rule.clone(),
        "name" => token.name.clone(),
        "issuer" => token.issuer.clone(),
        "token" => token.redacted.clone(),
        "token_id" => token.token_id.clone().unwrap_or_default(),
        "repository" => repository.to_owned(),
        "repositories" => token.repositories.len().to_string(),
        _ => String::new(),
    })
}

/// Returns the word that JSON uses for a value.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Makes a cell inert in spreadsheets.
fn cell(text: &str) -> String {
    let text = terminal(text);
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_no_formulas() {
        assert_eq!(cell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a\u{1b}[31m"), "a\\u{1b}[31m");
    }
}
