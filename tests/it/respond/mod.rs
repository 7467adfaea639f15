//! `--verify` and `--revoke`. The issuers are stand-ins: the real ones cannot be reached from a test,
//! but for `ddpatrold`, with which `scripts/journey.sh` goes the whole way.

mod hostile;
mod issuer;
mod revoke;
mod verify;

use crate::mint::{self, Random};
use crate::tree::{Ran, Tree};
use serde_json::Value;

const LIVE: &str = r#"{"status":"ok"}"#;
const REFUSED: &str = r#"{"errors":["Unauthorized"]}"#;

fn datadog(seed: u64) -> String {
    mint::datadog(&mut Random(seed), "ddpat_", 43, 0)
}

fn github(seed: u64) -> String {
    mint::classic(&mut Random(seed), "ghp_", 30)
}

/// Scans a tree with further arguments and returns the run.
fn scan(tree: &Tree, args: &[&str]) -> Ran {
    tree.run(&[&["scan", "--files-only", "--report", "json"], args].concat())
}

/// The field of the only finding.
fn only(ran: &Ran, field: &str) -> Value {
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
