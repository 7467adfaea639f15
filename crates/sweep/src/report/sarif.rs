//! SARIF 2.1.0: one result per token and repository.
//!
//! The artifact is the web page of the line if the host is known, else the URL of the repository and the path.
//! Files that are uploaded to GitHub hold at most 25,000 results; the rest is counted in a notification.

use super::model::{MergedReport, Occurrence, TokenRow};
use crate::result::{Status, Verdict};
use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, Message, Notification, PhysicalLocation, PropertyBag,
    Region, ReportingDescriptor, Result as SarifResult, ResultLevel, Run, Sarif, Tool,
    ToolComponent, VersionControlDetails,
};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Maximum number of results that GitHub accepts.
const MAX_RESULTS: usize = 25_000;

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(report: &MergedReport, out: &mut dyn Write) -> io::Result<()> {
    let sarif = Sarif::builder()
        .version(json!("2.1.0"))
        .schema(serde_sarif::sarif::SCHEMA_URL)
        .runs(vec![run(report)])
        .build();
    serde_json::to_writer_pretty(&mut *out, &sarif)?;
    out.write_all(b"\n")
}

fn run(report: &MergedReport) -> Run {
    let rules: BTreeMap<&str, &TokenRow> =
        report.tokens.iter().map(|it| (it.rule.as_str(), it)).collect();
    let descriptors: Vec<ReportingDescriptor> = rules.values().map(|it| descriptor(it)).collect();
    let pairs =
        || report.tokens.iter().flat_map(|it| it.repositories.iter().map(move |at| (it, at)));
    let total = pairs().count();
    let results: Vec<SarifResult> = pairs()
        .take(MAX_RESULTS)
        .map(|(token, at)| {
            let rule = rules.keys().position(|it| *it == token.rule).unwrap_or_default();
            result(report, token, at, rule)
        })
        .collect();
    let driver = ToolComponent::builder()
        .name("ddpatrol-sweep")
        .version(env!("CARGO_PKG_VERSION"))
        .information_uri("https://github.com/ddpatrol/ddpatrol")
        .rules(descriptors)
        .build();
    let provenance: Vec<VersionControlDetails> = report
        .repositories
        .iter()
        .filter(|it| it.tokens > 0)
        .map(|it| VersionControlDetails::builder().repository_uri(it.url.as_str()).build())
        .collect();
    let mut run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .column_kind(json!("utf16CodeUnits"))
        .invocations(vec![invocation(report, total)])
        .results(results)
        .build();
    run.version_control_provenance = (!provenance.is_empty()).then_some(provenance);
    run
}

fn descriptor(token: &TokenRow) -> ReportingDescriptor {
    let mut descriptor =
        ReportingDescriptor::builder().id(token.rule.as_str()).name(token.name.as_str()).build();
    descriptor.properties = Some(properties([
        ("tags", json!(["security", "secret", "external/cwe/cwe-798"])),
        ("security-severity", json!("9.0")),
    ]));
    descriptor
}

/// Reports what was not scanned, and omitted results.
fn invocation(report: &MergedReport, total: usize) -> Invocation {
    let mut notes: Vec<Notification> = report
        .repositories
        .iter()
        .filter(|it| it.status != Status::Complete)
        .map(|it| {
            let reason = it.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            notification(format!("{} {}{reason}", it.status, it.url))
        })
        .collect();
    if total > MAX_RESULTS {
        notes.push(notification(format!("{} further results are omitted", total - MAX_RESULTS)));
    }
    let is_complete = report.coverage.count(Status::Complete) == report.coverage.total;
    let mut invocation = Invocation::builder().execution_successful(is_complete).build();
    invocation.tool_execution_notifications = (!notes.is_empty()).then_some(notes);
    invocation
}

fn notification(text: String) -> Notification {
    Notification::builder().message(message(text)).level(json!("warning")).build()
}

fn message(text: String) -> Message {
    Message::builder().text(text).build()
}

fn result(
    report: &MergedReport,
    token: &TokenRow,
    occurrence: &Occurrence,
    rule: usize,
) -> SarifResult {
    let repository = &report.repositories[occurrence.repository];
    let place = occurrence.places.first();
    let path = place.and_then(|it| it.path.as_deref()).unwrap_or_default();
    let uri = place.and_then(|it| it.url.clone()).unwrap_or_else(|| uri(&repository.url, path));
    let mut physical = PhysicalLocation::builder()
        .artifact_location(ArtifactLocation::builder().uri(uri).build())
        .build();
    physical.region = place.map(|it| {
        let line = i64::try_from(it.line).unwrap_or(1).max(1);
        Region::builder().start_line(line).build()
    });
    let others = match token.repositories.len() - 1 {
        0 => String::new(),
        1 => " It is in one more repository.".to_owned(),
        len => format!(" It is in {len} more repositories."),
    };
    let text = format!(
        "{} {} ({}), in {}.{others}",
        token.name,
        token.redacted,
        token.verdict.word(),
        repository.url
    );
    let mut result = SarifResult::builder()
        .rule_id(token.rule.as_str())
        .rule_index(i64::try_from(rule).unwrap_or_default())
        .message(message(text))
        .locations(vec![Location::builder().physical_location(physical).build()])
        .build();
    result.level =
        Some(if token.verdict == Verdict::Dead { ResultLevel::Note } else { ResultLevel::Error });
    let prints = BTreeMap::from([("ddpatrol/v1".to_owned(), token.fingerprint.clone())]);
    result.partial_fingerprints = Some(prints);
    result.properties = Some(properties([
        ("state", json!(token.verdict.word())),
        ("reach", json!(occurrence.reach)),
        ("change", json!(token.change)),
        ("repository", json!(repository.url)),
        ("owners", json!(occurrence.owners)),
        ("places", json!(occurrence.places_total)),
    ]));
    result
}

fn properties<const N: usize>(values: [(&str, Value); N]) -> PropertyBag {
    let mut bag = PropertyBag::builder().build();
    bag.additional_properties =
        values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    bag
}

/// Joins the URL of a repository and a path.
fn uri(repository: &str, path: &str) -> String {
    let mut uri = repository.trim_end_matches('/').to_owned();
    if !path.is_empty() {
        uri.push('/');
    }
    for &byte in path.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
