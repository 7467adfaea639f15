//! `ddpatrol staged` as the `pre-commit` hook of the real `git`.

use super::token;
use crate::support::repo::Repo;
use std::path::Path;

/// Creates a repository with three committed files and the hook.
fn hooked() -> Repo {
    let repo = Repo::with_files(&[("a", "clean\n"), ("b", "clean\n"), ("folder/c", "clean\n")]);
    repo.hook("pre-commit", "staged");
    repo
}

/// Runs `git commit` in a folder and asserts that the hook allows it if `passes`, else blocks it.
#[track_caller]
fn assert_commits(repo: &Repo, folder: &Path, arguments: &[&str], passes: bool) {
    assert_commits_with(repo, folder, (arguments, ""), passes);
}

#[track_caller]
fn assert_commits_with(
    repo: &Repo,
    folder: &Path,
    (arguments, input): (&[&str], &str),
    passes: bool,
) {
    let head = || {
        let id = repo.try_git(folder, &["rev-parse", "HEAD"], "");
        String::from_utf8(id.stdout).expect("UTF-8")
    };
    let before = head();
    let arguments = [&["commit", "-m", "change"], arguments].concat();
    let output = repo.try_git(folder, &arguments, input);
    let printed = format!("{arguments:?}: {output:?}");
    assert_eq!(output.status.success(), passes, "{printed}");
    assert_eq!(head() != before, passes, "{printed}");
    // Git sends the output of a hook to its own standard error.
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.contains("  datadog-pat "), !passes, "{printed}");
    // A submodule's new commit has no content in this repository.
    let verdict = ["No proven tokens.", "Nothing was scanned:"].iter().any(|it| text.contains(it));
    assert_eq!(verdict, passes, "{printed}");
    for seed in 1..4 {
        assert!(!text.contains(&token(seed)[30..]), "{printed}");
    }
}

#[test]
fn only_a_staged_token_blocks_a_commit() {
    let repo = hooked();
    repo.stage(&[("a", &token(1))]);
    assert_commits(&repo, repo.path(), &[], false);
    repo.stage(&[("a", "edited\n")]);
    repo.write("a", token(1));
    assert_commits(&repo, repo.path(), &[], true);
}

#[test]
fn the_first_commit_of_a_repository_is_scanned() {
    let repo = Repo::new();
    repo.hook("pre-commit", "staged");
    repo.stage(&[("a", &token(1))]);
    assert_commits(&repo, repo.path(), &[], false);
    repo.stage(&[("a", "clean")]);
    assert_commits(&repo, repo.path(), &[], true);
}

#[test]
fn commit_all_scans_the_files_that_it_stages() {
    let repo = hooked();
    repo.write("a", token(1));
    assert_commits(&repo, repo.path(), &["-a"], false);
    assert_eq!(repo.git(&["diff", "--cached"]), "", "nothing was staged");
    repo.write("a", "edited\n");
    assert_commits(&repo, repo.path(), &["-a"], true);
    // The token is staged, and the work tree has removed it.
    repo.stage(&[("a", &token(1))]);
    repo.write("a", "edited once more\n");
    assert_commits(&repo, repo.path(), &["-a"], true);
}

#[test]
fn a_commit_of_named_files_scans_only_these_files() {
    let repo = hooked();
    repo.stage(&[("a", &token(1)), ("b", "edited\n")]);
    repo.write("folder/c", token(2));
    assert_commits(&repo, repo.path(), &["b"], true);
    assert_commits(&repo, repo.path(), &["folder/c"], false);
    assert_commits(&repo, repo.path(), &["a"], false);
    repo.write("folder/c", "edited\n");
    assert_commits(&repo, &repo.path().join("folder"), &["c"], true);
    repo.write("b", token(3));
    assert_commits(&repo, repo.path(), &["--include", "b"], false);
    // Scans both the file and the staged content.
    repo.write("b", "edited again\n");
    assert_commits(&repo, repo.path(), &["--include", "b"], false);
}

#[test]
fn a_commit_of_selected_hunks_scans_only_these_hunks() {
    let page = |first: &str, last: &str| {
        let lines: String = (0..30).map(|line| format!("line {line}\n")).collect();
        format!("{first}\n{lines}{last}\n")
    };
    let repo = hooked();
    repo.git(&["config", "core.hooksPath", "/dev/null"]);
    repo.commit_files(&[("page", &page("first", "last"))], "a page");
    repo.git(&["config", "--unset", "core.hooksPath"]);
    repo.write("page", page("first, edited", &token(1)));
    assert_commits_with(&repo, repo.path(), (&["-p"], "n\ny\n"), false);
    assert_commits_with(&repo, repo.path(), (&["-p"], "y\nn\n"), true);
    assert_commits_with(&repo, repo.path(), (&["-p"], "y\n"), false);
}

#[test]
fn an_amended_commit_is_scanned() {
    let repo = hooked();
    repo.stage(&[("a", &token(1))]);
    assert_commits(&repo, repo.path(), &["--amend"], false);
    repo.stage(&[("a", "edited\n")]);
    assert_commits(&repo, repo.path(), &["--amend"], true);
}

