//! Types of argument values.

use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum ReportFormat {
    Text,
    Json,
    Jsonl,
    Sarif,
    Html,
    Markdown,
    Github,
    Csv,
    Junit,
    Gitlab,
}

impl ReportFormat {
    const ALL: [Self; 10] = [
        Self::Text,
        Self::Json,
        Self::Jsonl,
        Self::Sarif,
        Self::Html,
        Self::Markdown,
        Self::Github,
        Self::Csv,
        Self::Junit,
        Self::Gitlab,
    ];

    /// The names of all formats.
    pub(in crate::cli) const NAMES: [&str; 10] =
        ["text", "json", "jsonl", "sarif", "html", "markdown", "github", "csv", "junit", "gitlab"];

    /// Returns its name on the command line.
    pub(in crate::cli) const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Returns the format that another word for it, or the end of a file's name, stands for.
    pub(in crate::cli) fn of_word(word: &str) -> Option<Self> {
        Some(match &*word.to_ascii_lowercase() {
            "txt" | "log" | "plain" => Self::Text,
            "ndjson" => Self::Jsonl,
            "htm" => Self::Html,
            "md" => Self::Markdown,
            "annotations" => Self::Github,
            "xml" => Self::Junit,
            word => return word.parse().ok(),
        })
    }

    /// Returns the format of a file, by the end of its name.
    pub(in crate::cli) fn of_file(path: &Path) -> Option<Self> {
        Self::of_word(path.extension()?.to_str()?)
    }
}

/// A value on the command line is invalid. clap prints the option and the value before the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum ValueError {
    #[error("expected {}", format_names())]
    ReportFormat,
    #[error("expected {}, followed by =PATH to write to a file", format_names())]
    Report,
    #[error("missing path after `{0}=`")]
    ReportPath(String),
    #[error("expected a number from 1 to 1024; without the option, one thread per processor")]
    Threads,
    #[error("expected a number of lines; 0 lists everything")]
    Lines,
    #[error("expected a whole number of bytes, such as 4096, 512k, 10M or 1GiB")]
    Size,
    #[error("an empty pattern: expected one such as `vendor/` or `*.min.js`")]
    BlankPattern,
}

/// Lists the names of the report formats for a message.
fn format_names() -> String {
    let [names @ .., last] = ReportFormat::NAMES;
    format!("{} or {last}", names.join(", "))
}

impl FromStr for ReportFormat {
    type Err = ValueError;

    fn from_str(name: &str) -> Result<Self, ValueError> {
        let at = Self::NAMES.iter().position(|known| *known == name);
        at.map(|at| Self::ALL[at]).ok_or(ValueError::ReportFormat)
    }
}

/// `FORMAT` or `FORMAT=PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct ReportArg {
    pub(in crate::cli) format: ReportFormat,
    pub(in crate::cli) path: Option<PathBuf>,
}

impl FromStr for ReportArg {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (name, path) = match text.split_once('=') {
            Some((name, path)) => (name, Some(path)),
            None => (text, None),
        };
        let format: ReportFormat = name.parse().map_err(|_| ValueError::Report)?;
        match path {
            Some("") => Err(ValueError::ReportPath(name.to_owned())),
            Some("-") => Ok(Self { format, path: None }),
            path => Ok(Self { format, path: path.map(PathBuf::from) }),
        }
    }
}

/// Parses a pattern of paths.
pub(super) fn pattern(text: &str) -> Result<String, ValueError> {
    if text.trim().is_empty() { Err(ValueError::BlankPattern) } else { Ok(text.to_owned()) }
}

/// Parses a number of threads.
pub(super) fn threads(text: &str) -> Result<u16, ValueError> {
    text.parse().ok().filter(|it| (1..=1024).contains(it)).ok_or(ValueError::Threads)
}

/// Parses a number of lines.
pub(super) fn lines(text: &str) -> Result<usize, ValueError> {
    text.parse().map_err(|_| ValueError::Lines)
}

/// A number of bytes: `1000`, `512k`, `10M`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Size(pub(in crate::cli) u64);

impl FromStr for Size {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| ValueError::Size)?;
        let unit = unit.trim().to_ascii_lowercase();
        let (unit, base) = match unit.strip_suffix("ib") {
            Some(unit) => (unit, 1024_u64),
            None => (unit.strip_suffix('b').unwrap_or(&unit), 1000),
        };
        let power = match unit {
            "" => 0,
            "k" => 1,
            "m" => 2,
            "g" => 3,
            "t" => 4,
            _ => return Err(ValueError::Size),
        };
        number.checked_mul(base.pow(power)).map(Self).ok_or(ValueError::Size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_accept_decimal_and_binary_units() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("512k", 512_000),
            ("10MB", 10_000_000),
            ("1GiB", 1 << 30),
            ("2 kib", 2048),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "k", "-1", "1.5M", "10X", "99999999999T"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_format_has_a_name_and_files_have_the_format_of_their_ending() {
        for (format, name) in ReportFormat::ALL.into_iter().zip(ReportFormat::NAMES) {
            assert_eq!((name.parse(), format.name()), (Ok(format), name));
        }
        let of = |file: &str| ReportFormat::of_file(Path::new(file)).map(ReportFormat::name);
        assert_eq!(of("a/b.JSON"), Some("json"));
        assert_eq!(of("b.md"), Some("markdown"));
        assert_eq!([of("json"), of("a.rs"), of("")], [None; 3]);
    }

    #[test]
    fn a_report_argument_is_a_format_with_an_optional_path() {
        let parse = |text: &str| text.parse::<ReportArg>();
        assert_eq!(parse("json").map(|it| it.path), Ok(None));
        assert_eq!(parse("json=-").map(|it| it.path), Ok(None));
        assert_eq!(parse("sarif=a=b").map(|it| it.path), Ok(Some("a=b".into())));
        assert!(parse("xml").is_err() && parse("json=").is_err());
    }
}
