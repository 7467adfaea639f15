//! SARIF 2.1.0, within the limits of GitHub code scanning.
//!
//! One result per token: its first place is the location, the others are related locations. A place
//! without a file (standard input) has the synthetic URI `stdin`. A token in the name of a file or folder
//! is at line 1 of that path, with a logical location for the name. A token in a member is at line 1 of the
//! archive, the file that the repository has; the member is a nested artifact and the logical location. GitHub accepts 25,000 results per run
//! and 1,000 locations per result: omitted results are counted in a notification, omitted locations in the
//! message of the result.

mod artifacts;

use artifacts::{MAX_RELATED, MAX_RESULTS, ROOT, artifact, message};

use super::document::{
    Document, LocationRecord, Note, Record, RepositoryRecord, RuleRecord, SuppressionRecord,
};
use ddpatrol_detect::Evidence;
use ddpatrol_scan::finding::Part;
use ddpatrol_scan::finding::suppression::SuppressionKind;
use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactContent, ArtifactLocation, Invocation, Location, LogicalLocation,
    MultiformatMessageString, Notification, PhysicalLocation, PropertyBag, Region,
    ReportingConfiguration, ReportingDescriptor, ReportingDescriptorReference,
    Result as SarifResult, ResultLevel, Run, Sarif, Suppression, Tool, ToolComponent,
    VersionControlDetails,
};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Treatment of suppressed findings. GitHub code scanning ignores `suppressions`, so files for it must omit
/// these findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suppressed {
    /// They are results with a suppression.
    Included,
    /// They are not results; a notification counts them.
    Omitted,
}

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(document: &Document, suppressed: Suppressed, out: &mut dyn Write) -> io::Result<()> {
    let sarif = Sarif::builder()
        .version(json!("2.1.0"))
        .schema(serde_sarif::sarif::SCHEMA_URL)
        .runs(vec![run(document, suppressed)])
        .build();
    serde_json::to_writer_pretty(&mut *out, &sarif)?;
    out.write_all(b"\n")
}

fn run(document: &Document, suppressed: Suppressed) -> Run {
    let index = |record: &Record| document.rules.iter().position(|rule| rule.id == record.rule);
    let results: Vec<SarifResult> = document
        .findings
        .iter()
        .filter(|it| suppressed == Suppressed::Included || it.suppression.is_none())
        .take(MAX_RESULTS)
        .map(|record| result(record, index(record)))
        .collect();
    let mut bases = BTreeMap::new();
    bases.insert(
        ROOT.to_owned(),
        ArtifactLocation::builder()
            .description(message(
                "The root of the repository, the folder that holds several, or --path-base",
            ))
            .build(),
    );
    let provenance: Vec<VersionControlDetails> =
        document.repositories.iter().map(provenance).collect();
    let mut run = Run::builder()
        .tool(Tool::builder().driver(driver(document)).build())
        .column_kind(json!("utf16CodeUnits"))
        .original_uri_base_ids(bases)
        .invocations(vec![invocation(document, suppressed)])
        .results(results)
        .build();
    let artifacts = artifacts::members(document);
    run.artifacts = (!artifacts.is_empty()).then_some(artifacts);
    run.version_control_provenance = (!provenance.is_empty()).then_some(provenance);
    run
}

fn provenance(repository: &RepositoryRecord) -> VersionControlDetails {
    let mut details =
        VersionControlDetails::builder().repository_uri(repository.absolute_uri.as_str()).build();
    details.revision_id = repository.head.clone();
    details.mapped_to = Some(artifact(&repository.uri()));
    details
}

fn driver(document: &Document) -> ToolComponent {
    ToolComponent::builder()
        .name(document.tool.name.as_str())
        .version(document.tool.version.as_str())
        .semantic_version(document.tool.version.as_str())
        .information_uri("https://github.com/ddpatrol/ddpatrol")
        .rules(document.rules.iter().map(descriptor).collect::<Vec<_>>())
        .build()
}

fn descriptor(rule: &RuleRecord) -> ReportingDescriptor {
    let summary = format!("Leaked {} in the scanned content.", rule.name);
    let what = format!(
        "{summary} Its format is {}, issued by {}; a proven finding carries a correct checksum.",
        rule.format, rule.issuer
    );
    let advice = rule.advice.as_deref().unwrap_or("Revoke it where it was issued.");
    let steps = "Anyone who can read the content can use the token: revoke it first, then replace \
                 it wherever it is used, then remove it from the content and its history.";
    let text = format!("{what}\n\n{advice}\n\n{steps}");
    let markdown = format!("{what}\n\n**{advice}**\n\n{steps}");
    let properties = properties([
        ("tags", json!(["security", "secret", "external/cwe/cwe-798"])),
        ("precision", json!("very-high")),
        ("security-severity", json!("9.0")),
    ]);
    let mut descriptor = ReportingDescriptor::builder()
        .id(rule.id.as_str())
        .name(rule.name.as_str())
        .short_description(multiformat(&format!("Leaked {}", rule.name)))
        .full_description(multiformat(&what))
        .help(MultiformatMessageString::builder().text(text).markdown(markdown).build())
        .default_configuration(ReportingConfiguration::builder().level(json!("error")).build())
        .properties(properties)
        .build();
    descriptor.help_uri = rule.documentation.clone();
    descriptor
}

