//! Reports of every format and command.

use super::fixture::{gzip, repository};
use super::{assert_ran, assert_text};
use crate::support::mint::token;
use crate::support::mint::{self, Random};
use crate::support::repo::Repo;
use crate::support::tree::Tree;

const FORMATS: [&str; 10] =
    ["text", "json", "jsonl", "sarif", "html", "markdown", "github", "csv", "junit", "gitlab"];

#[test]
fn a_scan_is_reported_in_every_format() {
    let repo = repository();
    for format in FORMATS {
        let args = ["scan", "--show-shaped", "--threads", "1", "--report", format];
        let ran = repo.run_without_git(repo.path(), &args);
        assert_ran(&format!("report-scan-{format}"), repo.path(), &ran);
    }
}

#[test]
fn a_text_report_has_colours_only_on_request() {
    let repo = repository();
    let ran = repo.run_without_git(repo.path(), &["scan", "--color", "always"]);
    assert_ran("report-scan-text-colour", repo.path(), &ran);
    let ran = repo.run_without_git(repo.path(), &["scan", "--quiet"]);
    assert_ran("report-scan-text-quiet", repo.path(), &ran);
}

#[test]
fn a_scan_without_findings_is_reported_in_every_format() {
    let tree = Tree::new();
    tree.write("a/b.txt", "nothing here\n");
    for format in FORMATS {
        let ran = tree.run(&["scan", "--report", format]);
        assert_ran(&format!("report-clean-{format}"), tree.path(), &ran);
    }
}

#[test]
fn an_incomplete_scan_is_reported_in_every_format() {
    let tree = Tree::new();
    tree.write("a.txt", token(1));
    let packed = gzip(&b"text that is cut off ".repeat(200));
    tree.write("cut.gz", &packed[..packed.len() / 2]);
    for format in FORMATS {
        let ran = tree.run(&["scan", "--report", format, ".", "missing.txt"]);
        assert_ran(&format!("report-incomplete-{format}"), tree.path(), &ran);
    }
}

#[test]
fn skipped_files_are_counted_in_the_report() {
    let tree = Tree::new();
    tree.write("big.bin", vec![0; 4_000]);
    tree.write("skip/x.txt", token(1));
    tree.write("kept.txt", "nothing\n");
    std::os::unix::fs::symlink("kept.txt", tree.path().join("link")).expect("a link");
    let args = ["scan", "--exclude", "skip/", "--max-file-size", "1k", "--report"];
    for format in ["text", "json", "markdown", "html"] {
        let ran = tree.run(&[&args[..], &[format]].concat());
        assert_ran(&format!("report-skipped-{format}"), tree.path(), &ran);
    }
}

/// Creates a repository with a base and one commit that adds, moves and keeps a token.
fn changed() -> Repo {
    let repo = Repo::new();
    repo.write("kept.env", format!("A={}\n", token(1)));
    repo.write("old/place.env", format!("B={}\n", token(2)));
    repo.commit("the base");
    repo.git(&["tag", "base"]);
    repo.remove("old/place.env");
    repo.write("new/place.env", format!("B={}\n", token(2)));
    repo.write("added.env", format!("C={}\n", token(3)));
    repo
}

#[test]
fn staged_content_is_reported_in_every_format() {
    let repo = changed();
    repo.git(&["add", "-A"]);
    for format in FORMATS {
        let ran = repo.run_without_git(repo.path(), &["staged", "--report", format]);
        assert_ran(&format!("report-staged-{format}"), repo.path(), &ran);
    }
    let ran = repo.run_without_git(repo.path(), &["staged", "--all"]);
    assert_ran("report-staged-all", repo.path(), &ran);
}

#[test]
fn a_range_is_reported_in_every_format() {
    let repo = changed();
    repo.commit("the change");
    for format in FORMATS {
        let ran = repo.run_without_git(repo.path(), &["range", "base..HEAD", "--report", format]);
        assert_ran(&format!("report-range-{format}"), repo.path(), &ran);
    }
}

#[test]
fn a_token_that_a_range_adds_and_removes_again_is_reported_with_its_removal() {
    let repo = changed();
    repo.commit("the change");
    repo.remove("added.env");
    repo.commit("the removal");
    for format in ["text", "json", "markdown", "github", "csv"] {
        let ran = repo.run_without_git(repo.path(), &["range", "base..HEAD", "--report", format]);
        assert_ran(&format!("report-removed-{format}"), repo.path(), &ran);
    }
}

#[test]
fn a_commit_message_is_reported() {
    let repo = Repo::new();
    let message = repo.write(".git/COMMIT_EDITMSG", format!("use {}\n", token(1)));
    let ran = repo.run_without_git(repo.path(), &["commit-msg", message.to_str().expect("UTF-8")]);
    assert_ran("report-commit-msg", repo.path(), &ran);
}

#[test]
fn standard_input_is_reported() {
    let tree = Tree::new();
    for format in ["text", "json", "sarif"] {
        let args = ["scan", "-", "--report", format];
        let ran = tree.run_with_input(&args, format!("a line\nkey={}\n", token(1)).as_bytes());
        assert_ran(&format!("report-stdin-{format}"), tree.path(), &ran);
    }
}

