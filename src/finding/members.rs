//! Places in archives: what a member shows, the archive's own bytes need not show again.
//!
//! In come the places of one token; a place in the raw bytes of an archive goes if a member of it is
//! among the others. A tar and a zip that does not compress show every token twice otherwise. It
//! reads nothing.

use super::{Location, Part};
use std::collections::HashSet;
use std::path::Path;

/// What stands between the path of an archive and that of a member.
const SEPARATOR: &[u8] = b"!/";
/// What members of standard input begin with.
pub(crate) const STDIN: &str = "stdin";

/// Drops the places in archives whose members show the token.
pub(super) fn lead(places: &mut Vec<Location>) {
    let mut archives = HashSet::new();
    for path in places.iter().filter(|it| is_file(it)).filter_map(|it| it.path.as_deref()) {
        let bytes = path.as_os_str().as_encoded_bytes();
        for at in memchr::memmem::find_iter(bytes, SEPARATOR) {
            archives.insert(bytes[..at].to_vec());
            // The content of a compressed tar reads `a.tar.gz!`.
            archives.insert(bytes[..=at].to_vec());
        }
    }
    if archives.is_empty() {
        return;
    }
    places.retain(|place| {
        let path = place.path.as_deref().unwrap_or(Path::new(STDIN));
        let is_archive = archives.contains(path.as_os_str().as_encoded_bytes());
        !(is_archive && is_file(place) && place.part == Part::Content)
    });
}

/// Tells whether a place lies in a file or standard input, and in no history or change.
fn is_file(place: &Location) -> bool {
    place.trace.is_none() && place.standing.is_none()
}
