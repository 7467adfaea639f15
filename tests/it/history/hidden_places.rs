//! Places that are easily overlooked; all of them are scanned by default.

use super::{introduced, is_reachable, refs, removed, token};
use crate::support::mint::{self, Random};
use crate::support::repo::Repo;

#[test]
fn a_token_added_and_deleted_is_found_with_both_commits() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    let added = repo.commit_file("config/.env", format!("key={}\n", token(1)));
    let deleted = repo.commit_removal("config/.env");
    let ran = repo.scan(&[]);
    assert_eq!(ran.code(), Some(1));
    let place = ran.only_location(&token(1));
    assert_eq!((introduced(&place), removed(&place)), (&*added, vec![&*deleted]));
    assert_eq!((&place["path"], &place["part"]), (&"config/.env".into(), &"content".into()));
    assert_eq!(place["git"]["in_head"], false);
    let commit = &place["git"]["introduced"];
    assert_eq!(commit["subject"], "change config/.env");
    assert_eq!(commit["author"]["name"], "Ann AUTHOR");
    assert_eq!(commit["committer"]["email"], "ann@example.com");
    let date = repo.git(&["show", "-s", "--format=%aI", &added]);
    assert_eq!(commit["author"]["date"], date);
}

#[test]
fn a_token_on_another_branch_in_a_note_or_in_a_pull_request_is_found() {
    let repo = Repo::new();
    let base = repo.commit_file("x", "nothing");
    repo.git(&["checkout", "-q", "-b", "feature/a"]);
    let on_branch = repo.commit_file("x", token(1));
    repo.git(&["checkout", "-q", "--detach", "main"]);
    let on_pull = repo.commit_file("y", token(2));
    repo.git(&["update-ref", "refs/pull/7/head", &on_pull]);
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["notes", "add", "-m", &token(3), &base]);
    let ran = repo.scan_history();
    let place = ran.only_location(&token(1));
    assert_eq!((introduced(&place), refs(&place)), (&*on_branch, vec!["refs/heads/feature/a"]));
    let place = ran.only_location(&token(2));
    assert_eq!((introduced(&place), refs(&place)), (&*on_pull, vec!["refs/pull/7/head"]));
    let place = ran.only_location(&token(3));
    assert_eq!(introduced(&place), repo.id("refs/notes/commits"));
    assert_eq!((&place["path"], refs(&place)), (&base.into(), vec!["refs/notes/commits"]));
    assert!(
        ran.locations(&token(1)).iter().all(|it| is_reachable(it) && it["git"]["in_head"] == false)
    );
}

#[test]
fn a_token_only_in_a_merge_commit_is_attributed_to_the_merge() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.commit_file("y", "side");
    repo.git(&["checkout", "-q", "main"]);
    repo.commit_file("z", "main");
    repo.git(&["merge", "-q", "--no-ff", "--no-commit", "side"]);
    let evil = repo.commit_file("x", token(1));
    assert_eq!(repo.git(&["rev-list", "--parents", "-1", "HEAD"]).split(' ').count(), 3);
    repo.commit_removal("x");
    assert_eq!(introduced(&repo.scan_history().only_location(&token(1))), evil);
}

#[test]
fn a_token_only_in_an_octopus_merge_is_attributed_to_the_merge() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    for side in ["a", "b", "c"] {
        repo.git(&["checkout", "-q", "-b", side, "main"]);
        repo.commit_file(side, side);
    }
    repo.git(&["checkout", "-q", "main"]);
    repo.commit_file("z", "main");
    repo.git(&["merge", "-q", "--no-commit", "a", "b", "c"]);
    let octopus = repo.commit_file("deep/er/x", token(1));
    assert_eq!(repo.git(&["rev-list", "--parents", "-1", "HEAD"]).split(' ').count(), 5);
    assert_eq!(introduced(&repo.scan_history().only_location(&token(1))), octopus);
}

