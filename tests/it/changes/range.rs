//! `ddpatrol range`: every commit that is reachable from HEAD and not from BASE.

use super::{assert_fails_with, token, verdict};
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;

fn range(repo: &Repo, revisions: &[&str]) -> RunOutput {
    repo.run(&[&["range", "--report", "json"], revisions].concat())
}

#[track_caller]
fn assert_range(repo: &Repo, revisions: &[&str], expected: &str) {
    let ran = range(repo, revisions);
    assert_eq!(verdict(&ran), expected, "{revisions:?}: {ran:?}");
}

#[test]
fn a_range_uses_git_revision_syntax() {
    let repo = Repo::with_files(&[("a", &token(9))]);
    repo.git(&["branch", "base"]);
    repo.commit_files(&[("b", &token(1))], "one");
    repo.commit_files(&[("c", &token(2))], "two");
    repo.git(&["tag", "-a", "-m", "a tag", "tag"]);
    repo.git(&["tag", "-a", "-m", "a tag", "base-tag", "base"]);
    let both = "1; new b; new c";
    for revisions in [
        &["base..HEAD"][..],
        &["base...HEAD"],
        &["base.."],
        &["HEAD", "--not", "base"],
        &["HEAD", "^base"],
        &["^base", "HEAD"],
        &["base-tag..tag"],
        &["HEAD~2..main"],
        &["HEAD", "HEAD~1"],
    ] {
        assert_range(&repo, revisions, both);
    }
    assert_range(&repo, &["HEAD~1..HEAD"], "1; new c");
    assert_range(&repo, &["HEAD"], "1; new c");
    assert_range(&repo, &["HEAD~1"], "1; new b");
    assert_range(&repo, &["tag", "--not", "HEAD~1"], "1; new c");
    assert_range(&repo, &["base"], "1; new a");
}

#[test]
fn revisions_are_read_from_standard_input() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let base = repo.id("HEAD");
    let one = repo.commit_files(&[("b", &token(1))], "one");
    let two = repo.commit_files(&[("b", &format!("{}\nedited", token(1)))], "two");
    let zeros = "0".repeat(40);
    for (input, expected) in [
        (format!("{base}..{two}\n"), "1; new b"),
        (format!("{two}\n^{base}\n"), "1; new b"),
        (format!("{two}\r\n\n^{base}"), "1; new b"),
        // As `git rev-list` lists them: each is compared with its parent.
        (format!("{two}\n{one}\n"), "1; new b"),
        (format!("{two}\n"), "0; 1 already there"),
        // The input that git gives to the hooks `pre-push` and `pre-receive`.
        (format!("refs/heads/main {two} refs/heads/main {base}\n"), "1; new b"),
        (format!("HEAD~1 {one} refs/heads/main {base}\n"), "1; new b"),
        (format!("(delete) {zeros} refs/heads/main {two}\n"), "0"),
        (format!("{base} {two} refs/heads/main\n"), "1; new b"),
        (format!("{one} {two} refs/heads/main\n"), "0; 1 already there"),
    ] {
        let ran = repo.run_with_input(&["range", "--stdin", "--report", "json"], &input);
        assert_eq!(verdict(&ran), expected, "{input}: {ran:?}");
    }
    for nothing in ["", "\n"] {
        let ran = repo.run_with_input(&["range", "--stdin", "--report", "json"], nothing);
        assert_eq!((ran.code(), verdict(&ran)), (Some(0), "0".to_owned()), "{ran:?}");
        let printed = "no revisions on standard input: nothing was scanned";
        assert_eq!(ran.json()["notes"][0], printed, "{ran:?}");
    }
    let ran = repo.run_with_input(&["range", "--stdin"], "one two\n");
    assert_fails_with(&ran, &["one two"]);
}

#[test]
fn single_commits_are_judged_separately() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.commit_files(&[("a", &token(1))], "brings it");
    repo.commit_files(&[("a", &format!("{}\nx", token(1)))], "edits beside it");
    repo.commit_files(&[("a", &format!("{}\ny", token(1)))], "edits once more");
    assert_range(&repo, &["HEAD"], "0; 1 already there");
    assert_range(&repo, &["HEAD", "HEAD~2"], "1; new a");
    assert_range(&repo, &["HEAD~2", "HEAD"], "1; new a");
    assert_range(&repo, &["HEAD", "HEAD~1", "HEAD~2"], "1; new a");
}

