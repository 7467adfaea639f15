//! `ddpatrol baseline` and `--baseline`.

use super::*;
use crate::support::repo::Repo;
use serde_json::json;

const FILE: &str = ".ddpatrol-baseline.json";

fn places(tree: &Tree) -> Value {
    let text = std::fs::read_to_string(tree.path().join(FILE)).expect("a baseline");
    let baseline: Value = serde_json::from_str(&text).expect("JSON");
    let tokens = baseline["tokens"].as_array().expect("a list");
    Value::Array(tokens.iter().map(|it| it["places"].clone()).collect())
}

#[test]
fn baseline_entries_survive_moves_and_reformatting() {
    let tree = Tree::new();
    tree.write("a/x", token(1));
    let ran = tree.run(&["baseline", "create"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.stdout().contains("1 token added, 0 dropped, 0 kept"), "{ran:?}");
    assert!(!ran.stdout().contains(&token(1)[30..]));
    let text = std::fs::read_to_string(tree.path().join(FILE)).expect("a baseline");
    assert!(!text.contains(&token(1)[30..]), "{text}");
    let known = ["--baseline", FILE];
    let ran = scan(&tree, &known);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(0), vec!["a/x baseline".into()]));
    assert_eq!(
        suppressed(&ran),
        json!({"inline": 0, "allowed": 0, "baseline": 1, "new_places": 0})
    );
    tree.write("a/x", format!("\n\n  key: {}\n", token(1)));
    assert_eq!(scan(&tree, &known).code(), Some(0), "reformatted");
    std::fs::rename(tree.path().join("a"), tree.path().join("b")).expect("it is moved");
    let ran = scan(&tree, &known);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(0), vec!["b/x baseline".into()]));
    assert_eq!(suppressed(&ran)["new_places"], 1);
    assert_eq!(ran.json()["findings"][0]["locations"][0]["new_place"], true);
    let text = tree.run(&["scan", "--baseline", FILE]).stdout();
    assert!(text.contains("new place: the baseline does not list the token here"), "{text}");
    tree.write("c", token(2));
    let ran = scan(&tree, &known);
    assert_eq!(
        (ran.code(), suppressions(&ran)),
        (Some(1), vec!["b/x baseline".into(), "c".into()])
    );
}

