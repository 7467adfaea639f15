//! Tips for values of options.
//!
//! Input: the option as the parser names it, such as `--report <FORMAT[=PATH]>`, and the value. Output: a
//! command line that does what was probably intended.

use super::line::GivenLine;
use crate::cli::args::ReportFormat;
use crate::report::shell::quote;
use crate::rules::line_column::nearest;
use std::path::Path;

/// Returns a tip for an invalid value.
pub(super) fn tip(argument: &str, value: &str) -> Option<String> {
    let option = argument.split([' ', '=']).next().unwrap_or(argument);
    match option {
        "--report" => format(value, option),
        "--format" => format(value, "-f"),
        _ => None,
    }
}

/// Returns a tip for a value of an option that has none.
pub(super) fn superfluous(argument: &str, value: &str) -> Option<String> {
    let option = argument.split([' ', '=']).next().unwrap_or(argument);
    Some(match option {
        "--json" => format!("to write a file, use `--report json={}`", quote(value)),
        _ if matches!(value, "false" | "0" | "no" | "off") => {
            format!("{option} takes no value: leave the option out")
        }
        _ => format!("{option} takes no value: use `{option}`"),
    })
}

fn format(value: &str, option: &str) -> Option<String> {
    let (name, path) = match value.split_once([':', '=']) {
        Some((name, path)) if !path.is_empty() => (name, Some(path)),
        _ => (value, None),
    };
    let known = ReportFormat::of_word(name).map(ReportFormat::name);
    if let Some(format) = known.or_else(|| nearest(name, ReportFormat::NAMES)) {
        return Some(match path {
            Some(path) => format!("use `--report {format}={}`", quote(path)),
            None => format!("use `{option} {format}`"),
        });
    }
    let is_file = value.contains(['.', '/']);
    let format = ReportFormat::of_file(Path::new(value)).unwrap_or(ReportFormat::Json);
    is_file.then(|| format!("to write a file, use `--report {}={}`", format.name(), quote(value)))
}

/// Returns a tip for an option without its value.
pub(super) fn missing(argument: &str) -> Option<String> {
    if argument.starts_with("[PATH]") {
        return Some(
            "the path is empty: is a variable not set? `.` is the current folder".to_owned(),
        );
    }
    let option = argument.split([' ', '=']).next().unwrap_or(argument);
    let example = match option {
        "--report" => "--report json=scan.json",
        "--format" => "-f json",
        "--output" => "-f json -o scan.json",
        "--from" => "--from scan.json",
        "--config" => "--config .ddpatrol.toml",
        "--baseline" => "--baseline .ddpatrol-baseline.json",
        "--exclude" => "--exclude 'vendor/'",
        "--fail-on" => "--fail-on never",
        "--rule" => "--rule datadog-pat",
        "--rules" => "--rules rules.toml",
        "--threads" => "--threads 4",
        "--limit" => "--limit 0",
        "--max-file-size" => "--max-file-size 10M",
        "--state" => "--state scan.state",
        "--issuer" => "--issuer https://tokens.example.com",
        "--datadog-site" => "--datadog-site datadoghq.eu",
        _ => return None,
    };
    Some(format!("for example `{example}`"))
}

/// Returns a tip for an argument that is not valid text.
pub(super) fn not_text(line: &GivenLine) -> Option<String> {
    let word = line.not_text()?;
    Some(format!(
        "only paths may contain other bytes than UTF-8: correct `{word}`, or rename the file"
    ))
}
