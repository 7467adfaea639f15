//! Commands that rename branches and tags whose names contain a token.

use super::commands::{commands, must, next_steps, paste};
use crate::support::encode;
use crate::support::mint::{self, Random, token};
use crate::support::repo::Repo;
use serde_json::Value;
use std::path::Path;

/// Returns the names of all references.
fn references(repo: &Repo, folder: &Path) -> String {
    repo.git_at(folder, &["for-each-ref", "--format=%(refname)"])
}

/// Returns the commands of a scan that rename references, from the text and the JSON report.
fn renames(repo: &Repo, folder: &Path, args: &[&str], tokens: &[&str]) -> Vec<String> {
    let text = repo.run_in(folder, args, &[]).stdout();
    let report = repo.run_in(folder, &[args, &["--report", "json"]].concat(), &[]);
    let written = text.clone() + &report.stdout();
    for token in tokens {
        let secret = &token[token.len() - 12..];
        assert!(!written.contains(secret), "{written}");
    }
    let steps = |it: &Value| it["steps"].as_array().expect("a list").clone();
    let report = report.json();
    let findings = report["findings"].as_array().expect("a list");
    let listed =
        findings.iter().flat_map(steps).filter_map(|it| it["commands"].as_array().cloned());
    let mut all: Vec<String> =
        listed.flatten().map(|it| it.as_str().expect("a text").to_owned()).collect();
    all.extend(commands(&text).into_iter().map(|(_, command)| command));
    all.retain(|it| it.contains("for-each-ref"));
    all.dedup();
    assert!(!all.is_empty(), "{text}");
    all
}

/// Pastes the commands that rename references, and checks that no name contains a token then.
fn assert_renamed(repo: &Repo, folder: &Path, args: &[&str], of: &Path, tokens: &[&str]) {
    let before = references(repo, of).lines().count();
    for command in renames(repo, folder, args, tokens) {
        let output = paste(repo, folder, &command, &[]);
        assert!(output.status.success(), "{command}: {output:?}");
        let printed = [output.stdout, output.stderr].concat();
        for token in tokens {
            let secret = &token.as_bytes()[token.len() - 12..];
            assert!(!printed.windows(12).any(|it| it == secret), "{command}");
        }
    }
    let after = references(repo, of);
    assert_eq!(after.lines().count(), before, "{after}");
    for token in tokens {
        assert!(!after.contains(&token[token.len() - 12..]), "{after}");
    }
}

fn named(tokens: &[&str]) -> Repo {
    let repo = Repo::with_files(&[("sub/a", "clean\n")]);
    for (at, token) in tokens.iter().enumerate() {
        repo.git(&["branch", &format!("fix/{at}-{token}")]);
        repo.git(&["tag", &format!("it's-\"{at}\"-é$x-{token}-v1")]);
        repo.git(&["tag", "-a", "-m", "x", &format!("{at}/{token}/b")]);
        repo.git(&["update-ref", &format!("refs/pull/{token}/head"), "HEAD"]);
    }
    repo
}

/// A token of a rule whose format has no public identifier.
fn opaque(seed: u64) -> String {
    mint::classic(&mut Random(seed), "ghp_", 30)
}

#[test]
fn commands_rename_references_in_a_subfolder() {
    let (first, second) = (token(1), opaque(2));
    let tokens = [&*first, &*second];
    let repo = named(&tokens);
    repo.git(&["branch", "fix/ghp_of_another_name"]);
    assert_renamed(&repo, &repo.path().join("sub"), &["scan", ".."], repo.path(), &tokens);
    assert!(references(&repo, repo.path()).contains("refs/heads/fix/ghp_of_another_name"));
}

#[test]
fn commands_rename_references_of_other_repositories() {
    let (first, second) = (token(1), opaque(2));
    let tokens = [&*first, &*second];
    let repo = named(&tokens);
    let bare = repo.clone_to("100% it's.git", &["--mirror"]);
    std::fs::remove_dir_all(repo.path()).expect("the first repository is removed");
    assert_renamed(&repo, repo.parent(), &["scan"], &bare, &tokens);
}

