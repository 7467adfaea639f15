//! Attribution: commits that introduce and remove a token, and references that reach it.

use super::{introduced, is_reachable, refs, removed, token};
use crate::support::repo::{Repo, START};
use serde_json::Value;

#[test]
fn a_merged_token_is_attributed_to_its_branch_commit() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    repo.git(&["checkout", "-q", "-b", "side"]);
    let on_side = repo.commit_file("deep/y", token(1));
    repo.git(&["checkout", "-q", "main"]);
    repo.commit_file("z", "main");
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    let place = repo.scan_history().only_location(&token(1));
    assert_eq!(introduced(&place), on_side);
    assert_eq!(
        (removed(&place), refs(&place)),
        (vec![], vec!["refs/heads/main", "refs/heads/side"])
    );
    assert_eq!(place["git"]["in_head"], true);
}

#[test]
fn a_token_in_a_renamed_file_is_introduced_at_both_paths() {
    let repo = Repo::new();
    let first = repo.commit_file("old/name", format!("{}\n", token(1)));
    repo.write("new/name", format!("{}\n", token(1)));
    repo.remove("old/name");
    let second = repo.commit("rename");
    let places = repo.scan_history().locations(&token(1));
    let printed: Vec<_> = places.iter().map(|it| (introduced(it), removed(it))).collect();
    assert_eq!(printed, [(&*first, vec![&*second]), (&*second, vec![])]);
    let paths: Vec<_> = places.iter().map(|it| it["path"].as_str()).collect();
    assert_eq!(paths, [Some("old/name"), Some("new/name")]);
    let in_head: Vec<_> = places.iter().map(|it| it["git"]["in_head"].as_bool()).collect();
    assert_eq!(in_head, [Some(false), Some(true)]);
}

#[test]
fn a_token_removed_and_added_again_has_two_introductions_and_one_removal() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    let first = repo.commit_file("x", token(1));
    repo.git(&["revert", "--no-edit", "HEAD"]);
    let reverted = repo.id("HEAD");
    repo.git(&["revert", "--no-edit", "HEAD"]);
    let again = repo.id("HEAD");
    let places = repo.scan_history().locations(&token(1));
    let commits: Vec<_> = places.iter().map(introduced).collect();
    assert_eq!(commits, [&first, &again]);
    assert!(places.iter().all(|it| removed(it) == [&reverted] && it["git"]["in_head"] == true));
}

#[test]
fn edits_of_a_file_do_not_reintroduce_its_token() {
    let repo = Repo::new();
    let text = |n: usize| format!("{}a = {}\n{}", "#\n".repeat(n), token(1), "é\n".repeat(n));
    let first = repo.commit_file("x", text(3));
    for n in 4..10 {
        repo.commit_file("x", text(n));
    }
    let last = repo.commit_file("x", "clean");
    let ran = repo.scan_history();
    let place = ran.only_location(&token(1));
    assert_eq!((introduced(&place), removed(&place)), (&*first, vec![&*last]));
    assert_eq!(place["git"]["object"], repo.id(&format!("{first}:x")));
    assert_eq!(place["line"], 4, "in the introducing blob");
    let objects = ran.finding(&token(1)).expect("it is found")["objects"].clone();
    assert_eq!(objects.as_array().map(Vec::len), Some(7));
}

#[test]
fn line_and_column_are_those_of_the_introducing_blob() {
    let repo = Repo::new();
    let first = repo.commit_file("x", format!("one\r\ntwo\n\té日本😀 k={}\n", token(1)));
    repo.commit_file("x", format!("{}\n", token(1)));
    let place = repo.scan_history().only_location(&token(1));
    assert_eq!(introduced(&place), first);
    assert_eq!((&place["line"], &place["column"]), (&3.into(), &10.into()));
    assert_eq!(place["end_column"], 10 + token(1).len());
    assert_eq!(place["offset"], "one\r\ntwo\n\té日本😀 k=".len());
    assert_eq!(place["length"], token(1).len());
}

