//! Scans of several folders: each is judged by its own policy.

use super::*;
use crate::support::repo::Repo;

/// Creates a repository in `name` with a commit of all its files.
fn repository(repo: &Repo, name: &str, files: &[(&str, &str)]) {
    let folder = repo.parent().join(name);
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    for args in [&["init", "-q", "-b", "main"][..], &["add", "-Af"], &["commit", "-qm", "base"]] {
        repo.git(&[&["-C", &folder.to_string_lossy()], args].concat());
    }
}

/// Scans in the folder that contains the repositories.
fn scan_above(repo: &Repo, args: &[&str]) -> RunOutput {
    repo.run_in(repo.parent(), &[&["scan", "--report", "json"], args].concat(), &[])
}

fn baseline(seed: u64, place: &str) -> String {
    let fingerprint = fingerprint(seed);
    format!(
        r#"{{"schema": "ddpatrol-baseline/1", "tokens": [{{"fingerprint": "{fingerprint}",
        "rule": "r", "token": "t", "reason": "rotated", "places": ["{place}"]}}]}}"#
    )
}

#[test]
fn each_repository_is_judged_by_its_own_policy() {
    let repo = Repo::new();
    let own = format!("exclude = [\"vendor/\"]\n{}", allow(1, "an example of a's"));
    repository(
        &repo,
        "a",
        &[(".ddpatrol.toml", &own), ("x", &token(1)), ("vendor/y", &token(2)), ("z", &token(3))],
    );
    let known = baseline(3, "x");
    repository(&repo, "deep/down/b", &[(".ddpatrol-baseline.json", &known), ("x", &token(3))]);
    repository(&repo, "c", &[("x", &token(4)), ("vendor/y", &token(5))]);
    for paths in [&["."][..], &["a", "deep/down/b", "c"], &["a", "deep", "c"], &["c", ".", "a"]] {
        for only in [&[][..], &["--files-only"], &["--history-only"]] {
            if only == ["--history-only"] && paths != ["a", "deep/down/b", "c"] {
                continue;
            }
            let ran = scan_above(&repo, &[paths, only].concat());
            let seen = suppressions(&ran);
            // The token 3 is known in b only.
            let wanted = ["a/x allow", "a/z", "c/vendor/y", "c/x"];
            assert_eq!(seen, wanted, "{paths:?} {only:?}: {ran:?}");
            assert_eq!(suppressed(&ran)["allowed"], 1, "{ran:?}");
            assert!(ran.json()["summary"]["left_out"]["excluded"].as_u64() >= Some(1), "{ran:?}");
            let notes = notes(&ran);
            for file in ["a/.ddpatrol.toml", "deep/down/b/.ddpatrol-baseline.json"] {
                assert!(notes.contains(file), "{notes}");
            }
            assert!(!notes.contains("c/.ddpatrol"), "{notes}");
        }
    }
    // A token that each repository suppresses is suppressed.
    std::fs::write(repo.parent().join("a/.ddpatrol.toml"), own + &allow(3, "rotated")).expect("a");
    let ran = scan_above(&repo, &["."]);
    assert_eq!(suppressions(&ran), ["a/x allow", "a/z allow", "c/vendor/y", "c/x"], "{ran:?}");
    let lines = repo.run_in(repo.parent(), &["scan", ".", "--report", "jsonl"], &[]).stdout();
    let open = lines.lines().filter(|it| it.contains("fingerprint") && !it.contains("suppression"));
    assert_eq!(open.filter(|it| it.contains(&fingerprint(3))).count(), 0, "{lines}");
    let text = repo.run_in(repo.parent(), &["scan", "."], &[]).stdout();
    assert!(text.contains("2 tokens suppressed: 2 by the allowlist."), "{text}");
}

#[test]
fn the_policy_of_a_repository_has_no_effect_elsewhere() {
    let repo = Repo::new();
    let own = "exclude = [\"/../b/\", \"**\"]\nfail_on = \"never\"\n[rules]\nleave_out = [\"datadog-pat\"]\n";
    let own = format!("{own}{}{}", allow(1, "mine"), allow(2, "all of them"));
    repository(&repo, "a", &[(".ddpatrol.toml", &own)]);
    repository(&repo, "b", &[("x", &token(1))]);
    repo.git(&["-C", &repo.parent().join("b").to_string_lossy(), "tag", "-am", &token(2), "v1"]);
    for paths in [&["."][..], &["a", "b"], &["b", "a"]] {
        let ran = scan_above(&repo, paths);
        assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["-".into(), "b/x".into()]));
        let notes = notes(&ran);
        let words = "`fail_on`, `rules.leave_out` of a/.ddpatrol.toml";
        assert!(notes.contains("not applied") && notes.contains(words), "{notes}");
    }
    for args in [&["a", "b", "--no-config"][..], &["a", "b", "--config", "a/.ddpatrol.toml"]] {
        assert!(!notes(&scan_above(&repo, args)).contains("for its own folder"), "{args:?}");
    }
}

