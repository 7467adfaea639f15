//! Checks rules, for `rules check` and `rules new`.
//!
//! Input: a rule file or folder, or the built-in rules. Output: a line for each rule.

use crate::cli::exit::Exit;
use crate::cli::rule_files::load_rules;
use crate::rules::{self, RuleSet, selftest};
use ddpatrol_scan::quantity::count;
use ddpatrol_scan::regular::Links;
use std::io::Write;
use std::path::Path;

pub(super) fn check(path: Option<&Path>, out: &mut Vec<u8>) -> anyhow::Result<Exit> {
    let rules = match path {
        None => load_rules(&[])?,
        Some(path) => {
            // A rule that a scan rejects together with the built-in rules is invalid.
            load_rules(&[path.to_owned()])?;
            let mut rules = RuleSet::default();
            rules::add_path(&mut rules, path, Links::Follow)?;
            rules
        }
    };
    let mut faulty = 0;
    for rule in rules.rules() {
        let outcome = selftest::check(rule)?;
        if outcome.faults.is_empty() {
            let damaged = match outcome.damaged {
                0 => "no checksum, so shaped only".to_owned(),
                damaged => format!("{} rejected", count(damaged, "corrupted sample")),
            };
            let rejected = match outcome.counterexamples {
                0 => String::new(),
                some => format!(", {} rejected", count(some, "published counter-example")),
            };
            let samples = match rule.verifier {
                Some(_) => String::new(),
                None => format!("{} verified, ", count(outcome.samples, "sample")),
            };
            writeln!(
                out,
                "ok      {}: {samples}{damaged}, {} matched{rejected}",
                rule.id,
                count(outcome.vectors, "published vector"),
            )?;
            continue;
        }
        faulty += 1;
        for fault in &outcome.faults {
            writeln!(out, "FAULTY  {}: {fault}", rule.id)?;
        }
    }
    if faulty == 0 {
        writeln!(out, "{} checked, all valid.", count(rules.rules().len(), "rule"))?;
        return Ok(Exit::Clean);
    }
    writeln!(out, "{} of {} faulty.", faulty, count(rules.rules().len(), "rule"))?;
    Ok(Exit::Failed)
}