fn result(record: &Record, rule: Option<usize>) -> SarifResult {
    let is_proven = record.evidence == Evidence::Proven;
    let id = record.token.uuid.as_ref().map(|uuid| format!(" with id {uuid}")).unwrap_or_default();
    let what = if is_proven { "proven by its checksum" } else { "its checksum does not prove it" };
    let listed = record.locations.len().min(1 + MAX_RELATED);
    let omitted = record.count() - listed;
    let more = match omitted {
        0 => String::new(),
        1 => "; 1 more place is not listed".to_owned(),
        more => format!("; {more} more places are not listed"),
    };
    let text = format!("{} {}{id}, {what}{more}", record.name, record.shown_token());
    let (first, rest) = match record.locations.split_first() {
        Some((first, rest)) => (vec![location(first, record)], rest),
        None => (Vec::new(), &[][..]),
    };
    let related: Vec<Location> =
        rest.iter().take(MAX_RELATED).map(|place| location(place, record)).collect();
    let mut fingerprints = BTreeMap::new();
    fingerprints.insert(
        "primaryLocationLineHash".to_owned(),
        format!("{}:1", record.fingerprint.get(..16).unwrap_or_default()),
    );
    fingerprints.insert("ddpatrolToken/v1".to_owned(), record.fingerprint.clone());
    let mut facts = vec![
        ("evidence", json!(record.evidence)),
        ("token", json!(record.token)),
        ("places", json!(record.count())),
    ];
    facts.extend((omitted > 0).then(|| ("placesOmitted", json!(omitted))));
    facts.extend(record.verification.as_ref().map(|it| ("verification", json!(it))));
    facts.extend(record.revocation.as_ref().map(|it| ("revocation", json!(it))));
    let mut result = SarifResult::builder()
        .rule_id(record.rule.as_str())
        .level(match is_proven {
            true if record.passes_change() => ResultLevel::Warning,
            true => ResultLevel::Error,
            false => ResultLevel::Note,
        })
        .message(message(&text))
        .locations(first)
        .partial_fingerprints(fingerprints)
        .properties(properties(facts))
        .build();
    result.suppressions = record.suppression.as_ref().map(|it| vec![suppression(it)]);
    result.rule_index = rule.and_then(|index| i64::try_from(index).ok());
    result.related_locations = (!related.is_empty()).then_some(related);
    result
}

fn suppression(suppression: &SuppressionRecord) -> Suppression {
    let kind = match suppression.by {
        SuppressionKind::Inline => "inSource",
        SuppressionKind::Allow | SuppressionKind::Baseline => "external",
    };
    let mut sarif = Suppression::builder().kind(json!(kind)).status(json!("accepted")).build();
    sarif.justification = Some(suppression.line());
    sarif
}

fn location(place: &LocationRecord, record: &Record) -> Location {
    let text = |text: &str| ArtifactContent::builder().text(text).build();
    let is_file = matches!(place.part, Part::Content | Part::Name) && place.path.is_some();
    let in_name = matches!(place.part, Part::Name | Part::Ref);
    let member = place.member().map(|it| String::from_utf8_lossy(it).into_owned());
    let (region, context) = if in_name {
        (Region::builder().start_line(1).build(), None)
    } else if member.is_some() {
        // The lines of a member are not lines of the archive.
        (Region::builder().start_line(1).snippet(text(record.shown_token())).build(), None)
    } else {
        let mut region = Region::builder()
            .start_line(signed(place.line))
            .start_column(signed(place.column))
            .end_line(signed(place.end_line))
            .end_column(signed(place.end_column))
            .snippet(text(record.shown_token()))
            .build();
        // The offset is counted from the beginning of a commit or tag, the lines from that of its message.
        if !matches!(place.part, Part::Commit | Part::Tag) {
            region.byte_offset = Some(signed(place.offset));
            region.byte_length = Some(signed(place.length));
        }
        let context = Region::builder()
            .start_line(signed(place.line))
            .end_line(signed(place.end_line))
            .snippet(text(&place.snippet.text()))
            .build();
        (region, Some(context))
    };
    let mut physical = PhysicalLocation::builder()
        .artifact_location(artifact(&place.file_uri()))
        .region(region)
        .build();
    physical.context_region = context;
    let mut location = Location::builder().physical_location(physical).build();
    if in_name || !is_file {
        let kind = place.git.as_ref().map_or(place.part.name(), |git| &git.kind);
        let kind = if in_name { "name" } else { kind };
        let name = if in_name { place.snippet.text() } else { place.uri() };
        let name = LogicalLocation::builder().kind(kind).name(name).build();
        location.logical_locations = Some(vec![name]);
    } else if let Some(member) = &member {
        let path = place.path.as_ref().map(|it| it.text().into_owned()).unwrap_or_default();
        let name = member.strip_prefix("!/").unwrap_or_default();
        let mut logical =
            LogicalLocation::builder().kind("member").fully_qualified_name(path).build();
        logical.name = (!name.is_empty()).then(|| name.to_owned());
        location.logical_locations = Some(vec![logical]);
    }
    let traced = place.git.as_ref().and_then(|git| {
        let introduced = git.introduced.as_ref().map(|it| format!("introduced by {}", it.line()));
        let fate = match place.change_status {
            Some(_) => place.removal_in_change(),
            None => Some(git.fate()),
        };
        let parts: Vec<String> = introduced.into_iter().chain(fate).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    });
    let layer = place.layer.as_ref().map(|layer| format!("in {}", layer.text()));
    let text = match (place.part, traced.or(layer)) {
        (Part::Name, _) => Some("in the name of the file or folder".to_owned()),
        (Part::Ref, _) => Some("in the name of a reference".to_owned()),
        (_, traced) => traced,
    };
    let encoded = place.encoding.as_ref().map(|it| format!("encoded: {it}"));
    let text = match (text, encoded) {
        (Some(text), Some(encoded)) => Some(format!("{encoded}; {text}")),
        (text, encoded) => text.or(encoded),
    };
    location.message = text.map(|text| message(&text));
    let facts = location_facts(place);
    location.properties = (!facts.is_empty()).then(|| properties(facts));
    location
}

