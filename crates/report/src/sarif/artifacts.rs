//! Artifacts: locations of files, the archives of a report and the members with tokens.
//!
//! Input: the locations of a document. Output: SARIF artifacts, each member with the index of its archive.

use crate::document::{Document, LocationRecord};
use crate::escape;
use serde_json::json;
use serde_sarif::sarif::{Artifact, ArtifactLocation, Message};
use std::collections::HashMap;

/// Maximum number of results per run that GitHub accepts.
pub(super) const MAX_RESULTS: usize = 25_000;
/// Maximum number of related locations per result; GitHub accepts 1,000 locations and keeps 100.
pub(super) const MAX_RELATED: usize = 999;
pub(super) const ROOT: &str = "%SRCROOT%";

/// An artifact: its parent, and its URI or name.
type ArtifactKey = (Option<i64>, String);

/// Lists the archives with tokens and their members.
pub(super) fn members(document: &Document) -> Vec<Artifact> {
    let mut artifacts = Vec::new();
    let mut known: HashMap<ArtifactKey, i64> = HashMap::new();
    let records = document.findings.iter().take(MAX_RESULTS);
    for place in records.flat_map(|it| it.locations.iter().take(1 + MAX_RELATED)) {
        let Some(member) = place.member() else { continue };
        let mut parent = None;
        for (depth, name) in names(place, member).into_iter().enumerate() {
            let next = i64::try_from(artifacts.len()).unwrap_or(i64::MAX);
            let key = (parent, name);
            let index = *known.entry(key.clone()).or_insert(next);
            if index == next {
                let location = if depth == 0 { artifact(&key.1) } else { nested(&key.1) };
                let mut artifact = Artifact::builder().location(location).build();
                artifact.parent_index = key.0;
                if depth > 0 {
                    artifact.roles = Some(vec![json!("analysisTarget")]);
                }
                artifacts.push(artifact);
            }
            parent = Some(index);
        }
    }
    artifacts
}

/// Returns the URI of the archive, and the names of nested members, the outermost first.
fn names(place: &LocationRecord, member: &[u8]) -> Vec<String> {
    let nested = match &place.members[..] {
        // The decompressed content of a compressed file has no name.
        [] => member.strip_prefix(b"!/").map(|it| String::from_utf8_lossy(it).into_owned()),
        _ => None,
    };
    let nested = nested.into_iter().chain(place.members.iter().map(|it| it.text().into_owned()));
    std::iter::once(place.file_uri().into_owned()).chain(nested).collect()
}

/// Returns the location of a member. A name that would lead out of the archive as a URI is a description only.
fn nested(name: &str) -> ArtifactLocation {
    let description = message(name);
    let is_below =
        !name.starts_with('/') && name.split('/').all(|it| !matches!(it, "" | "." | ".."));
    match is_below {
        true => ArtifactLocation::builder().uri(escape::uri_path(name.as_bytes())).build(),
        false => ArtifactLocation::builder().description(description).build(),
    }
}

/// Returns the location of a file.
pub(super) fn artifact(uri: &str) -> ArtifactLocation {
    let artifact = ArtifactLocation::builder().uri(uri);
    if uri.starts_with("file:") { artifact.build() } else { artifact.uri_base_id(ROOT).build() }
}

/// Returns a message of plain text.
pub(super) fn message(text: &str) -> Message {
    Message::builder().text(text).build()
}
