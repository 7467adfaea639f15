//! Merges, cherry-picks, reverts and rebases: a token of another parent is not new.

use super::{token, verdict};
use crate::support::repo::Repo;
use std::process::Output;

fn hooked(files: &[(&str, &str)]) -> Repo {
    let repo = Repo::with_files(files);
    let ran = repo.run(&["hook", "install"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    repo
}

/// Commits without running the hooks.
fn commit(repo: &Repo, files: &[(&str, &str)]) -> String {
    repo.stage(files);
    repo.git(&["commit", "-q", "--no-verify", "--allow-empty", "-m", "a commit"]);
    repo.id("HEAD")
}

fn branch(repo: &Repo, name: &str, from: &str) {
    repo.git(&["checkout", "-q", "-b", name, from]);
}

fn git(repo: &Repo, arguments: &[&str]) -> Output {
    repo.try_git(repo.path(), arguments, "")
}

#[track_caller]
fn passes(repo: &Repo, arguments: &[&str]) {
    let output = git(repo, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// Runs git, which a hook must block, and returns the output of the hook.
#[track_caller]
fn blocked(repo: &Repo, arguments: &[&str]) -> String {
    let output = git(repo, arguments);
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(
        !output.status.success() && printed.contains("  datadog-pat "),
        "{arguments:?}: {printed}"
    );
    printed
}

#[track_caller]
fn conflicts(repo: &Repo, arguments: &[&str]) {
    let output = git(repo, arguments);
    assert!(!output.status.success(), "a conflict was meant: {output:?}");
}

#[track_caller]
fn assert_staged(repo: &Repo, expected: &str) {
    let ran = repo.run(&["staged", "--report", "json"]);
    assert_eq!(verdict(&ran), expected, "{ran:?}");
}

/// Creates a repository where `main` has a token in its own file and a different version of `m` than
/// `feature`, which is checked out.
fn two_branches() -> Repo {
    let repo = hooked(&[("m", "base\n")]);
    branch(&repo, "feature", "main");
    commit(&repo, &[("mine", "mine\n")]);
    repo.git(&["checkout", "-q", "main"]);
    commit(&repo, &[("main.env", &token(1)), ("m", "main\n")]);
    repo.git(&["checkout", "-q", "feature"]);
    repo
}

#[test]
fn a_merge_with_unchanged_files_passes() {
    let repo = two_branches();
    passes(&repo, &["merge", "--no-edit", "main"]);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    passes(&repo, &["merge", "--no-edit", "--no-ff", "--no-commit", "main"]);
    assert_staged(&repo, "0");
    passes(&repo, &["commit", "-q", "--no-edit"]);
}

#[test]
fn a_resolved_conflict_passes_unless_it_adds_a_token() {
    let repo = two_branches();
    commit(&repo, &[("m", "mine\n")]);
    conflicts(&repo, &["merge", "main"]);
    repo.stage(&[("m", &token(2))]);
    assert_staged(&repo, "1; new m");
    let printed = blocked(&repo, &["commit", "-q", "--no-edit"]);
    assert!(printed.contains("m:1:1  datadog-pat") && !printed.contains("main.env"), "{printed}");
    // The advice must not drop changes of the other side.
    assert!(
        printed.contains("a merge is in progress") && !printed.contains("reset --"),
        "{printed}"
    );
    // The token in the other side's file is not new there, even with additions next to it.
    repo.stage(&[("m", "both\n"), ("main.env", &format!("{}\nmore\n", token(1)))]);
    assert_staged(&repo, "0; 1 already there");
    repo.stage(&[("main.env", &format!("{}\n{}\n", token(1), token(2)))]);
    assert_staged(&repo, "1; new main.env; 1 already there");
    // At another path the token is new.
    repo.git(&["rm", "-q", "--cached", "main.env"]);
    repo.stage(&[("copy", &token(1)), ("main.env", &token(1))]);
    let ran = repo.run(&["staged", "--report", "json"]);
    assert_eq!(verdict(&ran), "0; moved copy from main.env");
    std::fs::remove_file(repo.path().join("copy")).expect("the file exists");
    repo.git(&["add", "-A"]);
    passes(&repo, &["commit", "-q", "--no-edit"]);
}

#[test]
fn a_file_in_a_folder_renamed_by_one_side_passes() {
    let files: Vec<(String, String)> =
        (0..5).map(|at| (format!("old/{at}"), format!("file {at}\n").repeat(9))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    let repo = hooked(&files);
    branch(&repo, "theirs", "main");
    commit(&repo, &[("old/new.env", &token(1))]);
    branch(&repo, "mine", "main");
    repo.git(&["mv", "old", "renamed"]);
    commit(&repo, &[]);
    repo.git(&["config", "merge.directoryRenames", "true"]);
    passes(&repo, &["merge", "--no-edit", "theirs"]);
    assert!(repo.path().join("renamed/new.env").exists(), "git has moved the file");
}

#[test]
fn a_token_in_a_file_name_from_the_other_side_passes() {
    let repo = two_branches();
    repo.git(&["checkout", "-q", "main"]);
    commit(&repo, &[(&format!("{}/a.txt", token(3)), "clean")]);
    repo.git(&["checkout", "-q", "feature"]);
    passes(&repo, &["merge", "--no-edit", "--no-commit", "main"]);
    assert_staged(&repo, "0");
    repo.stage(&[(&format!("{}/b.txt", token(3)), "clean")]);
    assert_staged(&repo, "0");
    repo.stage(&[(&format!("{}/a.txt", token(4)), "clean")]);
    let ran = repo.run(&["staged"]);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
}

#[test]
fn an_octopus_merge_passes_unless_it_adds_a_token() {
    let repo = hooked(&[("a", "clean")]);
    for (seed, name) in [(1, "one"), (2, "two"), (3, "three")] {
        branch(&repo, name, "main");
        commit(&repo, &[(name, &token(seed))]);
    }
    repo.git(&["checkout", "-q", "main"]);
    commit(&repo, &[("b", "clean")]);
    let merge = ["merge", "-q", "--no-edit", "--no-ff", "one", "two", "three"];
    passes(&repo, &merge);
    assert_eq!(repo.git(&["rev-list", "--parents", "-1", "HEAD"]).split(' ').count(), 5);
    let range = |revisions: &str, expected: &str| {
        let ran = repo.run(&["range", "--report", "json", revisions]);
        assert_eq!(verdict(&ran), expected, "{revisions}: {ran:?}");
    };
    range("HEAD", "0");
    range("HEAD~1..HEAD", "1; new one; new three; new two");
    range("one..HEAD", "1; new three; new two");
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.git(&[&merge[..], &["--no-commit"]].concat());
    assert_staged(&repo, "0");
    commit(&repo, &[("one", &format!("{}\n{}", token(1), token(4))), ("evil", &token(5))]);
    // Tokens of the parents are not new; the merge itself adds two.
    range("HEAD", "1; new evil; new one; 1 already there");
    let all = repo.run(&["range", "--report", "json", "HEAD", "^one", "^two", "^three"]);
    assert_eq!(verdict(&all), "1; new evil; new one; 1 already there", "{all:?}");
}

#[test]
fn a_merge_that_moves_a_token_to_another_file_is_judged() {
    let repo = hooked(&[("a", "base\n")]);
    branch(&repo, "side", "main");
    commit(&repo, &[("b", &token(1))]);
    repo.git(&["checkout", "-q", "main"]);
    commit(&repo, &[("a", "main\n")]);
    passes(&repo, &["merge", "-q", "--no-commit", "side"]);
    commit(&repo, &[("b", "gone"), ("a", &format!("{}\n{}", token(1), token(2)))]);
    let range = |revisions: &[&str]| {
        verdict(&repo.run(&[&["range", "--report", "json"], revisions].concat()))
    };
    // One parent has the token in `b`, and the merge removes it there.
    assert_eq!(range(&["HEAD"]), "1; moved a from b; new a");
    assert_eq!(range(&["HEAD~1..HEAD"]), "1; new a; new a; new b");
}

#[test]
fn cherry_picks_reverts_and_rebases_add_no_new_tokens() {
    let repo = hooked(&[("m", "base\n"), ("old.env", &token(5))]);
    branch(&repo, "side", "main");
    commit(&repo, &[("m", &format!("side\n{}\n", token(1)))]);
    repo.git(&["checkout", "-q", "main"]);
    let ours = commit(&repo, &[("m", "main\n")]);

    conflicts(&repo, &["cherry-pick", "side"]);
    repo.stage(&[("m", &format!("both\n{}\n{}\n", token(1), token(2)))]);
    let printed = blocked(&repo, &["commit", "-q", "--no-edit"]);
    assert!(printed.contains("m:3:1  datadog-pat") && !printed.contains("m:2:1"), "{printed}");
    assert!(
        printed.contains("a cherry-pick is in progress") && !printed.contains("reset --"),
        "{printed}"
    );
    repo.stage(&[("m", &format!("both\n{}\n", token(1)))]);
    passes(&repo, &["commit", "-q", "--no-edit"]);
    repo.git(&["reset", "-q", "--hard", &ours]);

    repo.git(&["rm", "-q", "old.env"]);
    let removal = commit(&repo, &[]);
    commit(&repo, &[("old.env", "another\n")]);
    conflicts(&repo, &["revert", "--no-edit", &removal]);
    repo.stage(&[("old.env", &format!("{}\n{}\n", token(5), token(3)))]);
    let printed = blocked(&repo, &["commit", "-q", "--no-edit"]);
    assert!(
        printed.contains("old.env:2:1  datadog-pat") && !printed.contains("old.env:1:1"),
        "{printed}"
    );
    assert!(printed.contains("a revert is in progress"), "{printed}");
    repo.stage(&[("old.env", &token(5))]);
    passes(&repo, &["commit", "-q", "--no-edit"]);
    repo.git(&["reset", "-q", "--hard", &ours]);

    repo.git(&["checkout", "-q", "side"]);
    conflicts(&repo, &["rebase", "main"]);
    repo.stage(&[("m", &format!("both\n{}\n{}\n", token(1), token(4)))]);
    let printed = blocked(&repo, &["commit", "-q", "--no-edit"]);
    assert!(printed.contains("m:3:1  datadog-pat") && !printed.contains("m:2:1"), "{printed}");
    assert!(printed.contains("a rebase is in progress"), "{printed}");
    repo.stage(&[("m", &format!("both\n{}\n", token(1)))]);
    passes(&repo, &["commit", "-q", "--no-edit"]);
    passes(&repo, &["rebase", "--continue"]);
}

#[test]
fn a_merge_in_a_linked_work_tree_does_not_affect_the_main_one() {
    let repo = two_branches();
    repo.git(&["worktree", "add", "-q", "-b", "linked", "../linked", "feature"]);
    let linked = repo.parent().join("linked");
    let merge = ["merge", "-q", "--no-commit", "--no-ff", "main"];
    assert!(repo.try_git(&linked, &merge, "").status.success());
    let ran = repo.run_in(&linked, &["staged", "--report", "json"], &[]);
    assert_eq!(verdict(&ran), "0");
    // In the main work tree no merge is in progress.
    repo.stage(&[("main.env", &token(1))]);
    assert_staged(&repo, "1; new main.env");
}

#[test]
fn an_unreadable_merge_head_makes_every_token_new() {
    let repo = two_branches();
    passes(&repo, &["merge", "-q", "--no-commit", "--no-ff", "main"]);
    repo.write(".git/MERGE_HEAD", format!("{}\n", "1".repeat(40)));
    assert_staged(&repo, "1; new main.env");
    repo.write(".git/MERGE_HEAD", "nonsense\n");
    let ran = repo.run(&["staged"]);
    super::assert_fails_with(&ran, &["MERGE_HEAD"]);
}