#[test]
fn a_token_in_several_root_commits_is_introduced_by_each() {
    let repo = Repo::new();
    let first = repo.commit_file("x", token(1));
    repo.git(&["checkout", "-q", "--orphan", "other"]);
    let root = repo.commit_file("y", "another root");
    let second = repo.commit_file("y", token(1));
    repo.git(&["checkout", "-q", "--orphan", "third"]);
    let third = repo.commit_file("x", format!("{}\n", token(1)));
    repo.git(&["merge", "-q", "--allow-unrelated-histories", "-X", "ours", "-m", "m", "main"]);
    let places = repo.scan_history().locations(&token(1));
    let commits: Vec<_> = places.iter().map(introduced).collect();
    // The root commit contains the files that are still in the index.
    let mut expected = vec![&*first, &*root, &*second, &*third, &*third];
    expected.sort_unstable();
    let mut sorted = commits.clone();
    sorted.sort_unstable();
    assert_eq!((sorted, commits[0]), (expected, &*first));
}

#[test]
fn the_ancestor_is_listed_first_even_if_its_date_is_later() {
    let repo = Repo::new();
    repo.set_clock(START + 1_000_000);
    let first = repo.commit_file("z", token(1));
    let mut expected = vec![first];
    for n in 1..6 {
        repo.set_clock(START + 1_000_000 - n * 10_000);
        expected.push(repo.commit_file(&format!("copy{}", 9 - n), token(1)));
    }
    let places = repo.scan_history().locations(&token(1));
    let commits: Vec<_> = places.iter().map(introduced).collect();
    assert_eq!(commits, expected);
}

#[test]
fn a_blob_at_several_paths_is_introduced_at_each() {
    let repo = Repo::new();
    for path in ["a", "b/a", "b/c/a", "b/c/d"] {
        repo.write(path, token(1));
    }
    let first = repo.commit("four");
    let second = repo.commit_file("e/a", token(1));
    let ran = repo.scan_history();
    let mut paths: Vec<_> = ran
        .locations(&token(1))
        .iter()
        .map(|it| (introduced(it).to_owned(), it["path"].as_str().expect("a path").to_owned()))
        .collect();
    paths[..4].sort();
    let expected =
        [(&first, "a"), (&first, "b/a"), (&first, "b/c/a"), (&first, "b/c/d"), (&second, "e/a")];
    assert_eq!(paths, expected.map(|(commit, path)| (commit.clone(), path.to_owned())));
    let objects = ran.finding(&token(1)).expect("it is found")["objects"].clone();
    assert_eq!(objects.as_array().map(Vec::len), Some(1), "one blob");
}

#[test]
fn a_token_in_many_blobs_is_one_finding_with_the_first_commit_first() {
    let repo = Repo::new();
    let first = repo.commit_file("zz", format!("first {}", token(1)));
    for n in 0..9 {
        repo.commit_file(&format!("a{n}"), format!("{n} {}", token(1)));
    }
    let ran = repo.scan_history();
    let finding = ran.finding(&token(1)).expect("it is found");
    assert_eq!(finding["objects"].as_array().map(Vec::len), Some(10));
    assert_eq!(finding["locations"].as_array().map(Vec::len), Some(10));
    assert_eq!(introduced(&finding["locations"][0]), first);
    assert_eq!(finding["locations"][0]["path"], "zz");
}

#[test]
fn a_token_in_work_tree_and_history_is_one_finding_with_its_commit_first() {
    let repo = Repo::new();
    let first = repo.commit_file("x", token(1));
    let ran = repo.scan(&[]);
    let places = ran.locations(&token(1));
    assert_eq!(places.len(), 2);
    assert_eq!((introduced(&places[0]), &places[0]["path"]), (&*first, &places[1]["path"]));
    assert_eq!(places[1].get("git"), None);
    assert_eq!(ran.json()["summary"]["proven"], 1);
    assert_eq!(repo.scan(&["--history-only"]).locations(&token(1)).len(), 1);
    assert_eq!(repo.scan(&["--files-only"]).only_location(&token(1)).get("git"), None);
    let ran = repo.scan(&["--files-only"]).json();
    assert_eq!(ran["summary"]["left_out"]["git_folders"], 1, "skipped histories are counted");
}

#[test]
fn up_to_ten_references_that_reach_a_token_are_listed_and_all_are_counted() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    let first = repo.commit_file("x", token(1));
    repo.git(&["branch", "before", "HEAD^"]);
    for n in 0..15 {
        repo.git(&["tag", &format!("v{n:02}")]);
    }
    repo.git(&["tag", "-a", "annotated", "-m", "it leads to the commit", &first]);
    let place = repo.scan_history().only_location(&token(1));
    assert_eq!(place["git"]["refs_total"], 17);
    let named = refs(&place);
    assert_eq!((named.len(), named[0], named[1]), (10, "refs/heads/main", "refs/tags/annotated"));
    assert!(!named.contains(&"refs/heads/before"));
}

