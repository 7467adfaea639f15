//! A range is judged by the policy of its base, never by its own.

use super::*;
use crate::support::mint::{self, Random};
use crate::support::repo::Repo;

const CONFIG: &str = ".ddpatrol.toml";

fn range(repo: &Repo, args: &[&str]) -> RunOutput {
    repo.run(&[&["range", "--report", "json"], args].concat())
}

#[test]
fn configuration_changes_take_effect_after_the_merge() {
    for text in [
        allow(1, "let me in"),
        "fail_on = \"never\"".to_owned(),
        "exclude = [\"*\"]".to_owned(),
        "[rules]\nleave_out = [\"datadog-pat\"]".to_owned(),
        "this is broken".to_owned(),
    ] {
        let repo = Repo::with_files(&[("x", "clean")]);
        repo.git(&["checkout", "-q", "-b", "topic"]);
        repo.commit_files(&[(CONFIG, &text), ("x", &token(1))], "mine");
        let ran = range(&repo, &["main..topic"]);
        assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["x".into()]), "{text}");
        assert!(
            notes(&ran).contains("`.ddpatrol.toml` is added by this change: it takes effect"),
            "{ran:?}"
        );
        // The configuration takes effect after the merge.
        repo.git(&["checkout", "-q", "main"]);
        repo.git(&["merge", "-q", "topic"]);
        repo.git(&["checkout", "-q", "-b", "later"]);
        repo.commit_files(&[("y", &token(1))], "again");
        let ran = repo.run(&["range", "main..later"]);
        let expected = if text == "this is broken" { 2 } else { 0 };
        assert_eq!(ran.code(), Some(expected), "{text}: {ran:?}");
    }
}

#[test]
fn the_policy_of_the_base_applies_even_if_the_change_removes_it() {
    let own = include_str!("../../../rules/npm.toml").replace("npm", "own");
    let text = allow(1, "an example") + "[rules]\nadd = [\"rules\"]\n";
    let config = format!("baseline = \"sub/known.json\"\n{text}");
    let repo = Repo::with_files(&[(CONFIG, ""), ("known", &token(2))]);
    let file = repo.path().join("sub/known.json").to_string_lossy().into_owned();
    std::fs::create_dir(repo.path().join("sub")).expect("a folder");
    assert_eq!(repo.run(&["baseline", "create", "--baseline", &file]).code(), Some(0));
    repo.commit_files(&[(CONFIG, &config), ("rules/own.toml", &own), ("known", "")], "the base");
    repo.git(&["checkout", "-q", "-b", "topic"]);
    for gone in [CONFIG, "sub/known.json", "rules/own.toml"] {
        std::fs::remove_file(repo.path().join(gone)).expect("the file exists");
    }
    let made = mint::classic(&mut Random(6), "own_", 30);
    repo.commit_files(&[("a", &token(1)), ("b", &token(2)), ("c", &made)], "mine");
    let ran = range(&repo, &["main..topic"]);
    assert_eq!(suppressions(&ran), ["a allow", "b baseline", "c"], "{ran:?}");
    for file in [CONFIG, "sub/known.json", "rules"] {
        assert!(notes(&ran).contains(&format!("the change edits {file}")), "{ran:?}");
    }
    assert!(notes(&ran).contains("using configuration .ddpatrol.toml of "), "{ran:?}");
    let ran = range(&repo, &["main..topic", "--trust-head"]);
    assert_eq!(suppressions(&ran), ["a", "b"], "{ran:?}");
}

#[test]
fn policy_files_in_the_work_tree_are_read_from_the_base_and_others_from_disk() {
    let repo = Repo::with_files(&[("strict.toml", "")]);
    repo.git(&["checkout", "-q", "-b", "topic"]);
    repo.commit_files(&[("x", &token(1)), ("strict.toml", &allow(1, "let me in"))], "mine");
    let ran = range(&repo, &["main..topic", "--config", "strict.toml"]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["x".into()]));
    let outside = repo.parent().join("own.toml");
    std::fs::write(&outside, allow(1, "my own decision")).expect("a file");
    let ran = range(&repo, &["main..topic", "--config", &outside.to_string_lossy()]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(0), vec!["x allow".into()]));
    for file in ["--config=none.toml", "--baseline=none.json"] {
        let ran = repo.run(&["range", "main..topic", file]);
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        let (_, name) = file.split_once('=').expect("a file");
        assert!(ran.stderr().contains(&format!("{name} is not in the base")), "{ran:?}");
    }
}

