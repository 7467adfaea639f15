//! Every store of objects in a repository; each object is scanned once.

use super::{introduced, is_reachable, token};
use crate::support::encode;
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use std::collections::BTreeSet;

/// Creates three commits with the tokens 1 to 3, each in its own file, which HEAD no longer has.
fn with_history() -> (Repo, Vec<String>) {
    let repo = Repo::new();
    let commits = (1..=3).map(|n| repo.commit_file(&format!("f{n}"), token(n))).collect();
    for n in 1..=3 {
        repo.remove(&format!("f{n}"));
    }
    repo.commit("clean");
    (repo, commits)
}

#[track_caller]
fn assert_all_found(ran: &RunOutput, commits: &[String]) {
    assert_eq!(ran.issue_messages("unread"), Vec::<String>::new());
    for (commit, n) in commits.iter().zip(1..) {
        let place = ran.only_location(&token(n));
        assert_eq!((introduced(&place), is_reachable(&place)), (&**commit, true));
        let objects = ran.finding(&token(n)).expect("it is found")["objects"].clone();
        assert_eq!(objects.as_array().map(Vec::len), Some(1), "{objects}");
    }
}

fn objects_of(repo: &Repo) -> u64 {
    let format = "--batch-check=%(objectname)";
    let all = repo.git(&["cat-file", "--batch-all-objects", "--unordered", format]);
    all.lines().collect::<BTreeSet<_>>().len() as u64
}

#[test]
fn objects_in_several_packs_and_loose_are_read_once() {
    let (repo, commits) = with_history();
    assert_all_found(&repo.scan_history(), &commits);
    repo.git(&["repack", "-q"]);
    assert_all_found(&repo.scan_history(), &commits);
    repo.commit_file("more", "more");
    repo.git(&["repack", "-aq"]);
    repo.commit_file("more", "and more");
    assert_eq!(repo.packs(".pack").len(), 2, "every object is in at least one pack");
    let ran = repo.scan_history();
    assert_all_found(&ran, &commits);
    assert_eq!(ran.json()["summary"]["objects"], objects_of(&repo));
    repo.git(&["multi-pack-index", "write"]);
    assert_all_found(&repo.scan_history(), &commits);
    let ran = repo.scan_history();
    assert_eq!(ran.json()["summary"]["objects"], objects_of(&repo));
}

#[test]
fn kept_packs_and_cruft_packs_are_scanned() {
    let (repo, commits) = with_history();
    repo.git(&["repack", "-adq"]);
    let keep = repo.packs(".pack").remove(0).with_extension("keep");
    std::fs::write(keep, "").expect("room");
    let blob = repo.hash_object("blob", token(4));
    repo.commit_file("x", "x");
    repo.git(&["-c", "gc.cruftPacks=true", "gc", "-q", "--cruft", "--prune=never"]);
    assert_eq!((repo.packs(".mtimes").len(), repo.packs(".keep").len()), (1, 1));
    assert!(!repo.loose(&blob).exists(), "the object is in the cruft pack");
    let ran = repo.scan_history();
    assert_all_found(&ran, &commits);
    assert!(!is_reachable(&ran.only_location(&token(4))));
    assert_eq!(ran.json()["summary"]["objects"], objects_of(&repo));
}

#[test]
fn objects_of_alternates_are_scanned_and_attributed() {
    let (repo, commits) = with_history();
    for (name, how) in [("shared", &["--shared"][..]), ("reference", &["--reference", "."])] {
        let clone = repo.sibling(name);
        let name = clone.to_str().expect("UTF-8");
        let source = format!("file://{}", repo.path().display());
        let source = if name.ends_with("shared") { "." } else { &source };
        repo.git(&[&["clone", "-q"], how, &[source, name]].concat());
        assert!(clone.join(".git/objects/info/alternates").is_file());
        std::fs::write(clone.join("own"), token(9)).expect("room");
        repo.git_at(&clone, &["add", "-A"]);
        repo.git_at(&clone, &["commit", "-q", "-m", "own"]);
        let ran = repo.run_without_git(&clone, &["scan", "--report", "json"]);
        assert_all_found(&ran, &commits);
        assert_eq!(
            introduced(&ran.locations(&token(9))[0]),
            repo.git_at(&clone, &["rev-parse", "@"])
        );
    }
    let lost = repo.sibling("lost");
    std::fs::rename(repo.path(), &lost).expect("it moves");
    let ran = repo.run_without_git(&repo.sibling("shared"), &["scan", "--rule", "npm-token"]);
    assert_eq!(ran.code(), Some(2), "alternates that are gone are no pass: {ran:?}");
}

