//! Tests of paths and URIs in repositories of a few files.

use super::*;
use crate::document::uris::*;
use crate::tests::{finding, location, member, trace};
use ddpatrol_engine::source::ScannedRepo;
use ddpatrol_scan::finding::{ChangeStatus, Finding, Trace};
use std::fs;
use tempfile::TempDir;

/// A folder with repositories at these paths.
fn folder(repositories: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().canonicalize().expect("a folder");
    for path in repositories {
        let git = here.join(path).join(".git");
        fs::create_dir_all(git.join("objects")).expect("a folder");
        fs::create_dir_all(git.join("refs")).expect("a folder");
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("a file");
    }
    (folder, here)
}

fn paths(here: &Path) -> Paths {
    Paths::new(&Roots { here: here.to_owned(), tops: Vec::new() }, &[], None)
}

/// The path below the top, and the top relative to `here`.
fn split(within: Option<Within>, here: &Path) -> Option<(String, String)> {
    let within = within?;
    let top = within.top.strip_prefix(here).expect("a top below the folder");
    Some((top.display().to_string(), within.below.display().to_string()))
}

fn at(place: Place) -> Location {
    Location { path: Some(place), ..location("") }
}

fn pair(top: &str, below: &str) -> Option<(String, String)> {
    Some((top.to_owned(), below.to_owned()))
}

#[test]
fn a_file_is_in_the_innermost_repository_around_it() {
    let (_guard, here) = folder(&["r", "r/sub"]);
    let mut paths = paths(&here);
    let mut within = |path: &str| split(paths.within(&location(path)), &here);
    assert_eq!(within("r/a/b"), pair("r", "a/b"));
    assert_eq!(within("r/sub/b"), pair("r/sub", "b"));
    assert_eq!(within("b"), None);
    // The files of a `.git` folder belong to the work tree.
    assert_eq!(within("r/.git/config"), pair("r", ".git/config"));
    // The name of a branch is no file.
    let reference = Location { part: Part::Ref, ..location("r/a") };
    assert_eq!(paths.within(&reference), None);
}

#[test]
fn the_last_result_is_reused_for_the_same_location_only() {
    let (_guard, here) = folder(&["r", "r/sub"]);
    let mut paths = paths(&here);
    let traced =
        |git_dir: &str| Location { trace: Some(Arc::new(trace(git_dir))), ..location("r/sub/b") };
    assert_eq!(split(paths.within(&location("r/sub/b")), &here), pair("r/sub", "b"));
    assert_eq!(split(paths.within(&traced("r/.git")), &here), pair("r", "sub/b"));
    assert_eq!(split(paths.within(&traced("r/sub/.git")), &here), pair("r/sub", "b"));
    let change = Location { change_status: Some(ChangeStatus::New), ..location("r/sub/b") };
    assert_eq!(split(paths.within(&change), &here), pair("", "r/sub/b"));
    assert_eq!(split(paths.within(&location("r/sub/b")), &here), pair("r/sub", "b"));
}

#[test]
fn paths_below_a_git_folder_are_relative_to_it() {
    let (_guard, here) = folder(&["r"]);
    let place = Location { trace: Some(Arc::new(trace("r/.git"))), ..location("r/.git/a/b") };
    assert_eq!(split(paths(&here).within(&place), &here), pair("r", "a/b"));
}

#[test]
fn a_member_is_in_the_repository_of_the_outermost_archive() {
    let (_guard, here) = folder(&["r"]);
    let mut paths = paths(&here);
    let archive = || Path::new("r/a.zip");
    let content = Place::Content(Arc::new(member(archive(), &["b/c.gz"])));
    let within = paths.within(&at(content)).expect("a repository");
    assert_eq!((&*within.file, within.is_member()), (Path::new("a.zip"), true));
    assert_eq!(split(Some(within), &here), pair("r", "a.zip!/b/c.gz!"));
    // A repository in an archive does not count as a repository of the user.
    let packed = Trace { repository: member(archive(), &["b/.git"]), ..trace("") };
    let place = Location { trace: Some(Arc::new(packed)), ..at(member(archive(), &["b/c"])) };
    assert_eq!(split(paths.within(&place), &here), pair("r", "a.zip!/b/c"));
}

#[test]
fn a_file_in_a_folder_with_a_mark_is_not_a_member() {
    let (_guard, here) = folder(&["r", "r/a.zip!/sub"]);
    let mut paths = paths(&here);
    for place in ["r/a.zip!/b", "r/a.zip!/sub!/b"] {
        let within = paths.within(&location(place)).expect("a repository");
        assert!(within.below == within.file && !within.is_member(), "{within:?}");
        assert_eq!(archive(&location(place)), None);
    }
    let within = paths.within(&location("r/a.zip!/sub/b"));
    assert_eq!(split(within, &here), pair("r/a.zip!/sub", "b"));
    // A member with a mark in its name is in the one archive.
    let place = at(member(Path::new("r/a.zip"), &["b!/c"]));
    assert_eq!(archive(&place), Some(&Path::new("r/a.zip").into()));
    let within = paths.within(&place).expect("a repository");
    assert_eq!(&*within.file, Path::new("a.zip"));
}

