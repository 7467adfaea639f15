//! Corrupt and missing repositories and objects: they are reported, everything else is scanned, and the
//! exit code is never 0.

use super::{introduced, token};
use crate::support::repo::Repo;
use crate::support::tree::{RunOutput, Tree};
use std::path::Path;

/// Changes some bytes in the middle of a file.
fn damage(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("the file exists");
    for byte in &mut bytes[at..at + 3] {
        *byte ^= 0x5a;
    }
    // Git creates objects read-only.
    std::fs::remove_file(path).expect("a writable file");
    std::fs::write(path, bytes).expect("room");
}

#[track_caller]
fn assert_incomplete(ran: &RunOutput, code: i32, printed: &str) {
    assert_eq!(
        (ran.code(), ran.json()["complete"].as_bool()),
        (Some(code), Some(false)),
        "{ran:?}"
    );
    assert!(
        ran.issue_messages("unread").iter().any(|it| it.contains(printed)),
        "{printed}: {}",
        ran.stdout()
    );
}

#[test]
fn a_corrupt_loose_object_is_reported_and_the_others_are_scanned() {
    let repo = Repo::new();
    repo.commit_file("x", "some words that are long enough to be damaged in the middle");
    let blob = repo.id("HEAD:x");
    repo.commit_file("y", "clean");
    damage(&repo.loose(&blob), 30);
    assert_incomplete(&repo.scan(&["--history-only"]), 2, &blob);
    let text = repo.run_without_git(repo.path(), &["scan", "--history-only"]).stdout();
    assert!(text.contains("Incomplete, not scanned (1):") && text.contains(&blob), "{text}");
    let commit = repo.commit_file("y", token(1));
    let ran = repo.scan(&["--history-only"]);
    assert_incomplete(&ran, 1, &blob);
    assert_eq!(introduced(&ran.only_location(&token(1))), commit);
}

#[test]
fn empty_truncated_and_garbage_loose_objects_are_reported() {
    let repo = Repo::new();
    repo.commit_file("keep", token(1));
    repo.commit_file("d/x", "content of some length, so that a cut takes something away");
    repo.git(&["tag", "-m", "a message", "v1"]);
    for revision in ["HEAD:d/x", "HEAD:d", "HEAD^{tree}", "HEAD"] {
        let id = repo.id(revision);
        let path = repo.loose(&id);
        let whole = std::fs::read(&path).expect("it is loose");
        std::fs::remove_file(&path).expect("a writable file");
        for broken in [&[][..], &whole[..whole.len() / 2], &whole[..whole.len() - 2], b"garbage"] {
            std::fs::write(&path, broken).expect("room");
            let ran = repo.scan(&["--history-only"]);
            assert_incomplete(&ran, 1, &id);
            assert!(!ran.locations(&token(1)).is_empty());
        }
        std::fs::write(&path, &whole).expect("room");
    }
    assert_eq!(repo.scan_history().code(), Some(1));
}

#[test]
fn a_corrupt_packed_object_is_reported_and_the_others_are_scanned() {
    let repo = Repo::new();
    repo.commit_file("x", (0..2000).map(|n| format!("{}\n", n * 7919)).collect::<String>());
    let blob = repo.id("HEAD:x");
    let commit = repo.commit_file("y", token(1));
    repo.git(&["repack", "-adq"]);
    let pack = repo.packs(".pack").remove(0);
    let list = repo.git(&["verify-pack", "-v", pack.to_str().expect("UTF-8")]);
    let line = list.lines().find(|line| line.starts_with(&blob)).expect("it is packed");
    let offset: usize =
        line.split_whitespace().nth(4).expect("an offset").parse().expect("a number");
    damage(&pack, offset + 40);
    let ran = repo.scan(&["--history-only"]);
    assert_incomplete(&ran, 1, &blob);
    assert_eq!(introduced(&ran.only_location(&token(1))), commit);
    let clean = repo.scan(&["--history-only", "--rule", "npm-token"]);
    assert_incomplete(&clean, 2, &blob);
}

