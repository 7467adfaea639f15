//! Checks the URIs and times of a saved report, which others may have written.
//!
//! Input: a document that was read from a report. Output: the same document without values that this program
//! would not have written.

use super::{Document, uris, web_links};
use ddpatrol_scan::place::plain;
use jiff::Timestamp;
use std::path::Path;

/// Checks and completes the URIs of a document that was read from a saved report; `root` is the folder
/// that relative paths are relative to if the report has no absolute URIs of its repositories.
pub(super) fn locate(document: &mut Document, root: Option<&Path>) {
    for place in document.findings.iter_mut().flat_map(|it| &mut it.locations) {
        place.uri = place.uri.take().and_then(uris::checked);
        place.url = place.url.take().and_then(web_links::checked);
        if place.member().is_none() {
            place.archive = None;
            place.members.clear();
        }
        let git = place.git.iter_mut();
        for commit in git.flat_map(|git| git.introduced.iter_mut().chain(&mut git.removed)) {
            commit.url = commit.url.take().and_then(web_links::checked);
        }
    }
    for time in [&mut document.start_time, &mut document.end_time] {
        *time = time.take().filter(|time| time.parse::<Timestamp>().is_ok());
    }
    for note in &mut document.diagnostics {
        note.uri = note.uri.take().and_then(uris::checked);
    }
    for repository in &mut document.repositories {
        repository.uri = repository.uri.take().and_then(uris::checked);
        repository.url = repository.url.take().and_then(web_links::checked);
        let uri = uris::checked(std::mem::take(&mut repository.absolute_uri));
        repository.absolute_uri = uri.unwrap_or_else(|| {
            let path = repository.path.text();
            let path = plain(Path::new(&*path));
            uris::uri_of_path(&root.map_or_else(|| path.clone(), |root| root.join(&path)))
        });
    }
}
