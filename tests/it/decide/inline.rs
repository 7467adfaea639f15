//! `ddpatrol:allow REASON` in the line of a token.

use super::*;
use crate::changes::repo::Repo;

#[test]
fn a_reason_in_the_line_suppresses_what_stands_in_it_and_nothing_else() {
    let tree = Tree::new();
    let (a, b) = (token(1), token(2));
    tree.write("x", format!("a = {a} # ddpatrol:allow the documentation's example\nb = {b}\n"));
    let ran = scan(&tree, &[]);
    assert_eq!((ran.code(), standings(&ran)), (Some(1), vec!["x".into(), "x inline".into()]));
    assert_eq!(suppressed(&ran)["inline"], 1);
    let report = ran.json();
    let findings = report["findings"].as_array().expect("a list");
    let reason = findings.iter().find_map(|it| it["suppression"]["reason"].as_str());
    assert_eq!(reason, Some("the documentation's example"));
    let ran = scan(&tree, &["--no-inline-allow"]);
    assert_eq!(standings(&ran), ["x", "x"]);
    tree.write("x", format!("a = {a} # ddpatrol:allow\n"));
    let ran = scan(&tree, &[]);
    assert_eq!((ran.code(), standings(&ran)), (Some(1), vec!["x".into()]));
    let text = tree.run(&["scan"]).stdout();
    assert!(text.contains("without a reason has no effect"), "{text}");
}

#[test]
fn a_token_that_stands_elsewhere_too_still_counts() {
    let tree = Tree::new();
    tree.write("x", format!("{} # ddpatrol:allow an example", token(1)));
    assert_eq!(scan(&tree, &[]).code(), Some(0));
    tree.write("y", token(1));
    assert_eq!(scan(&tree, &[]).code(), Some(1));
}

#[test]
fn it_is_read_at_the_edges_of_windows_and_within_a_bounded_distance() {
    let tree = Tree::new();
    for fill in [262_000, 262_100, 262_144, 262_200, 524_200] {
        let mut text = "x\n".repeat(fill / 2);
        text.push_str(&format!("{} # ddpatrol:allow an example\n", token(1)));
        text.push_str(&"y\n".repeat(200_000));
        tree.write("x", text);
        assert_eq!(standings(&scan(&tree, &[])), ["x inline"], "{fill}");
    }
    tree.write("x", format!("{}{} ddpatrol:allow an example", token(1), "z".repeat(600)));
    assert_eq!(standings(&scan(&tree, &[])), ["x"], "too far to be about the token");
}

#[test]
fn it_covers_earlier_versions_of_the_same_file_and_no_other_file() {
    let repo = Repo::of(&[("doc", &token(1))]);
    let allowed = format!("{} <!-- ddpatrol:allow the documentation's example -->", token(1));
    repo.commit(&[("doc", &allowed)], "say why");
    let ran = repo.run(&["scan", "--report", "json"]);
    assert_eq!((ran.code(), standings(&ran)), (Some(0), vec!["doc inline".into()]));
    repo.commit(&[("other", &token(1))], "again");
    assert_eq!(repo.run(&["scan"]).code(), Some(1));
}

#[test]
fn what_is_staged_may_say_so_itself_and_a_range_is_shown_and_judged() {
    let repo = Repo::of(&[("x", "clean")]);
    let line = format!("{} # ddpatrol:allow an example", token(1));
    repo.stage(&[("x", &line)]);
    let ran = repo.run(&["staged", "--report", "json"]);
    assert_eq!((ran.code(), standings(&ran)), (Some(0), vec!["x inline".into()]));
    assert_eq!(repo.run(&["staged", "--no-inline-allow"]).code(), Some(1));
    repo.git(&["commit", "-q", "-m", "an example"]);
    let ran = repo.run(&["range", "HEAD~1..HEAD"]);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert!(
        ran.stdout().contains("inline ddpatrol:allow (an example) has no effect here"),
        "{ran:?}"
    );
    assert_eq!(repo.run(&["range", "HEAD~1..HEAD", "--trust-head"]).code(), Some(0));
    repo.commit(&[("y", "clean")], "after the merge");
    assert_eq!(repo.run(&["range", "HEAD~1..HEAD"]).code(), Some(0));
}

#[test]
fn a_reason_that_holds_a_token_is_masked() {
    let tree = Tree::new();
    let other = token(2);
    tree.write("x", format!("{} # ddpatrol:allow beside {other} it is fine", token(1)));
    for format in ["text", "json", "jsonl", "sarif"] {
        let told = tree.run(&["scan", "--report", format, "--sarif-suppressed"]).stdout();
        assert!(!told.contains(&other[30..]) && !told.contains(&token(1)[30..]), "{told}");
    }
}

#[test]
fn a_line_of_utf16_can_allow_its_token() {
    let tree = Tree::new();
    let line = format!("\u{feff}set KEY={} # ddpatrol:allow a test's\r\n", token(1));
    tree.write("le", crate::encode::utf16_le(&line));
    tree.write("be", crate::encode::utf16_be(&line.replace(&token(1), &token(2))));
    let ran = scan(&tree, &[]);
    assert_eq!(
        (ran.code(), standings(&ran)),
        (Some(0), vec!["be inline".into(), "le inline".into()])
    );
    assert_eq!(ran.json()["findings"][0]["suppression"]["reason"], "a test's");
}
