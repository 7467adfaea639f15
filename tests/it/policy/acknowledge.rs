//! Acknowledged issues.

use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::Tree;
use std::process::Command;

/// A gzip stream that ends too early.
const CUT: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b";

fn entry(code: &str, target: &str, expires: &str) -> String {
    format!(
        "[[acknowledge]]\ncode = \"{code}\"\n{target}\nreason = \"a damaged sample\"\n\
         expires = {expires}\n"
    )
}

#[test]
fn an_acknowledged_issue_does_not_make_a_scan_incomplete() {
    let tree = Tree::new();
    tree.write("data/cut.gz", CUT);
    let code = || tree.run(&["scan", "--strict"]).code();
    assert_eq!(code(), Some(2));
    tree.write(".ddpatrol.toml", entry("archive.unreadable", "path = \"data/**\"", "2999-01-01"));
    let ran = tree.run(&["scan", "--strict", "--json"]);
    let report = ran.json();
    let issue = &report["diagnostics"][0];
    assert_eq!(issue["code"], "archive.unreadable", "{issue}");
    assert_eq!(issue["acknowledged"]["reason"], "a damaged sample");
    assert_eq!(issue["acknowledged"]["expires"], "2999-01-01");
    assert_eq!(
        (&report["complete"], &report["summary"]["acknowledged"]),
        (&true.into(), &1.into())
    );
    assert!(ran.code() == Some(0) && !ran.stderr().contains("cut.gz"), "{}", ran.stderr());
    assert!(tree.run(&["scan"]).stdout().contains("1 issue acknowledged"));
    // It hides no other issue.
    tree.write("cut.gz", CUT);
    assert_eq!(code(), Some(2));
}

#[test]
fn expired_and_unused_acknowledgments_are_reported() {
    let tree = Tree::new();
    tree.write("cut.gz", CUT);
    let old = entry("archive.unreadable", "path = \"*.gz\"", "2020-01-01");
    let unused = entry("file.special", "path = \"x\"", "2999-01-01");
    tree.write(".ddpatrol.toml", old + &unused);
    let ran = tree.run(&["scan", "--strict", "--json"]);
    assert_eq!(ran.code(), Some(2));
    let report = ran.json();
    let entries = &report["unused_acknowledgments"];
    assert_eq!(entries[0]["expired"], "2020-01-01", "{entries}");
    assert_eq!(entries[1]["code"], "file.special", "{entries}");
    let ran = tree.run(&["scan", "--files-only", "--json"]);
    assert_eq!(ran.json()["unused_acknowledgments"].as_array().map(Vec::len), Some(1));
}

#[test]
fn an_issue_of_a_git_object_is_acknowledged_by_its_id() {
    let repo = Repo::with_files(&[("a", "one"), ("b", &token(1))]);
    let lost = repo.git(&["rev-parse", "HEAD:a"]);
    let path = repo.path().join(".git/objects").join(&lost[..2]).join(&lost[2..]);
    std::fs::remove_file(path).expect("a loose object");
    let scan = ["scan", "--history-only", "--json"];
    let ran = repo.run_in(repo.path(), &scan, &[]);
    let report = ran.json();
    let issue = &report["diagnostics"][0];
    assert_eq!(issue["object"], *lost, "{report}");
    assert_eq!(issue["repository"], report["repositories"][0]["path"], "{report}");
    let code = issue["code"].as_str().expect("a code");
    let target = format!("object = \"{lost}\"");
    repo.write(".ddpatrol.toml", entry(code, &target, "2999-01-01"));
    let report = repo.run_in(repo.path(), &scan, &[]).json();
    assert_eq!(report["complete"], true, "{report}");
}

#[test]
fn a_change_cannot_acknowledge_its_own_issues() {
    let repo = Repo::with_files(&[("a", "one")]);
    let cut = repo.write("cut.gz", CUT);
    let id = repo.git(&["hash-object", &cut.to_string_lossy()]);
    let target = format!("object = \"{id}\"");
    repo.write(".ddpatrol.toml", entry("archive.unreadable", &target, "2999-01-01"));
    repo.commit("add a damaged archive and acknowledge it");
    let range = ["range", "HEAD~1..HEAD", "--strict", "--json"];
    let ran = repo.run_in(repo.path(), &range, &[]);
    assert_eq!(ran.json()["complete"], false, "{}", ran.stdout());
    let ran = repo.run_in(repo.path(), &[&range[..], &["--trust-head"]].concat(), &[]);
    assert_eq!(ran.json()["complete"], true, "{}", ran.stdout());
}

#[test]
fn the_path_of_an_archive_acknowledges_issues_of_its_members() {
    let tree = Tree::new();
    tree.write("inner/app.conf", token(1));
    let commands = "mkdir dist; zip -q -P x dist/enc.zip inner/app.conf; zip -q dist/outer.zip dist/enc.zip; \
                    rm -r inner";
    let status = Command::new("sh").args(["-c", commands]).current_dir(tree.path()).status();
    assert!(status.expect("sh runs").success());
    let complete = |target: &str| {
        tree.write(".ddpatrol.toml", entry("archive.encrypted", target, "2999-01-01"));
        let ran = tree.run(&["scan", "--strict", "--json"]);
        let report = ran.json();
        let paths = report["diagnostics"].as_array().expect("a list").iter();
        let paths: Vec<_> = paths.map(|it| it["path"].as_str().expect("a path")).collect();
        let members =
            ["dist/enc.zip!/inner/app.conf", "dist/outer.zip!/dist/enc.zip!/inner/app.conf"];
        assert_eq!(paths, members, "{report}");
        report["complete"] == true
    };
    for path in ["dist/*.zip", "dist", "dist/", "*.zip", "dist/**", "app.conf"] {
        assert!(complete(&format!("path = \"{path}\"")), "{path}");
    }
    for path in ["dist/outer.zip", "dist/*.tar", "dist/enc", "enc.zip/"] {
        assert!(!complete(&format!("path = \"{path}\"")), "{path}");
    }
}
