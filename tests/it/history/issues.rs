//! Issues in git objects: each has the path and the commit of the object, as a finding has.

use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use serde_json::Value;
use std::process::Command;

/// A gzip stream that ends too early.
const CUT: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b";

/// Writes an encrypted zip with a member `x`.
fn encrypted(repo: &Repo, name: &str) {
    let script = "mkdir -p \"$(dirname \"$1\")\"; echo x > x; zip -q -P pw \"$1\" x; rm x";
    let mut command = Command::new("sh");
    command.current_dir(repo.path()).args(["-c", script, "sh", name]);
    assert!(command.status().expect("sh runs").success());
}

fn issues(ran: &RunOutput) -> Vec<Value> {
    ran.json()["diagnostics"].as_array().expect("a list").clone()
}

#[track_caller]
fn only(ran: &RunOutput) -> Value {
    let mut issues = issues(ran);
    assert_eq!(issues.len(), 1, "{issues:?}");
    issues.remove(0)
}

#[test]
fn an_issue_in_a_history_has_path_and_commit_in_every_format() {
    let repo = Repo::with_files(&[("a", "one")]);
    encrypted(&repo, "data/backup.zip");
    let commit = repo.commit("add a backup");
    repo.commit_removal("data/backup.zip");
    for packed in [false, true] {
        if packed {
            repo.git(&["gc", "-q", "--aggressive", "--prune=now"]);
        }
        let issue = only(&repo.scan(&["--history-only"]));
        assert_eq!(issue["code"], "archive.encrypted");
        assert_eq!(issue["path"], "data/backup.zip!/x", "{issue}");
        assert_eq!(issue["repository_path"], "data/backup.zip!/x", "{issue}");
        assert_eq!(issue["commit"], *commit, "{issue}");
        assert_eq!(issue["git"]["introduced"]["commit"], *commit, "{issue}");
        assert_eq!(issue["git"]["in_head"], false, "{issue}");
    }
    for format in ["text", "sarif", "markdown", "junit", "gitlab", "github", "html"] {
        let ran = repo.run(&["scan", "--history-only", "--report", format]);
        let text = ran.stdout();
        assert!(text.contains("data/backup.zip"), "{format}: {text}");
        assert!(text.contains(&commit[..12]), "{format}: {text}");
    }
}

#[test]
fn an_issue_in_a_cached_object_keeps_its_place() {
    let repo = Repo::with_files(&[("a", "one")]);
    encrypted(&repo, "backup.zip");
    let commit = repo.commit("add a backup");
    repo.git(&["repack", "-adq"]);
    let state = repo.sibling("state");
    let state = ["--history-only", "--state", state.to_str().expect("UTF-8")];
    let place = |ran: &RunOutput| {
        let issue = only(ran);
        (issue["path"].clone(), issue["commit"].clone(), issue["git"]["in_head"].clone())
    };
    let wanted = |in_head: bool| ("backup.zip!/x".into(), (*commit).into(), in_head.into());
    assert_eq!(place(&repo.scan(&state)), wanted(true));
    let again = repo.scan(&state);
    assert_eq!(place(&again), wanted(true));
    assert!(again.json()["notes"].to_string().contains("nothing is new"));
    repo.commit_removal("backup.zip");
    assert_eq!(place(&repo.scan(&state)), wanted(false));
}

#[test]
fn an_object_at_several_paths_has_one_issue_at_its_first_path() {
    let repo = Repo::with_files(&[("a", "one")]);
    encrypted(&repo, "first.zip");
    let commit = repo.commit("the first");
    std::fs::copy(repo.path().join("first.zip"), repo.path().join("second.zip")).expect("a copy");
    repo.commit("the second");
    let issue = only(&repo.scan(&["--history-only"]));
    assert_eq!((&issue["path"], &issue["commit"]), (&"first.zip!/x".into(), &(*commit).into()));
    assert_eq!(issue["other_paths"], serde_json::json!(["second.zip!/x"]), "{issue}");
}

#[test]
fn an_issue_in_an_unreachable_object_says_that_no_commit_contains_it() {
    let repo = Repo::with_files(&[("a", "one")]);
    let cut = repo.write("cut.gz", CUT);
    let id = repo.git(&["hash-object", "-w", &cut.to_string_lossy()]);
    let ran = repo.scan(&["--history-only"]);
    let issue = only(&ran);
    assert_eq!(issue["object"], *id, "{issue}");
    assert_eq!(issue["git"]["introduced"], Value::Null, "{issue}");
    assert_eq!(issue["git"]["reachable"], false, "{issue}");
    let text = repo.run(&["scan", "--history-only"]).stdout();
    assert!(text.contains("in no commit"), "{text}");
}

#[test]
fn a_blob_that_cannot_be_read_has_path_and_commit() {
    let repo = Repo::new();
    let commit = repo.commit_file("broken", "one");
    repo.corrupt_object("HEAD:broken");
    let issues = issues(&repo.scan(&["--history-only"]));
    let issue = issues.iter().find(|it| it["code"] == "git.object-unreadable");
    let issue = issue.expect("the blob is reported");
    assert_eq!((&issue["path"], &issue["commit"]), (&"broken".into(), &(*commit).into()));
}

#[test]
fn issues_of_changes_have_paths_and_commits() {
    let repo = Repo::with_files(&[("a", "one")]);
    encrypted(&repo, "in/backup.zip");
    repo.git(&["add", "-A"]);
    let issue = only(&repo.run(&["staged", "--json"]));
    assert_eq!(issue["path"], "in/backup.zip!/x", "{issue}");
    let commit = repo.commit("add a backup");
    repo.commit_file("a", "two");
    let issue = only(&repo.run(&["range", "HEAD~2..HEAD", "--json"]));
    assert_eq!(issue["path"], "in/backup.zip!/x", "{issue}");
    assert_eq!((&issue["commit"], &issue["git"]["in_head"]), (&(*commit).into(), &true.into()));
}

#[test]
fn the_path_of_a_git_object_acknowledges_its_issues() {
    let repo = Repo::with_files(&[("a", "one")]);
    encrypted(&repo, "data/backup.zip");
    repo.commit("add a backup");
    repo.commit_removal("data/backup.zip");
    let complete = |path: &str| {
        let entry = format!(
            "[[acknowledge]]\ncode = \"archive.encrypted\"\npath = \"{path}\"\n\
             reason = \"a sample\"\nexpires = 2999-01-01\n"
        );
        repo.write(".ddpatrol.toml", entry);
        let ran = repo.run(&["scan", "--history-only", "--strict", "--json"]);
        ran.json()["complete"] == true
    };
    assert!(complete("data/**"));
    assert!(complete("data/backup.zip"));
    assert!(!complete("other/**"));
}
