//! `ddpatrol clean`: the plan, refusals, and rewrites with the real git-filter-repo.

mod refusals;
mod rewrite;

use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Scans the repository and saves a report that lists only this token.
#[track_caller]
fn report_of(repo: &Repo, token: &str) -> String {
    let mut report = repo.scan_with_git(&["--history-only"]).json();
    let findings = report["findings"].as_array_mut().expect("findings");
    findings.retain(|it| {
        let redacted = it["token"]["redacted"].as_str().expect("a redacted token");
        token.starts_with(redacted.split("***").next().expect("a public part"))
    });
    assert_eq!(findings.len(), 1, "{token}");
    save(repo, &report)
}

fn save(repo: &Repo, report: &Value) -> String {
    let path = repo.sibling("report.json");
    std::fs::write(&path, report.to_string()).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

fn clean(repo: &Repo, report: &str, args: &[&str]) -> RunOutput {
    repo.run(&[&["clean", "--from", report], args].concat())
}

/// Returns the content of all files below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).expect("a file");
                found.insert(path, content);
            }
        }
    }
    found
}