#[test]
fn saved_reports_are_shown_and_compared() {
    let tree = Tree::new();
    tree.write("a.txt", token(1));
    tree.write("b.txt", token(2));
    let _ = tree.run(&["scan", "--report", "json=old.json"]);
    std::fs::remove_file(tree.path().join("a.txt")).expect("the file exists");
    tree.write("c.txt", token(3));
    let _ = tree.run(&["scan", "--exclude", "old.json", "--report", "json=new.json"]);
    for format in FORMATS {
        let ran = tree.run(&["report", "--from", "old.json", "--report", format]);
        assert_ran(&format!("report-saved-{format}"), tree.path(), &ran);
    }
    for format in ["text", "json"] {
        let ran = tree.run(&["diff", "old.json", "new.json", "--report", format]);
        assert_ran(&format!("report-diff-{format}"), tree.path(), &ran);
    }
}

#[test]
fn revocations_of_a_saved_report_are_shown() {
    let tree = Tree::new();
    let mut random = Random(3);
    tree.write("a.txt", format!("{}\n{}\n", token(2), mint::classic(&mut random, "ghp_", 30)));
    tree.write("b.txt", mint::classic(&mut random, "npm_", 30));
    tree.run(&["scan", "a.txt", "b.txt", "--report", "json=masked.json"]);
    tree.run(&["scan", "a.txt", "b.txt", "--show-secrets", "--report", "json=whole.json"]);
    tree.run(&["scan", "b.txt", "--report", "json=other.json"]);
    tree.run(&["scan", "masked.json", "--report", "json=empty.json"]);
    let issuer = ["--issuer", "https://tokens.example.com"];
    for (name, how) in
        [("masked", "--dry-run"), ("whole", "--dry-run"), ("other", "--yes"), ("empty", "--yes")]
    {
        for format in ["text", "json"] {
            let from = format!("{name}.json");
            let args = ["revoke", "--from", &from, how, "--report", format];
            let ran = tree.run(&[&args[..], &issuer].concat());
            assert_ran(&format!("revoke-{name}-{format}"), tree.path(), &ran);
        }
    }
}

#[test]
fn baselines_are_written_updated_and_shown() {
    let tree = Tree::new();
    tree.write("a.txt", token(1));
    assert_ran("baseline-create", tree.path(), &tree.run(&["baseline", "create"]));
    let written = std::fs::read_to_string(tree.path().join(".ddpatrol-baseline.json"));
    assert_text("baseline-file", tree.path(), &written.expect("a baseline"));
    assert_ran("baseline-show", tree.path(), &tree.run(&["baseline", "show"]));
    assert_ran("baseline-scan", tree.path(), &tree.run(&["scan"]));
    tree.write("b.txt", token(2));
    assert_ran("baseline-update", tree.path(), &tree.run(&["baseline", "update"]));
}

#[test]
fn check_explains_each_token() {
    let tree = Tree::new();
    let mut wrong = token(2);
    wrong.replace_range(40..41, if &wrong[40..41] == "x" { "y" } else { "x" });
    let input = format!("{}\n{wrong}\nno token\n", token(1));
    assert_ran("check", tree.path(), &tree.run_with_input(&["check"], input.as_bytes()));
}

#[test]
fn rules_are_listed_shown_and_checked() {
    let tree = Tree::new();
    assert_ran("rules-list", tree.path(), &tree.run(&["rules", "list"]));
    assert_ran("rules-show", tree.path(), &tree.run(&["rules", "show", "datadog-pat"]));
    assert_ran("rules-check", tree.path(), &tree.run(&["rules", "check"]));
}

#[test]
fn hook_commands_report_their_changes() {
    let repo = Repo::new();
    for (name, args) in [
        ("hook-status-none", &["hook", "status"][..]),
        ("hook-install", &["hook", "install"]),
        ("hook-install-again", &["hook", "install"]),
        ("hook-install-push", &["hook", "install", "--pre-push"]),
        ("hook-status", &["hook", "status"]),
        ("hook-uninstall", &["hook", "uninstall"]),
        ("hook-uninstall-again", &["hook", "uninstall"]),
    ] {
        assert_ran(name, repo.path(), &repo.run_without_git(repo.path(), args));
    }
}

#[test]
fn each_report_file_is_named_on_standard_error() {
    let tree = Tree::new();
    tree.write("a.txt", token(1));
    let files = ["--report", "json=scan.json", "--report", "sarif=scan.sarif"];
    let arguments = [&["scan", "a.txt"], &files[..]].concat();
    let ran = tree.run(&arguments);
    assert_eq!(ran.stdout(), "", "{ran:?}");
    assert_eq!(ran.stderr(), "ddpatrol: scan.json: 1 token\nddpatrol: scan.sarif: 1 token\n");
    let quiet = tree.run(&[&arguments[..], &["--quiet"]].concat());
    assert_eq!(quiet.stderr(), "", "{quiet:?}");
}
