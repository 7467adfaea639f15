//! Bases of ranges: new branches, missing bases, shallow histories, corrupt objects.

use super::{assert_fails_with, token, verdict};
use crate::support::repo::Repo;
use std::path::Path;

const ZEROS: &str = "0000000000000000000000000000000000000000";

#[track_caller]
fn assert_range(repo: &Repo, revisions: &[&str], expected: &str, notes: &[&str]) {
    assert_range_in(repo, repo.path(), revisions, (expected, notes));
}

/// Asserts the verdict and that the text report contains these words.
#[track_caller]
fn assert_range_in(
    repo: &Repo,
    folder: &Path,
    revisions: &[&str],
    (expected, words): (&str, &[&str]),
) {
    let run = |arguments: &[&str]| repo.run_in(folder, &[arguments, revisions].concat(), &[]);
    let ran = run(&["range", "--report", "json"]);
    assert_eq!(verdict(&ran), expected, "{revisions:?}: {ran:?}");
    let text = run(&["range"]).stdout();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[test]
fn a_new_branch_is_compared_with_all_other_references() {
    let repo = Repo::with_files(&[("a", &token(1))]);
    repo.git(&["checkout", "-q", "-b", "feature"]);
    repo.commit_files(&[("a", &format!("{}\nbeside", token(1)))], "beside");
    let range = format!("{ZEROS}..feature");
    let note = &["a new branch: it is compared with 1 other reference"];
    assert_range(&repo, &[&range], "0; 1 already there", note);
    repo.commit_files(&[("b", &token(2))], "more");
    assert_range(&repo, &[&range], "1; new b; 1 already there", note);
    assert_range(&repo, &["feature", "--not", ZEROS], "1; new b; 1 already there", note);
    assert_range(&repo, &["feature", &format!("^{ZEROS}")], "1; new b; 1 already there", note);
    // References that contain the branch do not hide it.
    repo.git(&["branch", "same"]);
    repo.git(&["checkout", "-q", "-b", "ahead"]);
    repo.commit_files(&[("c", "ahead")], "ahead");
    repo.git(&["tag", "-a", "-m", "ahead", "ahead-tag"]);
    assert_range(&repo, &[&range], "1; new b; 1 already there", note);
}

#[test]
fn every_commit_of_a_branch_without_other_references_is_new() {
    let repo = Repo::with_files(&[("a", &token(1))]);
    repo.commit_files(&[("a", "gone")], "more");
    let range = format!("{ZEROS}..HEAD");
    assert_range(&repo, &[&range], "1; new a", &["compared with no other reference"]);
}

#[test]
fn commits_only_on_local_references_are_new_to_a_remote() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let clone = repo.clone_to("clone", &[]);
    let git = |arguments: &[&str]| {
        let output = repo.try_git(&clone, arguments, "");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    std::fs::write(clone.join("a"), token(1)).expect("a file");
    git(&["commit", "-q", "-a", "-m", "never pushed"]);
    std::fs::write(clone.join("a"), "stashed").expect("a file");
    git(&["stash", "-q"]);
    git(&["checkout", "-q", "-b", "feature"]);
    std::fs::write(clone.join("b"), "clean").expect("a file");
    git(&["add", "b"]);
    git(&["commit", "-q", "-m", "to be pushed"]);
    let note = &["compared with 1 remote-tracking reference"][..];
    let range = format!("{ZEROS}..feature");
    assert_range_in(&repo, &clone, &[&range], ("1; new a", note));
}

#[test]
fn a_deleted_branch_and_an_empty_range_pass_with_a_note() {
    let repo = Repo::with_files(&[("a", &token(1))]);
    repo.commit_files(&[("a", &token(2))], "more");
    assert_range(
        &repo,
        &[&format!("HEAD..{ZEROS}")],
        "0",
        &["a deleted branch introduces nothing"],
    );
    assert_range(&repo, &["HEAD..HEAD"], "0", &["Note: BASE and HEAD are the same commit"]);
    assert_range(&repo, &["main..HEAD"], "0", &["BASE and HEAD are the same commit"]);
    assert_range(&repo, &["HEAD..HEAD~1"], "0", &["Note: BASE contains HEAD"]);
}

#[test]
fn every_commit_of_a_branch_without_common_history_is_new() {
    let repo = Repo::with_files(&[("a", &token(1))]);
    repo.git(&["checkout", "-q", "--orphan", "other"]);
    repo.git(&["rm", "-q", "-r", "-f", "."]);
    repo.commit_files(&[("b", &token(2))], "another root");
    repo.commit_files(&[("b", "gone")], "more");
    assert_range(&repo, &["main..other"], "1; new b", &["no history in common"]);
    assert_range(&repo, &["other..main"], "1; new a", &["no history in common"]);
}

#[test]
fn a_missing_base_is_an_error_with_the_command_that_fetches_it() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let base = repo.id("HEAD");
    repo.commit_files(&[("a", &token(1))], "one");
    repo.commit_files(&[("a", "gone")], "two");
    let random = "1234567890123456789012345678901234567890";
    for revisions in [
        &[&*format!("{random}..HEAD")][..],
        &[&*format!("HEAD..{random}")],
        &[random],
        &["HEAD", "--not", random],
        &["HEAD", &*format!("^{random}")],
    ] {
        let ran = repo.run(&[&["range"], revisions].concat());
        assert_fails_with(&ran, &[random, "fetch"]);
        assert_eq!(ran.stderr().matches("unknown revision").count(), 1, "said once: {ran:?}");
        assert_eq!(ran.stdout(), "");
    }
    let clone = repo.clone_to("shallow", &["--depth", "1"]);
    for revision in [&format!("{base}..HEAD")[..], "HEAD~1..HEAD"] {
        let ran = repo.run_in(&clone, &["range", revision], &[]);
        assert_fails_with(&ran, &["git fetch --unshallow", "fetch-depth: 0"]);
    }
    assert_fails_with(&repo.run(&["range", "no-such..HEAD"]), &["unknown revision", "no-such"]);
}