#[test]
fn a_linked_work_tree_is_scanned_with_the_full_history_once() {
    let (repo, commits) = with_history();
    let linked = repo.sibling("linked");
    let name = linked.to_str().expect("UTF-8");
    repo.git(&["worktree", "add", "-q", "-b", "other", name, "HEAD~2"]);
    let ran = repo.run_without_git(&linked, &["scan", "--report", "json"]);
    assert_eq!(ran.locations(&token(3)).len(), 1, "the file is not in this work tree");
    for (commit, n) in commits.iter().zip(1..) {
        let places = ran.locations(&token(n));
        assert_eq!(introduced(&places[0]), commit);
        assert_eq!(places[0]["git"]["in_head"], n < 3, "HEAD is the worktree's own");
    }
    let both = repo.scan(&["--history-only", ".", name]);
    assert_all_found(&both, &commits);
    assert_eq!(both.json()["repositories"].as_array().map(Vec::len), Some(1));
    assert_eq!(both.json()["summary"]["objects"], objects_of(&repo));
    let around =
        repo.run_without_git(repo.path().parent().expect("one"), &["scan", "--report", "json"]);
    assert_eq!(around.json()["repositories"].as_array().map(Vec::len), Some(1));
    assert_eq!(around.locations(&token(3)).len(), 1);
    assert_eq!(
        around.locations(&token(1)).len(),
        2,
        "once in history, once in the linked work tree"
    );
}

#[test]
fn bare_repositories_and_folders_of_them_are_scanned() {
    let (repo, commits) = with_history();
    std::fs::create_dir(repo.sibling("mirrors")).expect("a folder");
    let (first, second) = (repo.sibling("mirrors/a.git"), repo.sibling("mirrors/group/plain"));
    repo.git(&["clone", "-q", "--mirror", ".", first.to_str().expect("UTF-8")]);
    let ran = repo.run_without_git(&first, &["scan", "--report", "json"]);
    assert_all_found(&ran, &commits);
    assert_eq!(ran.json()["repositories"][0]["head"], repo.id("HEAD"));
    let other = Repo::new();
    other.commit_file("y", token(7));
    other.git(&["clone", "-q", "--bare", ".", second.to_str().expect("UTF-8")]);
    for from in [repo.path().parent().expect("one").to_owned(), repo.sibling("mirrors")] {
        let folder = if from.ends_with("mirrors") { "." } else { "mirrors" };
        let ran = repo.run_without_git(&from, &["scan", "--report", "json", folder]);
        assert_all_found(&ran, &commits);
        let place = ran.only_location(&token(7));
        assert_eq!(introduced(&place), other.id("HEAD"), "its name does not end with .git");
        let path = place["path"].as_str().expect("a path");
        assert!(path.ends_with("group/plain/y"), "{path}");
        assert_eq!(ran.json()["repositories"].as_array().map(Vec::len), Some(2));
    }
    let ran = repo.run_without_git(&repo.sibling("mirrors"), &["scan", "--files-only"]);
    assert!(ran.stdout().contains("2 .git folders"), "they are counted: {}", ran.stdout());
}

