//! The order of the matches in JSONL reports does not depend on the number of threads.

use crate::support::mint::{self, Random};
use crate::support::repo::Repo;
use crate::support::tree::{self, Tree};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The lines of the matches in a JSONL report, without the summary.
fn match_lines(folder: &Path, arguments: &[&str], threads: &str) -> Vec<Value> {
    let arguments = [arguments, &["--report", "jsonl", "--threads", threads]].concat();
    let output = tree::command(folder, &arguments).output().expect("ddpatrol runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    lines.filter(|line: &Value| line["type"] == "match").collect()
}

/// The paths of the matches.
fn paths(lines: &[Value]) -> Vec<PathBuf> {
    lines.iter().map(|it| it["locations"][0]["path"].as_str().expect("a path").into()).collect()
}

/// An archive of `ar` with one member.
fn ar(name: &str, text: &str) -> String {
    format!("!<arch>\n{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n{text}", name, 0, 0, 0, 644, text.len())
}

#[test]
fn jsonl_lists_the_matches_of_files_by_path_whatever_the_number_of_threads() {
    let tree = Tree::new();
    let mut random = Random(81);
    let mut token = || mint::datadog(&mut random, "ddpat_", 43, 0);
    for folder in 0..6 {
        for file in 0..20 {
            // Long files are read while short ones after them are finished.
            let padding = if file % 7 == 0 { ".".repeat(300_000) } else { String::new() };
            let text = format!("{}\n{padding}\n{}\n", token(), token());
            tree.write(format!("d{folder}/f{file}"), text);
        }
        tree.write(format!("d{folder}-x"), token());
        tree.write(format!("d{folder}/{}", token()), "");
        tree.write(format!("d{folder}/z.a"), ar("m/", &format!("{}\n{}", token(), token())));
    }
    for arguments in [&["scan", "."][..], &["scan", "d3", "d1", "./d2", "d0-x"]] {
        let one = match_lines(tree.path(), arguments, "1");
        for threads in ["2", "3", "8"] {
            assert_eq!(
                match_lines(tree.path(), arguments, threads),
                one,
                "{arguments:?} {threads}"
            );
        }
        let paths = paths(&one);
        assert!(paths.is_sorted(), "{paths:#?}");
        assert_eq!(paths.len(), if arguments[1] == "." { 6 * 46 } else { 3 * 45 + 1 });
    }
}

#[test]
fn jsonl_lists_tracked_files_that_ignore_rules_match_in_the_same_order() {
    let repo = Repo::new();
    let mut random = Random(82);
    for name in ["a", "b.env", "c", "d/e.env", "f"] {
        repo.write(name, mint::datadog(&mut random, "ddpat_", 43, 0));
    }
    repo.commit("all");
    repo.write(".gitignore", "*.env\n");
    for threads in ["1", "4"] {
        let lines = match_lines(repo.path(), &["scan", "--files-only", "."], threads);
        let expected = ["a", "b.env", "c", "d/e.env", "f"].map(PathBuf::from);
        assert_eq!(paths(&lines), expected);
    }
}