#[test]
fn a_corrupt_copy_is_ignored_if_an_intact_copy_exists() {
    let repo = Repo::new();
    let commit = repo.commit_file("deep/x", token(1));
    repo.commit_removal("deep/x");
    repo.git(&["repack", "-dq"]);
    let blob = repo.id(&format!("{commit}:deep/x"));
    let pack = repo.packs(".pack").remove(0);
    let list = repo.git(&["verify-pack", "-v", pack.to_str().expect("UTF-8")]);
    for id in [blob, commit.clone()] {
        let line = list.lines().find(|line| line.starts_with(&id)).expect("it is packed");
        let offset: usize = line.split_whitespace().nth(4).expect("one").parse().expect("a number");
        let whole = std::fs::read(&pack).expect("the file exists");
        let kind = repo.git(&["cat-file", "-t", &id]);
        let bytes = repo.git_bytes(&["cat-file", &kind, &id], "");
        damage(&pack, offset + 6);
        let code = if kind == "blob" { 2 } else { 1 };
        assert_incomplete(&repo.scan(&["--history-only"]), code, &id);
        // Git does not write an object that it has, so another repository writes it.
        let other = repo.loose(&id);
        std::fs::create_dir_all(other.parent().expect("a folder")).expect("a folder");
        let spare = Repo::new();
        spare.hash_object(&kind, bytes);
        std::fs::copy(spare.loose(&id), &other).expect("room");
        let ran = repo.scan(&["--history-only"]);
        assert_eq!(ran.issue_messages("unread"), Vec::<String>::new(), "{kind}");
        let place = ran.only_location(&token(1));
        assert_eq!((introduced(&place), &place["path"]), (&*commit, &"deep/x".into()), "{kind}");
        std::fs::remove_file(&other).expect("a writable file");
        std::fs::remove_file(&pack).expect("a writable file");
        std::fs::write(&pack, whole).expect("room");
    }
}

#[test]
fn a_missing_object_of_any_type_is_reported() {
    let repo = Repo::new();
    repo.commit_file("d/x", "one");
    repo.commit_file("d/x", "two");
    repo.git(&["tag", "-m", "a message", "v1"]);
    for revision in ["HEAD:d/x", "HEAD:d", "HEAD^{tree}", "HEAD", "HEAD^", "HEAD^:d/x", "v1"] {
        let id = repo.id(revision);
        let path = repo.loose(&id);
        let whole = std::fs::read(&path).expect("it is loose");
        std::fs::remove_file(&path).expect("a writable file");
        let ran = repo.scan(&["--history-only"]);
        assert_incomplete(&ran, 2, &id);
        std::fs::write(&path, whole).expect("room");
    }
    assert_eq!(repo.scan_history().code(), Some(0));
}

#[test]
fn a_missing_object_in_a_packed_history_is_reported() {
    let repo = Repo::new();
    for n in 0..20 {
        repo.commit_file(&format!("d{}/x", n % 3), format!("{n}"));
    }
    let lost = repo.id("HEAD~7:d0/x");
    let all = repo.git(&["rev-list", "--objects", "--all"]);
    let kept: String = all
        .lines()
        .map(|line| line.split(' ').next().expect("an id"))
        .filter(|id| *id != lost)
        .flat_map(|id| [id, "\n"])
        .collect();
    repo.git_with_input(&["pack-objects", "-q", ".git/objects/pack/pack"], kept);
    repo.git(&["prune-packed"]);
    std::fs::remove_file(repo.loose(&lost)).expect("it is loose");
    assert_incomplete(&repo.scan(&["--history-only"]), 2, &lost);
}

#[test]
fn corrupt_references_are_reported_and_dangling_ones_lose_no_finding() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    repo.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/gone"]);
    let ran = repo.scan(&[]);
    assert_eq!((ran.code(), ran.json()["complete"].as_bool()), (Some(0), Some(true)), "{ran:?}");
    repo.write(".git/refs/heads/odd", "no id\n");
    assert_incomplete(&repo.scan(&[]), 2, "refs/heads/odd");
    repo.write(".git/refs/heads/odd", format!("{}\n", "1".repeat(40)));
    assert_incomplete(&repo.scan(&[]), 2, "refs/heads/odd");
}

#[test]
fn a_repository_of_another_user_is_scanned() {
    let repo = Repo::new();
    let commit = repo.commit_file("x", token(1));
    repo.commit_removal("x");
    assert!(nix::unistd::geteuid().is_root(), "only root can change the owner of a repository");
    let path = repo.path().to_str().expect("UTF-8");
    let changed = std::process::Command::new("chown").args(["-R", "65534:65534", path]).status();
    assert!(changed.expect("chown runs").success());
    let refused = repo.command(repo.path(), &["log"]).output().expect("git runs");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("dubious ownership"), "{refused:?}");
    for ran in [repo.scan(&[]), repo.scan_with_git(&[])] {
        assert_eq!((ran.code(), ran.json()["complete"].as_bool()), (Some(1), Some(true)));
        let place = ran.only_location(&token(1));
        assert_eq!((introduced(&place), super::refs(&place)), (&*commit, vec!["refs/heads/main"]));
    }
}