#[test]
fn a_token_reachable_only_from_a_detached_head_lists_head() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    repo.git(&["checkout", "-q", "--detach"]);
    repo.commit_file("x", token(1));
    let place = repo.scan_history().only_location(&token(1));
    assert!(is_reachable(&place));
    assert_eq!((refs(&place), &place["git"]["refs_total"]), (vec!["HEAD"], &1.into()));
    let text = repo.run_without_git(repo.path(), &["scan", "--history-only", "--explain"]).stdout();
    assert!(text.contains("still in HEAD; on HEAD\n"), "{text}");
}

#[test]
fn every_branch_that_removes_a_token_is_reported() {
    let repo = Repo::new();
    let first = repo.commit_file("x", token(1));
    repo.commit_file("other", "nothing");
    let on_main = repo.commit_removal("x");
    repo.git(&["checkout", "-q", "-b", "side", &first]);
    let on_side = repo.commit_file("x", "clean");
    let place = repo.scan_history().only_location(&token(1));
    assert_eq!((introduced(&place), removed(&place)), (&*first, vec![&*on_main, &*on_side]));
    let text = repo.run_without_git(repo.path(), &["scan", "--history-only"]).stdout();
    assert!(text.contains(&format!("removed by {}", &on_main[..12])), "{text}");
    assert!(text.contains("and 1 more; on main, side"), "{text}");
}

/// Returns the introductions of a token found by comparing every commit with its parents with git.
fn naive(repo: &Repo, token: &str) -> Vec<(String, String)> {
    let holds = |commit: &str| -> Vec<String> {
        let found = repo.command(repo.path(), &["grep", "-I", "-l", "-F", "-e", token, commit]);
        let output = { found }.output().expect("git runs");
        let text = String::from_utf8(output.stdout).expect("paths are UTF-8");
        text.lines().map(|line| line.split_once(':').expect("a path").1.to_owned()).collect()
    };
    let mut found = Vec::new();
    for line in repo.git(&["rev-list", "--all", "--parents"]).lines() {
        let mut ids = line.split(' ');
        let commit = ids.next().expect("a commit");
        let before: Vec<String> = ids.flat_map(holds).collect();
        let new = holds(commit).into_iter().filter(|path| !before.contains(path));
        found.extend(new.map(|path| (commit.to_owned(), path)));
    }
    found.sort();
    found
}

#[test]
fn introductions_match_git_grep_on_a_history_with_merges() {
    let repo = Repo::new();
    let mut random = crate::support::mint::Random(7);
    repo.commit_file("f0", "root");
    for n in 0..30 {
        let branch = format!("b{}", random.below(4));
        let made = repo.git(&["branch", "--list", &branch]).is_empty();
        let args: &[&str] = if made { &["-b"] } else { &[] };
        repo.git(&[&["checkout", "-q"], args, &[&branch]].concat());
        let path = ["a", "b", "d/a", "d/e/a", "d/e/b"][random.below(5)];
        match random.below(4) {
            0 => {
                let other = repo.git(&["for-each-ref", "--format=%(refname)", "refs/heads"]);
                let other =
                    other.lines().nth(random.below(3)).unwrap_or("refs/heads/main").to_owned();
                repo.git(&["merge", "-q", "-X", "ours", "-m", &format!("merge {n}"), &other]);
            }
            1 => drop(repo.commit_file(path, format!("{n}"))),
            _ => drop(repo.commit_file(path, format!("{n}\n{}\n", token(1)))),
        }
        if n == 15 {
            repo.git(&["repack", "-adq"]);
        }
    }
    let mut printed: Vec<(String, String)> = repo
        .scan_history()
        .locations(&token(1))
        .iter()
        .map(|it: &Value| {
            (introduced(it).to_owned(), it["path"].as_str().expect("a path").to_owned())
        })
        .collect();
    printed.sort();
    assert!(printed.len() > 5);
    assert_eq!(printed, naive(&repo, &token(1)));
}
