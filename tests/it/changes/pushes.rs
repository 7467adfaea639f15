//! Real pushes: `ddpatrol pre-receive` on a server, `ddpatrol pre-push` in a developer's repository.

use super::token;
use crate::support::encode::hex;
use crate::support::repo::Repo;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Creates a bare repository with the first commit of `repo`, as its remote `origin`.
fn server(repo: &Repo) -> PathBuf {
    repo.git(&["clone", "-q", "--bare", ".", "../server.git"]);
    repo.git(&["remote", "add", "origin", "../server.git"]);
    repo.git(&["fetch", "-q", "origin"]);
    repo.parent().join("server.git")
}

/// Creates the same with the hook, installed as a server's administrator would.
fn guarded(repo: &Repo) -> PathBuf {
    let server = server(repo);
    let ran = repo.run_in(&server, &["hook", "install", "--pre-receive"], &[]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    server
}

fn push(repo: &Repo, args: &[&str]) -> Output {
    repo.try_git(repo.path(), &[&["push", "-q", "origin"], args].concat(), "")
}

#[track_caller]
fn accepted(repo: &Repo, args: &[&str]) {
    let output = push(repo, args);
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// Pushes, which the server must reject, and returns the output of the client.
#[track_caller]
fn rejected(repo: &Repo, args: &[&str]) -> String {
    let output = push(repo, args);
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && printed.contains("pre-receive hook declined"), "{printed}");
    for seed in 1..9 {
        assert!(!printed.contains(&token(seed)[30..]), "{printed}");
    }
    printed
}

fn set(repo: &Repo, server: &Path, name: &str, value: &str) {
    assert!(repo.try_git(server, &["config", name, value], "").status.success());
}

#[test]
fn a_rejected_push_shows_commit_path_token_and_remediation() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let server = guarded(&repo);
    for (seed, limit) in [(1, "1"), (2, "1000")] {
        set(&repo, &server, "receive.unpackLimit", limit);
        let commit = repo.commit_files(&[("dir/leak.env", &token(seed))], "a leak");
        repo.commit_files(&[("dir/leak.env", "gone again")], "taken away");
        let printed = rejected(&repo, &["main"]);
        for words in [
            "dir/leak.env:1:1  datadog-pat",
            &token(seed)[..29],
            &commit[..12],
            "git rebase --interactive",
            "push rejected: remove the tokens from the commits",
            "revoke ",
        ] {
            assert!(printed.contains(words), "{words}: {printed}");
        }
        repo.git(&["reset", "-q", "--hard", "HEAD~2"]);
        repo.commit_files(&[("b", &format!("clean {seed}"))], "clean");
        accepted(&repo, &["main"]);
    }
}

#[test]
fn content_that_the_server_already_has_is_not_new() {
    let repo = Repo::with_files(&[("known", &format!("{}\n{}", token(1), "line\n".repeat(2000)))]);
    let server = guarded(&repo);
    // A thin pack: the server completes it with the old version as delta base.
    set(&repo, &server, "receive.unpackLimit", "1");
    let text = format!("{}\n{}changed\n", token(1), "line\n".repeat(2000));
    repo.commit_files(&[("known", &text)], "edited");
    accepted(&repo, &["main"]);
    repo.commit_files(&[("elsewhere", &token(1))], "moved here");
    rejected(&repo, &["main"]);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    // A branch and a tag at an existing commit add nothing.
    accepted(&repo, &["main:refs/heads/other", "main~1:refs/tags/v1"]);
    accepted(&repo, &[":refs/heads/other"]);
}