#[test]
fn tracked_staged_and_untracked_tokens_in_a_stash_are_found() {
    let repo = Repo::new();
    repo.commit_file("tracked", "nothing");
    repo.write("tracked", token(1));
    repo.write("untracked", token(2));
    repo.write("staged", token(3));
    repo.git(&["add", "staged"]);
    repo.write("staged", "something else");
    repo.git(&["stash", "push", "-q", "--include-untracked"]);
    repo.write("tracked", token(4));
    repo.git(&["stash", "push", "-q"]);
    let older = "stash@{1}";
    let ran = repo.scan(&[]);
    for (seed, commit, path) in [(1, "", "tracked"), (2, "^3", "untracked"), (3, "^2", "staged")] {
        let place = ran.only_location(&token(seed));
        assert_eq!(introduced(&place), repo.id(&format!("{older}{commit}")), "{path}");
        assert_eq!(place["path"], path);
        assert!(!is_reachable(&place), "only the reflog refers to the older stash");
    }
    let place = ran.only_location(&token(4));
    assert_eq!((introduced(&place), refs(&place)), (&*repo.id("stash"), vec!["refs/stash"]));
}

#[test]
fn tokens_only_in_the_reflog_are_found_and_marked_unreachable() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    let amended = repo.commit_file("y", token(1));
    repo.write("y", "clean");
    repo.git(&["commit", "-q", "-a", "--amend", "-m", "clean"]);
    let reset = repo.commit_file("z", token(2));
    repo.git(&["reset", "-q", "--hard", "HEAD^"]);
    let ran = repo.scan_history();
    for (seed, commit) in [(1, amended), (2, reset)] {
        let place = ran.only_location(&token(seed));
        assert_eq!(introduced(&place), commit);
        assert!(!is_reachable(&place));
        assert_eq!(place["git"]["refs_total"], 0);
    }
    let text = repo.run_without_git(repo.path(), &["scan"]).stdout();
    assert!(text.contains("unreachable from any branch or tag"), "{text}");
}

#[test]
fn a_token_in_an_unreferenced_object_is_found_and_marked_unreachable() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    let blob = repo.hash_object("blob", format!("a\n  {}\n", token(1)));
    let tree = repo.git_with_input(&["mktree"], format!("100644 blob {blob}\t{}\n", token(2)));
    let ran = repo.scan_history();
    let place = ran.only_location(&token(1));
    assert_eq!((introduced(&place), is_reachable(&place)), ("", false));
    assert_eq!((&place["path"], &place["git"]["object"]), (&().into(), &(*blob).into()));
    assert_eq!((&place["line"], &place["column"]), (&2.into(), &3.into()));
    let place = ran.only_location(&token(2));
    assert_eq!((&place["part"], &place["git"]["object"]), (&"name".into(), &tree.into()));
    assert_eq!(place["git"]["kind"], "tree");
}

#[test]
fn tokens_in_messages_and_headers_of_commits_and_tags_are_found() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    let commit = repo.commit(format!("subject\n\nbody with é日本 {}", token(1)));
    repo.git(&["tag", "-a", "v1", "-m", &format!("release {}", token(2))]);
    repo.git(&["tag", "-a", "nested", "-m", &format!("nested {}", token(3)), "v1"]);
    repo.git(&["tag", "-d", "v1"]);
    let name = token(4);
    let email = format!("{}@example.com", token(5));
    let mut signed = repo.command(repo.path(), &["commit", "-q", "--allow-empty", "-m", "by"]);
    signed.env("GIT_AUTHOR_NAME", &name).env("GIT_COMMITTER_EMAIL", &email);
    assert!(signed.status().expect("git runs").success());
    let ran = repo.scan_history();
    let place = ran.only_location(&token(1));
    assert_eq!((&place["part"], introduced(&place)), (&"commit".into(), &*commit));
    assert_eq!((&place["path"], &place["git"]["kind"]), (&().into(), &"commit".into()));
    // The subject, an empty line. In the object: tree, parent, author, committer, an empty line.
    assert_eq!((&place["line"], &place["column"]), (&3.into(), &15.into()));
    assert_eq!(place["object_line"], 8);
    assert_eq!(place["git"]["in_head"], true);
    for (seed, tag) in [(2, repo.id("nested^{commit}")), (3, repo.id("nested"))] {
        let place = ran.only_location(&token(seed));
        assert_eq!((&place["part"], &place["git"]["kind"]), (&"tag".into(), &"tag".into()));
        assert_ne!(place["git"]["object"], repo.id("nested^{commit}"));
        assert!(seed == 2 || place["git"]["object"] == tag);
        assert!(is_reachable(&place), "a tag of a tag is reachable");
        assert_eq!(refs(&place), ["refs/tags/nested"]);
    }
    for seed in [4, 5] {
        let place = ran.only_location(&token(seed));
        assert_eq!((&place["part"], introduced(&place)), (&"commit".into(), &*repo.id("HEAD")));
    }
}