#[test]
fn a_policy_file_that_a_change_adds_takes_effect_after_the_merge() {
    let repo = Repo::with_files(&[("known", &token(1))]);
    let own = repo.path().join("own.json").to_string_lossy().into_owned();
    assert_eq!(repo.run(&["baseline", "create", "--baseline", &own]).code(), Some(0));
    let baseline = std::fs::read_to_string(&own).expect("a baseline");
    repo.commit_files(&[("own.json", ""), ("known", "clean")], "the base");
    repo.git(&["rm", "-q", "own.json"]);
    repo.commit_files(&[], "no baseline");
    repo.git(&["checkout", "-q", "-b", "topic"]);
    let loose = "fail_on = \"never\"";
    let files = [("ci/known.json", &*baseline), ("ci/loose.toml", loose), ("x", &token(1))];
    repo.commit_files(&files, "mine");
    for (flag, name) in [("--baseline", "ci/known.json"), ("--config", "ci/loose.toml")] {
        let note = format!("`{name}` is added by this change: it takes effect after the merge");
        let ran = range(&repo, &["main..topic", flag, name]);
        assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["x".into()]), "{ran:?}");
        assert!(notes(&ran).contains(&note), "{ran:?}");
        let text = "is added by this change: it takes effect after the merge";
        for format in ["text", "markdown", "github", "html", "sarif"] {
            let ran = repo.run(&["range", "main..topic", flag, name, "--report", format]);
            let printed = ran.stdout() + &ran.stderr();
            assert!(printed.contains(text) && printed.contains(name), "{format}: {printed}");
        }
        let zeros = "0".repeat(40);
        let ran = range(&repo, &[&format!("{zeros}..topic"), flag, name]);
        assert!(notes(&ran).contains(&note), "a change without a base: {ran:?}");
    }
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["merge", "-q", "topic"]);
    repo.commit_files(&[("y", &token(1))], "again");
    let ran = range(&repo, &["topic..main", "--baseline", "ci/known.json"]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(0), vec!["y baseline".into()]), "{ran:?}");
}

#[test]
fn a_link_to_a_policy_file_outside_the_work_tree_is_not_followed() {
    use std::os::unix::fs::symlink;
    let repo = Repo::with_files(&[("x", "clean"), ("ci/strict.toml", "fail_on = \"proven\"")]);
    let outside = repo.parent().join("loose");
    std::fs::create_dir(&outside).expect("a folder");
    std::fs::write(outside.join("strict.toml"), "fail_on = \"never\"").expect("a file");
    repo.git(&["checkout", "-q", "-b", "topic"]);
    repo.git(&["rm", "-q", "-r", "ci"]);
    symlink(&outside, repo.path().join("ci")).expect("a link");
    repo.commit_files(&[("y", &token(1))], "mine");
    let elsewhere = repo.parent().join("link");
    symlink(repo.path(), &elsewhere).expect("a link");
    let linked = elsewhere.join("ci/strict.toml").to_string_lossy().into_owned();
    for config in ["ci/strict.toml", "./x/../ci/strict.toml", &linked] {
        let ran = range(&repo, &["main..topic", "--config", config]);
        assert_eq!(
            (ran.code(), suppressions(&ran)),
            (Some(1), vec!["y".into()]),
            "{config}: {ran:?}"
        );
        assert!(notes(&ran).contains("ci/strict.toml of "), "{config}: {ran:?}");
    }
}

#[test]
fn a_new_branch_uses_the_existing_policy_and_a_root_commit_uses_none() {
    let zeros = "0".repeat(40);
    let repo = Repo::with_files(&[(CONFIG, &allow(1, "an example"))]);
    let clone = repo.clone_to("clone", &[]);
    let git = |args: &[&str]| assert!(repo.try_git(&clone, args, "").status.success(), "{args:?}");
    git(&["checkout", "-q", "-b", "topic"]);
    std::fs::write(clone.join("x"), token(1)).expect("a file");
    std::fs::write(clone.join(CONFIG), allow(2, "let me in")).expect("a file");
    std::fs::write(clone.join("y"), token(2)).expect("a file");
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "mine"]);
    let args = ["range", "--report", "json", &format!("{zeros}..topic")];
    let ran = repo.run_in(&clone, &args, &[]);
    assert_eq!(suppressions(&ran), ["x allow", "y"], "{ran:?}");
    // A commit is judged by the policy of its parent; the first has none.
    let ran = repo.run_in(&clone, &["range", "--report", "json", "HEAD"], &[]);
    assert_eq!(suppressions(&ran), ["x allow", "y"], "{ran:?}");
    let alone = Repo::with_files(&[(CONFIG, &allow(1, "let me in")), ("x", &token(1))]);
    let ran = range(&alone, &["HEAD"]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["x".into()]));
}

