//! Keys in git objects: every packing and every change of a version is searched.

use super::{GROUP, described, ed25519, keys, ssh_key};
use crate::support::mint::Random;
use crate::support::repo::Repo;
use crate::support::tree::Tree;
use std::collections::BTreeSet;

/// Returns the ids of the blobs that contain a text, by a search in each of them.
fn holders(repo: &Repo, text: &str) -> BTreeSet<String> {
    let list = repo.git(&["cat-file", "--batch-all-objects", "--batch-check"]);
    let blobs = list.lines().filter_map(|line| line.split_once(" blob ").map(|(id, _)| id));
    let has_text = |id: &&str| {
        let content = repo.git_bytes(&["cat-file", "blob", id], "");
        memchr::memmem::find(&content, text.as_bytes()).is_some()
    };
    blobs.filter(has_text).map(str::to_owned).collect()
}

#[test]
fn keys_in_a_history_are_those_of_a_naive_search() {
    let (tree, repo, mut random) = (Tree::new(), Repo::new(), Random(5));
    let generated: Vec<String> = [&["-t", "ed25519"][..], &["-t", "ecdsa"], &["-t", "rsa"]]
        .iter()
        .map(|args| ssh_key(&tree, args))
        .collect();
    let mut lines: Vec<String> = (0..150).map(|_| random.base62(30)).collect();
    let mut stream = String::new();
    for version in 0..120 {
        let at = random.below(lines.len());
        lines[at] = random.base62(30);
        let mut text = lines.clone();
        for (n, key) in generated.iter().enumerate() {
            let mut key = key.clone();
            match (version + n) % 6 {
                // Absent.
                0 | 1 => continue,
                // Cut off.
                2 => key.truncate(key.len() - 9),
                // A digit of the first line is another one, and then as before.
                3 => key.replace_range(60..61, if &key[60..61] == "A" { "B" } else { "A" }),
                _ => {}
            }
            text.insert(40 * n + random.below(3), key);
        }
        let text = text.join("\n");
        stream += "commit refs/heads/main\n";
        let time = 1_700_000_000 + version;
        stream += &format!("committer A <a@example.com> {time} +0000\ndata 1\n.\n");
        stream += &format!("M 100644 inline a.txt\ndata {}\n{text}\n", text.len());
    }
    repo.git_with_input(&["fast-import", "--quiet"], stream);
    let args = [&["scan", "--history-only", "--json", "."], &GROUP[..]].concat();
    for packing in [&["repack", "-adq"][..], &["repack", "-adfq", "--window=50", "--depth=50"]] {
        repo.git(packing);
        let report = repo.run(&args).json();
        for key in &generated {
            let expected = holders(&repo, key);
            assert!(expected.len() > 10);
            let description = described(&tree, key);
            let is_it = |it: &&serde_json::Value| it["token"]["redacted"] == *description;
            let findings = report["findings"].as_array().expect("findings");
            let finding = findings.iter().find(is_it).expect("the key");
            let objects = finding["objects"].as_array().expect("objects");
            let found: BTreeSet<String> =
                objects.iter().map(|it| it["id"].as_str().expect("an id").to_owned()).collect();
            assert_eq!(found, expected, "{description}");
        }
    }
}

#[test]
fn a_staged_key_is_found() {
    let (key, description) = ed25519();
    let repo = Repo::with_files(&[("x", "clean")]);
    repo.stage(&[("id", &key)]);
    let ran = repo.run(&[&["staged", "--json"], &GROUP[..]].concat());
    assert_eq!(keys(&ran), [("proven".to_owned(), description)]);
    assert_eq!(ran.code(), Some(1));
}

#[test]
fn a_saved_state_reports_the_same_keys_and_is_not_used_without_them() {
    let (key, description) = ed25519();
    let repo = Repo::with_files(&[("id", &key), ("x", "clean")]);
    repo.git(&["gc", "-q"]);
    let state = repo.sibling("state");
    let state = state.to_str().expect("a path");
    let with = [&["scan", "--history-only", "--json", "--state", state, "."], &GROUP[..]].concat();
    let without = ["scan", "--history-only", "--json", "--state", state, "."];
    for _ in 0..2 {
        assert_eq!(keys(&repo.run(&without)), []);
        for _ in 0..2 {
            assert_eq!(keys(&repo.run(&with)), [("proven".to_owned(), description.clone())]);
        }
    }
}
