//! Tokens in blobs that are in the object store, but in no commit: refused commits, `git add` without a commit.

use super::commands::{commands, must, scanned};
use crate::support::mint::token;
use crate::support::repo::Repo;

/// Creates a repository whose hook refused to commit `f`, which contains a token.
fn refused() -> Repo {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.hook("pre-commit", "staged --quiet");
    repo.stage(&[("f", &format!("KEY={}\n", token(1)))]);
    let output = repo.try_git(repo.path(), &["commit", "-m", "x"], "");
    assert!(!output.status.success(), "{output:?}");
    repo
}

/// Returns the report on a repository without its hooks, whose installation is no subject here.
#[track_caller]
fn report(repo: &Repo, code: i32) -> String {
    let ran = scanned(repo, repo.path(), &["scan"]);
    assert_eq!(ran.code(), Some(code), "{ran:?}");
    ran.stdout()
}

#[test]
fn a_blob_that_a_refused_commit_left_is_unreachable_and_pruned() {
    let repo = refused();
    repo.git(&["reset", "-q"]);
    repo.remove("f");
    let text = report(&repo, 1);
    assert!(text.starts_with("unknown, unreachable (1)\n"), "{text}");
    assert!(text.contains("\n1 token in unreachable objects"), "{text}");
    // A reflog or stash lists commits only.
    assert!(!text.contains("reflog") && !text.contains("stash"), "{text}");
    let steps = commands(&text);
    let prune = steps.iter().find(|(label, _)| label == "clean").expect("a command");
    assert_eq!(prune.1, "git gc --prune=now");
    let place = repo.scan(&[]).only_location(&token(1));
    assert_eq!((&place["path"], &place["git"]["reachable"]), (&().into(), &false.into()));
    assert_eq!(place["git"]["staged"], serde_json::Value::Null);
    must(&repo, repo.path(), &prune.1);
    report(&repo, 0);
}

#[test]
fn a_blob_in_the_index_is_unstaged_before_it_is_pruned() {
    for is_in_file in [true, false] {
        let repo = refused();
        if !is_in_file {
            repo.write("f", "clean\n");
        }
        let text = report(&repo, 1);
        assert!(text.starts_with("unknown, staged (1)\n  f:1:5  "), "{text}");
        assert!(text.contains("1 leaked token in 1 place: "), "{text}");
        let place = repo.scan(&["--history-only"]).only_location(&token(1));
        assert_eq!((&place["path"], &place["git"]["staged"]), (&"f".into(), &true.into()));
        let steps = commands(&text);
        let labels: Vec<&str> = steps.iter().map(|(label, _)| &label[..]).collect();
        assert!(labels.ends_with(&["unstage", "clean"]), "{text}");
        must(&repo, repo.path(), &steps[steps.len() - 2].1);
        repo.write("f", "clean\n");
        must(&repo, repo.path(), &steps[steps.len() - 1].1);
        report(&repo, 0);
    }
}

#[test]
fn a_blob_of_head_is_not_staged_although_an_amended_commit_contains_it() {
    for is_renamed in [false, true] {
        let repo = Repo::with_files(&[("a", "clean\n")]);
        repo.commit_file("f", token(1));
        if is_renamed {
            repo.git(&["mv", "f", "g"]);
        }
        repo.git(&["commit", "-q", "--amend", "-m", "again"]);
        let text = report(&repo, 1);
        assert!(!text.contains("unstage") && !text.contains("staged"), "{text}");
        let json = repo.scan(&["--history-only"]).json();
        let locations = json["findings"][0]["locations"].as_array().expect("locations").clone();
        assert!(locations.iter().all(|it| it["git"]["staged"] != true), "{locations:?}");
    }
}

#[test]
fn a_file_that_is_not_staged_is_named_with_the_blob() {
    let repo = refused();
    repo.git(&["reset", "-q"]);
    let text = report(&repo, 1);
    assert!(text.contains("Remove the token from f. "), "{text}");
    assert!(text.contains("clean    git gc --prune=now"), "{text}");
}