#[test]
fn local_commits_are_judged_by_the_policy_of_the_work_tree() {
    let repo = Repo::with_files(&[("x", "clean")]);
    repo.write(CONFIG, allow(1, "an example"));
    repo.stage(&[("x", &token(1))]);
    let ran = repo.run(&["staged", "--report", "json"]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(0), vec!["x allow".into()]));
    let ran = repo.run_in(repo.parent(), &["staged", "--repo", "repo", "--report", "json"], &[]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(0), vec!["x allow".into()]));
    assert_eq!(repo.run(&["staged", "--no-config"]).code(), Some(1));
}

#[test]
fn rules_that_a_change_adds_take_effect_after_the_merge() {
    let own = include_str!("../../../rules/npm.toml").replace("npm", "own");
    let made = mint::classic(&mut Random(6), "own_", 30);
    let repo = Repo::with_files(&[("x", "clean"), ("ci/README", "no rules yet")]);
    repo.git(&["checkout", "-q", "-b", "topic"]);
    let files = [("ci/own.toml", &*own), ("rules/own.toml", &own), ("x", &token(1)), ("y", &made)];
    repo.commit_files(&files, "mine");
    let zeros = format!("{}..topic", "0".repeat(40));
    for (name, note) in [
        ("ci/own.toml", "`ci/own.toml` is added by this change: it takes effect after the merge"),
        ("rules", "`rules` is added by this change: it takes effect after the merge"),
        ("ci", "the change edits ci: the edit applies once merged"),
    ] {
        for revisions in ["main..topic", &*zeros] {
            let ran = range(&repo, &[revisions, "--rules", name]);
            let seen = (ran.code(), suppressions(&ran));
            assert_eq!(seen, (Some(1), vec!["x".into()]), "{revisions} {name}: {ran:?}");
            assert!(notes(&ran).contains(note), "{revisions} {name}: {ran:?}");
        }
        let ran = range(&repo, &["main..topic", "--rules", name, "--trust-head"]);
        assert_eq!(suppressions(&ran), ["x", "y"], "{ran:?}");
    }
    let whole = repo.path().join("rules").to_string_lossy().into_owned();
    let ran = repo.run(&["range", "main..topic", "--rules", &whole]);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    // A hook of a server, where the pushed branch adds the rules.
    let (main, topic) = (repo.id("main"), repo.id("topic"));
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["branch", "-qD", "topic"]);
    let pushed = format!("{main} {topic} refs/heads/main\n");
    let args = ["pre-receive", "--rules", "rules", "--report", "json"];
    let ran = repo.run_with_input(&args, pushed.as_bytes());
    assert!(notes(&ran).contains("`rules` is added by this change"), "{ran:?}");
    assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["x".into()]), "{ran:?}");
    repo.git(&["branch", "topic", &topic]);
    // A configuration of the base that names rules which the change adds.
    repo.commit_files(&[(CONFIG, "[rules]\nadd = [\"later.toml\"]\n")], "too early");
    repo.git(&["checkout", "-q", "-b", "fix"]);
    repo.commit_files(&[("later.toml", &own), ("x", &token(2))], "the rules");
    let ran = range(&repo, &["main..fix"]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["x".into()]), "{ran:?}");
    // Neither the base nor the change contains the file.
    for name in ["none.toml", "none"] {
        let ran = repo.run(&["range", "main..topic", "--rules", name]);
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        assert!(ran.stderr().contains(&format!("{name} is not in the base")), "{ran:?}");
    }
    // After the merge.
    repo.git(&["checkout", "-q", "topic"]);
    repo.commit_files(&[("z", &mint::classic(&mut Random(7), "own_", 30))], "again");
    assert_eq!(suppressions(&range(&repo, &["HEAD~1..HEAD", "--rules", "rules"])), ["z"]);
}

#[test]
fn policy_files_of_the_work_tree_are_found_if_there_is_nothing_to_scan() {
    let repo = Repo::with_files(&[("x", "clean")]);
    repo.write("own.toml", include_str!("../../../rules/npm.toml").replace("npm", "own"));
    repo.write("config.toml", "fail_on = \"never\"");
    for flag in ["--rules=own.toml", "--config=config.toml"] {
        let ran = repo.run_with_input(&["range", "--stdin", flag], b"");
        assert_eq!(ran.code(), Some(0), "{flag}: {ran:?}");
    }
}
