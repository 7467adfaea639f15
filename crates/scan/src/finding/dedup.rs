//! Removes locations that repeat others.
//!
//! Input: the locations of one token. Output: the same, without the raw bytes of an archive if one of its
//! members contains the token, and without reflogs and unfinished messages if it occurs elsewhere.
//! Otherwise a tar or uncompressed zip would show every token twice. Nothing is read here.

use super::{Location, Part};
use crate::place::Place;
use ddpatrol_pack::ObjectId;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

/// The beginning of the name of an archive that is encoded in a text; its offset follows.
pub const ENCODED: &str = "base64 at ";

/// Removes locations in reflogs and unfinished messages of git, which repeat commits, if there are others.
pub(super) fn drop_transient(places: &mut Vec<Location>) {
    let is_transient = |place: &Location| {
        place.trace.is_none() && place.path.as_ref().is_some_and(|it| is_transient(it.own_path()))
    };
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
        // The content of a compressed file is not a member of it.
        let mut inner = place.path.as_ref();
        while let Some(place_in) = inner {
            if let Place::Member { container, path } = place_in
                && !is_encoded(path)
            {
                containers.insert((Place::clone(container), object(place)));
                containers.insert((Place::Content(Arc::clone(container)), object(place)));
            }
            inner = place_in.container();
        }
    }
    if containers.is_empty() {
        return;
    }
    places.retain(|place| {
        let path = place.path.clone().unwrap_or_else(|| without_path(place));
        place.part != Part::Content || !containers.contains(&(path, object(place)))
    });
}

/// Returns `true` for the name of an archive that is encoded in a text: the text contains more than it.
fn is_encoded(name: &Path) -> bool {
    name.as_os_str().as_encoded_bytes().starts_with(ENCODED.as_bytes())
}

/// Returns the place of a location without a path, as it is for the members of its archive.
fn without_path(place: &Location) -> Place {
    let object = place.trace.as_deref().map(|trace| Place::Object(trace.object, trace.kind));
    object.unwrap_or(Place::Stdin)
}

/// Returns the git object that contains a location, to distinguish the versions of an archive.
fn object(place: &Location) -> Option<ObjectId> {
    place.trace.as_deref().map(|trace| trace.object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{in_member, location, trace};

    fn left(places: &[Location], drop: fn(&mut Vec<Location>)) -> Vec<String> {
        let mut places = places.to_vec();
        drop(&mut places);
        let path = |it: Location| it.path.map(|it| it.path().to_string_lossy().into_owned());
        places.into_iter().map(|it| path(it).unwrap_or_default()).collect()
    }

    fn led(places: &[&[&str]]) -> Vec<String> {
        left(&places.iter().map(|it| in_member(it)).collect::<Vec<_>>(), drop_containers)
    }

    #[test]
    fn a_member_replaces_its_archives() {
        assert_eq!(led(&[&["a.zip"], &["a.zip", "b"], &["c"]]), ["a.zip!/b", "c"]);
        let nested: &[&[&str]] = &[&["a.zip"], &["a.zip", "b.jar"], &["a.zip", "b.jar", "c"]];
        assert_eq!(led(nested), ["a.zip!/b.jar!/c"]);
        assert_eq!(led(&[&["a.tar.gz", "!"], &["a.tar.gz", "b"]]), ["a.tar.gz!/b"]);
        assert_eq!(led(&[&["a.zip"], &["b.zip", "c"]]), ["a.zip", "b.zip!/c"]);
    }

    #[test]
    fn an_encoded_archive_does_not_replace_the_text_around_it() {
        let encoded: &[&[&str]] = &[&["a.eml"], &["a.eml", "base64 at 5", "b"]];
        assert_eq!(led(encoded), ["a.eml", "a.eml!/base64 at 5!/b"]);
        let nested: &[&[&str]] = &[&["a.zip"], &["a.zip", "a.eml", "base64 at 5", "b"]];
        assert_eq!(led(nested), ["a.zip!/a.eml!/base64 at 5!/b"]);
    }

    #[test]
    fn a_file_in_a_folder_with_a_mark_replaces_no_other_file() {
        assert_eq!(led(&[&["a"], &["a!/b"]]), ["a", "a!/b"]);
        assert_eq!(led(&[&["a.zip", "b"], &["a.zip", "b!/c"]]), ["a.zip!/b", "a.zip!/b!/c"]);
    }

    #[test]
    fn a_member_of_a_git_object_without_a_path_replaces_it() {
        let trace = trace("r");
        let path = Place::Object(trace.object, trace.kind).join("a");
        let member = Location { path: Some(path), trace: Some(trace.clone()), ..location("") };
        let object = Location { path: None, trace: Some(trace), ..location("") };
        let left = left(&[object, member], drop_containers);
        assert_eq!(left, [format!("git/blob/{}!/a", "a".repeat(40))]);
    }

    #[test]
    fn the_content_of_a_compressed_file_does_not_replace_the_file() {
        assert_eq!(led(&[&["a.tar.gz"], &["a.tar.gz", "!"]]), ["a.tar.gz", "a.tar.gz!"]);
    }

    #[test]
    fn a_member_of_standard_input_replaces_it() {
        let stdin = Location { path: None, ..location("") };
        let member = in_member(&["stdin", "a"]);
        assert_eq!(left(&[stdin.clone(), member], drop_containers), ["stdin!/a"]);
        let member = in_member(&["a.zip", "a"]);
        assert_eq!(left(&[stdin, member], drop_containers), ["", "a.zip!/a"]);
    }

    #[test]
    fn only_the_content_of_the_same_version_is_replaced() {
        let name = Location { part: Part::Name, ..location("a.zip") };
        assert_eq!(
            left(&[name, in_member(&["a.zip", "b"])], drop_containers),
            ["a.zip", "a.zip!/b"]
        );
        let old = Location { trace: Some(trace("r")), ..location("a.zip") };
        assert_eq!(
            left(&[old.clone(), in_member(&["a.zip", "b"])], drop_containers),
            ["a.zip", "a.zip!/b"]
        );
        let old_member = Location { trace: Some(trace("r")), ..in_member(&["a.zip", "b"]) };
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