#[test]
fn tokens_in_names_of_files_folders_branches_and_tags_are_found() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    let (path, inner) = (format!("a/{}.txt", token(1)), format!("é/{}/deep/x", token(2)));
    repo.write(&path, "1");
    let file = repo.commit("a file");
    repo.remove(&path);
    repo.write(&inner, "2");
    let folder = repo.commit("a folder");
    repo.remove(&inner);
    let gone = repo.commit("gone");
    repo.git(&["branch", &format!("fix/{}", token(3))]);
    repo.git(&["tag", &token(4)]);
    repo.git(&["pack-refs", "--all"]);
    repo.git(&["tag", "-m", "annotated", &token(5)]);
    let ran = repo.scan_history();
    for (seed, commit) in [(1, &file), (2, &folder)] {
        let place = ran.only_location(&token(seed));
        assert_eq!((introduced(&place), &place["part"]), (&**commit, &"name".into()));
        assert_eq!((&place["line"], &place["column"]), (&1.into(), &1.into()));
        assert_eq!(place["git"]["kind"], "tree");
    }
    assert_eq!(removed(&ran.only_location(&token(2))), [gone]);
    let path = format!("é/{}***", &token(2)[..29]);
    assert_eq!(ran.only_location(&token(2))["path"], path);
    // A tag object contains its name, too.
    for (seed, places) in [(3, 1), (4, 1), (5, 2)] {
        let found = ran.locations(&token(seed));
        assert_eq!(found.len(), places);
        let place = &found[places - 1];
        assert_eq!((&place["part"], place.get("git")), (&"ref".into(), None));
    }
}

#[test]
fn a_token_in_a_binary_file_or_a_link_target_is_found() {
    let repo = Repo::new();
    let binary = [&[0, 159, 146, 150, 10, 0, 255][..], token(1).as_bytes(), &[0; 40]].concat();
    let commit = repo.commit_file("logo.png", &binary);
    repo.commit_removal("logo.png");
    std::os::unix::fs::symlink(format!("/run/{}", token(2)), repo.path().join("link"))
        .expect("a link");
    let linked = repo.commit("link");
    repo.commit_removal("link");
    let ran = repo.scan_history();
    let place = ran.only_location(&token(1));
    assert_eq!((introduced(&place), &place["offset"]), (&*commit, &7.into()));
    let place = ran.only_location(&token(2));
    assert_eq!((introduced(&place), &place["path"]), (&*linked, &"link".into()));
    assert_eq!(place["offset"], 5);
}

#[test]
fn a_wrong_checksum_proves_nothing_in_history() {
    let repo = Repo::new();
    let good = mint::classic(&mut Random(1), "ghp_", 30);
    let last = if good.ends_with('0') { "1" } else { "0" };
    let bad = format!("{}{last}", &good[..good.len() - 1]);
    repo.commit_file("x", &bad);
    repo.commit_removal("x");
    let ran = repo.scan_history();
    assert_eq!(ran.json()["findings"], serde_json::json!([]));
    assert_eq!(ran.json()["summary"]["shaped_candidates"], 1);
    repo.commit_file("x", &good);
    let report = repo.scan_history().json();
    assert_eq!(report["findings"][0]["rule"], "github-pat");
    let shown = repo.scan(&["--history-only", "--show-shaped"]).json();
    assert_eq!(shown["findings"][1]["evidence"], "shaped");
}