#[test]
fn standard_input_is_in_no_repository_but_a_file_of_its_name_is() {
    let (_guard, here) = folder(&[""]);
    let mut paths = paths(&here);
    assert_eq!(paths.within(&at(member(Place::Stdin, &["a"]))), None);
    assert_eq!(paths.file_within(&Place::Stdin), None);
    assert_eq!(paths.below(&Place::Stdin, Base::new(&here)), Some("stdin".into()));
    let file = Path::new("stdin").into();
    assert_eq!(split(paths.file_within(&file), &here), pair("", "stdin"));
    assert_eq!(split(paths.within(&location("stdin!/a")), &here), pair("", "stdin!/a"));
}

#[test]
fn the_top_folder_is_in_its_own_repository() {
    let (_guard, here) = folder(&["r"]);
    let mut paths = paths(&here);
    assert_eq!(split(paths.file_within(&Path::new("r").into()), &here), pair("r", ""));
    assert_eq!(split(paths.file_within(&Path::new("r/a").into()), &here), pair("r", "a"));
    assert_eq!(paths.file_within(&Path::new("a").into()), None);
}

fn base_of(here: &Path, findings: Vec<Finding>, repositories: &[Place]) -> String {
    let scanned = |root: &Place| ScannedRepo { root: root.clone(), head: None };
    let repositories = repositories.iter().map(scanned).collect();
    let outcome = Outcome { findings, repositories, ..Outcome::default() };
    let base = paths(here).base(&outcome);
    base.strip_prefix(here).map_or_else(|_| "outside".to_owned(), |it| it.display().to_string())
}

#[test]
fn the_base_of_uris_contains_all_locations() {
    let (_guard, here) = folder(&["x/r", "x/s"]);
    let file = |path: &str| finding(vec![location(path)]);
    assert_eq!(base_of(&here, vec![file("x/r/a")], &[]), "x/r");
    assert_eq!(base_of(&here, vec![file("x/r/a"), file("x/s/a")], &[]), "x");
    assert_eq!(base_of(&here, vec![file("x/r/a"), file("b")], &[]), "");
    assert_eq!(
        base_of(&here, vec![], &[Path::new("x/r/.git").into(), Path::new("x/s").into()]),
        "x"
    );
    // Locations without a path of their own do not affect the base.
    let stdin = finding(vec![at(member(Place::Stdin, &["b"]))]);
    let packed = member(Path::new("a.zip"), &["r/.git"]);
    assert_eq!(base_of(&here, vec![file("x/r/a"), stdin], &[packed]), "x/r");
    let reference = Location { part: Part::Ref, ..location("y") };
    assert_eq!(base_of(&here, vec![file("x/r/a"), finding(vec![reference])], &[]), "x/r");
    assert_eq!(base_of(&here, vec![], &[]), "");
}

#[test]
fn the_user_can_choose_the_base_of_uris() {
    let (_guard, here) = folder(&["r"]);
    let roots = Roots { here: here.clone(), tops: Vec::new() };
    let mut paths = Paths::new(&roots, &[], Some(&here.join("r/..")));
    let outcome = Outcome { findings: vec![finding(vec![location("r/a")])], ..Outcome::default() };
    assert_eq!(paths.base(&outcome), here);
}

#[test]
fn paths_below_the_base_are_relative_to_it() {
    let (_guard, here) = folder(&[]);
    let paths = paths(&here);
    let below = |path: &str, base: &Path| paths.below(&Path::new(path).into(), Base::new(base));
    assert_eq!(below("x/../a", &here), Some("a".into()));
    assert_eq!(below("x/a", &here.join("x")), Some("a".into()));
    assert_eq!(below("../a", &here), Some("../a".into()));
    assert_eq!(below("a", &here.join("x")), None);
    assert_eq!(below("/elsewhere", &here), None);
}

#[cfg(unix)]
#[test]
fn a_scanned_link_is_followed() {
    let (_guard, here) = folder(&["r"]);
    std::os::unix::fs::symlink(here.join("r"), here.join("link")).expect("a link");
    let roots = Roots { here: here.clone(), tops: Vec::new() };
    let mut paths = Paths::new(&roots, &[here.join("link")], None);
    assert_eq!(paths.whole(Path::new("link/a")), here.join("r/a"));
    assert_eq!(paths.whole(Path::new("link")), here.join("r"));
    assert_eq!(paths.whole(Path::new("linked/a")), here.join("linked/a"));
    assert_eq!(split(paths.within(&location("link/a")), &here), pair("r", "a"));
}

#[test]
fn uris_are_decoded_as_they_are_encoded() {
    for (path, uri) in
        [("a b/%", "a%20b/%25"), ("/w/é", "file:///w/%C3%A9"), ("/w/", "file:///w"), ("", ".")]
    {
        assert_eq!(uri_of_bytes(path.as_bytes()), uri);
        assert_eq!(checked(uri.to_owned()).as_deref(), Some(uri));
    }
    assert_eq!(path_of_uri("file:///w/%C3%A9").as_deref(), Some("/w/é".as_bytes()));
    for other in ["a b", "%4", "%zz", "%41", "https://x", "file:////w", "a?b", "%c3%a9"] {
        assert_eq!(checked(other.to_owned()), None, "{other}");
    }
}

#[test]
fn a_path_has_slashes_between_its_components() {
    assert_eq!(bytes(Path::new("/a//b/")), b"/a/b");
    assert_eq!(bytes(Path::new("./a/./b")), b"./a/b");
    assert_eq!(bytes(Path::new("")), b".");
}