#[test]
fn the_index_of_a_linked_work_tree_is_scanned_separately() {
    let repo = hooked();
    repo.git(&["worktree", "add", "-q", "../linked"]);
    let linked = repo.parent().join("linked");
    std::fs::write(linked.join("a"), token(1)).expect("a file");
    assert_commits(&repo, &linked, &["-a"], false);
    repo.try_git(&linked, &["add", "a"], "");
    assert_commits(&repo, &linked, &[], false);
    assert_commits(&repo, &linked.join("folder"), &["--allow-empty"], false);
    // The index of the linked work tree does not affect the main one.
    repo.stage(&[("a", "edited here\n")]);
    assert_commits(&repo, repo.path(), &[], true);
    std::fs::write(linked.join("a"), "edited there\n").expect("a file");
    assert_commits(&repo, &linked, &["-a"], true);
}

#[test]
fn a_commit_from_a_subfolder_or_from_outside_is_scanned() {
    let repo = hooked();
    repo.stage(&[("a", &token(1))]);
    let folder = repo.path().join("folder");
    assert_commits(&repo, &folder, &[], false);
    let elsewhere = ["-C", "repo", "commit", "-m", "change"];
    assert!(!repo.try_git(repo.parent(), &elsewhere, "").status.success());
    let named = ["--git-dir=repo/.git", "--work-tree=repo", "commit", "-m", "change"];
    assert!(!repo.try_git(repo.parent(), &named, "").status.success());
    repo.stage(&[("a", "edited\n")]);
    assert!(repo.try_git(repo.parent(), &elsewhere, "").status.success());
    repo.stage(&[("a", "edited again\n")]);
    assert!(repo.try_git(repo.parent(), &named, "").status.success());
    repo.write("folder/c", "edited\n");
    assert_commits(&repo, &folder, &["-a"], true);
}

#[test]
fn the_hook_of_a_submodule_scans_the_index_of_the_submodule() {
    let other = Repo::with_files(&[("inner", "clean\n")]);
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.git(&["submodule", "--quiet", "add", &other.path().to_string_lossy(), "sub"]);
    repo.commit_files(&[], "a submodule");
    repo.hook("pre-commit", "staged");
    let sub = repo.path().join("sub");
    let hooks = repo.path().join(".git/modules/sub/hooks");
    std::fs::create_dir_all(&hooks).expect("a folder");
    std::fs::copy(repo.path().join(".git/hooks/pre-commit"), hooks.join("pre-commit"))
        .expect("a copy");
    std::fs::write(sub.join("inner"), token(1)).expect("a file");
    assert_commits(&repo, &sub, &["-a"], false);
    std::fs::write(sub.join("inner"), "edited\n").expect("a file");
    assert_commits(&repo, &sub, &["-a"], true);
    assert_commits(&repo, repo.path(), &["-a"], true);
}

#[test]
fn a_commit_from_a_sparse_work_tree_is_scanned() {
    let repo = hooked();
    repo.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "folder"]);
    repo.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "other"]);
    assert!(repo.git(&["ls-files", "--sparse", "--stage"]).contains("040000"));
    repo.write("a", token(1));
    assert_commits(&repo, repo.path(), &["-a"], false);
    repo.git(&["add", "a"]);
    assert_commits(&repo, repo.path(), &[], false);
    repo.stage(&[("a", "edited\n")]);
    assert_commits(&repo, repo.path(), &[], true);
}

#[test]
fn a_commit_from_a_split_index_is_scanned() {
    let repo = hooked();
    repo.git(&["config", "core.splitIndex", "true"]);
    repo.git(&["update-index", "--split-index"]);
    repo.stage(&[("a", &token(1))]);
    assert_commits(&repo, repo.path(), &[], false);
    repo.write("b", "edited\n");
    assert_commits(&repo, repo.path(), &["b"], true);
    repo.write("a", "edited\n");
    assert_commits(&repo, repo.path(), &["-a"], true);
}

#[test]
fn a_commit_from_a_custom_index_file_is_scanned() {
    let repo = hooked();
    let mut script = String::from("export GIT_INDEX_FILE=../own\ngit read-tree HEAD\n");
    repo.write("a", token(1));
    script.push_str("git add a\ngit commit -q -m x && echo passed\n");
    script.push_str("echo edited > a\ngit add a\ngit commit -q -m x && echo passed then\n");
    repo.write("../script", script);
    let alias = ["-c", "alias.own=!sh ../script", "own"];
    let output = repo.try_git(repo.path(), &alias, "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "passed then\n", "{output:?}");
}

#[test]
fn a_refused_commit_is_named_in_few_lines() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    assert_eq!(repo.run(&["hook", "install"]).code(), Some(0));
    repo.stage(&[("a", &token(1))]);
    let output = repo.try_git(repo.path(), &["commit", "-m", "change"], "");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.starts_with("ddpatrol: commit refused: 1 new token\n"), "{text}");
    assert!(
        text.trim_end().lines().last().is_some_and(|it| it.contains("# ddpatrol:allow")),
        "{text}"
    );
    assert!(text.lines().count() <= 12, "{text}");
    // The same command by hand stops nothing.
    let by_hand = repo.run(&["staged"]).stdout();
    assert!(!by_hand.contains("refused"), "{by_hand}");
}
