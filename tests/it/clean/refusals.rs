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
