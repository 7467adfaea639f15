//! `ddpatrol pre-push`: pushed commits are compared with the remote's, and names are scanned.

use super::{token, verdict};
use crate::support::repo::Repo;
use std::process::Output;

/// Creates a repository with the hook and with `origin`, which has a commit that adds a token and one
/// that removes it; a third commit is not pushed yet.
fn with_old_token() -> Repo {
    let repo = Repo::with_files(&[("old.env", &token(1))]);
    repo.git(&["rm", "-q", "old.env"]);
    repo.commit_files(&[("a", "removed")], "removed");
    add_remote(&repo, "origin");
    repo.git(&["push", "-q", "origin", "main"]);
    assert_eq!(repo.run(&["hook", "install", "--pre-push"]).code(), Some(0));
    repo.commit_files(&[("b", "one more")], "one more");
    repo
}

fn add_remote(repo: &Repo, name: &str) {
    let path = format!("../{}.git", name.replace('/', "-"));
    repo.git(&["init", "-q", "--bare", &path]);
    repo.git(&["remote", "add", name, &path]);
}

fn push(repo: &Repo, args: &[&str]) -> Output {
    repo.try_git(repo.path(), &[&["push", "-q"], args].concat(), "")
}

#[track_caller]
fn accepted(repo: &Repo, args: &[&str]) {
    let output = push(repo, args);
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// Pushes, which the hook must block, and returns the output of the hook.
#[track_caller]
fn blocked(repo: &Repo, args: &[&str]) -> String {
    let output = push(repo, args);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && printed.contains("  datadog-pat "), "{args:?}: {output:?}");
    printed
}

#[test]
fn the_first_push_to_another_remote_is_judged_completely() {
    let repo = with_old_token();
    add_remote(&repo, "public");
    // The name of this remote begins with the name of a remote that has the token.
    add_remote(&repo, "origin/fork");
    repo.git(&["init", "-q", "--bare", "../url.git"]);
    for remote in ["public", "origin/fork", "../url.git"] {
        let printed = blocked(&repo, &[remote, "main"]);
        assert!(printed.contains("old.env:1:1  datadog-pat"), "{printed}");
        blocked(&repo, &[remote, "main:refs/tags/v1"]);
    }
    accepted(&repo, &["origin", "main"]);
    // The same if the branch is up to date with origin.
    blocked(&repo, &["public", "main"]);
}

#[test]
fn a_push_to_a_remote_that_has_the_token_passes() {
    let repo = with_old_token();
    add_remote(&repo, "public");
    accepted(&repo, &["--no-verify", "public", "main~2:refs/heads/old"]);
    accepted(&repo, &["public", "main"]);
    // The refs that the remote itself advertises count as well, as with a URL.
    repo.git(&["init", "-q", "--bare", "../url.git"]);
    accepted(&repo, &["--no-verify", "../url.git", "main~2:refs/heads/main"]);
    accepted(&repo, &["../url.git", "main"]);
}

#[test]
fn a_remote_url_is_resolved_to_its_remote() {
    let repo = with_old_token();
    accepted(&repo, &["../origin.git", "main:refs/heads/topic"]);
}

#[test]
fn custom_refspecs_of_a_remote_are_honoured() {
    let repo = with_old_token();
    repo.git(&["remote", "add", "upstream", "../origin.git"]);
    let refspec = "+refs/heads/*:refs/remotes/theirs/*";
    repo.git(&["config", "remote.upstream.fetch", refspec]);
    repo.git(&["fetch", "-q", "upstream"]);
    repo.git(&["remote", "remove", "origin"]);
    accepted(&repo, &["upstream", "main:refs/heads/topic"]);
}

#[test]
fn branches_of_a_mirror_do_not_count_as_pushed() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.git(&["init", "-q", "--bare", "../mirror.git"]);
    repo.git(&["remote", "add", "--mirror=fetch", "mirror", "../mirror.git"]);
    assert_eq!(repo.run(&["hook", "install", "--pre-push"]).code(), Some(0));
    repo.commit_files(&[("b", &token(1))], "a leak");
    blocked(&repo, &["mirror", "main"]);
}