#[test]
fn commands_rename_references_in_a_linked_work_tree() {
    let (first, second) = (token(1), opaque(2));
    let tokens = [&*first, &*second];
    let repo = named(&tokens);
    repo.git(&["worktree", "add", "-q", "../linked"]);
    let linked = repo.sibling("linked");
    assert_renamed(&repo, &linked, &["scan"], repo.path(), &tokens);
}

#[test]
fn the_branch_that_is_checked_out_stays_checked_out() {
    let secret = token(1);
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.git(&["checkout", "-q", "-b", &secret]);
    repo.git(&["config", &format!("branch.{secret}.description"), "kept"]);
    let commit = repo.id("HEAD");
    assert_renamed(&repo, repo.path(), &["scan"], repo.path(), &[&secret]);
    let branch = repo.git(&["symbolic-ref", "--short", "HEAD"]);
    assert!(branch.starts_with("token-"), "{branch}");
    assert_eq!(repo.id("HEAD"), commit);
    assert_eq!(repo.git(&["config", &format!("branch.{branch}.description")]), "kept");
}

#[test]
fn a_branch_of_a_remote_is_renamed_on_the_remote() {
    let (first, second) = (token(1), opaque(2));
    let repo = Repo::with_files(&[("a", "clean\n")]);
    for token in [&first, &second] {
        repo.git(&["branch", &format!("fix/{token}")]);
    }
    let server = repo.clone_to("server.git", &["--bare"]);
    let clone = repo.clone_to("clone", &[]);
    repo.git_at(&clone, &["remote", "set-url", "origin", server.to_str().expect("UTF-8")]);
    repo.git_at(&clone, &["fetch", "-q"]);
    repo.git_at(&clone, &["fetch", "-q", ".", "HEAD"]);
    let tokens = [&*first, &*second];
    assert_renamed(&repo, &clone, &["scan"], &server, &tokens);
    let local = references(&repo, &clone);
    assert!(tokens.iter().all(|token| !local.contains(&token[20..])), "{local}");
}

#[test]
fn two_tokens_in_one_name_and_one_token_in_two_encodings_are_renamed() {
    let (first, second) = (token(1), opaque(2));
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.git(&["branch", &format!("a/{first}_{second}")]);
    repo.git(&["branch", &format!("b/{second}")]);
    repo.git(&["branch", &format!("b/{}", encode::hex(second.as_bytes()))]);
    repo.git(&["branch", &format!("c.{first}")]);
    let hex = encode::hex(second.as_bytes());
    assert_renamed(&repo, repo.path(), &["scan"], repo.path(), &[&first, &second, &hex]);
}

#[test]
fn a_rejected_push_prints_the_command_that_renames_the_branch() {
    let secret = token(1);
    let repo = Repo::with_files(&[("a", "clean\n")]);
    let server = repo.clone_to("server.git", &["--bare"]);
    repo.git(&["remote", "add", "origin", server.to_str().expect("UTF-8")]);
    repo.git(&["checkout", "-q", "-b", &format!("fix/{secret}")]);
    repo.hook("pre-push", "pre-push --quiet \"$@\"");
    let push = ["push", "-q", "origin", "HEAD"];
    let output = repo.try_git(repo.path(), &push, "");
    assert!(!output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(printed.lines().count() <= 12, "{printed}");
    let [(_, rename)] = &commands(&printed)[..] else { panic!("{printed}") };
    must(&repo, repo.path(), rename);
    repo.git(&push);
}

#[test]
fn a_name_that_no_pattern_describes_is_renamed_by_hand() {
    let secret = token(1);
    // The encoded token contains a slash, which divides the name.
    let all = (0..).map(|pad| encode::base64(format!("{}{secret}", "?".repeat(pad)).as_bytes()));
    let encoded = all.map(|it| it.trim_end_matches('=').to_owned()).find(|it| it.contains('/'));
    let encoded = encoded.expect("a slash");
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.git(&["branch", &format!("x-{encoded}")]);
    let text = repo.run(&["scan"]).stdout();
    assert!(!text.contains("for-each-ref"), "{text}");
    let by_hand = |(_, text): &(String, String)| text.starts_with("Rename the branch or tag ");
    assert!(next_steps(&text).iter().any(by_hand), "{text}");
}