#[test]
fn a_range_truncated_by_a_shallow_clone_is_reported() {
    let repo = Repo::with_files(&[("a", &token(1))]);
    repo.commit_files(&[("b", "clean")], "one");
    repo.git(&["branch", "side"]);
    repo.commit_files(&[("c", "clean")], "two");
    let clone = repo.clone_to("shallow", &["--depth", "2"]);
    let cut = &["the shallow clone begins at commit"][..];
    assert_range_in(&repo, &clone, &["HEAD~1..HEAD"], ("0", &[]));
    assert_range_in(&repo, &clone, &["HEAD~1"], ("1; new a", cut));
    assert_range_in(&repo, &clone, &[&format!("{ZEROS}..HEAD")], ("1; new a", cut));
    let ran = repo.run_in(&clone, &["range", "HEAD~1", "--strict", "--fail-on", "never"], &[]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
}

#[test]
fn a_range_with_a_missing_or_corrupt_object_never_passes() {
    for lost in ["HEAD~1:b", "HEAD~1:folder", "HEAD~1^{tree}", "HEAD~1", "HEAD~2^{tree}"] {
        for broken in [false, true] {
            let repo = Repo::with_files(&[("a", "clean"), ("folder/x", "clean")]);
            repo.commit_files(&[("b", "clean"), ("folder/x", "edited")], "one");
            repo.commit_files(&[("b", "edited"), ("folder/x", "once more")], "two");
            let id = repo.id(lost);
            let range = [repo.id("HEAD~2"), repo.id("HEAD")].join("..");
            if broken {
                repo.corrupt_object(lost);
            } else {
                repo.delete_object(lost);
            }
            let ran = repo.run(&["range", &range]);
            assert_fails_with(&ran, &[&id]);
        }
    }
}

#[test]
fn readable_objects_next_to_a_corrupt_object_are_judged() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.commit_files(&[("b", "clean")], "one");
    repo.commit_files(&[("c", &token(1))], "two");
    repo.commit_files(&[("d/x", "clean")], "three");
    repo.delete_object("HEAD:d");
    assert_range(&repo, &["HEAD~3..HEAD"], "1; new c", &["Incomplete"]);
}
