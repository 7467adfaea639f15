//! The TOML form of a configuration.
//!
//! Input: the text. Output: settings, or the position of an unknown key or invalid value. Reads no files.

use super::settings::{Config, ConfigError, FailLevel, NamedRule};
use crate::rules::line_column::{self, LineColumn};
use ddpatrol_scan::finding::suppression::AllowlistEntry;
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    #[serde(default)]
    rules: RulesTable,
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
    #[serde(default)]
    fail_on: Option<Spanned<String>>,
    #[serde(default)]
    baseline: Option<PathBuf>,
    #[serde(default)]
    allow: Vec<Spanned<AllowTable>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesTable {
    #[serde(default)]
    add: Vec<PathBuf>,
    #[serde(default)]
    leave_out: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowTable {
    fingerprint: Spanned<String>,
    reason: Spanned<String>,
    #[serde(default)]
    expires: Option<Spanned<Day>>,
}

/// A day, as a TOML date or a string.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Day {
    Date(toml::value::Datetime),
    Text(String),
}

/// The text of a configuration and its name, for errors.
struct ConfigText<'a> {
    path: &'a Path,
    text: &'a str,
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let place = ConfigText { path, text };
    let file: ConfigFile = toml::from_str(text).map_err(|error| {
        place.error(error.span().unwrap_or(0..0), line_column::with_suggestion(error.message()))
    })?;
    let fail_on = file.fail_on.map(|level| place.level(&level)).transpose()?;
    let mut allowed = Vec::new();
    let mut seen = HashSet::new();
    for entry in &file.allow {
        let entry = place.allowed(entry)?;
        if !seen.insert(entry.0.fingerprint) {
            let message = "duplicate fingerprint: remove one of the entries";
            return Err(place.error(entry.1, message.to_owned()));
        }
        allowed.push(entry.0);
    }
    if let Some(glob) = file.exclude.iter().find(|glob| glob.get_ref().starts_with('!')) {
        let message = "negated patterns are not supported: remove the `!`";
        return Err(place.error(glob.span(), message.to_owned()));
    }
    Ok(Config {
        rules: file.rules.add,
        leave_out: file.rules.leave_out.iter().map(|it| place.named(it)).collect(),
        exclude: file.exclude.into_iter().map(Spanned::into_inner).collect(),
        fail_on,
        baseline: file.baseline,
        allowed,
    })
}

impl ConfigText<'_> {
    fn error(&self, span: Range<usize>, message: String) -> ConfigError {
        let LineColumn { line, column } = line_column::of(self.text, span.start);
        ConfigError { path: self.path.to_owned(), line, column, message }
    }

    fn named(&self, name: &Spanned<String>) -> NamedRule {
        let LineColumn { line, column } = line_column::of(self.text, name.span().start);
        NamedRule { name: name.get_ref().clone(), line, column }
    }

    fn level(&self, level: &Spanned<String>) -> Result<FailLevel, ConfigError> {
        match level.get_ref().as_str() {
            "proven" => Ok(FailLevel::Proven),
            "shaped" => Ok(FailLevel::Shaped),
            "never" => Ok(FailLevel::Never),
            other => {
                let known = ["proven", "shaped", "never"];
                let near = line_column::nearest(other, known)
                    .map(|near| format!("; did you mean \"{near}\"?"))
                    .unwrap_or_default();
                let message = format!(
                    "unknown level `{other}`: expected \"proven\", \"shaped\" or \"never\"{near}"
                );
                Err(self.error(level.span(), message))
            }
        }
    }

    /// Reads an entry of the allowlist; returns it with the position of its fingerprint.
    fn allowed(
        &self,
        entry: &Spanned<AllowTable>,
    ) -> Result<(AllowlistEntry, Range<usize>), ConfigError> {
        let AllowTable { fingerprint, reason, expires } = entry.get_ref();
        let at = fingerprint.span();
        let fingerprint = fingerprint
            .get_ref()
            .parse()
            .map_err(|error| self.error(at.clone(), format!("{error}")))?;
        let text = reason.get_ref().trim();
        if text.chars().filter(|c| c.is_alphabetic()).count() < 3 {
            let message =
                "the reason is too short: explain in words why this token is allowed".to_owned();
            return Err(self.error(reason.span(), message));
        }
        let expires = expires.as_ref().map(|day| self.day(day)).transpose()?;
        Ok((AllowlistEntry { fingerprint, reason: text.to_owned(), expires }, at))
    }

    fn day(&self, day: &Spanned<Day>) -> Result<Date, ConfigError> {
        let text = match day.get_ref() {
            Day::Date(date) => date.to_string(),
            Day::Text(text) => text.clone(),
        };
        let is_day = text.len() == "2027-01-31".len();
        text.parse().ok().filter(|_| is_day).ok_or_else(|| {
            let message =
                format!("invalid date `{text}`: expected the last valid day, such as 2027-01-31");
            self.error(day.span(), message)
        })
    }
}