#[test]
fn names_of_pushed_branches_and_tags_are_scanned() {
    let repo = with_old_token();
    let printed = blocked(&repo, &["origin", &format!("main:refs/heads/fix/{}", token(2))]);
    let name = format!("branch fix/{}", &token(2)[..29]);
    assert!(printed.contains(&name) && printed.contains("Rename the branch or tag"), "{printed}");
    assert!(!printed.contains(&token(2)[30..]) && !printed.contains("git reset"), "{printed}");
    blocked(&repo, &["origin", &format!("main:refs/tags/{}", token(2))]);
    repo.git(&["branch", &token(3)]);
    blocked(&repo, &["origin", &format!("{}:refs/heads/plain", token(3))]);
    // An existing branch can be updated and deleted.
    let there = format!("main~1:refs/heads/fix/{}", token(2));
    accepted(&repo, &["--no-verify", "origin", &there]);
    accepted(&repo, &["origin", &format!("main:refs/heads/fix/{}", token(2))]);
    accepted(&repo, &["origin", &format!(":refs/heads/fix/{}", token(2))]);
}

#[test]
fn messages_of_pushed_tags_are_scanned() {
    let repo = with_old_token();
    accepted(&repo, &["origin", "main"]);
    repo.git(&["tag", "-a", "-m", &format!("T={}", token(2)), "v1"]);
    blocked(&repo, &["origin", "v1"]);
    // A tag of a tag under other names.
    repo.git(&["tag", "-a", "-m", "outer", "v2", "v1"]);
    blocked(&repo, &["origin", "v2:refs/tags/x"]);
    // Tags of objects other than commits.
    let blob = repo.git(&["rev-parse", "HEAD~2:old.env"]);
    repo.git(&["tag", "-a", "-m", "a key", "key", &blob]);
    let printed = blocked(&repo, &["origin", "key"]);
    assert!(printed.contains("refs/tags/key:1:1  datadog-pat"), "{printed}");
    repo.git(&["tag", "tree", "HEAD~2^{tree}"]);
    let printed = blocked(&repo, &["origin", "tree"]);
    assert!(printed.contains("refs/tags/tree/old.env:1:1  datadog-pat"), "{printed}");
    repo.git(&["tag", "clean", "HEAD^{tree}"]);
    accepted(&repo, &["origin", "clean"]);
}

#[test]
fn pre_receive_scans_names_and_messages() {
    let repo = Repo::with_files(&[("a", "clean")]);
    add_remote(&repo, "origin");
    let server = repo.parent().join("origin.git");
    assert_eq!(repo.run_in(&server, &["hook", "install", "--pre-receive"], &[]).code(), Some(0));
    accepted(&repo, &["origin", "main"]);
    let rejected = |args: &[&str]| {
        let output = push(&repo, args);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && printed.contains("  datadog-pat "),
            "{args:?}: {printed}"
        );
    };
    rejected(&["origin", &format!("main:refs/heads/{}", token(2))]);
    rejected(&["origin", "main:refs/heads/x", &format!("main:refs/tags/{}", token(2))]);
    // The name of the local branch is not sent.
    repo.git(&["branch", &token(3)]);
    accepted(&repo, &["origin", &format!("{}:refs/heads/x", token(3))]);
    repo.git(&["tag", "-a", "-m", &token(4), "v1"]);
    rejected(&["origin", "v1"]);
    let blob = repo.git(&["hash-object", "-w", "--stdin"]);
    repo.git(&["tag", "empty", &blob]);
    accepted(&repo, &["origin", "empty"]);
}

#[test]
fn references_are_read_from_the_hook_input() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let (id, zeros) = (repo.id("HEAD"), "0".repeat(40));
    repo.git(&["tag", "-a", "-m", &token(3), "v1"]);
    let tag = repo.id("v1");
    let name = format!("refs/heads/{}", token(1));
    let place = format!("; new ref of {}", repo.path().canonicalize().expect("a folder").display());
    for (line, expected) in [
        (format!("{zeros} {id} {name}"), format!("1{place}")),
        (format!("refs/heads/x {id} {name} {zeros}"), format!("1{place}")),
        (format!("{name} {id} refs/heads/x {zeros}"), format!("1{place}")),
        (format!("{name} {id} {name} {zeros}"), format!("1{place}")),
        (format!("{id} {id} {name}"), "0; 1 already there".to_owned()),
        (format!("{id} {zeros} {name}"), "0".to_owned()),
        (format!("(delete) {zeros} {name} {id}"), "0".to_owned()),
        (format!("{id} {tag} refs/tags/v1"), "1; new tag of a commit".to_owned()),
        (format!("v1 {tag} refs/tags/v1 {zeros}"), "1; new tag of a commit".to_owned()),
    ] {
        let ran = repo.run_with_input(&["range", "--stdin", "--report", "json"], &line);
        assert_eq!(verdict(&ran), expected, "{line}: {ran:?}");
    }
}

