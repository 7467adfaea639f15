//! Paths in reports: relative to the repository, independent of the current folder.

use crate::archive::containers::python;
use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::{RunOutput, Tree, raw_name};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Returns the URIs of all locations of a SARIF report.
fn uris(ran: &RunOutput) -> BTreeSet<String> {
    let report = ran.json();
    let mut uris = BTreeSet::new();
    for result in report["runs"][0]["results"].as_array().expect("a list") {
        let places = ["locations", "relatedLocations"].map(|it| result[it].as_array());
        for place in places.into_iter().flatten().flatten() {
            let uri = &place["physicalLocation"]["artifactLocation"]["uri"];
            uris.insert(uri.as_str().expect("a URI").to_owned());
        }
    }
    uris
}

/// Returns the paths of all annotations.
fn annotated(ran: &RunOutput) -> BTreeSet<String> {
    let text = ran.stdout();
    let files = text.lines().filter_map(|line| line.split_once(" file="));
    files.map(|(_, rest)| rest.split(',').next().unwrap_or_default().to_owned()).collect()
}

/// Returns the pairs of `path` and `repository_path` of all locations of a JSON report.
fn pairs(ran: &RunOutput) -> BTreeSet<(String, String)> {
    let report = ran.json();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let findings = report["findings"].as_array().expect("a list").iter();
    let places = findings.flat_map(|it| it["locations"].as_array().expect("a list"));
    places.map(|it| (text(&it["path"]), text(&it["repository_path"]))).collect()
}

fn set(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|it| (*it).to_owned()).collect()
}

/// Runs a scan in a folder and asserts the paths of SARIF, of annotations, and of SARIF rendered
/// from the saved JSON report in another folder.
#[track_caller]
fn expect(repo: &Repo, folder: &Path, args: &[&str], wanted: &[&str]) {
    let with = |format: &str| repo.run_in(folder, &[args, &["--report", format]].concat(), &[]);
    assert_eq!(uris(&with("sarif")), set(wanted), "{args:?}");
    let saved = repo.parent().join("saved.json");
    std::fs::write(&saved, with("json").stdout()).expect("a file");
    let from = ["report", "--from", &saved.to_string_lossy()];
    let again =
        |format| repo.run_in(Path::new("/"), &[&from[..], &["--report", format]].concat(), &[]);
    assert_eq!(again("sarif").stdout(), with("sarif").stdout(), "{args:?}");
    // Only the first location of a finding is annotated.
    let files = annotated(&with("github"));
    assert!(!files.is_empty() && files.is_subset(&set(wanted)), "{args:?}: {files:?}");
    assert_eq!(annotated(&again("github")), files, "{args:?}");
}

#[test]
fn paths_are_relative_to_the_repository_root_from_any_folder() {
    let repo = Repo::with_files(&[("services/api/x.env", &token(1))]);
    let wanted = &["services/api/x.env"][..];
    let (top, api) = (repo.path(), repo.path().join("services/api"));
    let whole = api.to_string_lossy().into_owned();
    expect(&repo, top, &["scan"], wanted);
    expect(&repo, top, &["scan", "services"], wanted);
    expect(&repo, &api, &["scan"], wanted);
    expect(&repo, &api, &["scan", "x.env"], wanted);
    expect(&repo, &api, &["scan", "--history-only", "../.."], wanted);
    expect(&repo, repo.parent(), &["scan", "repo"], wanted);
    expect(&repo, repo.parent(), &["scan"], wanted);
    expect(&repo, Path::new("/"), &["scan", "--files-only", &whole], wanted);
    repo.stage(&[("services/api/y.env", &token(2))]);
    let staged = &["services/api/y.env"][..];
    expect(&repo, &api, &["staged"], staged);
    expect(&repo, repo.parent(), &["staged", "--repo", "repo"], staged);
    repo.git(&["commit", "-q", "-m", "more"]);
    expect(&repo, &api, &["range", "HEAD~1..HEAD"], staged);
    expect(&repo, repo.parent(), &["range", "--repo", "repo", "HEAD~1..HEAD"], staged);
    let ran = repo.run_in(&api, &["scan", "--files-only", "--report", "json", "."], &[]);
    let wanted = [("x.env", "services/api/x.env"), ("y.env", "services/api/y.env")];
    let wanted = wanted.map(|(path, below)| (path.to_owned(), below.to_owned()));
    assert_eq!(pairs(&ran), wanted.into());
    let ran = repo.run_in(&api, &["scan", "--report", "jsonl", "x.env"], &[]);
    let line = ran.stdout().lines().next().expect("a match").to_owned();
    let place = &serde_json::from_str::<Value>(&line).expect("JSON")["locations"][0];
    assert_eq!(place["repository_path"], "services/api/x.env");
    assert_eq!(place["path"], "x.env");
}