/// Returns the properties of a location.
fn location_facts(place: &LocationRecord) -> Vec<(&'static str, Value)> {
    let mut facts = Vec::new();
    if place.member().is_some() {
        facts.extend([("memberLine", json!(place.line)), ("memberColumn", json!(place.column))]);
    }
    if !place.owners.is_empty() {
        facts.push(("owners", json!(place.owners)));
    }
    facts.extend(place.url.as_ref().map(|url| ("url", json!(url))));
    if let Some(git) = &place.git {
        let commit = git.introduced.as_ref().map(|it| it.commit.as_str());
        let removed: Vec<&str> = git.removed.iter().map(|it| it.commit.as_str()).collect();
        facts.extend([
            ("commit", json!(commit)),
            ("object", json!(git.object)),
            ("kind", json!(git.kind)),
            ("removed", json!(removed)),
            ("inHead", json!(git.in_head)),
            ("reachable", json!(git.reachable)),
        ]);
    }
    facts
}

fn invocation(document: &Document, suppressed: Suppressed) -> Invocation {
    let mut notifications: Vec<Notification> =
        document.diagnostics.iter().map(notification).collect();
    notifications.extend(document.notes.iter().map(|note| {
        Notification::builder().level(json!("note")).message(message(&note.text())).build()
    }));
    let mut report_error = |text: &str| {
        notifications
            .push(Notification::builder().level(json!("error")).message(message(text)).build());
    };
    if document.interrupted {
        report_error("The scan was interrupted: this report is partial.");
    }
    let unsuppressed = document.findings.iter().filter(|it| it.suppression.is_none()).count();
    let results = match suppressed {
        Suppressed::Included => document.findings.len(),
        Suppressed::Omitted => unsuppressed,
    };
    if results > MAX_RESULTS {
        let left = results - MAX_RESULTS;
        report_error(&format!(
            "{left} more findings are not in this file: a run is limited to {MAX_RESULTS} results."
        ));
    }
    let omitted = document.findings.len() - unsuppressed;
    if suppressed == Suppressed::Omitted && omitted > 0 {
        let text = format!("{omitted} suppressed findings are omitted.");
        notifications
            .push(Notification::builder().level(json!("note")).message(message(&text)).build());
    }
    let acknowledgments = document.unused_acknowledgments.iter().map(|it| it.line());
    let unused = document.unused.iter().map(|it| it.line()).chain(acknowledgments);
    notifications.extend(
        unused.map(|line| {
            Notification::builder().level(json!("note")).message(message(&line)).build()
        }),
    );
    let mut invocation = Invocation::builder()
        .execution_successful(document.complete)
        .tool_execution_notifications(notifications)
        .build();
    invocation.start_time_utc.clone_from(&document.start_time);
    invocation.end_time_utc.clone_from(&document.end_time);
    invocation
}

fn notification(note: &Note) -> Notification {
    let level = if note.is_unread() { "error" } else { "warning" };
    let mut notification =
        Notification::builder().level(json!(level)).message(message(&note.line())).build();
    let commit = note.commit.iter().map(|it| ("commit", json!(it)));
    let facts: Vec<_> = commit.chain(note.object.iter().map(|it| ("object", json!(it)))).collect();
    notification.properties = (!facts.is_empty()).then(|| properties(facts));
    notification.descriptor =
        note.code.map(|code| ReportingDescriptorReference::builder().id(code.name()).build());
    notification.locations = note.uri().map(|uri| {
        let physical = PhysicalLocation::builder().artifact_location(artifact(&uri)).build();
        vec![Location::builder().physical_location(physical).build()]
    });
    notification
}

fn multiformat(text: &str) -> MultiformatMessageString {
    MultiformatMessageString::builder().text(text).build()
}

fn properties<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> PropertyBag {
    let entries: BTreeMap<_, _> =
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    PropertyBag::builder().additional_properties(entries).build()
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