#[test]
fn issues_are_acknowledged_by_the_policy_of_their_repository() {
    let repo = Repo::new();
    let own = "[[acknowledge]]\ncode = \"archive.damaged\"\npath = \"*.zip\"\nreason = \"cut\"\nexpires = 9999-01-01\n";
    let cut = "PK\u{3}\u{4} and no more";
    repository(&repo, "a", &[(".ddpatrol.toml", own), ("x.zip", cut)]);
    repository(&repo, "b", &[("x.zip", cut)]);
    let acknowledged = |ran: &RunOutput| -> Vec<(String, bool)> {
        let report = ran.json();
        let issues = report["diagnostics"].as_array().expect("a list").iter();
        let issues =
            issues.filter(|it| it["path"].as_str().is_some_and(|it| it.ends_with("x.zip")));
        issues
            .map(|it| {
                (it["path"].as_str().expect("a path").to_owned(), it["acknowledged"].is_object())
            })
            .collect()
    };
    let ran = scan_above(&repo, &["a", "b", "--files-only", "--strict"]);
    let wanted = [("a/x.zip".to_owned(), true), ("b/x.zip".to_owned(), false)];
    assert_eq!(acknowledged(&ran), wanted, "{ran:?}");
    assert_eq!(ran.code(), Some(2));
}

#[test]
fn a_policy_that_cannot_be_read_suppresses_nothing_and_is_named() {
    let repo = Repo::new();
    let own = format!("alow = 1\n{}", allow(1, "an example"));
    repository(&repo, "a", &[(".ddpatrol.toml", &own), ("x", &token(1))]);
    let own = format!("baseline = \"none.json\"\n{}", allow(2, "an example"));
    repository(&repo, "b", &[(".ddpatrol.toml", &own), ("x", &token(2))]);
    let ran = scan_above(&repo, &["."]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["a/x".into(), "b/x".into()]));
    let notes = notes(&ran);
    for words in ["policy of a not used: a/.ddpatrol.toml:1:1: unknown field `alow`", "none.json"] {
        assert!(notes.contains(words), "{notes}");
    }
}

#[test]
fn a_repository_inside_of_another_is_judged_by_the_outer_policy() {
    let repo = Repo::new();
    repository(&repo, "a", &[("x", &token(1))]);
    let own = allow(2, "the inner one's");
    repository(&repo, "a/inner", &[(".ddpatrol.toml", &own), ("y", &token(2))]);
    for paths in [&["a"][..], &["."]] {
        let ran = scan_above(&repo, paths);
        assert_eq!(suppressions(&ran), ["a/inner/y", "a/x"], "{ran:?}");
    }
    assert_eq!(suppressions(&scan_above(&repo, &["a/inner"])), ["a/inner/y allow"]);
}

#[test]
fn a_comment_in_one_folder_and_the_policy_of_another_suppress_a_token() {
    let tree = Tree::new();
    tree.write("a/.ddpatrol.toml", allow(1, "an example of a's"));
    tree.write("a/x", token(1));
    tree.write("b/x", format!("{} # ddpatrol:allow an example", token(1)));
    let ran = scan(&tree, &["a", "b"]);
    assert_eq!(suppressions(&ran), ["a/x allow"], "{ran:?}");
    tree.write("b/y", token(1));
    assert_eq!(suppressions(&scan(&tree, &["a", "b"])), ["a/x"]);
    assert_eq!(suppressions(&scan(&tree, &["a/x"])), ["a/x allow"]);
    let ran = tree.run_with_input(
        &["scan", "-", "--report", "json", "--config", "a/.ddpatrol.toml"],
        token(1).as_bytes(),
    );
    assert_eq!(suppressions(&ran), ["- allow"]);
}

#[test]
fn a_baseline_that_does_not_apply_because_of_config_is_named() {
    let tree = Tree::new();
    tree.write("own.toml", "");
    tree.write("b/.ddpatrol-baseline.json", baseline(1, "x"));
    tree.write("b/x", token(1));
    tree.write("a/x", token(2));
    std::fs::create_dir_all(tree.path().join("b/.git")).expect("a folder");
    let ran = scan(&tree, &["a", "b", "--files-only", "--config", "own.toml"]);
    assert_eq!(suppressions(&ran), ["a/x", "b/x"]);
    let notes = notes(&ran);
    assert!(
        notes.contains("not applied") && notes.contains("b/.ddpatrol-baseline.json"),
        "{notes}"
    );
    assert_eq!(suppressions(&scan(&tree, &["a", "b", "--files-only"])), ["a/x", "b/x baseline"]);
}