#[test]
fn new_branches_tags_merges_and_force_pushes_are_judged() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let server = guarded(&repo);
    repo.git(&["checkout", "-q", "-b", "topic"]);
    repo.commit_files(&[("b", &token(1))], "a leak");
    let printed = rejected(&repo, &["topic"]);
    assert!(printed.contains("b:1:1  datadog-pat"), "{printed}");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["tag", "-a", "-m", &token(2), "v2"]);
    rejected(&repo, &["v2"]);
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "topic"]);
    rejected(&repo, &["main"]);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.git(&["commit", "-q", "--amend", "-m", &format!("rewritten {}", token(3))]);
    let printed = rejected(&repo, &["+main"]);
    assert!(printed.contains("rewritten ddpat_"), "{printed}");
    // One rejected reference rejects the whole push.
    repo.git(&["commit", "-q", "--amend", "-m", "rewritten"]);
    rejected(&repo, &["+main", "topic"]);
    accepted(&repo, &["+main"]);
    let output = repo.try_git(&server, &["for-each-ref", "--format=%(refname)"], "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "refs/heads/main\n");
}

#[test]
fn the_first_push_to_an_empty_server_is_judged_completely() {
    let repo = Repo::with_files(&[("a", &token(1))]);
    repo.commit_files(&[("a", "gone")], "taken away");
    repo.git(&["init", "-q", "--bare", "-b", "main", "../server.git"]);
    repo.git(&["remote", "add", "origin", "../server.git"]);
    let server = repo.parent().join("server.git");
    assert_eq!(repo.run_in(&server, &["hook", "install", "--pre-receive"], &[]).code(), Some(0));
    let printed = rejected(&repo, &["main"]);
    assert!(printed.contains("a:1:1  datadog-pat"), "{printed}");
    let clean = Repo::with_files(&[("a", "clean")]);
    clean.git(&["remote", "add", "origin", &server.to_string_lossy()]);
    accepted(&clean, &["main"]);
}

#[test]
fn the_policy_of_the_server_branch_applies_to_a_push() {
    let repo = Repo::with_files(&[("a", "clean")]);
    guarded(&repo);
    let allow = |seed: u64| {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(format!("ddpatrol fingerprint 1\0{}", token(seed)));
        let hex = hex(&digest[..16]);
        format!("[[allow]]\nfingerprint = \"{hex}\"\nreason = \"an example\"\n")
    };
    repo.commit_files(&[(".ddpatrol.toml", &allow(1)), ("b", &token(1))], "let me in");
    rejected(&repo, &["main"]);
    let line = format!("{} # ddpatrol:allow let me in", token(2));
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.commit_files(&[("b", &line)], "let me in");
    let printed = rejected(&repo, &["main"]);
    assert!(printed.contains("has no effect here"), "{printed}");
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.commit_files(&[(".ddpatrol.toml", &allow(1))], "an example is decided on");
    accepted(&repo, &["main"]);
    repo.commit_files(&[("b", &token(1))], "the example");
    accepted(&repo, &["main"]);
}

#[test]
fn a_push_that_cannot_be_scanned_completely_is_rejected() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let server = guarded(&repo);
    repo.commit_files(&[("b", "clean")], "more");
    let ran = repo.run_in(&server, &["pre-receive"], &[]);
    assert_eq!(ran.code(), Some(0), "nothing is pushed: {ran:?}");
    let line = format!("{} {} refs/heads/main\n", repo.id("HEAD~1"), repo.id("HEAD"));
    let mut command = std::process::Command::new("sh");
    command.current_dir(&server).args([
        "-c",
        "printf '%s' \"$1\" | \"$2\" pre-receive",
        "x",
        &line,
    ]);
    let output = command.arg(env!("CARGO_BIN_EXE_ddpatrol")).output().expect("a shell");
    assert_eq!(output.status.code(), Some(2), "its objects are not there: {output:?}");
    let ran = repo.run_with_input(&["pre-receive"], "nonsense\n");
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().contains("invalid line on standard input"), "{ran:?}");
}

