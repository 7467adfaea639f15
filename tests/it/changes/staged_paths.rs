//! `ddpatrol staged PATH...`, as the pre-commit framework runs it.

use super::{token, verdict};
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;

fn staged(repo: &Repo, paths: &[&str]) -> RunOutput {
    repo.run(&[&["staged", "--report", "json", "--"], paths].concat())
}

#[track_caller]
fn assert_staged(repo: &Repo, paths: &[&str], expected: &str) {
    let ran = staged(repo, paths);
    assert_eq!(verdict(&ran), expected, "{paths:?}: {ran:?}");
}

#[test]
fn only_named_staged_paths_are_judged_by_their_staged_changes() {
    let repo = Repo::with_files(&[("old", &token(1)), ("a", "clean"), ("b", "clean")]);
    repo.stage(&[("old", &format!("{}\nedited", token(1))), ("a", &token(2)), ("b", &token(3))]);
    repo.write("a", "clean in the work tree");
    assert_staged(&repo, &["a"], "1; new a");
    assert_staged(&repo, &["old"], "0; 1 already there");
    assert_staged(&repo, &["old", "a", "a"], "1; new a; 1 already there");
    repo.git(&["add", "a"]);
    repo.write("a", token(4));
    assert_staged(&repo, &["a"], "0");
}