#[test]
fn a_token_added_and_removed_within_the_range_is_new() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let id = repo.commit_files(&[("a", &token(1))], "came");
    repo.commit_files(&[("a", "clean")], "went");
    let ran = range(&repo, &["HEAD~2..HEAD"]);
    assert_eq!(verdict(&ran), "1; new a");
    let place = &ran.json()["findings"][0]["locations"][0];
    assert_eq!(place["git"]["introduced"]["commit"], id, "{place}");
    assert_eq!(place["git"]["in_head"], false, "{place}");
    assert_eq!(place["git"]["removed"][0]["commit"], repo.id("HEAD"), "{place}");
    assert_range(&repo, &["HEAD~1..HEAD"], "0");
    let text = repo.run(&["range", "HEAD~2..HEAD", "--explain"]).stdout();
    assert!(text.contains("introduced by") && text.contains("Ann AUTHOR") && text.contains("came"));
}

#[test]
fn every_report_names_the_commit_that_removes_a_token_again() {
    let repo = Repo::with_files(&[("a", "clean"), ("b", "clean")]);
    repo.commit_files(&[("a", &token(1))], "came");
    let removal = repo.commit_files(&[("a", "clean")], "went");
    repo.commit_files(&[("b", "edited")], "more");
    let words = format!("removed again by {}", &removal[..12]);
    for format in ["text", "markdown", "html", "github", "sarif", "junit", "gitlab"] {
        let ran = repo.run(&["range", "HEAD~3..HEAD", "--report", format]);
        assert_eq!(ran.code(), Some(1), "{ran:?}");
        assert!(ran.stdout().contains(&words), "{format}: {}", ran.stdout());
        let ran = repo.run(&["range", "HEAD~3..HEAD~2", "--report", format]);
        assert!(!ran.stdout().contains("removed again"), "{format}: {}", ran.stdout());
    }
}

#[test]
fn a_token_that_the_head_has_again_or_elsewhere_is_in_the_head() {
    let fates = |repo: &Repo, range: &str| {
        let report = repo.run(&["range", "--report", "json", range]).json();
        let places = report["findings"][0]["locations"].as_array().expect("a list");
        let mut fates: Vec<String> = places
            .iter()
            .map(|place| {
                let (path, git) = (place["path"].as_str().expect("a path"), &place["git"]);
                let removed = git["removed"].as_array().expect("a list").len();
                format!("{path} {} {removed}", git["in_head"])
            })
            .collect();
        fates.sort();
        fates
    };
    let repo = Repo::with_files(&[("a", "clean"), ("b", "clean")]);
    repo.git(&["tag", "base"]);
    repo.commit_files(&[("a", &token(1))], "came");
    repo.commit_files(&[("a", &format!("{}\nbeside", token(1)))], "edited");
    assert_eq!(fates(&repo, "base..HEAD"), ["a true 0"]);
    repo.git(&["mv", "a", "c"]);
    repo.commit_files(&[], "renamed");
    assert_eq!(fates(&repo, "base..HEAD"), ["a false 1", "c true 0"]);
    let text = repo.run(&["range", "base..HEAD"]).stdout();
    assert!(text.contains("  c:1:1"), "the place in the head comes first: {text}");
    let markdown = repo.run(&["range", "base..HEAD", "--report", "markdown"]).stdout();
    assert!(markdown.contains("**not verified**, new in this change"), "{markdown}");
    repo.git(&["mv", "c", "a"]);
    repo.commit_files(&[], "renamed back");
    assert_eq!(fates(&repo, "base..HEAD"), ["a true 1", "a true 1", "c false 1"]);
}

#[test]
fn a_merge_that_drops_a_token_removes_it() {
    let repo = Repo::with_files(&[("a", "base"), ("b", "base")]);
    repo.git(&["tag", "base"]);
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.commit_files(&[("a", &token(1))], "side");
    repo.git(&["checkout", "-q", "main"]);
    repo.commit_files(&[("b", "main")], "main");
    repo.git(&["merge", "-q", "--no-commit", "-s", "ours", "side"]);
    let merge = repo.commit_files(&[], "merge");
    let report = range(&repo, &["base..main"]).json();
    let git = &report["findings"][0]["locations"][0]["git"];
    assert_eq!((&git["in_head"], &git["removed"][0]["commit"]), (&false.into(), &merge.into()));
}

#[test]
fn a_name_that_the_head_does_not_have_is_removed() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.commit_files(&[(&format!("{}/x", token(1)), "x")], "a folder");
    let git = |range: &str| {
        let report = repo.run(&["range", "--report", "json", range]).json();
        report["findings"][0]["locations"][0]["git"].clone()
    };
    assert_eq!(git("HEAD~1..HEAD")["in_head"], true);
    repo.git(&["rm", "-q", "-r", &token(1)]);
    let removal = repo.commit_files(&[], "gone");
    let git = git("HEAD~2..HEAD");
    assert_eq!((&git["in_head"], &git["removed"][0]["commit"]), (&false.into(), &removal.into()));
}

