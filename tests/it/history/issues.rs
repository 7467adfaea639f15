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

/// The compressions of one content, by programs that store no name.
const COMPRESSIONS: &str = "
    zip -q -P pw e.zip a
    gzip -n < e.zip > z.zip.gz; gzip -n < z.zip.gz > z.zip.gz.gz; gzip -n < e.zip > unnamed
    gzip -c e.zip > named; bzip2 < e.zip > z.zip.bz2; xz < e.zip > z.zip.xz; xz -Flzma < e.zip > z.zip.lzma
    zstd -q < e.zip > z.zip.zst; lz4 -q < e.zip > z.zip.lz4; lzip < e.zip > z.zip.lz; compress -f < e.zip > z.zip.Z
    python3 -c 'import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))' < e.zip > z.zip.zlib
    xz < e.zip > wrong.zip.gz; tar -cf all.tar z.* unnamed; rm e.zip";

#[test]
fn the_content_of_a_compressed_file_has_one_name_in_files_archives_and_histories() {
    let repo = Repo::with_files(&[("a", "one")]);
    let mut command = Command::new("bash");
    command.current_dir(repo.path()).args(["-euc", COMPRESSIONS]);
    assert!(command.status().expect("bash runs").success());
    repo.commit("compressed");
    let paths = |ran: &RunOutput| {
        let issues = issues(ran);
        let mut paths: Vec<String> =
            issues.iter().map(|it| it["path"].as_str().expect("a path").to_owned()).collect();
        paths.extend(
            issues
                .iter()
                .flat_map(|it| it["other_paths"].as_array())
                .flatten()
                .map(|it| it.as_str().expect("a path").to_owned()),
        );
        paths.sort();
        paths
    };
    let files = paths(&repo.scan(&["--files-only"]));
    for expected in [
        "all.tar!/unnamed!/content!/a",
        "all.tar!/z.zip.gz.gz!/z.zip.gz!/z.zip!/a",
        "named!/e.zip!/a",
        "unnamed!/content!/a",
        "wrong.zip.gz!/wrong.zip!/a",
        "z.zip.Z!/z.zip!/a",
        "z.zip.bz2!/z.zip!/a",
        "z.zip.gz!/z.zip!/a",
        "z.zip.gz.gz!/z.zip.gz!/z.zip!/a",
        "z.zip.lz!/z.zip!/a",
        "z.zip.lz4!/z.zip!/a",
        "z.zip.lzma!/z.zip!/a",
        "z.zip.xz!/z.zip!/a",
        "z.zip.zlib!/z.zip!/a",
        "z.zip.zst!/z.zip!/a",
    ] {
        assert!(files.iter().any(|it| it == expected), "{expected}: {files:?}");
    }
    assert_eq!(paths(&repo.scan(&["--history-only"])), files);
    let state = repo.sibling("state");
    let state = ["--history-only", "--state", state.to_str().expect("UTF-8")];
    for _ in 0..2 {
        assert_eq!(paths(&repo.scan(&state)), files);
    }
    let bytes = std::fs::read(repo.path().join("z.zip.gz.gz")).expect("a file");
    let stdin = repo.run_with_input(&["scan", "-", "--report", "json"], bytes);
    assert_eq!(paths(&stdin), ["stdin!/content!/content!/a"]);
}

#[test]
fn an_issue_whose_every_path_is_excluded_is_not_listed() {
    let repo = Repo::with_files(&[("a", "one")]);
    encrypted(&repo, "vendor/backup.zip");
    repo.commit("add a backup");
    repo.write(".ddpatrol.toml", "exclude = [\"/vendor/\"]\n");
    let scan = |args: &[&str]| repo.scan(&[&["--strict"], args].concat());
    for args in [&[][..], &["--history-only"]] {
        let ran = scan(args);
        assert_eq!((issues(&ran), ran.code()), (Vec::new(), Some(0)), "{ran:?}");
        assert!(ran.json()["summary"]["left_out"]["excluded"].as_u64() > Some(0), "{ran:?}");
    }
    std::fs::copy(repo.path().join("vendor/backup.zip"), repo.path().join("copy.zip"))
        .expect("a copy");
    repo.commit("copy it");
    let issue = only(&scan(&["--history-only"]));
    assert_eq!(scan(&["--history-only"]).code(), Some(2));
    assert!(issue.to_string().contains("copy.zip!/x"), "{issue}");
}
