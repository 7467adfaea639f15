//! Trees with one token of an issuer.

use super::tree_with;
use crate::support::mint::{self, Random};
use crate::support::tree::{RunOutput, Tree};

/// A tree with one token.
pub(super) struct Sample {
    pub(super) token: String,
    pub(super) tree: Tree,
}

impl Sample {
    /// Creates a tree with a token of this rule.
    pub(super) fn of(rule: &str, seed: u64) -> Self {
        let mut tokens = mint::all(&mut Random(seed)).into_iter();
        let (_, token) = tokens.find(|(id, _)| *id == rule).expect("a built-in rule");
        Self { tree: tree_with(&token), token }
    }

    /// Scans the tree.
    pub(super) fn scan(&self, args: &[&str]) -> RunOutput {
        let start = ["scan", "x", "--files-only", "--report", "json"];
        self.tree.run(&[&start[..], args].concat())
    }
}
