//! Refusals of `ddpatrol clean`, before it writes anything.

use super::{clean, files, report_of, save};
use crate::support::mint;
use crate::support::repo::Repo;

#[track_caller]
fn assert_refused(repo: &Repo, report: &str, reason: &str) {
    let before = files(repo.parent());
    for args in [&[][..], &["--yes"]] {
        let ran = clean(repo, report, args);
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        assert!(ran.stderr().contains(reason), "{}", ran.stderr());
        assert!(files(repo.parent()) == before, "{reason}");
    }
}

#[test]
fn a_plan_without_git_filter_repo_says_how_to_install_it_and_writes_nothing() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    let report = report_of(&repo, &token);
    let programs = repo.sibling("programs");
    std::fs::create_dir(&programs).expect("a folder");
    let git = std::process::Command::new("sh").args(["-c", "command -v git"]).output();
    let git = String::from_utf8(git.expect("sh runs").stdout).expect("UTF-8");
    std::os::unix::fs::symlink(git.trim(), programs.join("git")).expect("a link");
    let before = files(repo.parent());
    let args = ["clean", "--from", &report, "--yes"];
    let path = programs.to_str().expect("UTF-8");
    let empty = programs.join("none");
    let empty = empty.to_str().expect("UTF-8");
    let ran = repo.run_in(repo.path(), &args, &[("PATH", path), ("GIT_EXEC_PATH", &exec(&repo))]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("git-filter-repo is not installed"), "{}", ran.stderr());
    assert!(!ran.stdout().contains(&token) && ran.stdout().contains("datadog-pat"));
    let ran = repo.run_in(repo.path(), &args, &[("PATH", empty)]);
    assert!(ran.stderr().contains("git is not installed"), "{}", ran.stderr());
    assert!(files(repo.parent()) == before);
}

fn exec(repo: &Repo) -> String {
    repo.git(&["--exec-path"])
}

#[test]
fn reports_of_other_repositories_and_incomplete_reports_are_refused() {
    let (token, other) = (mint::token(1), mint::token(2));
    let repo = Repo::with_files(&[("f", &token)]);
    let mut report = repo.scan_with_git(&["--history-only"]).json();
    report["interrupted"] = true.into();
    assert_refused(&repo, &save(&repo, &report), "the scan was interrupted");
    report["interrupted"] = false.into();
    report["findings"] = serde_json::json!([]);
    assert_refused(&repo, &save(&repo, &report), "no proven token");
    let elsewhere = Repo::with_files(&[("f", &other)]);
    assert_refused(&repo, &report_of(&elsewhere, &other), "the report of another repository");
}

#[test]
fn clones_without_the_whole_history_are_refused() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    repo.commit_file("g", "1");
    let report = report_of(&repo, &token);
    let shallow = repo.clone_to("shallow", &["--depth", "1"]);
    let args = ["clean", "--from", &report, "--repo", "../shallow", "--yes"];
    let ran = repo.run(&args);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("git fetch --unshallow"), "{}", ran.stderr());
    assert!(shallow.exists() && !repo.sibling("shallow-cleaned.git").exists());
    repo.git(&["remote", "add", "origin", "https://example.com/x.git"]);
    repo.git(&["config", "remote.origin.promisor", "true"]);
    assert_refused(&repo, &report, "partial clone");
}

#[test]
fn a_local_branch_that_lacks_commits_of_the_remote_is_refused() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    let url = "https://ann:hunter2@example.com/x.git";
    repo.git(&["remote", "add", "origin", url]);
    repo.commit_file("g", "1");
    repo.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    repo.git(&["reset", "-q", "--hard", "HEAD~"]);
    let report = report_of(&repo, &token);
    assert_refused(&repo, &report, "a forced push would discard: main");
}

#[test]
fn commits_that_only_a_detached_head_reaches_are_refused_and_named() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("a", "1")]);
    repo.git(&["checkout", "-q", "--detach"]);
    repo.commit_file("s", &token);
    repo.commit_file("important", "1");
    let report = report_of(&repo, &token);
    let command = |folder: &str| {
        let folder = repo.sibling(folder).canonicalize().expect("a folder");
        format!("git -C {} branch NAME {}", folder.display(), &repo.id("HEAD")[..12])
    };
    assert_refused(&repo, &report, "has 2 commits outside any branch");
    assert_refused(&repo, &report, &command("repo"));
    // Neither a stash nor a running bisection publishes its commits.
    repo.write("a", "2");
    repo.git(&["stash", "-q"]);
    repo.git(&["update-ref", "refs/bisect/bad", "HEAD"]);
    assert_refused(&repo, &report, "has 2 commits outside any branch");
    // A bare clone has the same HEAD, and no work tree.
    repo.clone_to("bare.git", &["--bare"]);
    let ran = repo.run(&["clean", "--from", &report, "--repo", "../bare.git", "--yes"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains(&command("bare.git")), "{}", ran.stderr());
    assert!(!repo.sibling("bare-cleaned.git").exists());
}

#[test]
fn commits_that_only_the_detached_head_of_another_work_tree_reaches_are_refused_and_named() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    let report = report_of(&repo, &token);
    for name in ["one", "it's two", "three\n\n"] {
        let folder = repo.sibling(name);
        repo.git(&["worktree", "add", "-q", "--detach", folder.to_str().expect("UTF-8")]);
        repo.git_at(&folder, &["commit", "-q", "--allow-empty", "-m", name]);
    }
    let reason = |name: &str| {
        let folder = repo.parent().canonicalize().expect("a folder").join(name);
        format!("the detached HEAD of {} has 1 commit outside any branch", folder.display())
    };
    assert_refused(&repo, &report, &reason("one"));
    assert_refused(&repo, &report, &reason("it's two"));
    assert_refused(&repo, &report, &reason("repo/.git"));
    // The HEAD of a work tree whose folder is missing counts, too.
    let commit = repo.git_at(&repo.sibling("one"), &["rev-parse", "HEAD"]);
    std::fs::remove_dir_all(repo.sibling("one")).expect("a folder");
    assert_refused(&repo, &report, &reason("one"));
    let store = repo.path().canonicalize().expect("a folder").join(".git");
    let command = format!("git -C {} branch NAME {}", store.display(), &commit[..12]);
    assert_refused(&repo, &report, &command);
}

#[test]
fn a_detached_head_at_a_tracking_branch_without_a_remote_is_refused() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    repo.git(&["checkout", "-q", "--detach"]);
    repo.commit_file("g", "1");
    repo.git(&["update-ref", "refs/remotes/gone/main", "HEAD"]);
    assert_refused(&repo, &report_of(&repo, &token), "has 1 commit outside any branch");
}

#[test]
fn a_failed_rewrite_leaves_no_clone() {
    use std::os::unix::fs::PermissionsExt;
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    let report = report_of(&repo, &token);
    let program = repo.sibling("programs/git-filter-repo");
    std::fs::create_dir(repo.sibling("programs")).expect("a folder");
    let text = "#!/bin/sh\n[ \"$1\" = --version ] || { echo broken >&2; exit 1; }\n";
    std::fs::write(&program, text).expect("a file");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("an executable");
    let before = files(repo.parent());
    let mut path = repo.sibling("programs").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").expect("PATH contains git"));
    let path = path.to_str().expect("UTF-8");
    let args = ["clean", "--from", &report, "--yes"];
    let ran = repo.run_in(repo.path(), &args, &[("PATH", path)]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("git-filter-repo failed: broken"), "{}", ran.stderr());
    assert!(files(repo.parent()) == before);
    assert!(!repo.sibling("repo-cleaned.git").exists());
}
