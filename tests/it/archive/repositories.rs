//! Repositories in archives, bundles and packs: their history is scanned, paths begin with the archive.

use super::containers::shell;
use super::token;
use crate::support::repo::Repo;
use crate::support::tree::{RunOutput, Tree};

/// Packs a repository `app` of two commits with a script; the second commit removes the token.
fn tree(packing: &str) -> Tree {
    let repo = Repo::new();
    repo.commit_files(&[("d/s.env", &format!("key: {}\n", token(1)))], "Bring it in");
    repo.remove("d/s.env");
    repo.commit("Take it out");
    let tree = Tree::new();
    std::fs::rename(repo.path(), tree.path().join("app")).expect("one file system");
    let settings = "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null";
    shell(&tree, &format!("{settings}\n{packing}\nrm -rf app app.git"));
    tree
}

/// Asserts that a scan found the token in the history, with the commits that added and removed it.
fn check(ran: &RunOutput, path: &str, git_dir: &str) {
    let report = ran.json();
    assert_eq!(report["complete"], true, "{report:#}");
    let findings = report["findings"].as_array().expect("a list");
    assert_eq!(findings.len(), 1, "{report:#}");
    let place = &findings[0]["locations"][0];
    assert_eq!((&place["path"], &place["line"]), (&path.into(), &1.into()));
    let git = &place["git"];
    assert_eq!(git["repository"], git_dir);
    assert_eq!(git["introduced"]["subject"], "Bring it in");
    assert_eq!(git["removed"][0]["subject"], "Take it out");
    assert_eq!(git["refs"][0], "refs/heads/main");
    let printed = ran.stdout();
    assert!(!printed.contains("/ddpatrol-"), "no temporary path is reported: {printed}");
    assert!(!printed.contains("filter-repo"), "no command can clean it: {printed}");
}

const JSON: [&str; 3] = ["scan", "--report", "json"];

#[test]
fn the_history_of_a_repository_in_an_archive_is_scanned() {
    for pack in ["", "git -C app gc -q", "git -C app pack-refs --all"] {
        let tree =
            tree(&format!("{pack}\ntar -czf a.tgz app; zip -qr a.zip app; tar -C app -cf b.tar ."));
        check(
            &tree.run(&[&JSON[..], &["a.tgz"]].concat()),
            "a.tgz!/app/d/s.env",
            "a.tgz!/app/.git",
        );
        check(
            &tree.run(&[&JSON[..], &["a.zip"]].concat()),
            "a.zip!/app/d/s.env",
            "a.zip!/app/.git",
        );
        check(&tree.run(&[&JSON[..], &["b.tar"]].concat()), "b.tar!/d/s.env", "b.tar!/.git");
        let input = std::fs::read(tree.path().join("a.tgz")).expect("the archive exists");
        let ran = tree.run_with_input(&[&JSON[..], &["-"]].concat(), &input);
        check(&ran, "stdin!/app/d/s.env", "stdin!/app/.git");
    }
}

#[test]
fn a_bare_repository_in_an_archive_is_scanned() {
    let tree = tree(
        "git clone -q --bare app app.git; 7z a -bd a.7z app.git > /dev/null; tar -C app.git -czf b.tgz HEAD objects packed-refs",
    );
    check(&tree.run(&[&JSON[..], &["a.7z"]].concat()), "a.7z!/app.git/d/s.env", "a.7z!/app.git");
    check(&tree.run(&[&JSON[..], &["b.tgz"]].concat()), "b.tgz!/d/s.env", "b.tgz!");
}

#[test]
fn bundles_are_scanned_as_repositories() {
    let tree =
        tree("git -C app bundle create -q ../a.bundle --all 2> /dev/null; zip -q b.zip a.bundle");
    check(&tree.run(&[&JSON[..], &["a.bundle"]].concat()), "a.bundle!/d/s.env", "a.bundle!");
    let ran = tree.run(&[&JSON[..], &["b.zip"]].concat());
    check(&ran, "b.zip!/a.bundle!/d/s.env", "b.zip!/a.bundle!");
}

#[test]
fn packs_without_a_repository_are_scanned() {
    let tree = tree("git -C app gc -q; cp app/.git/objects/pack/*.pack a.pack");
    let report = tree.run(&[&JSON[..], &["a.pack"]].concat()).json();
    let place = &report["findings"][0]["locations"][0];
    assert_eq!(place["path"], "a.pack!/d/s.env", "{report:#}");
    assert_eq!(place["git"]["reachable"], false);
    let report = tree.run(&[&JSON[..], &["a.pack", "--files-only"]].concat()).json();
    assert_eq!(report["diagnostics"][0]["kind"], "opaque");
}

#[test]
fn damaged_packs_and_bundles_are_reported() {
    let tree = tree("git -C app bundle create -q ../a.bundle --all 2> /dev/null");
    let whole = std::fs::read(tree.path().join("a.bundle")).expect("the archive exists");
    for part in 1..12 {
        tree.write("a.bundle", &whole[..whole.len() * part / 12]);
        let ran = tree.run(&[&JSON[..], &["--strict", "a.bundle"]].concat());
        assert_eq!(ran.json()["complete"], false, "{part}: {ran:?}");
    }
}