#[test]
fn the_history_of_a_submodule_is_scanned_whether_checked_out_or_not() {
    let inner = Repo::new();
    let commit = inner.commit_file("x", token(1));
    inner.commit_removal("x");
    let repo = Repo::new();
    let source = inner.path().to_str().expect("UTF-8");
    repo.git(&["submodule", "--quiet", "add", source, "libs/inner"]);
    repo.commit("with a submodule");
    let place = repo.scan(&[]).only_location(&token(1));
    assert_eq!((introduced(&place), &place["path"]), (&*commit, &"libs/inner/x".into()));
    let ran = repo.scan_history();
    assert_eq!(introduced(&ran.only_location(&token(1))), commit);
    repo.git(&["submodule", "--quiet", "deinit", "-f", "--all"]);
    let ran = repo.scan(&[]);
    assert_eq!(
        introduced(&ran.only_location(&token(1))),
        commit,
        "its git directory is still there"
    );
    assert_eq!(ran.json()["repositories"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_repository_inside_a_scanned_folder_is_scanned_even_if_it_is_ignored() {
    let (repo, commits) = with_history();
    let outer = repo.path().parent().expect("one");
    let ran = repo.run_without_git(outer, &["scan", "--report", "json"]);
    assert_all_found(&ran, &commits);
    assert_eq!(ran.only_location(&token(1))["path"], "repo/f1");
    let around = Repo::new();
    around.commit_file("x", "nothing");
    around.git(&["clone", "-q", repo.path().to_str().expect("UTF-8"), "vendor/inner"]);
    assert_all_found(&around.scan(&[]), &commits);
    assert_eq!(around.scan(&[]).only_location(&token(1))["path"], "vendor/inner/f1");
}

#[test]
fn a_shallow_clone_is_scanned_and_reported_as_shallow() {
    let repo = Repo::new();
    repo.commit_file("x", "nothing");
    repo.commit_file("lost", token(8));
    repo.commit_removal("lost");
    let boundary = repo.commit_file("old", token(1));
    let newer = repo.commit_file("new", token(2));
    let clone = repo.sibling("clone");
    let source = format!("file://{}", repo.path().display());
    repo.git(&["clone", "-q", "--depth", "2", &source, clone.to_str().expect("UTF-8")]);
    let ran = repo.run_without_git(&clone, &["scan", "--history-only", "--report", "json"]);
    assert_eq!((ran.code(), ran.json()["complete"].as_bool()), (Some(1), Some(true)));
    let gaps = ran.issue_messages("opaque");
    assert!(gaps.len() == 1 && gaps[0].contains("shallow") && gaps[0].contains(&boundary));
    let (old, new) = (ran.only_location(&token(1)), ran.only_location(&token(2)));
    assert_eq!((introduced(&old), introduced(&new)), (&*boundary, &*newer));
    let at_boundary = |place: &serde_json::Value| place["git"]["at_boundary"].clone();
    assert_eq!((at_boundary(&old), at_boundary(&new)), (true.into(), false.into()));
    assert!(ran.locations(&token(8)).is_empty());
    let text = repo.run_without_git(&clone, &["scan"]).stdout();
    assert!(text.contains("possibly older: earlier history is not in this clone"), "{text}");
    let nothing = ["scan", "--rule", "npm-token"];
    assert_eq!(repo.run_without_git(&clone, &nothing).code(), Some(0));
    assert!(repo.run_without_git(&clone, &nothing).stdout().contains("this is a shallow clone"));
    assert_eq!(
        repo.run_without_git(&clone, &[&nothing[..], &["--strict"]].concat()).code(),
        Some(2)
    );
}

#[test]
fn fetched_objects_of_a_partial_clone_are_scanned_and_the_rest_is_counted() {
    let repo = Repo::new();
    repo.commit_file("secret", token(1));
    repo.commit_file("secret", "another version");
    repo.commit_file("secret", token(2));
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let clone = repo.sibling("clone");
    let source = format!("file://{}", repo.path().display());
    repo.git(&["clone", "-q", "--filter=blob:none", &source, clone.to_str().expect("UTF-8")]);
    let before = repo.git_at(&clone, &["count-objects", "-v"]);
    let ran = repo.run_without_git(&clone, &["scan", "--history-only", "--report", "json"]);
    assert_eq!((ran.code(), ran.json()["complete"].as_bool()), (Some(1), Some(true)), "{ran:?}");
    let place = ran.only_location(&token(2));
    assert_eq!(introduced(&place), repo.id("HEAD"), "HEAD was fetched");
    assert_eq!(place["git"]["at_boundary"], true, "the previous version is missing");
    assert!(ran.locations(&token(1)).is_empty());
    let gaps = ran.issue_messages("opaque");
    assert!(gaps.len() == 1 && gaps[0].contains("partial clone"), "{gaps:?}");
    assert!(gaps[0].contains("2 objects not fetched"), "{gaps:?}");
    let ran = repo.run_without_git(&clone, &["scan", "--strict", "--rule", "npm-token"]);
    assert_eq!(ran.code(), Some(2));
    assert_eq!(repo.git_at(&clone, &["count-objects", "-v"]), before, "nothing was fetched");
}

#[test]
fn repositories_before_their_first_commit_are_scanned() {
    let repo = Repo::new();
    let ran = repo.scan(&[]);
    assert_eq!((ran.code(), ran.json()["complete"].as_bool()), (Some(0), Some(true)), "{ran:?}");
    assert_eq!(repo.scan_history().json()["repositories"][0]["head"], serde_json::Value::Null);
    repo.write("x", token(1));
    repo.git(&["add", "x"]);
    repo.remove("x");
    let ran = repo.scan(&[]);
    assert_eq!(ran.code(), Some(1));
    assert!(!is_reachable(&ran.only_location(&token(1))), "the token was only staged");
    let bare = Repo::init(&["--bare"]);
    assert_eq!(bare.scan(&[]).code(), Some(0));
}

#[test]
fn a_sha256_repository_is_scanned() {
    let repo = Repo::init(&["--object-format=sha256"]);
    let commit = repo.commit_file("d/x", token(1));
    repo.commit_removal("d/x");
    for _ in ["loose", "packed"] {
        let ran = repo.scan_with_git(&[]);
        assert_eq!(
            (ran.code(), ran.json()["complete"].as_bool()),
            (Some(1), Some(true)),
            "{ran:?}"
        );
        let place = ran.only_location(&token(1));
        assert_eq!((introduced(&place).len(), introduced(&place)), (64, &*commit));
        assert_eq!(super::refs(&place), ["refs/heads/main"]);
        assert_eq!(repo.scan_with_git(&["--rule", "npm-token"]).code(), Some(0));
        repo.git(&["repack", "-adq"]);
    }
    assert_needs_git(&repo);
}

#[test]
fn a_reftable_repository_is_scanned() {
    let repo = Repo::init(&["--ref-format=reftable"]);
    let commit = repo.commit_file("x", token(1));
    repo.commit_removal("x");
    repo.git(&["branch", &format!("fix/{}", token(2)), "HEAD"]);
    let ran = repo.scan_with_git(&[]);
    assert_eq!((ran.code(), ran.json()["complete"].as_bool()), (Some(1), Some(true)), "{ran:?}");
    let place = ran.only_location(&token(1));
    assert_eq!((introduced(&place), is_reachable(&place)), (&*commit, true));
    assert_eq!(ran.only_location(&token(2))["part"], "ref");
    assert_needs_git(&repo);
}

/// Asserts that without the program `git` the content is scanned and the missing part is reported.
#[track_caller]
fn assert_needs_git(repo: &Repo) {
    let ran = repo.scan(&[]);
    assert_eq!((ran.code(), ran.json()["complete"].as_bool()), (Some(1), Some(false)), "{ran:?}");
    assert!(!ran.locations(&token(1)).is_empty(), "content is read without git");
    let gaps = ran.issue_messages("unread");
    assert!(gaps.iter().any(|it| it.contains("install git")), "{gaps:?}");
    assert_eq!(
        repo.scan(&["--rule", "npm-token"]).code(),
        Some(2),
        "missing data is never ignored"
    );
}

#[test]
fn an_ordinary_repository_needs_no_git_program() {
    let (repo, commits) = with_history();
    repo.git(&["tag", "-m", "annotated", "v1", &commits[0]]);
    repo.git(&["pack-refs", "--all"]);
    let (without, with) = (repo.scan(&[]), repo.scan_with_git(&[]));
    assert_all_found(&without, &commits);
    assert_eq!(without.json()["findings"], with.json()["findings"]);
    let place = without.only_location(&token(1));
    assert_eq!(super::refs(&place), ["refs/heads/main", "refs/tags/v1"]);
}

#[test]
fn the_administrative_files_of_a_repository_are_scanned() {
    let repo = Repo::new();
    repo.commit_file("a", "clean");
    let (one, basic) = (token(31), encode::base64(format!("x:{}", token(32)).as_bytes()));
    repo.git(&["remote", "add", "origin", &format!("https://ann:{one}@example.com/x.git")]);
    repo.git(&["config", "http.extraHeader", &format!("Authorization: Basic {basic}")]);
    let written = [
        (".git/hooks/pre-push", 33),
        (".git/info/exclude", 34),
        (".git/FETCH_HEAD", 35),
        (".git/worktrees/b/config.worktree", 36),
        (".git/lfs/objects/ab/cd/abcd", 37),
    ];
    repo.git(&["worktree", "add", "-q", "--detach", "../b"]);
    for (path, seed) in written {
        repo.write(path, format!("x {}\n", token(seed)));
    }
    let places = |ran: &RunOutput| {
        let mut paths: Vec<String> = ran.places().into_iter().map(|it| it.1).collect();
        paths.sort();
        paths
    };
    let mut wanted: Vec<&str> = written.iter().map(|it| it.0).collect();
    wanted.extend([".git/config"; 2]);
    wanted.sort_unstable();
    for args in [&[][..], &["--history-only"]] {
        let ran = repo.scan(args);
        assert_eq!(places(&ran), wanted, "{ran:?}");
        assert!(ran.json()["summary"]["git_files"].as_u64() >= Some(6), "{ran:?}");
        let secret = &token(31)[30..];
        assert!(!ran.stdout().contains(secret) && ran.stdout().contains("https://ann:ddpat_"));
    }
    assert_eq!(places(&repo.scan(&["--files-only"])), [] as [&str; 0]);
    let linked = repo.run_without_git(&repo.sibling("b"), &["scan", "--report", "json"]);
    assert_eq!(places(&linked).len(), 7, "{linked:?}");
    repo.git(&["clone", "-q", "--mirror", ".", "../mirror.git"]);
    let mirror = repo.sibling("mirror.git");
    std::fs::write(mirror.join("FETCH_HEAD"), &one).expect("a file");
    let ran = repo.run_without_git(&mirror, &["scan", "--report", "json"]);
    assert_eq!(places(&ran), ["FETCH_HEAD"]);
    // Only the reflog has the URL with the password; for a token in a message, the commit is reported.
    repo.write(".git/logs/HEAD", format!("{}\n", token(38)));
    repo.commit(token(39));
    let ran = repo.scan(&[]);
    assert_eq!(ran.only_location(&token(38))["path"], ".git/logs/HEAD");
    assert_eq!(ran.only_location(&token(39))["part"], "commit");
    // Paths that the configuration excludes are not scanned.
    repo.write(".ddpatrol.toml", "exclude = [\".git/\"]\n");
    assert_eq!(places(&repo.scan(&[])), ["-"], "the message");
}

#[test]
fn a_treeless_clone_notes_that_a_token_may_be_older() {
    let repo = Repo::new();
    repo.commit_file("dir/old", token(1));
    repo.commit_file("other", "x");
    let newest = repo.commit_file("dir/new", token(2));
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let clone = repo.sibling("clone");
    let source = format!("file://{}", repo.path().display());
    let boundary = |filter: &str, seed: u64| {
        let _ = std::fs::remove_dir_all(&clone);
        repo.git(&["clone", "-q", filter, &source, clone.to_str().expect("UTF-8")]);
        let ran = repo.run_without_git(&clone, &["scan", "--history-only", "--report", "json"]);
        let place = ran.only_location(&token(seed));
        (introduced(&place).to_owned(), place["git"]["at_boundary"] == true)
    };
    assert_eq!(boundary("--filter=tree:0", 1), (newest.clone(), true), "the token may be older");
    assert!(boundary("--filter=tree:0", 2).1, "the introduction is unknown");
    assert_eq!(boundary("--filter=blob:none", 2), (newest, false), "its parent has no such file");
    assert!(!boundary("--no-local", 1).1);
}

#[test]
fn a_skipped_history_is_noted() {
    let repo = Repo::new();
    repo.commit_file("sub/x", token(1));
    let notes = |args: &[&str], at: &str| {
        let ran = repo.run_without_git(
            &repo.path().join(at),
            &[&["scan", "--report", "json"], args].concat(),
        );
        ran.json()["notes"].as_array().expect("a list").len()
    };
    assert_eq!(notes(&[], "sub"), 1);
    assert_eq!(notes(&["sub"], ""), 1);
    assert_eq!(notes(&["sub", "."], ""), 0);
    assert_eq!(notes(&["sub/x"], ""), 0, "the path is a file");
    assert_eq!(notes(&["--files-only"], "sub"), 0);
    let text = repo.run_without_git(&repo.path().join("sub"), &["scan"]).stdout();
    assert!(text.contains("the history of the repository of . is not scanned"), "{text}");
}