#[test]
fn each_token_of_three_edits_is_reported_once_with_its_commit() {
    let old = token(9);
    let repo = Repo::with_files(&[("a", &old)]);
    let first = repo.commit_files(&[("a", &format!("{old}\n{}", token(1)))], "one");
    repo.commit_files(&[("a", &format!("edited\n{old}\n{}", token(1)))], "two");
    let third =
        repo.commit_files(&[("a", &format!("edited\n{old}\n{}\n{}", token(1), token(2)))], "three");
    let ran = range(&repo, &["HEAD~3..HEAD"]);
    assert_eq!(verdict(&ran), "1; new a; new a; 1 already there");
    let report = ran.json();
    let of =
        |at: usize| report["findings"][at]["locations"][0]["git"]["introduced"]["commit"].clone();
    let mut commits = [of(0), of(1)];
    let mut expected = [first.into(), third.into()];
    commits.sort_by_key(ToString::to_string);
    expected.sort_by_key(serde_json::Value::to_string);
    assert_eq!(commits, expected);
    assert_range(&repo, &["HEAD~2..HEAD"], "1; new a; 2 already there");
    assert_range(&repo, &["HEAD~2..HEAD~1"], "0; 2 already there");
}

#[test]
fn a_token_added_by_a_merge_commit_is_new() {
    let repo = Repo::with_files(&[("a", "base"), ("b", "base")]);
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.commit_files(&[("b", "side")], "side");
    repo.git(&["checkout", "-q", "main"]);
    repo.commit_files(&[("a", "main")], "main");
    repo.git(&["merge", "-q", "--no-commit", "side"]);
    repo.commit_files(&[("a", &token(1))], "an evil merge");
    assert_range(&repo, &["main~1..main"], "1; new a");
    assert_range(&repo, &["main"], "1; new a");
    assert_range(&repo, &["side..main"], "1; new a");
    assert_range(&repo, &["main~1..side"], "0");
}

#[test]
fn merging_the_base_adds_no_token_of_the_base() {
    let repo = Repo::with_files(&[("a", "base\n\n\n\n"), ("b", "base")]);
    repo.git(&["checkout", "-q", "-b", "feature"]);
    repo.commit_files(&[("a", "base\n\n\n\nfeature\n")], "feature");
    repo.git(&["checkout", "-q", "main"]);
    let both = format!("{}\nbase\n\n\n\n", token(1));
    repo.commit_files(&[("a", &both), ("new", &token(2))], "main");
    repo.git(&["checkout", "-q", "feature"]);
    repo.git(&["merge", "-q", "-m", "merge main", "main"]);
    assert_range(&repo, &["main..feature"], "0; 1 already there");
    repo.commit_files(&[("b", &token(3))], "more");
    assert_range(&repo, &["main..feature"], "1; new b; 1 already there");
}

#[test]
fn an_edit_next_to_a_token_that_the_base_later_removed_passes() {
    let repo = Repo::with_files(&[("a", &token(1))]);
    repo.git(&["checkout", "-q", "-b", "feature"]);
    repo.commit_files(&[("a", &format!("{}\nbeside", token(1)))], "edit");
    repo.git(&["checkout", "-q", "main"]);
    repo.commit_files(&[("a", "gone")], "remove");
    for spelling in ["main..feature", "main...feature"] {
        assert_range(&repo, &[spelling], "0; 1 already there");
    }
}

#[test]
fn messages_authors_and_file_names_are_scanned() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.commit_files(&[("a", "edited")], &format!("subject\n\nsee {}", token(1)));
    assert_range(&repo, &["HEAD"], "1; new commit of a commit");
    let author = format!("{} <a@example.org>", token(2));
    repo.git(&["commit", "-q", "--allow-empty", "--author", &author, "-m", "an author"]);
    assert_range(&repo, &["HEAD"], "1; new commit of a commit");
    repo.commit_files(&[(&format!("{}/x", token(3)), "")], "a folder");
    let ran = range(&repo, &["HEAD"]);
    assert!(verdict(&ran).starts_with("1; new name of ddpat_"), "{ran:?}");
    repo.commit_files(&[(&format!("{}/x", token(3)), "y")], "an edit");
    assert_range(&repo, &["HEAD"], "0");
    repo.commit_files(&[(&format!("{}/y", token(3)), "y")], "one more file in that folder");
    assert_range(&repo, &["HEAD"], "0");
}

