//! Places in archives: what a member shows, the archive's own bytes need not show again.
//!
//! In come the places of one token; a place in the raw bytes of an archive goes if a member of it is
//! among the others. A tar and a zip that does not compress show every token twice otherwise. It
//! reads nothing.

use super::{Location, Part};
use ddpatrol_pack::ObjectId;
use std::collections::HashSet;
use std::path::Path;

/// What stands between the path of an archive and that of a member.
const SEPARATOR: &[u8] = b"!/";
/// What members of standard input begin with.
pub(crate) const STDIN: &str = "stdin";

/// Drops the places in archives whose members show the token.
pub(super) fn lead(places: &mut Vec<Location>) {
    let mut archives = HashSet::new();
    for place in places.iter() {
        let Some(path) = place.path.as_deref() else { continue };
        let bytes = path.as_os_str().as_encoded_bytes();
        for at in memchr::memmem::find_iter(bytes, SEPARATOR) {
            archives.insert((bytes[..at].to_vec(), object(place)));
            // The content of a compressed tar reads `a.tar.gz!`.
            archives.insert((bytes[..=at].to_vec(), object(place)));
        }
    }
    if archives.is_empty() {
        return;
    }
    places.retain(|place| {
        let path = place.path.as_deref().unwrap_or(Path::new(STDIN));
        let bytes = path.as_os_str().as_encoded_bytes().to_vec();
        place.part != Part::Content || !archives.contains(&(bytes, object(place)))
    });
}

/// Names the object that holds a place in a repository: versions of an archive are not each other.
fn object(place: &Location) -> Option<ObjectId> {
    place.trace.as_deref().map(|trace| trace.object)
}
