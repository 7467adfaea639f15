//! Tokens added by a change: `staged`, `range`, `pre-push` and `pre-receive`, also as hooks of `git`.

mod base_issues;
mod hook_install;
mod hook_managers;
mod lfs;
mod many_refs;
mod merges;
mod pre_push;
mod pushes;
mod range;
mod range_base;
mod range_missing;
mod reports;
mod staged;
mod staged_hook;
mod staged_paths;

use crate::support::mint::token;
use crate::support::tree::RunOutput;

/// Summarizes a JSON report: exit code, status of each location, number of preexisting tokens.
///
/// Example: `1; new a.txt; moved c from b; 2 already there`.
fn verdict(ran: &RunOutput) -> String {
    let report = ran.json();
    let mut places = Vec::new();
    for finding in report["findings"].as_array().expect("a list") {
        for place in finding["locations"].as_array().expect("a list") {
            let part = match place["part"].as_str() {
                Some("content") => String::new(),
                part => format!("{} of ", part.expect("a text")),
            };
            let path = place["path"].as_str().unwrap_or("a commit");
            let from = place["moved_from"].as_str().map(|path| format!(" from {path}"));
            let standing = place["standing"].as_str().expect("a status");
            places.push(format!("; {standing} {part}{path}{}", from.unwrap_or_default()));
        }
    }
    places.sort();
    let there = match report["summary"]["already_there"].as_u64() {
        Some(0) => String::new(),
        count => format!("; {} already there", count.expect("a number")),
    };
    let code = ran.code().expect("an exit code");
    let is_complete = report["complete"].as_bool().expect("a boolean");
    assert!(is_complete || code != 0, "an incomplete scan never passes: {ran:?}");
    format!("{code}{}{there}", places.concat())
}

/// Asserts that a run failed with these words in its messages.
#[track_caller]
fn assert_fails_with(ran: &RunOutput, words: &[&str]) {
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    let printed = ran.stdout() + &ran.stderr();
    for word in words {
        assert!(printed.contains(word), "{word:?} is not in {printed}");
    }
}
