//! The TOML form of a configuration.
//!
//! Input: the text. Output: settings, or the position of an unknown key or invalid value. Reads no files.

use super::settings::{Config, ConfigError, ConfigPosition, FailLevel, Located};
use crate::rules::line_column::{self, LineColumn};
use crate::rules::quote::abbreviated;
use ddpatrol_engine::{AcknowledgeEntry, Exclude, IssueTarget};
use ddpatrol_scan::Code;
use ddpatrol_scan::finding::suppression::AllowlistEntry;
use jiff::civil::Date;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    #[serde(default, deserialize_with = "table")]
    rules: RulesTable,
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
    #[serde(default)]
    fail_on: Option<Spanned<String>>,
    #[serde(default)]
    baseline: Option<Spanned<PathBuf>>,
    #[serde(default)]
    allow: Vec<Spanned<AllowTable>>,
    #[serde(default)]
    acknowledge: Vec<Spanned<AcknowledgeTable>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesTable {
    #[serde(default)]
    add: Vec<Spanned<PathBuf>>,
    #[serde(default)]
    leave_out: Vec<Spanned<String>>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowTable {
    fingerprint: Spanned<String>,
    reason: Spanned<String>,
    #[serde(default)]
    expires: Option<Spanned<Day>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcknowledgeTable {
    code: Spanned<String>,
    #[serde(default)]
    path: Option<Spanned<String>>,
    #[serde(default)]
    object: Option<Spanned<String>>,
    reason: Spanned<String>,
    expires: Spanned<Day>,
}

/// Deserializes a table. Serde's derived implementation accepts an array, too, whose error misleads.
fn table<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<T, D::Error> {
    struct TableVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for TableVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    input.deserialize_map(TableVisitor(PhantomData))
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

/// Returns `true` for the id of an object in a SHA-1 or SHA-256 repository.
fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let place = ConfigText { path, text };
    let file: ConfigFile = toml::from_str(text).map_err(|error| {
        place.error(error.span().unwrap_or(0..0), line_column::explained(error.message()))
    })?;
    let fail_on = file.fail_on.map(|level| place.level(&level)).transpose()?;
    let mut allowed: Vec<AllowlistEntry> = Vec::new();
    for entry in &file.allow {
        let (entry, at) = place.allowed(entry)?;
        let is_same = |other: &&AllowlistEntry| other.fingerprint.overlaps(&entry.fingerprint);
        if let Some(other) = allowed.iter().find(is_same) {
            let message = match other.fingerprint == entry.fingerprint {
                true => "duplicate fingerprint: remove one of the entries".to_owned(),
                false => format!(
                    "duplicate fingerprint: it matches the same token as {}; remove one of the \
                     entries, or give more digits",
                    other.fingerprint
                ),
            };
            return Err(place.error(at, message));
        }
        allowed.push(entry);
    }
    file.exclude.iter().try_for_each(|glob| place.pattern(glob))?;
    Ok(Config {
        rules: file.rules.add.into_iter().map(|it| place.located(it)).collect(),
        leave_out: file.rules.leave_out.into_iter().map(|it| place.located(it)).collect(),
        groups: file.rules.groups.into_iter().map(|it| place.located(it)).collect(),
        exclude: file.exclude.into_iter().map(Spanned::into_inner).collect(),
        fail_on,
        baseline: file.baseline.map(|it| place.located(it)),
        allowed,
        acknowledged: file
            .acknowledge
            .iter()
            .map(|it| place.acknowledged(it))
            .collect::<Result<_, _>>()?,
    })
}

impl ConfigText<'_> {
    fn position(&self, span: &Range<usize>) -> ConfigPosition {
        let LineColumn { line, column } = line_column::of(self.text, span.start);
        ConfigPosition { path: self.path.to_owned(), line, column }
    }

    fn error(&self, span: Range<usize>, message: String) -> ConfigError {
        ConfigError { position: self.position(&span), message }
    }

    fn located<T>(&self, value: Spanned<T>) -> Located<T> {
        Located { position: self.position(&value.span()), value: value.into_inner() }
    }

    /// Checks a pattern of paths.
    fn pattern(&self, glob: &Spanned<String>) -> Result<(), ConfigError> {
        if glob.get_ref().starts_with('!') {
            let message = "negated patterns are not supported: remove the `!`".to_owned();
            return Err(self.error(glob.span(), message));
        }
        Exclude::check(glob.get_ref()).map_err(|error| self.error(glob.span(), error.to_string()))
    }

    fn level(&self, level: &Spanned<String>) -> Result<FailLevel, ConfigError> {
        match level.get_ref().as_str() {
            "proven" => Ok(FailLevel::Proven),
            "shaped" => Ok(FailLevel::Shaped),
            "live" => Ok(FailLevel::Live),
            "never" => Ok(FailLevel::Never),
            other => {
                let known = ["proven", "shaped", "live", "never"];
                let near = line_column::nearest(other, known)
                    .map(|near| format!("; did you mean \"{near}\"?"))
                    .unwrap_or_default();
                let message = format!(
                    "unknown level `{}`: expected \"proven\", \"shaped\", \"live\" or \"never\"{near}",
                    abbreviated(other)
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
        let text = self.reason(reason, "this token is allowed")?;
        let expires = expires.as_ref().map(|day| self.day(day)).transpose()?;
        Ok((AllowlistEntry { fingerprint, reason: text, expires }, at))
    }

    /// Reads an acknowledgment of issues.
    fn acknowledged(
        &self,
        entry: &Spanned<AcknowledgeTable>,
    ) -> Result<AcknowledgeEntry, ConfigError> {
        let AcknowledgeTable { code, path, object, reason, expires } = entry.get_ref();
        let known = Code::ALL.iter().find(|it| it.name() == code.get_ref());
        let known = *known.ok_or_else(|| {
            let near = line_column::nearest(code.get_ref(), Code::ALL.iter().map(|it| it.name()));
            let near = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
            let name = abbreviated(code.get_ref());
            self.error(code.span(), format!("unknown issue code `{name}`{near}"))
        })?;
        let target = match (path, object) {
            (Some(path), None) => {
                self.pattern(path)?;
                IssueTarget::Path(path.get_ref().clone())
            }
            (None, Some(object)) if is_object_id(object.get_ref()) => {
                IssueTarget::Object(object.get_ref().clone())
            }
            (None, Some(object)) => {
                let message = "invalid object: expected the full id of a git object".to_owned();
                return Err(self.error(object.span(), message));
            }
            (Some(_), Some(_)) | (None, None) => {
                let message = "expected either `path` or `object`".to_owned();
                return Err(self.error(code.span(), message));
            }
        };
        let reason = self.reason(reason, "this content need not be scanned")?;
        Ok(AcknowledgeEntry { code: known, target, reason, expires: self.day(expires)? })
    }

    /// Reads a reason, which consists of words.
    fn reason(&self, reason: &Spanned<String>, what: &str) -> Result<String, ConfigError> {
        let text = reason.get_ref().trim();
        if text.chars().filter(|c| c.is_alphabetic()).count() < 3 {
            let message = format!("the reason is too short: explain in words why {what}");
            return Err(self.error(reason.span(), message));
        }
        Ok(text.to_owned())
    }

    fn day(&self, day: &Spanned<Day>) -> Result<Date, ConfigError> {
        let text = match day.get_ref() {
            Day::Date(date) => date.to_string(),
            Day::Text(text) => text.clone(),
        };
        let is_day = text.len() == "2027-01-31".len();
        text.parse().ok().filter(|_| is_day).ok_or_else(|| {
            let text = abbreviated(&text);
            let message =
                format!("invalid date `{text}`: expected the last valid day, such as 2027-01-31");
            self.error(day.span(), message)
        })
    }
}
