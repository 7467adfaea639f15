//! `--verify` and `--revoke` against stub issuers. No test contacts a real issuer;
//! `scripts/journey.sh` tests the whole way with `ddpatrold`.

mod issuers;
mod refusals;
mod revoke;
mod sample;
mod self_revocation;
mod stub_issuer;
mod tampered_reports;
mod verify;

use crate::support::mint::{self, Random};
use crate::support::tree::{RunOutput, Tree};
use serde_json::Value;

const LIVE: &str = r#"{"status":"ok"}"#;
const REFUSED: &str = r#"{"errors":["Unauthorized"]}"#;
/// The header with which `ddpatrold` rejects a token that it issued.
const REVOKED: &str = "x-token-state: revoked\r\n";

fn datadog(seed: u64) -> String {
    mint::datadog(&mut Random(seed), "ddpat_", 43, 0)
}

fn github(seed: u64) -> String {
    mint::classic(&mut Random(seed), "ghp_", 30)
}

/// Scans a tree with further arguments.
fn scan(tree: &Tree, args: &[&str]) -> RunOutput {
    tree.run(&[&["scan", "--files-only", "--report", "json"], args].concat())
}

/// Returns a field of the only finding.
fn only(ran: &RunOutput, field: &str) -> Value {
    let document = ran.json();
    let findings = document["findings"].as_array().expect("a list").clone();
    assert_eq!(findings.len(), 1, "{ran:?}");
    findings[0][field].clone()
}

fn tree_with(token: &str) -> Tree {
    let tree = Tree::new();
    tree.write("x", token);
    tree
}
