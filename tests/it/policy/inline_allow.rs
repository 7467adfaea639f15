//! `ddpatrol:allow REASON` in the line of a token.

use super::*;
use crate::support::repo::Repo;

#[test]
fn an_inline_allow_suppresses_only_the_tokens_of_its_line() {
    let tree = Tree::new();
    let (a, b) = (token(1), token(2));
    tree.write("x", format!("a = {a} # ddpatrol:allow the documentation's example\nb = {b}\n"));
    let ran = scan(&tree, &[]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["x".into(), "x inline".into()]));
    assert_eq!(suppressed(&ran)["inline"], 1);
    let report = ran.json();
    let findings = report["findings"].as_array().expect("a list");
    let reason = findings.iter().find_map(|it| it["suppression"]["reason"].as_str());
    assert_eq!(reason, Some("the documentation's example"));
    let ran = scan(&tree, &["--no-inline-allow"]);
    assert_eq!(suppressions(&ran), ["x", "x"]);
    tree.write("x", format!("a = {a} # ddpatrol:allow\n"));
    let ran = scan(&tree, &[]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["x".into()]));
    let text = tree.run(&["scan"]).stdout();
    assert!(text.contains("without a reason has no effect"), "{text}");
}

#[test]
fn a_token_with_another_location_still_counts() {
    let tree = Tree::new();
    tree.write("x", format!("{} # ddpatrol:allow an example", token(1)));
    assert_eq!(scan(&tree, &[]).code(), Some(0));
    tree.write("y", token(1));
    assert_eq!(scan(&tree, &[]).code(), Some(1));
}

#[test]
fn an_inline_allow_is_found_at_window_edges_within_a_bounded_distance() {
    let tree = Tree::new();
    for fill in [262_000, 262_100, 262_144, 262_200, 524_200] {
        let mut text = "x\n".repeat(fill / 2);
        text.push_str(&format!("{} # ddpatrol:allow an example\n", token(1)));
        text.push_str(&"y\n".repeat(200_000));
        tree.write("x", text);
        assert_eq!(suppressions(&scan(&tree, &[])), ["x inline"], "{fill}");
    }
    tree.write("x", format!("{}{} ddpatrol:allow an example", token(1), "z".repeat(600)));
    assert_eq!(suppressions(&scan(&tree, &[])), ["x"], "too far from the token");
}

#[test]
fn an_inline_allow_covers_earlier_versions_of_its_file_only() {
    let repo = Repo::with_files(&[("doc", &token(1))]);
    let allowed = format!("{} <!-- ddpatrol:allow the documentation's example -->", token(1));
    repo.commit_files(&[("doc", &allowed)], "say why");
    let ran = repo.run(&["scan", "--report", "json"]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(0), vec!["doc inline".into()]));
    repo.commit_files(&[("other", &token(1))], "again");
    assert_eq!(repo.run(&["scan"]).code(), Some(1));
}

#[test]
fn a_staged_inline_allow_applies_and_one_in_a_range_is_shown_and_does_not() {
    let repo = Repo::with_files(&[("x", "clean")]);
    let line = format!("{} # ddpatrol:allow an example", token(1));
    repo.stage(&[("x", &line)]);
    let ran = repo.run(&["staged", "--report", "json"]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(0), vec!["x inline".into()]));
    assert_eq!(repo.run(&["staged", "--no-inline-allow"]).code(), Some(1));
    repo.git(&["commit", "-q", "-m", "an example"]);
    let ran = repo.run(&["range", "HEAD~1..HEAD"]);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert!(
        ran.stdout().contains("inline ddpatrol:allow (an example) has no effect here"),
        "{ran:?}"
    );
    assert_eq!(repo.run(&["range", "HEAD~1..HEAD", "--trust-head"]).code(), Some(0));
    repo.commit_files(&[("y", "clean")], "after the merge");
    assert_eq!(repo.run(&["range", "HEAD~1..HEAD"]).code(), Some(0));
}

#[test]
fn a_reason_with_a_token_is_masked() {
    let tree = Tree::new();
    let other = token(2);
    tree.write("x", format!("{} # ddpatrol:allow beside {other} it is fine", token(1)));
    for format in ["text", "json", "jsonl", "sarif"] {
        let printed = tree.run(&["scan", "--report", format, "--sarif-suppressed"]).stdout();
        assert!(!printed.contains(&other[30..]) && !printed.contains(&token(1)[30..]), "{printed}");
    }
}

#[test]
fn an_inline_allow_in_utf16_applies() {
    let tree = Tree::new();
    let line = format!("\u{feff}set KEY={} # ddpatrol:allow a test's\r\n", token(1));
    tree.write("le", crate::support::encode::utf16_le(&line));
    tree.write("be", crate::support::encode::utf16_be(&line.replace(&token(1), &token(2))));
    let ran = scan(&tree, &[]);
    assert_eq!(
        (ran.code(), suppressions(&ran)),
        (Some(0), vec!["be inline".into(), "le inline".into()])
    );
    assert_eq!(ran.json()["findings"][0]["suppression"]["reason"], "a test's");
}
