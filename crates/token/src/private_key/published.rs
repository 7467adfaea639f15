//! Private keys that are published: examples of standards, and test keys of well-known projects.
//!
//! Input: the fingerprint of a public half. Output: whether it is in the list. Everybody can read these keys,
//! and copies of them are in thousands of repositories. `scripts/published-keys.py` writes the list.

use std::collections::HashSet;
use std::sync::LazyLock;

/// The fingerprints, one per line, below comments with their sources.
const LIST: &str = include_str!("published.txt");

static FINGERPRINTS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| LIST.lines().filter(|line| !line.starts_with('#')).collect());

/// Returns `true` if the key with this fingerprint is published.
pub(super) fn contains(fingerprint: &str) -> bool {
    FINGERPRINTS.contains(fingerprint)
}
