//! Archives made by independent programs: tokens in them are found, unreadable parts are reported.

mod container_images;
pub(crate) mod containers;
mod damaged;
mod formats;
mod in_git;
mod limits;
mod matrix;
mod member_names;
mod repositories;
mod sources;
mod zip;

use crate::support::mint::token;

/// Scans files only and reports JSON.
const JSON: [&str; 4] = ["scan", "--files-only", "--report", "json"];

/// Returns a compressible text with a token in line 401, column 6.
fn text(token: &str) -> String {
    let lines: String = (0..400).map(|at| format!("line {} of a text\n", at % 7)).collect();
    format!("{lines}key: {token}\n{lines}")
}

/// Returns the locations of a JSON report as `path:line:column`.
fn places(ran: &crate::support::tree::RunOutput) -> Vec<String> {
    ran.places()
        .into_iter()
        .map(|(_, path, line, column)| format!("{path}:{line}:{column}"))
        .collect()
}

/// Returns the issues of a JSON report: kind, path and message.
fn issues(ran: &crate::support::tree::RunOutput) -> Vec<(String, String, String)> {
    let report = ran.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    let list = report["diagnostics"].as_array().expect("a list");
    list.iter().map(|it| (text(&it["kind"]), text(&it["path"]), text(&it["message"]))).collect()
}
