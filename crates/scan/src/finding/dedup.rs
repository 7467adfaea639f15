//! Removes locations that repeat others.
//!
//! Input: the locations of one token. Output: the same, without the raw bytes of an archive if one of its
//! members contains the token, and without reflogs and unfinished messages if it occurs elsewhere.
//! Otherwise a tar or uncompressed zip would show every token twice. Nothing is read here.

use super::{Location, Part, archives};
use ddpatrol_pack::ObjectId;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;

/// The path of standard input, used as the first component of the paths of its members.
pub const STDIN: &str = "stdin";

/// The beginning of the name of an archive that is encoded in a text; its offset follows.
pub const ENCODED: &str = "base64 at ";

/// Removes locations in reflogs and unfinished messages of git, which repeat commits, if there are others.
pub(super) fn drop_transient(places: &mut Vec<Location>) {
    let is_transient =
        |place: &Location| place.trace.is_none() && place.path.as_deref().is_some_and(is_transient);
    if !places.iter().all(is_transient) {
        places.retain(|place| !is_transient(place));
    }
}

/// Returns `true` for the path of a reflog or an unfinished message below a folder whose name ends in `.git`.
fn is_transient(path: &Path) -> bool {
    let ends = |part: &OsStr, ends: &[&str]| {
        ends.iter().any(|end| part.as_encoded_bytes().ends_with(end.as_bytes()))
    };
    let parts: Vec<&OsStr> = path.iter().collect();
    let Some(git) = parts.iter().position(|part| ends(part, &[".git"])) else { return false };
    let below = &parts[git + 1..];
    below.contains(&OsStr::new("logs"))
        || below.last().is_some_and(|name| ends(name, &["_EDITMSG", "_MSG"]))
}

/// Removes locations in the raw bytes of archives whose members contain the token.
pub(super) fn drop_containers(places: &mut Vec<Location>) {
    let mut containers = HashSet::new();
    for place in places.iter() {
        let Some(path) = place.path.as_deref() else { continue };
        for archive in archives(path) {
            let archive = archive.into_os_string();
            // A text with an encoded archive contains more than this archive.
            let after = &path.as_os_str().as_encoded_bytes()[archive.len()..];
            if after.strip_prefix(b"!/").is_some_and(|it| it.starts_with(ENCODED.as_bytes())) {
                continue;
            }
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

/// Returns the git object that contains a location, to distinguish the versions of an archive.
fn object(place: &Location) -> Option<ObjectId> {
    place.trace.as_deref().map(|trace| trace.object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{location, trace};

    fn left(places: &[Location], drop: fn(&mut Vec<Location>)) -> Vec<String> {
        let mut places = places.to_vec();
        drop(&mut places);
        let path = |it: Location| it.path.map(|it| it.to_string_lossy().into_owned());
        places.into_iter().map(|it| path(it).unwrap_or_default()).collect()
    }

    fn led(paths: &[&str]) -> Vec<String> {
        left(&paths.iter().map(|it| location(it)).collect::<Vec<_>>(), drop_containers)
    }

    #[test]
    fn a_member_replaces_its_archives() {
        assert_eq!(led(&["a.zip", "a.zip!/b", "c"]), ["a.zip!/b", "c"]);
        assert_eq!(led(&["a.zip", "a.zip!/b.jar", "a.zip!/b.jar!/c"]), ["a.zip!/b.jar!/c"]);
        assert_eq!(led(&["a.tar.gz!", "a.tar.gz!/b"]), ["a.tar.gz!/b"]);
        assert_eq!(led(&["a.zip", "b.zip!/c"]), ["a.zip", "b.zip!/c"]);
    }

    #[test]
    fn the_content_of_a_compressed_file_does_not_replace_the_file() {
        assert_eq!(led(&["a.tar.gz", "a.tar.gz!"]), ["a.tar.gz", "a.tar.gz!"]);
    }

    #[test]
    fn a_member_of_standard_input_replaces_it() {
        let stdin = Location { path: None, ..location("") };
        assert_eq!(left(&[stdin.clone(), location("stdin!/a")], drop_containers), ["stdin!/a"]);
        assert_eq!(left(&[stdin, location("a.zip!/a")], drop_containers), ["", "a.zip!/a"]);
    }

    #[test]
    fn only_the_content_of_the_same_version_is_replaced() {
        let name = Location { part: Part::Name, ..location("a.zip") };
        assert_eq!(left(&[name, location("a.zip!/b")], drop_containers), ["a.zip", "a.zip!/b"]);
        let old = Location { trace: Some(trace("r")), ..location("a.zip") };
        assert_eq!(
            left(&[old.clone(), location("a.zip!/b")], drop_containers),
            ["a.zip", "a.zip!/b"]
        );
        let old_member = Location { trace: Some(trace("r")), ..location("a.zip!/b") };
        assert_eq!(left(&[old, old_member], drop_containers), ["a.zip!/b"]);
    }

    #[test]
    fn reflogs_and_unfinished_messages_are_dropped_if_the_token_is_elsewhere() {
        let transient = [
            ".git/logs/HEAD",
            "r/.git/COMMIT_EDITMSG",
            "bare.git/MERGE_MSG",
            "r/.git/worktrees/w/logs/HEAD",
        ];
        for path in transient {
            assert_eq!(left(&[location(path), location("a")], drop_transient), ["a"], "{path}");
        }
        let all: Vec<Location> = transient.iter().map(|it| location(it)).collect();
        assert_eq!(left(&all, drop_transient), transient);
        for path in ["logs/HEAD", ".git/config", ".git/logs.txt", "x/MERGE_MSG"] {
            let places = [location(path), location("a")];
            assert_eq!(left(&places, drop_transient), [path, "a"], "{path}");
        }
        // In a history such a path is a file like any other.
        let traced = Location { trace: Some(trace("r")), ..location("x.git/logs/a") };
        assert_eq!(left(&[traced, location("a")], drop_transient), ["x.git/logs/a", "a"]);
    }
}