#[test]
fn paths_of_several_repositories_are_relative_to_their_common_folder() {
    let repo = Repo::with_files(&[("x", &token(1))]);
    repo.clone_to("other/clone", &[]);
    let (top, around) = (repo.path(), repo.parent().to_owned());
    let wanted = &["repo/x", "other/clone/x"][..];
    expect(&repo, &around, &["scan"], wanted);
    expect(&repo, &around, &["scan", "repo", "other"], wanted);
    expect(&repo, top, &["scan", ".", "../other/clone"], wanted);
    expect(&repo, Path::new("/"), &["scan", &around.to_string_lossy()], wanted);
    // All repositories are scanned, and one contains a token.
    repo.try_git(&around.join("other/clone"), &["rm", "-q", "x"], "");
    expect(&repo, &around, &["scan", "--files-only", "repo", "other/clone"], &["repo/x"]);
    let ran = repo.run_in(&around, &["scan", "--report", "json"], &[]);
    assert_eq!(
        pairs(&ran),
        [("repo/x", "x"), ("other/clone/x", "x")].map(|(a, b)| (a.into(), b.into())).into()
    );
    // A file next to the repositories.
    std::fs::write(around.join("loose"), token(3)).expect("a file");
    expect(&repo, &around, &["scan", "repo", "loose"], &["repo/x", "loose"]);
}

#[test]
fn submodule_paths_are_relative_to_the_scanned_checkout() {
    let inner = Repo::with_files(&[("x", &token(1))]);
    let repo = Repo::with_files(&[("y", &token(2))]);
    let url = format!("file://{}", inner.path().display());
    repo.git(&["submodule", "--quiet", "add", &url, "libs/sub"]);
    repo.git(&["commit", "-q", "-m", "a submodule"]);
    expect(&repo, repo.path(), &["scan"], &["y", "libs/sub/x"]);
    expect(&repo, &repo.path().join("libs"), &["scan", ".."], &["y", "libs/sub/x"]);
    expect(&repo, &repo.path().join("libs/sub"), &["scan"], &["x"]);
    let ran = repo.run(&["scan", "--report", "json"]);
    assert!(pairs(&ran).contains(&("libs/sub/x".to_owned(), "x".to_owned())), "{ran:?}");
}

#[test]
fn bare_repositories_linked_work_trees_and_links_have_their_own_paths() {
    let repo = Repo::with_files(&[("d/x", &token(1))]);
    repo.clone_to("bare.git", &["--bare"]);
    repo.git(&["worktree", "add", "-q", "../linked"]);
    let around = repo.parent();
    std::os::unix::fs::symlink("repo", around.join("link")).expect("a link");
    for name in ["bare.git", "linked", "link"] {
        let folder = around.join(name);
        expect(&repo, around, &["scan", name], &["d/x"]);
        expect(&repo, &folder, &["scan"], &["d/x"]);
        expect(&repo, Path::new("/"), &["scan", &folder.to_string_lossy()], &["d/x"]);
    }
    expect(&repo, &around.join("link/d"), &["scan", "x"], &["d/x"]);
    expect(&repo, around, &["scan", "--history-only", "repo/.git"], &["d/x"]);
    expect(&repo, &repo.path().join("d"), &["scan", "--history-only", "../.git"], &["d/x"]);
    expect(&repo, &around.join("bare.git"), &["range", "HEAD"], &["d/x"]);
}

#[test]
fn the_base_of_paths_can_be_changed() {
    let repo = Repo::with_files(&[("services/api/x", &token(1))]);
    let around = repo.parent().to_string_lossy().into_owned();
    expect(&repo, repo.path(), &["scan", "--path-base", ".."], &["repo/services/api/x"]);
    expect(&repo, repo.path(), &["scan", "--path-base", &around], &["repo/services/api/x"]);
    expect(&repo, repo.path(), &["scan", "--path-base", "services"], &["api/x"]);
    expect(
        &repo,
        repo.parent(),
        &["range", "--repo", "repo", "--path-base", ".", "HEAD"],
        &["repo/services/api/x"],
    );
    repo.stage(&[("services/y", &token(2))]);
    expect(&repo, &repo.path().join("services"), &["staged", "--path-base", "."], &["y"]);
    let ran = repo.run(&["scan", "--path-base", "services/api", "--report", "sarif", "services/y"]);
    let whole = repo.path().canonicalize().expect("the file exists").join("services/y");
    assert_eq!(uris(&ran), set(&[&format!("file://{}", whole.display())]));
    let ran = repo.run(&["scan", "--path-base", "nope"]);
    assert!(ran.code() == Some(2) && ran.stderr().contains("nope: not a directory"), "{ran:?}");
}

