//! Repositories with many references: number of git processes, new branches contained in other branches.

use super::{token, verdict};
use crate::support::repo::Repo;
use std::os::unix::fs::PermissionsExt;

const ZEROS: &str = "0000000000000000000000000000000000000000";

/// Creates a repository with `count` references, some of them tags, each at its own commit.
fn with_references(count: usize) -> Repo {
    let repo = Repo::with_files(&[("a", "clean")]);
    let mut stream = String::new();
    for number in 0..count {
        stream.push_str(&format!(
            "commit refs/remotes/origin/b{number}\ncommitter A <a@example.org> {number} +0000\n\
             data 1\nc\nfrom refs/heads/main^0\n"
        ));
        if number % 3 == 0 {
            stream.push_str(&format!(
                "tag v{number}\nfrom refs/remotes/origin/b{number}\n\
                 tagger A <a@example.org> {number} +0000\ndata 1\nt\n"
            ));
        }
    }
    let output = repo.try_git(repo.path(), &["fast-import", "--quiet"], &stream);
    assert!(output.status.success(), "{output:?}");
    repo
}

/// Runs ddpatrol and returns how often it starts `git`.
fn processes(repo: &Repo, arguments: &[&str], input: &str) -> usize {
    let folder = repo.parent().join("counting");
    let log = folder.join("log");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = std::env::var("PATH").expect("a PATH");
    let program =
        format!("#!/bin/sh\necho x >> '{}'\nPATH='{path}' exec git \"$@\"\n", log.display());
    std::fs::write(folder.join("git"), program).expect("a file");
    std::fs::set_permissions(folder.join("git"), PermissionsExt::from_mode(0o755)).expect("a mode");
    std::fs::write(&log, "").expect("a file");
    let path = format!("{}:{path}", folder.display());
    let ran = repo.run_with(arguments, input, &[("PATH", &path)]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    std::fs::read_to_string(&log).expect("a log").lines().count()
}

#[test]
fn the_number_of_processes_does_not_depend_on_the_number_of_references() {
    let counts: Vec<Vec<usize>> = [3, 60]
        .into_iter()
        .map(|references| {
            let repo = with_references(references);
            let old = repo.id("HEAD");
            let new = repo.commit_files(&[("b", "clean")], "more");
            let tips: Vec<String> =
                (0..references).map(|it| repo.id(&format!("refs/remotes/origin/b{it}"))).collect();
            let lines = |line: &dyn Fn(&str) -> String| -> String {
                tips.iter().map(|tip| line(tip)).collect()
            };
            let pushed = format!("refs/heads/main {new} refs/heads/main {old}\n")
                + &lines(&|tip| format!("x {new} refs/heads/x{tip} {tip}\n"))
                + &lines(&|tip| format!("x {tip} refs/heads/y{tip} {ZEROS}\n"));
            let received = format!("{old} {new} refs/heads/main\n")
                + &lines(&|tip| format!("{tip} {new} refs/heads/x{tip}\n"))
                + &lines(&|tip| format!("{ZEROS} {tip} refs/heads/y{tip}\n"));
            let zeros = format!("{ZEROS}..main~1");
            vec![
                processes(&repo, &["pre-push", "origin", "url"], &pushed),
                processes(&repo, &["pre-push", "other", "url"], &pushed),
                processes(&repo, &["pre-receive"], &received),
                processes(&repo, &["range", "--stdin"], &received),
                processes(&repo, &["range", &zeros], ""),
                processes(&repo, &["range", "--stdin"], &tips.join("\n")),
            ]
        })
        .collect();
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0].iter().all(|&count| count <= 5), "{counts:?}");
}

#[track_caller]
fn assert_range(repo: &Repo, revisions: &[&str], expected: &str) {
    let ran = repo.run(&[&["range", "--report", "json"], revisions].concat());
    assert_eq!(verdict(&ran), expected, "{revisions:?}: {ran:?}");
}

/// Creates a chain of commits. Each adds a token in a file named after its number and removes the
/// previous one.
fn chain(length: u64) -> Repo {
    let repo = Repo::with_files(&[("a", "clean")]);
    for number in 1..=length {
        let _ = std::fs::remove_file(repo.path().join(format!("f{}", number - 1)));
        repo.commit_files(&[(&format!("f{number}"), &token(number))], "more");
    }
    repo
}

#[test]
fn a_new_branch_is_judged_even_if_other_branches_contain_it() {
    let repo = chain(6);
    // The remote has f1 and f2, and branches that continue after the new one.
    repo.git(&["update-ref", "refs/remotes/origin/old", "main~4"]);
    repo.git(&["update-ref", "refs/remotes/origin/main", "main"]);
    repo.git(&["update-ref", "refs/remotes/origin/near", "main~1"]);
    repo.git(&["tag", "-a", "-m", "a tag", "tag", "main~1"]);
    let new = repo.id("main~3");
    assert_range(&repo, &[&format!("{ZEROS}..{new}")], "1; new f3");
    assert_range(&repo, &[&format!("{ZEROS}..main~2")], "1; new f3; new f4");
    // A merge contains the branch on either side.
    repo.git(&["checkout", "-q", "-b", "merged", "main~5"]);
    repo.git(&["merge", "-q", "-s", "ours", "-m", "merge", "main~3"]);
    repo.git(&["update-ref", "refs/remotes/origin/merged", "merged"]);
    assert_range(&repo, &[&format!("{ZEROS}..{new}")], "1; new f3");
}

#[test]
fn several_new_branches_are_judged_despite_branches_between_them() {
    let repo = chain(6);
    repo.git(&["update-ref", "refs/remotes/origin/old", "main~4"]);
    // This branch contains the first new branch and is contained in the second.
    repo.git(&["update-ref", "refs/remotes/origin/between", "main~2"]);
    repo.git(&["update-ref", "refs/remotes/origin/main", "main"]);
    let (first, second) = (format!("{ZEROS}..main~3"), format!("{ZEROS}..main~1"));
    assert_range(&repo, &[&second], "1; new f5");
    assert_range(&repo, &[&first, &second], "1; new f3; new f4; new f5");
    // Branches without a common ancestor.
    repo.git(&["checkout", "-q", "--orphan", "apart"]);
    repo.git(&["rm", "-q", "-r", "-f", "."]);
    repo.commit_files(&[("g", &token(7))], "apart");
    let apart = format!("{ZEROS}..apart");
    assert_range(&repo, &[&first, &apart], "1; new f3; new g");
}