#[test]
fn a_path_that_is_not_a_repository_is_an_error() {
    let tree = Tree::new();
    tree.write("folder/x", "nothing");
    let not = "not a git repository";
    for (path, printed) in [("folder", not), ("folder/x", not), ("nope", "no such file")] {
        let ran = tree.run(&["scan", "--history-only", path]);
        assert_eq!(ran.code(), Some(2), "{path}: {ran:?}");
        let is_reported =
            |line: &str| line.contains(&format!("{path}: ")) && line.contains(printed);
        assert!(ran.stdout().lines().any(is_reported), "{ran:?}");
    }
    assert_eq!(tree.run(&["scan", "folder"]).code(), Some(0), "files need no repository");
    let ran = tree.run(&["scan", "nope"]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stdout().contains("nope: no such file or folder"), "{ran:?}");
}

#[test]
fn a_corrupt_git_folder_is_an_error_and_files_next_to_it_are_scanned() {
    let tree = Tree::new();
    tree.write("a/.git", "gitdir: elsewhere\n");
    tree.write("b/.git", "something else\n");
    std::fs::create_dir_all(tree.path().join("c/.git")).expect("a folder");
    tree.write("d/.git/HEAD", "garbage\n");
    std::fs::create_dir_all(tree.path().join("d/.git/objects")).expect("a folder");
    std::fs::create_dir_all(tree.path().join("d/.git/refs")).expect("a folder");
    for folder in ["a", "b", "c", "d"] {
        tree.write(format!("{folder}/x"), "nothing");
        for args in [&["scan", folder][..], &["scan", "--history-only", folder]] {
            let ran = tree.run(args);
            assert_eq!(ran.code(), Some(2), "{ran:?}");
            let printed = ran.stdout() + &ran.stderr();
            assert!(printed.contains(&format!("{folder}/.git")), "{ran:?}");
            assert!(printed.contains("broken git repository"), "{ran:?}");
        }
    }
    let ran = tree.run(&["scan", "--report", "json"]);
    assert_eq!((ran.code(), ran.issue_messages("unread").len()), (Some(2), 4), "{}", ran.stdout());
    tree.write("e/x", token(1));
    let ran = tree.run(&["scan", "--report", "json"]);
    assert_eq!((ran.code(), ran.locations(&token(1)).len()), (Some(1), 1));
}

#[test]
fn an_unusable_pack_is_reported() {
    let repo = Repo::new();
    repo.commit_file("x", "one");
    repo.git(&["repack", "-adq"]);
    let commit = repo.commit_file("y", token(1));
    let (pack, index) = (repo.packs(".pack").remove(0), repo.packs(".idx").remove(0));
    let (pack_bytes, index_bytes) =
        (std::fs::read(&pack).expect("a pack"), std::fs::read(&index).expect("an index"));
    let put = |path: &Path, bytes: &[u8]| {
        let _ = std::fs::remove_file(path);
        std::fs::write(path, bytes).expect("room");
    };
    for (pack_len, index_len) in
        [(0, usize::MAX), (pack_bytes.len() / 2, usize::MAX), (usize::MAX, 100)]
    {
        put(&pack, &pack_bytes[..pack_len.min(pack_bytes.len())]);
        put(&index, &index_bytes[..index_len.min(index_bytes.len())]);
        let ran = repo.scan(&["--history-only"]);
        assert_incomplete(&ran, 1, "pack");
        assert_eq!(introduced(&ran.only_location(&token(1))), commit);
    }
    put(&pack, &pack_bytes);
    std::fs::remove_file(&index).expect("a writable file");
    assert_incomplete(&repo.scan(&["--history-only"]), 1, "has no index");
    put(&index, &index_bytes);
    std::fs::remove_file(&pack).expect("a writable file");
    let ran = repo.scan(&["--history-only", "--rule", "npm-token"]);
    assert_eq!(ran.code(), Some(2), "an index without its pack: {ran:?}");
}

#[test]
fn a_truncated_tag_object_is_reported_and_the_scan_ends() {
    let repo = Repo::new();
    repo.commit_file("x", token(1));
    repo.git(&["tag", "-a", "v1", "-m", "first"]);
    let file = repo.loose(&repo.id("v1"));
    let whole = std::fs::read(&file).expect("it is loose");
    for len in [whole.len() / 2, whole.len() - 4, 20, 3, 0] {
        // Git creates objects read-only.
        std::fs::remove_file(&file).expect("a writable file");
        std::fs::write(&file, &whole[..len]).expect("a writable file");
        let ran = repo.scan(&["--history-only"]);
        assert_eq!(ran.code(), Some(1), "{len}: {ran:?}");
        assert_eq!(ran.json()["complete"], false, "{len}");
        assert_eq!(ran.only_location(&token(1))["path"], "x", "{len}");
    }
}
