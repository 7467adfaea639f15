//! Policy: configuration, baseline, allowlist, `ddpatrol:allow`.

mod acknowledge;
mod base_policy;
mod baseline;
mod config;
mod folders;
mod inline_allow;

use crate::support::encode::hex;
use crate::support::mint::{failed_candidate, token};
use crate::support::tree::{RunOutput, Tree};
use serde_json::Value;

fn fingerprint(seed: u64) -> String {
    use sha2::Digest;
    let text = format!("ddpatrol fingerprint 1\0{}", token(seed));
    let digest = sha2::Sha256::digest(text.as_bytes());
    hex(&digest[..16])
}

fn allow(seed: u64, reason: &str) -> String {
    format!("[[allow]]\nfingerprint = \"{}\"\nreason = \"{reason}\"\n", fingerprint(seed))
}

/// Returns the first path of each finding and the suppression of suppressed ones, sorted.
fn suppressions(ran: &RunOutput) -> Vec<String> {
    let report = ran.json();
    let findings = report["findings"].as_array().expect("a list");
    let mut suppressions: Vec<String> = findings
        .iter()
        .map(|it| {
            let path = it["locations"][0]["path"].as_str().unwrap_or("-");
            match it["suppression"]["by"].as_str() {
                Some(by) => format!("{path} {by}"),
                None => path.to_owned(),
            }
        })
        .collect();
    suppressions.sort();
    suppressions
}

fn scan(tree: &Tree, args: &[&str]) -> RunOutput {
    tree.run(&[&["scan", "--report", "json"], args].concat())
}

fn notes(ran: &RunOutput) -> String {
    let report = ran.json();
    let notes = report["notes"].as_array().expect("a list").iter();
    notes.map(|note| note.as_str().expect("text")).collect::<Vec<_>>().join("\n")
}

fn suppressed(ran: &RunOutput) -> Value {
    ran.json()["summary"]["suppressed"].clone()
}