#[test]
fn remote_refs_to_missing_objects_neither_hide_nor_block_a_push() {
    let repo = with_old_token();
    repo.write(".git/refs/remotes/origin/lost", format!("{}\n", "1".repeat(40)));
    accepted(&repo, &["origin", "main"]);
    repo.commit_files(&[("c", &token(2))], "a leak");
    blocked(&repo, &["origin", "main"]);
    accepted(&repo, &["--no-verify", "origin", "main"]);
    repo.commit_files(&[("c", &format!("{}\nmore", token(2)))], "an edit beside it");
    accepted(&repo, &["origin", "main"]);
}

#[test]
fn unpushed_tokens_of_other_branches_are_listed_and_pass_under_pre_commit() {
    let repo = with_old_token();
    accepted(&repo, &["origin", "main"]);
    let base = repo.id("HEAD");
    repo.git(&["checkout", "-q", "-b", "aaa"]);
    let pushed = repo.commit_files(&[("a.txt", "clean")], "clean");
    repo.git(&["checkout", "-q", "-b", "zzz", "main"]);
    let other = repo.commit_files(&[("z.env", &token(2))], "a leak");
    let run = |from: &str, to: &str, more: &[(&str, &str)]| {
        let variables = [
            ("PRE_COMMIT_FROM_REF", from),
            ("PRE_COMMIT_TO_REF", to),
            ("PRE_COMMIT_LOCAL_BRANCH", "refs/heads/aaa"),
            ("PRE_COMMIT_REMOTE_BRANCH", "refs/heads/aaa"),
            ("PRE_COMMIT_REMOTE_NAME", "origin"),
            ("PRE_COMMIT_REMOTE_URL", "../origin.git"),
        ];
        let variables = [&variables, more].concat();
        repo.run_in(repo.path(), &["pre-push", "--report", "json"], &variables)
    };
    let ran = run(&base, &pushed, &[]);
    assert_eq!(verdict(&ran), "0; also-unpushed z.env", "{ran:?}");
    let note = ran.json()["notes"].to_string();
    assert!(note.contains("1 commit of HEAD, refs/heads/zzz"), "{note}");
    assert_eq!(verdict(&run(&base, &other, &[])), "1; new z.env");
    // Other branches are listed, too, except those that the remote has.
    repo.git(&["checkout", "-q", "main"]);
    assert_eq!(verdict(&run(&base, &pushed, &[])), "0; also-unpushed z.env");
    accepted(&repo, &["--no-verify", "origin", "zzz"]);
    assert_eq!(verdict(&run(&base, &pushed, &[])), "0");
    // Another remote has none of the commits.
    add_remote(&repo, "public");
    let public = [("PRE_COMMIT_REMOTE_NAME", "public"), ("PRE_COMMIT_REMOTE_URL", "../public.git")];
    assert_eq!(verdict(&run(&base, &pushed, &public)), "0; also-unpushed z.env");
    let whole = [&public[..], &[("PRE_COMMIT_FROM_REF", ""), ("PRE_COMMIT_TO_REF", "")]].concat();
    let ran = run(&base, &pushed, &whole);
    assert_eq!(verdict(&ran), "1; also-unpushed z.env; new old.env", "{ran:?}");
    // Names are scanned.
    let name = format!("refs/heads/{}", token(3));
    let ran = run(&base, &pushed, &[("PRE_COMMIT_REMOTE_BRANCH", &name)]);
    assert!(verdict(&ran).contains("new ref of"), "{ran:?}");
}
