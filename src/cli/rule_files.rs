//! The rules of a command: the built-in rules and the rule files that the user names.

use crate::rules::{self, RuleSet};
use anyhow::Context;
use ddpatrol_scan::regular::Links;
use std::path::PathBuf;

/// Loads the built-in rules and those in `paths`.
pub(in crate::cli) fn load_rules(paths: &[PathBuf]) -> anyhow::Result<RuleSet> {
    let mut set = rules::builtin().context("the built-in rules are invalid")?;
    for path in paths {
        rules::add_path(&mut set, path, Links::Follow)?;
    }
    Ok(set)
}
