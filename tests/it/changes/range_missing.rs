//! Missing objects of a range, in damaged repositories and partial clones.

use super::{token, verdict};
use crate::support::repo::Repo;

#[test]
fn a_missing_object_is_reported_once() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.commit_files(&[("a", &token(1))], "a leak");
    std::fs::write(repo.path().join(".git/objects/info/alternates"), "/nonexistent/objects\n")
        .expect("a file");
    let ran = repo.run(&["range", "HEAD~1..HEAD", "--report", "json"]);
    let report = ran.json();
    let diagnostics = report["diagnostics"].as_array().expect("a list");
    let printed =
        |it: &&serde_json::Value| it["message"].to_string().contains("/nonexistent/objects");
    assert_eq!(diagnostics.iter().filter(printed).count(), 1, "{report:#}");
}

/// Clones a repository without the objects that a filter leaves out.
fn partial_clone(repo: &Repo, filter: &str) -> std::path::PathBuf {
    for name in ["uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"] {
        repo.git(&["config", name, "true"]);
    }
    let url = format!("file://{}", repo.path().display());
    let clone = repo.sibling(&filter.replace(':', "-"));
    let filter = format!("--filter={filter}");
    let folder = clone.to_str().expect("UTF-8");
    repo.git(&["clone", "-q", "--no-checkout", &filter, &url, folder]);
    clone
}

#[test]
fn a_partial_clone_prints_the_command_that_fetches_the_objects_of_the_range() {
    let repo = Repo::with_files(&[("a", "one")]);
    for seed in 1..6 {
        repo.commit_file(&format!("f{seed}"), format!("clean {seed}\n"));
    }
    repo.commit_file("sub/env", token(1));
    for filter in ["blob:none", "tree:0"] {
        let clone = partial_clone(&repo, filter);
        let range = ["range", "HEAD~6..HEAD"];
        for format in ["text", "json"] {
            let ran = repo.run_in(&clone, &[&range[..], &["--report", format]].concat(), &[]);
            assert_eq!(ran.code(), Some(2), "{ran:?}");
            let printed = ran.stdout() + &ran.stderr();
            assert!(!printed.contains("No proven token"), "{printed}");
            let (before, rest) = printed.split_once('`').expect("a command");
            assert!(before.contains("partial clone"), "{printed}");
            if filter == "blob:none" {
                let all = ran.stdout();
                assert_eq!(
                    all.matches("partial clone: 6 objects of the change").count(),
                    1,
                    "{all}"
                );
            }
            let (command, _) = rest.split_once('`').expect("the end of the command");
            assert!(command.starts_with("git "), "{printed}");
            if format == "text" {
                continue;
            }
            let words: Vec<&str> = command.split(' ').skip(1).collect();
            repo.git_at(&clone, &words);
        }
        let ran = repo.run_in(&clone, &[&range[..], &["--json"]].concat(), &[]);
        assert_eq!(verdict(&ran), "1; new sub/env", "{filter}: {ran:?}");
        assert_eq!(ran.json()["complete"], true, "{filter}: {ran:?}");
    }
}

#[test]
fn the_versions_of_the_base_are_fetched_by_the_printed_command_too() {
    for files in [1, 6] {
        let names: Vec<String> = (0..files).map(|at| format!("f{at}")).collect();
        let repo = Repo::with_files(&[("a", "one")]);
        let commit = |more: &str| {
            let texts = (1..).map(|seed| format!("{}\n{more}", token(seed)));
            let files: Vec<(&str, String)> = names.iter().map(String::as_str).zip(texts).collect();
            let files: Vec<(&str, &str)> =
                files.iter().map(|(name, text)| (*name, &**text)).collect();
            repo.commit_files(&files, "edit");
        };
        commit("");
        commit("another line\n");
        let clone = partial_clone(&repo, "blob:none");
        repo.git_at(&clone, &["checkout", "-q", "HEAD"]);
        let range = ["range", "HEAD~1..HEAD", "--json"];
        let ran = repo.run_in(&clone, &range, &[]);
        assert_eq!(ran.json()["complete"], false, "{ran:?}");
        let message = ran.json()["diagnostics"][0]["message"].to_string();
        let command = message.split('`').nth(1).expect("a command");
        repo.git_at(&clone, &command.split(' ').skip(1).collect::<Vec<_>>());
        let ran = repo.run_in(&clone, &range, &[]);
        assert_eq!(ran.json()["complete"], true, "{command}: {ran:?}");
        assert_eq!(ran.code(), Some(0), "the tokens existed before: {ran:?}");
    }
}

#[test]
fn a_missing_blob_of_a_range_has_path_and_commit() {
    let repo = Repo::with_files(&[("a", "one")]);
    let commit = repo.commit_file("sub/lost", "two");
    let id = repo.id("HEAD:sub/lost");
    repo.remove(&format!(".git/objects/{}/{}", &id[..2], &id[2..]));
    let report = repo.run(&["range", "--report", "json", "HEAD~1..HEAD"]).json();
    let issue = &report["diagnostics"][0];
    assert_eq!(issue["code"], "git.object-missing", "{report}");
    assert_eq!((&issue["path"], &issue["commit"]), (&"sub/lost".into(), &(*commit).into()));
}
