//! The rules of a command: the built-in ones and those in files that the user names.

use crate::rules::{self, RuleSet};
use anyhow::Context;
use ddpatrol_scan::regular::Links;
use std::path::PathBuf;

/// Compiles the built-in rules and those that the user added.
pub(in crate::cli) fn load_rules(paths: &[PathBuf]) -> anyhow::Result<RuleSet> {
    let mut set = rules::builtin().context("the built-in rules are broken")?;
    for path in paths {
        rules::add_path(&mut set, path, Links::Follow)?;
    }
    Ok(set)
}