#[test]
fn the_message_of_a_tag_in_the_range_is_scanned() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.git(&["tag", "-a", "-m", &token(1), "inner"]);
    repo.git(&["tag", "-a", "-m", "outer", "outer", "inner"]);
    for tag in ["inner", "outer"] {
        for spelling in [&[tag][..], &[&format!("{}..{tag}", "0".repeat(40))]] {
            assert_range(&repo, spelling, "1; new tag of a commit");
        }
    }
    assert_range(&repo, &["inner..HEAD"], "0");
    assert_range(&repo, &["inner..outer"], "0");
}

#[test]
fn moved_and_renamed_tokens_pass_and_copied_tokens_fail() {
    let repo = Repo::with_files(&[("from", &token(1)), ("to", "clean"), ("old", &token(2))]);
    repo.commit_files(&[("from", "gone"), ("to", &token(1))], "move");
    assert_range(&repo, &["HEAD"], "0; moved to from from");
    repo.git(&["mv", "old", "new"]);
    repo.commit_files(&[], "rename");
    assert_range(&repo, &["HEAD"], "0; moved new from old");
    // SARIF results that do not fail have no level `error`.
    let printed = repo.run(&["range", "HEAD", "--report", "github"]).stdout();
    assert!(printed.starts_with("::warning file=new") && !printed.contains("::error"), "{printed}");
    let sarif = repo.run(&["range", "HEAD", "--report", "sarif"]).json();
    assert_eq!(sarif["runs"][0]["results"][0]["level"], "warning", "{sarif}");
    assert_range(&repo, &["HEAD~2..HEAD"], "0; moved new from old; moved to from from");
    repo.commit_files(&[("copy", &token(1))], "copy");
    assert_range(&repo, &["HEAD"], "1; new copy");
}

#[test]
fn a_file_that_becomes_a_folder_is_scanned() {
    let repo = Repo::with_files(&[("it", &token(1)), ("b", "clean")]);
    repo.git(&["rm", "-q", "it"]);
    repo.commit_files(&[("it/inner", &token(2)), ("it/moved", &token(1))], "a folder");
    assert_range(&repo, &["HEAD"], "1; moved it/moved from it; new it/inner");
    repo.git(&["rm", "-q", "-r", "it"]);
    repo.commit_files(&[("it", &format!("{} {}", token(2), token(3)))], "a file");
    assert_range(&repo, &["HEAD"], "1; moved it from it/inner; new it");
}

#[test]
fn notes_and_root_commits_are_scanned() {
    let repo = Repo::with_files(&[("a", &token(1))]);
    assert_range(&repo, &["HEAD"], "1; new a");
    repo.git(&["notes", "add", "-m", "clean"]);
    repo.git(&["notes", "append", "-m", &token(2)]);
    let ran = range(&repo, &["refs/notes/commits~1..refs/notes/commits"]);
    assert!(verdict(&ran).starts_with("1; new "), "{ran:?}");
}

#[test]
fn ranges_work_in_every_repository_format() {
    for arguments in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        let repo = Repo::init(arguments);
        repo.commit_files(&[("a", &token(1))], "base");
        repo.commit_files(&[("a", &format!("{} {}", token(1), token(2)))], "more");
        assert_range(&repo, &["HEAD~1..HEAD"], "1; new a; 1 already there");
        let zeros = "0".repeat(repo.id("HEAD").len());
        assert_range(&repo, &[&format!("{zeros}..HEAD")], "1; new a; new a");
    }
}

#[test]
fn a_plain_repository_is_read_without_the_git_program() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.commit_files(&[("a", &token(1))], "one");
    let arguments = ["range", "--report", "json", "HEAD~1..main"];
    let ran = repo.run_in(repo.path(), &arguments, &[("PATH", "/nowhere")]);
    assert_eq!(verdict(&ran), "1; new a");
}

#[test]
fn a_revision_is_never_parsed_as_an_option() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let output = repo.path().join("written");
    let option = format!("--output={}", output.display());
    for revision in [option.as_str(), "--all", "-h", "--git-dir=/", "^--all", "--all..HEAD"] {
        let ran = repo.run(&["range", "--", revision]);
        assert_fails_with(&ran, &["unknown revision"]);
        assert!(!output.exists());
    }
    let ran = repo.run(&["range", "HEAD", "--not=--all"]);
    assert_fails_with(&ran, &["unknown revision `--all`"]);
}
