//! Content of the base that cannot be scanned is no issue of a change.

use super::{token, verdict};
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use serde_json::Value;
use std::process::Command;

/// A gzip stream that ends too early.
const CUT: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b";

/// A pointer to a Git LFS object that does not exist.
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:\
    4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

/// Writes an encrypted zip.
fn encrypted(repo: &Repo, name: &str) {
    let script = "echo x > member; zip -q -P pw \"$1\" member; rm member";
    let mut command = Command::new("sh");
    command.current_dir(repo.path()).args(["-c", script, "sh", name]);
    assert!(command.status().expect("sh runs").success());
}

/// A repository whose base has content that cannot be scanned.
fn repo() -> Repo {
    let repo = Repo::new();
    repo.write("cut", CUT);
    repo.write("pointer", POINTER);
    repo.write("untouched.gz", CUT);
    encrypted(&repo, "locked.zip");
    repo.commit("base");
    repo
}

fn codes(ran: &RunOutput) -> Vec<Value> {
    let report = ran.json();
    let issues = report["diagnostics"].as_array().expect("a list");
    issues.iter().map(|it| it["code"].clone()).collect()
}

/// Reports of the staged content, and of the same content as a range.
fn reports(repo: &Repo) -> [RunOutput; 2] {
    repo.git(&["add", "-A"]);
    let staged = repo.run(&["staged", "--strict", "--json"]);
    repo.commit("change");
    [staged, repo.run(&["range", "--strict", "--json", "HEAD~1..HEAD"])]
}

#[test]
fn issues_in_the_base_versions_of_changed_files_are_not_reported() {
    let repo = repo();
    for (seed, name) in (1..).zip(["cut", "locked.zip", "pointer"]) {
        repo.write(name, token(seed));
    }
    for ran in reports(&repo) {
        assert_eq!(codes(&ran), Vec::<Value>::new());
        assert_eq!(verdict(&ran), "1; new cut; new locked.zip; new pointer");
        assert_eq!(ran.json()["complete"], true);
    }
}

#[test]
fn issues_in_moved_and_untouched_files_of_the_base_are_not_reported() {
    let repo = repo();
    repo.git(&["mv", "locked.zip", "moved"]);
    repo.git(&["rm", "-q", "cut"]);
    repo.write(
        "moved",
        [std::fs::read(repo.path().join("moved")).expect("a file"), token(1).into()].concat(),
    );
    repo.write("new", "no token");
    for ran in reports(&repo) {
        let issues = codes(&ran);
        assert!(issues.iter().all(|code| code == "archive.encrypted"), "{issues:?}");
        let report = ran.json();
        let paths = report["diagnostics"].as_array().expect("a list").iter().map(|it| &it["path"]);
        assert!(paths.clone().all(|path| path == "moved!/member"), "{report:#}");
    }
}

#[test]
fn issues_of_the_change_itself_are_reported() {
    let repo = repo();
    repo.write("cut", [CUT, b"x"].concat());
    encrypted(&repo, "new.zip");
    for ran in reports(&repo) {
        assert_eq!(codes(&ran), ["archive.unreadable", "archive.encrypted"]);
        assert_eq!(ran.code(), Some(2));
    }
}