#[test]
fn paths_outside_of_repositories_are_relative_to_the_current_folder() {
    let tree = Tree::new();
    tree.write("a/x", token(1));
    tree.write("b/y", token(2));
    let run = |args: &[&str]| tree.run(&[&["scan", "--report", "sarif"], args].concat());
    assert_eq!(uris(&run(&["."])), set(&["a/x", "b/y"]));
    assert_eq!(uris(&run(&["a", "b/y"])), set(&["a/x", "b/y"]));
    let whole = tree.path().join("a").to_string_lossy().into_owned();
    assert_eq!(uris(&run(&[&whole])), set(&["a/x"]));
    let mut command = tree.command(&["scan", "--report", "sarif", "../b"]);
    let ran =
        RunOutput(command.current_dir(tree.path().join("a")).output().expect("the program runs"));
    assert_eq!(uris(&ran), set(&["../b/y"]));
    let ran = tree.run(&["scan", "--report", "json"]);
    assert!(pairs(&ran).iter().all(|(_, below)| below == "-"), "{ran:?}");
}

#[test]
fn unusual_names_and_archive_members_are_relative_to_the_root() {
    let repo = Repo::new();
    for (at, name) in
        ["a b%20#?.env", "new\nline", "é", ":x", "b!/c", "back\\slash"].iter().enumerate()
    {
        repo.write(format!("d/{name}"), token(at as u64));
    }
    repo.write(raw_name(b"d/\xff.env"), token(8));
    let tree = Tree::new();
    let member = token(9);
    python(
        &tree,
        &format!("import zipfile; zipfile.ZipFile('a.zip', 'w').writestr('m/n', '{member}')"),
    );
    let archive = std::fs::read(tree.path().join("a.zip")).expect("a file");
    repo.write("d/a.zip", &archive);
    let wanted = &[
        "d/a%20b%2520%23%3F.env",
        "d/new%0Aline",
        "d/%C3%A9",
        "d/%3Ax",
        "d/b%21/c",
        "d/back%5Cslash",
        "d/%FF.env",
        "d/a.zip",
    ][..];
    let with = |format: &str| {
        repo.run_in(&repo.path().join("d"), &["scan", "--files-only", "--report", format], &[])
    };
    assert_eq!(uris(&with("sarif")), set(wanted));
    let saved = repo.parent().join("saved.json");
    std::fs::write(&saved, with("json").stdout()).expect("a file");
    let saved = saved.to_string_lossy();
    let again =
        repo.run_in(Path::new("/"), &["report", "--from", &saved, "--report", "sarif"], &[]);
    assert_eq!(again.stdout(), with("sarif").stdout());
    repo.git(&["add", "-A"]);
    let ran = repo.run_in(&repo.path().join("d"), &["staged", "--report", "sarif"], &[]);
    assert_eq!(uris(&ran), set(wanted));
    repo.git(&["commit", "-q", "-m", "all"]);
    let ran =
        repo.run_in(repo.parent(), &["scan", "--history-only", "repo", "--report", "sarif"], &[]);
    assert_eq!(uris(&ran), set(wanted));
}

#[test]
fn standard_input_is_in_no_repository() {
    let repo = Repo::with_files(&[("d/x", "x")]);
    let tree = Tree::new();
    let member = token(1);
    python(
        &tree,
        &format!("import zipfile; zipfile.ZipFile('a.zip', 'w').writestr('m/n', '{member}')"),
    );
    let archive = std::fs::read(tree.path().join("a.zip")).expect("a file");
    for (input, uri, path) in
        [(&archive[..], "stdin", "stdin!/m/n"), (member.as_bytes(), "stdin", "-")]
    {
        let ran = repo.run_with_input(&["scan", "-", "--report", "sarif"], input);
        assert_eq!(uris(&ran), set(&[uri]));
        let ran = repo.run_with_input(&["scan", "-", "d", "--report", "json"], input);
        assert_eq!(pairs(&ran), [(path.to_owned(), "-".to_owned())].into());
    }
}

#[test]
fn a_saved_report_cannot_inject_a_uri() {
    let repo = Repo::with_files(&[("x", &token(1))]);
    let mut report = repo.run(&["scan", "--files-only", "--report", "json"]).json();
    for uri in ["javascript:alert(1)", "https://example.org/x", "a b", "%zz", "a%2fb", "x?y"] {
        report["findings"][0]["locations"][0]["uri"] = uri.into();
        let path = repo.parent().join("changed.json");
        std::fs::write(&path, report.to_string()).expect("a file");
        let ran = repo.run(&["report", "--from", &path.to_string_lossy(), "--report", "sarif"]);
        assert_eq!(uris(&ran), set(&["x"]), "{uri}");
    }
}
