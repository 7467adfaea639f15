//! Places in archives: what a member shows, the archive's own bytes need not show again.
//!
//! In come the places of one token; a place in the raw bytes of an archive goes if a member of it is
//! among the others. A tar and a zip that does not compress show every token twice otherwise. So do places
//! where git repeats what commits say. It reads nothing.

use super::{Location, Part, archives};
use ddpatrol_pack::ObjectId;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;

/// The path of standard input, where one is needed: the first component of its members' paths.
pub(crate) const STDIN: &str = "stdin";

/// Drops the places in git's reflogs and messages in progress, which repeat what commits say, if there are
/// others.
pub(super) fn drop_passing(places: &mut Vec<Location>) {
    let is_passing =
        |place: &Location| place.trace.is_none() && place.path.as_deref().is_some_and(is_passing);
    if !places.iter().all(is_passing) {
        places.retain(|place| !is_passing(place));
    }
}

/// Tells whether a path is that of a reflog or a message in progress, below a folder that is called as a
/// repository is.
fn is_passing(path: &Path) -> bool {
    let ends = |part: &OsStr, ends: &[&str]| {
        ends.iter().any(|end| part.as_encoded_bytes().ends_with(end.as_bytes()))
    };
    let parts: Vec<&OsStr> = path.iter().collect();
    let Some(git) = parts.iter().position(|part| ends(part, &[".git"])) else { return false };
    let below = &parts[git + 1..];
    below.contains(&OsStr::new("logs"))
        || below.last().is_some_and(|name| ends(name, &["_EDITMSG", "_MSG"]))
}

/// Drops the places in archives whose members show the token.
pub(super) fn lead(places: &mut Vec<Location>) {
    let mut containers = HashSet::new();
    for place in places.iter() {
        let Some(path) = place.path.as_deref() else { continue };
        for archive in archives(path) {
            let archive = archive.into_os_string();
            let mut content = archive.clone();
            content.push("!");
            // The content of a compressed file is not a member of it.
            if content != path.as_os_str() {
                containers.insert((archive, object(place)));
                containers.insert((content, object(place)));
            }
        }
    }
    if containers.is_empty() {
        return;
    }
    places.retain(|place| {
        let path = place.path.as_deref().unwrap_or(Path::new(STDIN));
        let path = path.as_os_str().to_owned();
        place.part != Part::Content || !containers.contains(&(path, object(place)))
    });
}

/// Names the object that holds a place in a repository: versions of an archive are not each other.
fn object(place: &Location) -> Option<ObjectId> {
    place.trace.as_deref().map(|trace| trace.object)
}