#[test]
fn a_path_without_staged_changes_is_scanned_completely() {
    let repo = Repo::with_files(&[("a", &token(1)), ("b", "clean"), (".gitignore", "ignored")]);
    repo.write("ignored", token(2));
    repo.stage(&[("b", "edited")]);
    repo.write("untracked", token(3));
    for path in ["a", "ignored", "untracked", "./a", "x/../a"] {
        let ran = staged(&repo, &[path, "b"]);
        assert_eq!(ran.code(), Some(1), "{ran:?}");
        let expected = path.rsplit('/').next().expect("a name");
        assert_eq!(ran.places()[0].1, expected, "{ran:?}");
    }
    assert_staged(&repo, &["b", ".gitignore"], "0");
    let ran = staged(&repo, &["missing"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert_eq!(
        repo.run(&["staged"]).code(),
        Some(0),
        "without paths only staged changes are scanned"
    );
}

#[test]
fn deleted_and_renamed_paths_do_not_fail() {
    let page = "a line that stays\n".repeat(20);
    let repo = Repo::with_files(&[("gone", &token(1)), ("from", &page), ("c", "clean")]);
    repo.git(&["rm", "-q", "gone"]);
    repo.git(&["mv", "from", "to"]);
    assert_staged(&repo, &["gone", "to", "from"], "0");
    repo.stage(&[("to", &format!("{page}{}", token(2)))]);
    assert_staged(&repo, &["to"], "1; new to");
}

#[test]
fn a_token_moved_from_an_unnamed_path_is_not_new() {
    let repo = Repo::with_files(&[("from", &token(1)), ("to", "clean"), ("gone", &token(2))]);
    repo.stage(&[("from", "taken away"), ("to", &token(1)), ("other", &token(3))]);
    assert_staged(&repo, &["to"], "0; moved to from from");
    // The framework does not pass deleted files.
    repo.git(&["rm", "-q", "gone"]);
    repo.stage(&[("new", &format!("{}\n{}", token(2), "a line of its own\n".repeat(9)))]);
    assert_staged(&repo, &["new"], "0; moved new from gone");
    assert_staged(&repo, &["other"], "1; new other");
}

#[test]
fn a_folder_argument_selects_the_files_below_it() {
    let repo = Repo::with_files(&[("d/old", &token(1)), ("d/a", "clean"), ("e/a", &token(2))]);
    repo.stage(&[("d/a", "edited")]);
    repo.write("d/a", token(3));
    let ran = staged(&repo, &["d"]);
    let places: Vec<String> = ran.places().into_iter().map(|place| place.1).collect();
    assert_eq!(places, ["d/old"], "{ran:?}");
    repo.git(&["add", "-A"]);
    let places: Vec<String> = staged(&repo, &["d"]).places().into_iter().map(|it| it.1).collect();
    assert_eq!(places, ["d/a", "d/old"]);
}

#[test]
fn paths_are_relative_to_the_current_folder() {
    let repo = Repo::with_files(&[("d/a", "clean"), ("d/b", &token(1)), ("a", &token(2))]);
    repo.stage(&[("d/a", &token(3))]);
    let run = |path| {
        let ran = repo.run_in(&repo.path().join("d"), &["staged", "--report", "json", path], &[]);
        ran.places().into_iter().map(|place| place.1).collect::<Vec<_>>()
    };
    assert_eq!(run("a"), ["d/a"]);
    assert!(run("b")[0].ends_with("d/b"));
    assert!(run("../a")[0].ends_with("/a"));
}

#[test]
fn excluded_paths_and_baselines_apply_to_named_paths() {
    let repo = Repo::with_files(&[(".ddpatrol.toml", "exclude = [\"fixtures/\"]\n")]);
    repo.commit_files(&[("fixtures/a", &token(1)), ("b", &token(2))], "tokens");
    assert_staged(&repo, &["fixtures/a"], "0");
    assert_eq!(staged(&repo, &["fixtures/a", "b"]).code(), Some(1));
    let ran = repo.run(&["baseline", "create"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let baseline = ["staged", "--baseline", ".ddpatrol-baseline.json", "b"];
    assert_eq!(repo.run(&baseline).code(), Some(0));
}

#[test]
fn the_target_path_of_a_symbolic_link_is_scanned() {
    let repo = Repo::with_files(&[("a", "clean")]);
    std::os::unix::fs::symlink("/dev/zero", repo.path().join("endless")).expect("a link");
    std::os::unix::fs::symlink(token(1), repo.path().join("link")).expect("a link");
    repo.write("../outside", token(2));
    std::os::unix::fs::symlink("../outside", repo.path().join("out")).expect("a link");
    assert_staged(&repo, &["endless", "out"], "0");
    assert_eq!(staged(&repo, &["link"]).places()[0].1, "link");
    repo.git(&["add", "-A"]);
    assert_staged(&repo, &["endless", "out"], "0");
    assert_staged(&repo, &["link"], "1; new link");
}

#[test]
fn a_submodule_is_not_scanned() {
    let other = Repo::with_files(&[("leak", &token(1))]);
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.git(&["submodule", "--quiet", "add", &other.path().to_string_lossy(), "module"]);
    assert_staged(&repo, &["module", ".gitmodules"], "0");
    repo.git(&["commit", "-q", "-m", "a submodule"]);
    let ran = repo.run(&["staged", "module"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.stdout().contains("module is another repository: not scanned"), "{ran:?}");
}

#[test]
fn every_commit_of_a_pre_commit_range_is_scanned() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let base = repo.id("HEAD");
    repo.commit_files(&[("a", &token(1))], "a token");
    repo.commit_files(&[("a", "clean again"), ("b", "clean")], "taken away");
    let range = [("PRE_COMMIT_FROM_REF", &*base), ("PRE_COMMIT_TO_REF", "HEAD")];
    let run = |args: &[&str], variables: &[(&str, &str)]| {
        repo.run_in(repo.path(), &[&["staged", "--report", "json"], args].concat(), variables)
    };
    let ran = run(&["b"], &range);
    assert_eq!(verdict(&ran), "1; new a", "{ran:?}");
    assert_eq!(run(&["b"], &range[1..]).code(), Some(0), "both variables are required");
    assert_eq!(run(&[], &range).code(), Some(1), "the last commit has removed the token again");
    let missing = [("PRE_COMMIT_FROM_REF", "f".repeat(40)), ("PRE_COMMIT_TO_REF", "HEAD".into())];
    let missing = missing.each_ref().map(|(name, value)| (*name, &**value));
    assert_eq!(run(&["b"], &missing).code(), Some(2));
}