#[test]
fn pre_push_blocks_a_push_before_anything_is_sent() {
    let repo = Repo::with_files(&[("a", &token(7))]);
    let server = server(&repo);
    assert_eq!(repo.run(&["hook", "install", "--pre-push"]).code(), Some(0));
    let blocked = |args: &[&str]| {
        let output = push(&repo, args);
        // Git prints the output of this hook unchanged.
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            !output.status.success() && printed.contains("  datadog-pat "),
            "{args:?}: {output:?}"
        );
    };
    repo.commit_files(&[("b", &token(1))], "a leak");
    blocked(&["main"]);
    repo.git(&["branch", "topic"]);
    blocked(&["topic"]);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.commit_files(&[("b", "clean")], "clean");
    accepted(&repo, &["main"]);
    accepted(&repo, &["main:refs/heads/again"]);
    accepted(&repo, &[":refs/heads/again"]);
    // Merged commits that others have pushed are not part of this push.
    let clone = repo.clone_to("other", &[]);
    let elsewhere = |args: &[&str]| {
        let output = repo.try_git(&clone, args, "");
        assert!(output.status.success(), "{args:?}: {output:?}");
    };
    elsewhere(&["remote", "set-url", "origin", &server.to_string_lossy()]);
    elsewhere(&["checkout", "-q", "-b", "theirs"]);
    std::fs::write(clone.join("theirs"), token(3)).expect("a file");
    elsewhere(&["add", "-A"]);
    elsewhere(&["commit", "-q", "-m", "theirs"]);
    elsewhere(&["push", "-q", "origin", "theirs"]);
    repo.git(&["fetch", "-q", "origin"]);
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "origin/theirs"]);
    accepted(&repo, &["main"]);
    // An unknown tip of the remote does not prevent the scan.
    repo.git(&["checkout", "-q", "--detach", "HEAD~1"]);
    repo.commit_files(&[("c", &token(4))], "a leak");
    let line = format!("HEAD {} refs/heads/x {}\n", repo.id("HEAD"), "1".repeat(40));
    let ran = repo.run_with_input(&["pre-push", "origin", "url"], &line);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert!(ran.stdout().contains("c:1:1"), "{ran:?}");
}

#[test]
fn an_existing_hook_gets_the_same_input() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let server = server(&repo);
    let hook = server.join("hooks/pre-receive");
    std::fs::create_dir_all(server.join("hooks")).expect("a folder");
    std::fs::write(&hook, "#!/bin/sh\ncat > seen\n").expect("a file");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).expect("an executable");
    assert_eq!(repo.run_in(&server, &["hook", "install", "--pre-receive"], &[]).code(), Some(0));
    let before = repo.id("HEAD");
    repo.commit_files(&[("b", "clean")], "more");
    accepted(&repo, &["main"]);
    let seen = std::fs::read_to_string(server.join("seen")).expect("the hook ran");
    assert_eq!(seen, format!("{before} {} refs/heads/main\n", repo.id("HEAD")));
    repo.commit_files(&[("b", &token(1))], "a leak");
    rejected(&repo, &["main"]);
}

#[test]
fn the_environment_variables_of_pre_commit_are_read() {
    let repo = Repo::with_files(&[("a", "clean")]);
    server(&repo);
    repo.commit_files(&[("b", &token(1))], "a leak");
    let (from, to) = (repo.id("HEAD~1"), repo.id("HEAD"));
    let remote = ("PRE_COMMIT_REMOTE_NAME", "origin");
    let both = [("PRE_COMMIT_FROM_REF", &*from), ("PRE_COMMIT_TO_REF", &to), remote];
    assert_eq!(repo.run_in(repo.path(), &["pre-push"], &both).code(), Some(1));
    // For a pushed root commit the framework sets no range.
    let whole = [("PRE_COMMIT_LOCAL_BRANCH", "refs/heads/main"), remote];
    assert_eq!(repo.run_in(repo.path(), &["pre-push"], &whole).code(), Some(1));
    let clean = [("PRE_COMMIT_FROM_REF", &*from), ("PRE_COMMIT_TO_REF", &from), remote];
    assert_eq!(repo.run_in(repo.path(), &["pre-push"], &clean).code(), Some(0));
}