#[test]
fn an_update_adds_and_drops_entries_and_keeps_reasons() {
    let tree = Tree::new();
    tree.write("x", token(1));
    tree.write("y", token(2));
    tree.run(&["baseline", "create"]);
    let path = tree.path().join(FILE);
    let text = std::fs::read_to_string(&path).expect("a baseline");
    let mut baseline: Value = serde_json::from_str(&text).expect("JSON");
    for entry in baseline["tokens"].as_array_mut().expect("a list") {
        entry["reason"] = json!("to be rotated in May");
    }
    std::fs::write(&path, baseline.to_string()).expect("a file");
    std::fs::remove_file(tree.path().join("x")).expect("the file exists");
    tree.write("z", token(3));
    let ran = tree.run(&["baseline", "update", "--files-only"]);
    assert!(ran.stdout().contains("1 token added, 0 dropped, 2 kept"), "narrowed: {ran:?}");
    let ran = tree.run(&["baseline", "update"]);
    assert!(ran.stdout().contains("0 tokens added, 1 dropped, 2 kept"), "{ran:?}");
    let shown = tree.run(&["baseline", "show"]).stdout();
    assert!(shown.contains("to be rotated in May") && shown.contains("2 known tokens."), "{shown}");
    let ran = scan(&tree, &["--baseline", FILE]);
    let reasons: Vec<_> = ran.json()["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["suppression"]["reason"].clone())
        .collect();
    assert!(reasons.contains(&json!("to be rotated in May")), "{reasons:?}");
    assert_eq!(ran.json().get("unused"), None);
    std::fs::remove_file(tree.path().join("y")).expect("the file exists");
    let text = tree.run(&["scan", "--baseline", FILE]).stdout();
    assert!(text.contains("The baseline entry") && text.contains("is unused"), "{text}");
}

#[test]
fn entries_of_unreadable_files_are_not_dropped() {
    let tree = Tree::new();
    tree.write("x", token(1));
    tree.run(&["baseline", "create"]);
    std::fs::remove_file(tree.path().join("x")).expect("the file exists");
    let ran = tree.run(&["baseline", "update", ".", "nope"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stdout().contains("0 dropped, 1 kept"), "{ran:?}");
}

#[test]
fn a_baseline_is_not_overwritten_and_invalid_ones_are_rejected() {
    let tree = Tree::new();
    tree.write("x", token(1));
    let ran = tree.run(&["baseline", "update"]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().contains("does not exist: run `ddpatrol baseline create`"), "{ran:?}");
    assert_eq!(tree.run(&["baseline", "create"]).code(), Some(0));
    let ran = tree.run(&["baseline", "create"]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().contains("already exists: run `ddpatrol baseline update`"), "{ran:?}");
    tree.write(FILE, "[]");
    for command in
        [&["scan", "--baseline", FILE][..], &["baseline", "update"], &["baseline", "show"]]
    {
        let ran = tree.run(command);
        assert_eq!(ran.code(), Some(2), "{command:?}: {ran:?}");
        assert!(ran.stderr().contains("line 1, column"), "{command:?}: {ran:?}");
    }
    let ran = tree.run(&["scan", "--baseline", "nope.json"]);
    assert!(ran.stderr().contains("nope.json does not exist"), "{ran:?}");
}

#[test]
fn paths_are_relative_to_the_work_tree_and_rebases_change_nothing() {
    let repo = Repo::with_files(&[("sub/x", &token(1))]);
    repo.commit_files(&[("sub/y", "clean")], &format!("a message with {}", token(2)));
    assert_eq!(
        repo.run_in(&repo.path().join("sub"), &["baseline", "create", ".."], &[]).code(),
        Some(0)
    );
    let known = |folder: &str, path: &str| {
        let file = repo.path().join(FILE);
        let args = ["scan", path, "--report", "json", "--baseline", &file.to_string_lossy()];
        let ran = repo.run_in(&repo.path().join(folder), &args, &[]);
        assert_eq!(ran.code(), Some(0), "{ran:?}");
        suppressed(&ran)
    };
    let wanted = json!({"inline": 0, "allowed": 0, "baseline": 2, "new_places": 0});
    assert_eq!(known("", "."), wanted);
    assert_eq!(known("sub", ".."), wanted);
    assert_eq!(known("..", "repo"), wanted);
    assert_eq!(known("..", &repo.path().to_string_lossy()), wanted);
    // Other commits with the same content.
    repo.git(&["commit", "-q", "--amend", "-m", &format!("another one with {}", token(2))]);
    assert_eq!(known("", "."), wanted);
}

#[test]
fn the_baseline_file_is_not_scanned_and_its_places_are_sorted() {
    let tree = Tree::new();
    tree.write("b", token(1));
    tree.write("a", token(1));
    tree.run(&["baseline", "create"]);
    assert_eq!(places(&tree), json!([["a", "b"]]));
}

#[test]
fn tokens_in_names_are_masked_and_stay_in_the_baseline() {
    let (plain, gone) = (token(1), token(2));
    let coded = crate::support::encode::base64_url(format!("user:{}", token(3)).as_bytes());
    let repo = Repo::with_files(&[(&format!("{plain}.txt"), "hi"), (&format!("{gone}/x"), "hi")]);
    repo.git(&["rm", "-qr", &gone]);
    repo.commit_files(&[(&coded, "hi")], "another");
    let path = repo.path().join(FILE);
    for command in ["create", "update"] {
        let ran = repo.run(&["baseline", command]);
        assert_eq!(ran.code(), Some(0), "{ran:?}");
        let text = std::fs::read_to_string(&path).expect("a baseline");
        for secret in [&plain[30..], &gone[30..], &coded[20..]] {
            assert!(!text.contains(secret), "{text}");
        }
        let ran = repo.run(&["scan", "--baseline", FILE, "--report", "json"]);
        let wanted = json!({"inline": 0, "allowed": 0, "baseline": 3, "new_places": 0});
        assert_eq!((ran.code(), suppressed(&ran)), (Some(0), wanted), "{ran:?}");
    }
}

#[test]
fn entries_outside_of_a_partial_scan_are_kept_and_not_reported_as_unused() {
    let repo = Repo::with_files(&[("sub/x", &token(1)), ("y", &token(2)), ("sub/y", &token(2))]);
    assert_eq!(repo.run(&["baseline", "create"]).code(), Some(0));
    let before = std::fs::read_to_string(repo.path().join(FILE)).expect("a baseline");
    let sub = repo.path().join("sub");
    for (folder, args) in [
        (repo.path(), &["baseline", "update", "sub"][..]),
        (repo.path(), &["baseline", "update", "y"]),
        (&sub, &["baseline", "update"]),
    ] {
        let ran = repo.run_in(folder, args, &[]);
        assert!(ran.stdout().contains("0 tokens added, 0 dropped, 2 kept"), "{args:?}: {ran:?}");
        let after = std::fs::read_to_string(repo.path().join(FILE)).expect("a baseline");
        assert_eq!(after, before, "{args:?}");
    }
    let file = repo.path().join(FILE);
    let scan = ["scan", "--baseline", &file.to_string_lossy()];
    let text = repo.run_in(&sub, &scan, &[]).stdout();
    assert!(!text.contains("is unused"), "{text}");
    std::fs::remove_file(repo.path().join("y")).expect("the file exists");
    std::fs::remove_dir_all(repo.path().join(".git")).expect("the file exists");
    let ran = repo.run(&["baseline", "update"]);
    assert!(ran.stdout().contains("0 tokens added, 0 dropped, 2 kept"), "{ran:?}");
}

#[test]
fn folders_outside_of_a_work_tree_are_updated_separately() {
    let tree = Tree::new();
    for (path, seed) in [("a/x", 1), ("b/x", 2), ("a/y", 3), ("b/y", 3), ("ab/x", 4)] {
        tree.write(path, token(seed));
    }
    tree.run(&["baseline", "create", "a", "b", "ab"]);
    for path in ["a/x", "a/y", "ab/x", "b/x"] {
        std::fs::remove_file(tree.path().join(path)).expect("the file exists");
    }
    let text = tree.run(&["scan", "a", "--baseline", FILE]).stdout();
    assert_eq!(text.matches("is unused").count(), 1, "{text}");
    let ran = tree.run(&["baseline", "update", "a"]);
    assert!(ran.stdout().contains("0 tokens added, 1 dropped, 3 kept"), "{ran:?}");
    let ran = tree.run(&["baseline", "update", "."]);
    assert!(ran.stdout().contains("0 tokens added, 2 dropped, 1 kept"), "{ran:?}");
    assert_eq!(places(&tree), json!([["b/y"]]));
}

#[test]
fn the_baseline_of_the_configuration_is_shown() {
    let tree = Tree::new();
    tree.write("x", token(1));
    tree.write(".ddpatrol.toml", "baseline = \"known/tokens.json\"\n");
    tree.write("known/y", "clean");
    assert_eq!(tree.run(&["baseline", "create"]).code(), Some(0));
    let shown = tree.run(&["baseline", "show"]).stdout();
    assert!(shown.contains("1 known token."), "{shown}");
}

#[test]
fn the_baseline_at_the_top_is_used_without_an_option() {
    let repo = Repo::with_files(&[("x", &token(1)), ("sub/y", &token(2))]);
    assert_eq!(repo.run(&["scan"]).code(), Some(1));
    let ran = repo.run_in(&repo.path().join("sub"), &["baseline", "create", ".."], &[]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(repo.path().join(FILE).exists());
    for args in [&["scan"][..], &["scan", "sub"], &["scan", "--config", "x.toml"]] {
        repo.write("x.toml", "");
        let ran = repo.run(args);
        assert_eq!(ran.code(), Some(0), "{args:?}: {ran:?}");
        assert!(ran.stdout().contains("using baseline .ddpatrol-baseline.json"), "{ran:?}");
    }
    assert_eq!(repo.run(&["scan", "--no-config"]).code(), Some(1));
    repo.write("empty.json", r#"{"schema": "ddpatrol-baseline/1", "tokens": []}"#);
    assert_eq!(repo.run(&["scan", "--baseline", "empty.json"]).code(), Some(1));
    repo.write(FILE, "{");
    let ran = repo.run(&["scan"]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().contains("invalid baseline .ddpatrol-baseline.json"), "{ran:?}");
}

#[test]
fn a_change_cannot_bring_its_own_baseline() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.git(&["checkout", "-q", "-b", "topic"]);
    repo.write("x", token(1));
    assert_eq!(repo.run(&["baseline", "create"]).code(), Some(0));
    repo.commit_files(&[], "mine");
    let ran = repo.run(&["range", "main..topic"]);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert!(ran.stdout().contains("`.ddpatrol-baseline.json` is added by this change"), "{ran:?}");
    assert_eq!(repo.run(&["range", "main..topic", "--trust-head"]).code(), Some(0));
    // After the merge, the baseline is that of the base.
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["merge", "-q", "topic"]);
    repo.git(&["checkout", "-q", "-b", "later"]);
    repo.commit_files(&[("y", &token(1))], "again");
    let ran = repo.run(&["range", "main..later"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.stdout().contains("using baseline .ddpatrol-baseline.json of "), "{ran:?}");
}