#[test]
fn a_soft_reset_leaves_a_staged_token() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.commit_file("f", token(1));
    repo.git(&["reset", "-q", "--soft", "HEAD~1"]);
    let text = report(&repo, 1);
    assert!(text.starts_with("unknown, staged (1)\n  f:1:1"), "{text}");
    assert!(commands(&text).iter().any(|(_, it)| it == "git reset -- :/f"), "{text}");
}

#[test]
fn nothing_is_reset_while_a_merge_is_in_progress() {
    let repo = Repo::with_files(&[("f", "1\n2\n3\n4\n5\n")]);
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.commit_file("f", "side\n2\n3\n4\n5\n");
    repo.git(&["checkout", "-q", "main"]);
    repo.commit_file("f", "1\n2\n3\n4\nmain\n");
    repo.git(&["merge", "-q", "--no-commit", "side"]);
    repo.stage(&[("f", &format!("side\n{}\nmain\n", token(1)))]);
    let text = report(&repo, 1);
    assert!(text.contains("operation is in progress"), "{text}");
    assert!(!text.contains("git reset"), "{text}");
}

#[test]
fn the_index_of_a_linked_work_tree_is_reset_in_that_work_tree() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.git(&["worktree", "add", "-q", "../linked"]);
    let linked = repo.sibling("linked");
    std::fs::write(linked.join("f"), token(1)).expect("a file");
    repo.git_at(&linked, &["add", "f"]);
    let text = scanned(&repo, repo.parent(), &["scan", "linked"]).stdout();
    let steps = commands(&text);
    let (_, unstage) = steps.iter().find(|(label, _)| label == "unstage").expect("a command");
    must(&repo, repo.parent(), unstage);
    assert_eq!(repo.git_at(&linked, &["diff", "--cached", "--name-only"]), "");
}

#[test]
fn a_blob_in_the_index_of_another_work_tree_is_unstaged_there() {
    for place in ["../linked", ".trees/linked"] {
        let repo = Repo::with_files(&[("a", "clean\n")]);
        repo.write(".git/info/exclude", ".trees\n");
        repo.git(&["worktree", "add", "-q", place]);
        let linked = repo.path().join(place).canonicalize().expect("a folder");
        repo.stage(&[("both", &token(2))]);
        for (name, seed) in [("both", 2), ("sub/f", 1)] {
            let path = linked.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(&path, token(seed)).expect("a file");
            repo.git_at(&linked, &["add", name]);
            std::fs::remove_file(path).expect("a file");
        }
        repo.remove("both");
        let ran = repo.scan(&["--history-only"]);
        let only = ran.only_location(&token(1));
        assert_eq!(only["path"], format!("{place}/sub/f"), "{only}");
        assert_eq!(
            (&only["git"]["staged"], &only["git"]["reachable"]),
            (&true.into(), &false.into())
        );
        let paths: Vec<_> = ran.locations(&token(2)).iter().map(|it| it["path"].clone()).collect();
        assert_eq!(paths.len(), 2, "{paths:?}");
        for folder in [repo.path(), &*linked] {
            let text = scanned(&repo, folder, &["scan", "--history-only"]).stdout();
            assert!(text.starts_with("unknown, staged (2)\n"), "{text}");
        }
        let text = scanned(&repo, repo.path(), &["scan", "--history-only"]).stdout();
        for (_, unstage) in commands(&text).iter().filter(|(label, _)| label == "unstage") {
            must(&repo, repo.path(), unstage);
        }
        for folder in [repo.path(), &*linked] {
            assert_eq!(repo.git_at(folder, &["diff", "--cached", "--name-only"]), "", "{text}");
        }
    }
}

#[test]
fn a_state_file_does_not_remember_the_index() {
    let repo = refused();
    let state = repo.sibling("state");
    let state = ["--history-only", "--state", state.to_str().expect("UTF-8")];
    let place = || repo.scan(&state).only_location(&token(1))["git"]["staged"].clone();
    assert_eq!((place(), place()), (true.into(), true.into()));
    repo.git(&["reset", "-q"]);
    assert_eq!(place(), serde_json::Value::Null);
    repo.git(&["add", "f"]);
    assert_eq!(place(), true);
}
